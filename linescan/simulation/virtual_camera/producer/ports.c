/* Ports: the camera's registers and its description; the other modules have none. */
#define _GNU_SOURCE
#include "producer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The description lies in three parts that follow each other; FEATURES names their folder. */
__asm__(".section .rodata\n"
        ".local description_start\n"
        "description_start:\n"
        ".incbin \"" FEATURES "/features-camera.xml\"\n"
        ".incbin \"" FEATURES "/features-lines.xml\"\n"
        ".incbin \"" FEATURES "/features-chunks.xml\"\n"
        ".local description_end\n"
        "description_end:\n"
        ".byte 0\n"
        ".previous\n");
extern const char description_start[], description_end[];

#define DESCRIPTION UINT64_C(0x1000000)

static size_t description_size(void)
{
    return (size_t)(description_end - description_start);
}

static struct device *device_of(HANDLE port)
{
    if (!is_a(port, KIND_PORT))
        return NULL;
    return (struct device *)((char *)port - offsetof(struct device, port));
}

static GC_ERROR reachable(struct device *d)
{
    while (d->hang_read)
        pause();
    if (device_lost(d->map.world))
        d->dead = 1;
    return d->dead ? fail(GC_ERR_IO, "the camera is gone") : GC_ERR_SUCCESS;
}

GENTL GC_ERROR GCReadPort(HANDLE port, uint64_t address, void *to, size_t *size)
{
    struct device *d = device_of(port);
    if (d == NULL)
        return fail(GC_ERR_INVALID_HANDLE, "the module has no port");
    if (to == NULL || size == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no place for what is read");
    GC_ERROR gone = reachable(d);
    if (gone != GC_ERR_SUCCESS)
        return gone;
    if (address < DESCRIPTION)
        return read_register(d, address, to, size);
    uint64_t at = address - DESCRIPTION;
    if (at + *size > description_size())
        return fail(GC_ERR_INVALID_ADDRESS, "behind the end of the description");
    memcpy(to, description_start + at, *size);
    return GC_ERR_SUCCESS;
}

GENTL GC_ERROR GCWritePort(HANDLE port, uint64_t address, const void *from, size_t *size)
{
    struct device *d = device_of(port);
    if (d == NULL)
        return fail(GC_ERR_INVALID_HANDLE, "the module has no port");
    if (from == NULL || size == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "nothing to write");
    GC_ERROR gone = reachable(d);
    return gone != GC_ERR_SUCCESS ? gone : write_register(d, address, from, *size);
}

GENTL GC_ERROR GCReadPortStacked(HANDLE port, PORT_REGISTER_STACK_ENTRY *entries, size_t *count)
{
    if (entries == NULL || count == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "nothing to read");
    GC_ERROR result = GC_ERR_SUCCESS;
    size_t done = 0;
    for (; done < *count && result == GC_ERR_SUCCESS; done++)
        result = GCReadPort(port, entries[done].address, entries[done].buffer,
                            &entries[done].size);
    *count = result == GC_ERR_SUCCESS ? done : done - 1;
    return result;
}

GENTL GC_ERROR GCWritePortStacked(HANDLE port, PORT_REGISTER_STACK_ENTRY *entries, size_t *count)
{
    if (entries == NULL || count == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "nothing to write");
    GC_ERROR result = GC_ERR_SUCCESS;
    size_t done = 0;
    for (; done < *count && result == GC_ERR_SUCCESS; done++)
        result = GCWritePort(port, entries[done].address, entries[done].buffer,
                             &entries[done].size);
    *count = result == GC_ERR_SUCCESS ? done : done - 1;
    return result;
}

static void make_url(char *to, size_t size)
{
    snprintf(to, size, "Local:linescan-virtual.xml;%llX;%zX", (unsigned long long)DESCRIPTION,
             description_size());
}

GENTL GC_ERROR GCGetNumPortURLs(HANDLE port, uint32_t *count)
{
    if (device_of(port) == NULL || count == NULL)
        return fail(GC_ERR_NOT_AVAILABLE, "the module has no description");
    *count = 1;
    return GC_ERR_SUCCESS;
}

GENTL GC_ERROR GCGetPortURL(HANDLE port, char *to, size_t *size)
{
    char url[128];
    if (device_of(port) == NULL)
        return fail(GC_ERR_NOT_IMPLEMENTED, "the module has no description");
    make_url(url, sizeof url);
    return put_text(url, NULL, to, size);
}

GENTL GC_ERROR GCGetPortURLInfo(HANDLE port, uint32_t index, int32_t what, int32_t *type, void *to,
                                size_t *size)
{
    char url[128];
    if (device_of(port) == NULL)
        return fail(GC_ERR_NOT_IMPLEMENTED, "the module has no description");
    if (index != 0)
        return fail(GC_ERR_INVALID_INDEX, "there is one description");
    make_url(url, sizeof url);
    switch (what) {
    case URL_INFO_URL:
        return put_text(url, type, to, size);
    case URL_INFO_FILENAME:
        return put_text("linescan-virtual.xml", type, to, size);
    case URL_INFO_SCHEMA_VER_MAJOR:
    case URL_INFO_SCHEMA_VER_MINOR:
        return put_int32(1, type, to, size);
    case URL_INFO_FILE_VER_MAJOR:
        return put_int32(1, type, to, size);
    case URL_INFO_FILE_VER_MINOR:
    case URL_INFO_FILE_VER_SUBMINOR:
    case URL_INFO_SCHEME:
        return put_int32(0, type, to, size);
    case URL_INFO_FILE_REGISTER_ADDRESS:
        return put_uint64(DESCRIPTION, type, to, size);
    case URL_INFO_FILE_SIZE:
        return put_uint64(description_size(), type, to, size);
    default:
        return fail(GC_ERR_NOT_AVAILABLE, "the description does not say so");
    }
}

GENTL GC_ERROR GCGetPortInfo(HANDLE port, int32_t what, int32_t *type, void *to, size_t *size)
{
    const struct device *d = device_of(port);
    switch (what) {
    case PORT_INFO_ID:
        return put_text(d != NULL ? d->id : "Module", type, to, size);
    case PORT_INFO_VENDOR:
        return put_text(VENDOR, type, to, size);
    case PORT_INFO_MODEL:
        return put_text(MODEL, type, to, size);
    case PORT_INFO_TLTYPE:
        return put_text("Custom", type, to, size);
    case PORT_INFO_MODULE:
    case PORT_INFO_PORTNAME:
        return put_text(d != NULL ? "Device" : "ModulePort", type, to, size);
    case PORT_INFO_VERSION:
        return put_text(VERSION, type, to, size);
    case PORT_INFO_LITTLE_ENDIAN:
        return put_bool(1, type, to, size);
    case PORT_INFO_ACCESS_READ:
    case PORT_INFO_ACCESS_WRITE:
        return put_bool(d != NULL, type, to, size);
    case PORT_INFO_BIG_ENDIAN:
    case PORT_INFO_ACCESS_NA:
        return put_bool(0, type, to, size);
    case PORT_INFO_ACCESS_NI:
        return put_bool(d == NULL, type, to, size);
    default:
        return fail(GC_ERR_NOT_IMPLEMENTED, "the port does not know this");
    }
}
