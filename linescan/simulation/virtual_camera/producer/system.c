/* The library, its system with one interface, and the cameras on it. */
#define _GNU_SOURCE
#include "producer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct module the_system = {KIND_SYSTEM}, the_interface = {KIND_INTERFACE};
static int users, system_open;
static struct device devices[MAX_DEVICES];
static unsigned device_count;

static void forget_devices(void)
{
    for (unsigned i = 0; i < device_count; i++)
        unmap_world(&devices[i].map);
    device_count = 0;
}

static void find_devices(void)
{
    const char *paths = getenv("LINESCAN_VIRTUAL_CAMERA");
    char *rest = NULL, *copy = paths == NULL ? NULL : strdup(paths);
    if (copy == NULL)
        return;
    for (char *path = strtok_r(copy, ":", &rest); path != NULL && device_count < MAX_DEVICES;
         path = strtok_r(NULL, ":", &rest)) {
        struct device *d = &devices[device_count];
        memset(d, 0, sizeof *d);
        if (map_world(&d->map, path) != 0)
            continue;
        d->module.kind = KIND_DEVICE;
        d->port.kind = KIND_PORT;
        snprintf(d->id, sizeof d->id, "LVC-%s", d->map.world->serial);
        device_count++;
    }
    free(copy);
}

GENTL GC_ERROR GCInitLib(void)
{
    if (users > 0)
        return fail(GC_ERR_RESOURCE_IN_USE, "the producer is initialised already");
    users = 1;
    find_devices();
    return GC_ERR_SUCCESS;
}

GENTL GC_ERROR GCCloseLib(void)
{
    if (users == 0)
        return fail(GC_ERR_NOT_INITIALIZED, "the producer is not initialised");
    users = 0;
    system_open = 0;
    forget_devices();
    return GC_ERR_SUCCESS;
}

static GC_ERROR system_info(int32_t what, int32_t *type, void *to, size_t *size)
{
    switch (what) {
    case TL_INFO_ID:
    case TL_INFO_NAME:
    case TL_INFO_PATHNAME:
        return put_text("linescan-virtual.cti", type, to, size);
    case TL_INFO_VENDOR:
        return put_text(VENDOR, type, to, size);
    case TL_INFO_MODEL:
    case TL_INFO_DISPLAYNAME:
        return put_text(MODEL, type, to, size);
    case TL_INFO_VERSION:
        return put_text(VERSION, type, to, size);
    case TL_INFO_TLTYPE:
        return put_text("Custom", type, to, size);
    case TL_INFO_CHAR_ENCODING:
        return put_int32(1, type, to, size);
    case TL_INFO_GENTL_VER_MAJOR:
        return put_uint32(1, type, to, size);
    case TL_INFO_GENTL_VER_MINOR:
        return put_uint32(5, type, to, size);
    default:
        return fail(GC_ERR_NOT_IMPLEMENTED, "the producer does not know this");
    }
}

GENTL GC_ERROR GCGetInfo(int32_t what, int32_t *type, void *to, size_t *size)
{
    return system_info(what, type, to, size);
}

GENTL GC_ERROR TLGetInfo(HANDLE system, int32_t what, int32_t *type, void *to, size_t *size)
{
    if (!is_a(system, KIND_SYSTEM))
        return fail(GC_ERR_INVALID_HANDLE, "no system");
    return system_info(what, type, to, size);
}

GENTL GC_ERROR TLOpen(HANDLE *to)
{
    if (users == 0)
        return fail(GC_ERR_NOT_INITIALIZED, "the producer is not initialised");
    if (system_open)
        return fail(GC_ERR_RESOURCE_IN_USE, "the system is open already");
    system_open = 1;
    *to = &the_system;
    return GC_ERR_SUCCESS;
}

GENTL GC_ERROR TLClose(HANDLE system)
{
    if (!is_a(system, KIND_SYSTEM) || !system_open)
        return fail(GC_ERR_INVALID_HANDLE, "no system");
    system_open = 0;
    return GC_ERR_SUCCESS;
}

GENTL GC_ERROR TLUpdateInterfaceList(HANDLE system, bool8_t *changed, uint64_t timeout_ms)
{
    (void)timeout_ms;
    if (!is_a(system, KIND_SYSTEM))
        return fail(GC_ERR_INVALID_HANDLE, "no system");
    if (changed != NULL)
        *changed = 0;
    return GC_ERR_SUCCESS;
}

GENTL GC_ERROR TLGetNumInterfaces(HANDLE system, uint32_t *count)
{
    if (!is_a(system, KIND_SYSTEM))
        return fail(GC_ERR_INVALID_HANDLE, "no system");
    *count = 1;
    return GC_ERR_SUCCESS;
}

GENTL GC_ERROR TLGetInterfaceID(HANDLE system, uint32_t index, char *to, size_t *size)
{
    if (!is_a(system, KIND_SYSTEM))
        return fail(GC_ERR_INVALID_HANDLE, "no system");
    if (index != 0)
        return fail(GC_ERR_INVALID_INDEX, "there is one interface");
    return put_text("World", NULL, to, size);
}

