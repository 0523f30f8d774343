/* How answers are handed back: GenTL's convention of type, buffer and size. */
#include "producer.h"

#include <stdio.h>
#include <string.h>

static _Thread_local GC_ERROR last_code;
static _Thread_local char last_text[256];

GC_ERROR fail(GC_ERROR code, const char *why)
{
    last_code = code;
    snprintf(last_text, sizeof last_text, "%s", why);
    return code;
}

GC_ERROR put_bytes(const void *value, size_t length, int32_t as, int32_t *type, void *to,
                   size_t *size)
{
    if (size == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no place for the size");
    if (type != NULL)
        *type = as;
    if (to == NULL) {
        *size = length;
        return GC_ERR_SUCCESS;
    }
    if (*size < length)
        return fail(GC_ERR_BUFFER_TOO_SMALL, "the buffer is too small for the answer");
    memcpy(to, value, length);
    *size = length;
    return GC_ERR_SUCCESS;
}

GC_ERROR put_text(const char *text, int32_t *type, void *to, size_t *size)
{
    return put_bytes(text, strlen(text) + 1, INFO_DATATYPE_STRING, type, to, size);
}

GC_ERROR put_bool(int value, int32_t *type, void *to, size_t *size)
{
    bool8_t small = value != 0;
    return put_bytes(&small, sizeof small, INFO_DATATYPE_BOOL8, type, to, size);
}

GC_ERROR put_int32(int32_t value, int32_t *type, void *to, size_t *size)
{
    return put_bytes(&value, sizeof value, INFO_DATATYPE_INT32, type, to, size);
}

GC_ERROR put_uint32(uint32_t value, int32_t *type, void *to, size_t *size)
{
    return put_bytes(&value, sizeof value, INFO_DATATYPE_UINT32, type, to, size);
}

GC_ERROR put_uint64(uint64_t value, int32_t *type, void *to, size_t *size)
{
    return put_bytes(&value, sizeof value, INFO_DATATYPE_UINT64, type, to, size);
}

GC_ERROR put_size(size_t value, int32_t *type, void *to, size_t *size)
{
    return put_bytes(&value, sizeof value, INFO_DATATYPE_SIZET, type, to, size);
}

GC_ERROR put_pointer(void *value, int32_t *type, void *to, size_t *size)
{
    return put_bytes(&value, sizeof value, INFO_DATATYPE_PTR, type, to, size);
}

int is_a(HANDLE handle, enum kind kind)
{
    return handle != NULL && ((const struct module *)handle)->kind == kind;
}

GENTL GC_ERROR GCGetLastError(GC_ERROR *code, char *text, size_t *size)
{
    if (code != NULL)
        *code = last_code;
    return put_bytes(last_text, strlen(last_text) + 1, INFO_DATATYPE_STRING, NULL, text, size);
}
