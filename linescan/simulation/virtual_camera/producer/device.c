/* A camera: what is known of it, its port and its one data stream. */
#define _GNU_SOURCE
#include "producer.h"

#include <stdlib.h>
#include <string.h>

static int32_t access_status(struct device *d)
{
    if (d->dead || device_lost(d->map.world))
        return ACCESS_NOACCESS;
    if (d->open)
        return ACCESS_OPEN_READWRITE;
    if (hold_device(&d->map) != 0)
        return ACCESS_BUSY;
    let_device_go(&d->map);
    return ACCESS_READWRITE;
}

GC_ERROR device_info(struct device *d, int32_t what, int32_t *type, void *to, size_t *size)
{
    switch (what) {
    case DEVICE_INFO_ID:
        return put_text(d->id, type, to, size);
    case DEVICE_INFO_VENDOR:
        return put_text(VENDOR, type, to, size);
    case DEVICE_INFO_MODEL:
    case DEVICE_INFO_DISPLAYNAME:
        return put_text(MODEL, type, to, size);
    case DEVICE_INFO_TLTYPE:
        return put_text("Custom", type, to, size);
    case DEVICE_INFO_ACCESS_STATUS:
        if (d->map.world->quirks & QUIRK_NO_ACCESS_STATUS)
            return fail(GC_ERR_NOT_IMPLEMENTED, "this producer does not say so");
        return put_int32(access_status(d), type, to, size);
    case DEVICE_INFO_USER_DEFINED_NAME:
        return put_text(d->map.world->user_name, type, to, size);
    case DEVICE_INFO_SERIAL_NUMBER:
        return put_text(d->map.world->serial, type, to, size);
    case DEVICE_INFO_VERSION:
        return put_text(VERSION, type, to, size);
    case DEVICE_INFO_TIMESTAMP_FREQUENCY:
        return put_uint64(1000000000, type, to, size);
    default:
        return fail(GC_ERR_NOT_IMPLEMENTED, "the camera does not know this");
    }
}

GENTL GC_ERROR DevGetInfo(HANDLE handle, int32_t what, int32_t *type, void *to, size_t *size)
{
    if (!is_a(handle, KIND_DEVICE))
        return fail(GC_ERR_INVALID_HANDLE, "no camera");
    return device_info(handle, what, type, to, size);
}

GENTL GC_ERROR DevGetPort(HANDLE handle, HANDLE *to)
{
    struct device *d = handle;
    if (!is_a(handle, KIND_DEVICE) || !d->open)
        return fail(GC_ERR_INVALID_HANDLE, "no open camera");
    *to = &d->port;
    return GC_ERR_SUCCESS;
}

GENTL GC_ERROR DevGetNumDataStreams(HANDLE handle, uint32_t *count)
{
    if (!is_a(handle, KIND_DEVICE))
        return fail(GC_ERR_INVALID_HANDLE, "no camera");
    *count = 1;
    return GC_ERR_SUCCESS;
}

GENTL GC_ERROR DevGetDataStreamID(HANDLE handle, uint32_t index, char *to, size_t *size)
{
    if (!is_a(handle, KIND_DEVICE))
        return fail(GC_ERR_INVALID_HANDLE, "no camera");
    if (index != 0)
        return fail(GC_ERR_INVALID_INDEX, "there is one data stream");
    return put_text("Stream0", NULL, to, size);
}

GENTL GC_ERROR DevOpenDataStream(HANDLE handle, const char *id, HANDLE *to)
{
    struct device *d = handle;
    if (!is_a(handle, KIND_DEVICE) || !d->open)
        return fail(GC_ERR_INVALID_HANDLE, "no open camera");
    if (id == NULL || strcmp(id, "Stream0") != 0)
        return fail(GC_ERR_INVALID_ID, "no such data stream");
    if (d->stream != NULL)
        return fail(GC_ERR_RESOURCE_IN_USE, "the data stream is open already");
    struct stream *s = calloc(1, sizeof *s);
    if (s == NULL)
        return fail(GC_ERR_OUT_OF_MEMORY, "no memory for the data stream");
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&s->work, &clock);
    pthread_cond_init(&s->news, &clock);
    pthread_condattr_destroy(&clock);
    pthread_mutex_init(&s->lock, NULL);
    s->module.kind = KIND_STREAM;
    s->device = d;
    d->stream = s;
    *to = s;
    return GC_ERR_SUCCESS;
}

GENTL GC_ERROR DevClose(HANDLE handle)
{
    struct device *d = handle;
    if (!is_a(handle, KIND_DEVICE) || !d->open)
        return fail(GC_ERR_INVALID_HANDLE, "no open camera");
    if (d->stream != NULL)
        close_stream(d->stream);
    d->open = 0;
    let_device_go(&d->map);
    return GC_ERR_SUCCESS;
}

GENTL GC_ERROR DSGetParentDev(HANDLE handle, HANDLE *to)
{
    if (!is_a(handle, KIND_STREAM))
        return fail(GC_ERR_INVALID_HANDLE, "no data stream");
    *to = ((struct stream *)handle)->device;
    return GC_ERR_SUCCESS;
}