static GC_ERROR interface_info(int32_t what, int32_t *type, void *to, size_t *size)
{
    switch (what) {
    case INTERFACE_INFO_ID:
        return put_text("World", type, to, size);
    case INTERFACE_INFO_DISPLAYNAME:
        return put_text("Worlds in mapped files", type, to, size);
    case INTERFACE_INFO_TLTYPE:
        return put_text("Custom", type, to, size);
    default:
        return fail(GC_ERR_NOT_IMPLEMENTED, "the interface does not know this");
    }
}

GENTL GC_ERROR TLGetInterfaceInfo(HANDLE system, const char *id, int32_t what, int32_t *type,
                                  void *to, size_t *size)
{
    if (!is_a(system, KIND_SYSTEM) || id == NULL || strcmp(id, "World") != 0)
        return fail(GC_ERR_INVALID_ID, "no such interface");
    return interface_info(what, type, to, size);
}

GENTL GC_ERROR TLOpenInterface(HANDLE system, const char *id, HANDLE *to)
{
    if (!is_a(system, KIND_SYSTEM) || id == NULL || strcmp(id, "World") != 0)
        return fail(GC_ERR_INVALID_ID, "no such interface");
    *to = &the_interface;
    return GC_ERR_SUCCESS;
}

GENTL GC_ERROR IFClose(HANDLE interface)
{
    return is_a(interface, KIND_INTERFACE) ? GC_ERR_SUCCESS
                                           : fail(GC_ERR_INVALID_HANDLE, "no interface");
}

GENTL GC_ERROR IFGetInfo(HANDLE interface, int32_t what, int32_t *type, void *to, size_t *size)
{
    if (!is_a(interface, KIND_INTERFACE))
        return fail(GC_ERR_INVALID_HANDLE, "no interface");
    return interface_info(what, type, to, size);
}

GENTL GC_ERROR IFGetParentTL(HANDLE interface, HANDLE *to)
{
    if (!is_a(interface, KIND_INTERFACE))
        return fail(GC_ERR_INVALID_HANDLE, "no interface");
    *to = &the_system;
    return GC_ERR_SUCCESS;
}

GENTL GC_ERROR IFUpdateDeviceList(HANDLE interface, bool8_t *changed, uint64_t timeout_ms)
{
    (void)timeout_ms;
    if (!is_a(interface, KIND_INTERFACE))
        return fail(GC_ERR_INVALID_HANDLE, "no interface");
    if (changed != NULL)
        *changed = 1;
    return GC_ERR_SUCCESS;
}

static struct device *present(uint32_t index)
{
    for (unsigned i = 0; i < device_count; i++)
        if (!device_lost(devices[i].map.world) && index-- == 0)
            return &devices[i];
    return NULL;
}

GENTL GC_ERROR IFGetNumDevices(HANDLE interface, uint32_t *count)
{
    if (!is_a(interface, KIND_INTERFACE))
        return fail(GC_ERR_INVALID_HANDLE, "no interface");
    *count = 0;
    while (present(*count) != NULL)
        ++*count;
    return GC_ERR_SUCCESS;
}

GENTL GC_ERROR IFGetDeviceID(HANDLE interface, uint32_t index, char *to, size_t *size)
{
    const struct device *d = present(index);
    if (!is_a(interface, KIND_INTERFACE) || d == NULL)
        return fail(GC_ERR_INVALID_INDEX, "no such camera");
    return put_text(d->id, NULL, to, size);
}

static struct device *named(const char *id)
{
    for (unsigned i = 0; id != NULL && i < device_count; i++)
        if (strcmp(devices[i].id, id) == 0)
            return &devices[i];
    return NULL;
}

GENTL GC_ERROR IFGetDeviceInfo(HANDLE interface, const char *id, int32_t what, int32_t *type,
                               void *to, size_t *size)
{
    struct device *d = named(id);
    if (!is_a(interface, KIND_INTERFACE) || d == NULL)
        return fail(GC_ERR_INVALID_ID, "no such camera");
    return device_info(d, what, type, to, size);
}

GENTL GC_ERROR IFOpenDevice(HANDLE interface, const char *id, int32_t access, HANDLE *to)
{
    struct device *d = named(id);
    (void)access;
    if (!is_a(interface, KIND_INTERFACE) || d == NULL)
        return fail(GC_ERR_INVALID_ID, "no such camera");
    if (device_lost(d->map.world))
        return fail(GC_ERR_NOT_AVAILABLE, "the camera is gone");
    if (d->open || hold_device(&d->map) != 0)
        return fail(GC_ERR_RESOURCE_IN_USE, "another program has the camera");
    d->open = 1;
    d->dead = d->hang_read = d->acquiring = 0;
    d->map.world->opened++;
    restore_registers(d);
    *to = d;
    return GC_ERR_SUCCESS;
}

GENTL GC_ERROR DevGetParentIF(HANDLE handle, HANDLE *to)
{
    if (!is_a(handle, KIND_DEVICE))
        return fail(GC_ERR_INVALID_HANDLE, "no camera");
    *to = &the_interface;
    return GC_ERR_SUCCESS;
}
