/* The remote device's registers: settings lie in the world, so that they outlive a process. */
#define _GNU_SOURCE
#include "producer.h"

#include <string.h>

enum { TEXT_VENDOR = 0x100, TEXT_MODEL = 0x140, TEXT_VERSION = 0x180, TEXT_SERIAL = 0x1C0,
       TEXT_USER = 0x200, TEXT_END = 0x240 };
enum { ENCODER_UP, ENCODER_DOWN, ENCODER_IDLE };

uint64_t register_value(const struct device *d, unsigned number)
{
    return d->map.world->registers[number];
}

double register_float(const struct device *d, unsigned number)
{
    double value;
    memcpy(&value, &d->map.world->registers[number], sizeof value);
    return value;
}

uint64_t payload_size(const struct device *d)
{
    uint64_t height = register_value(d, R_HEIGHT);
    uint64_t line = line_bytes(register_value(d, R_PIXEL_FORMAT), register_value(d, R_WIDTH));
    uint64_t image = height * (line + LINE_RESERVE);
    return (image + 7) / 8 * 8 + chunk_bytes(d, height);
}

/* The rate at which lines come: the camera's own, or that of the triggers from outside. */
static void apply_rate(struct device *d)
{
    struct world *w = d->map.world;
    if (!register_value(d, R_TRIGGER_MODE)) {
        set_rate(w, (uint64_t)(register_float(d, R_LINE_RATE) * 1000 + 0.5));
        return;
    }
    uint64_t divider = register_value(d, R_TRIGGER_SOURCE) == 1 /* Encoder0 */
                           ? register_value(d, R_ENCODER_DIVIDER) : 1;
    set_rate(w, w->trigger_rate_mhz / (divider ? divider : 1));
}

void restore_registers(struct device *d)
{
    d->map.world->registers[R_LOCKED] = 0;
    apply_rate(d);
}

static uint64_t computed(const struct device *d, unsigned number)
{
    const struct world *w = d->map.world;
    int64_t line = lines_at(w, now_ns());
    switch (number) {
    case R_PAYLOAD_SIZE:
        return payload_size(d);
    case R_WIDTH_MAX:
        return w->store_width;
    case R_LINE_COUNTER:
        return (uint64_t)line;
    case R_OVERRUNS:
        return (uint64_t)overruns_at(w, line);
    case R_ENCODER_VALUE:
        return (uint64_t)encoder_at(w, line);
    case R_ENCODER_STATUS: {
        int64_t step = encoder_at(w, line + 1) - encoder_at(w, line);
        return step > 0 ? ENCODER_UP : step < 0 ? ENCODER_DOWN : ENCODER_IDLE;
    }
    case R_LATCHED:
        return w->latched_ns;
    default:
        return w->registers[number];
    }
}

/* A selector's registers follow each other: LineStart and FrameStart, one enable a chunk. */
static unsigned selected(const struct device *d, unsigned number)
{
    if (number == R_CHUNK_ENABLE)
        return number + (unsigned)(register_value(d, R_CHUNK_SELECTOR) % CHUNKS);
    if (number == R_TRIGGER_MODE || number == R_TRIGGER_SOURCE)
        return number + (unsigned)(register_value(d, R_TRIGGER_SELECTOR) % 2);
    return number;
}

static const char *text_at(const struct device *d, uint64_t address)
{
    switch (address) {
    case TEXT_VENDOR:
        return VENDOR;
    case TEXT_MODEL:
        return MODEL;
    case TEXT_VERSION:
        return VERSION;
    case TEXT_SERIAL:
        return d->map.world->serial;
    case TEXT_USER:
        return d->map.world->user_name;
    default:
        return NULL;
    }
}

GC_ERROR read_register(struct device *d, uint64_t address, void *to, size_t *size)
{
    const char *text = text_at(d, address);
    if (text != NULL) {
        char whole[WORLD_TEXT] = {0};
        memcpy(whole, text, strnlen(text, sizeof whole - 1));
        *size = *size < sizeof whole ? *size : sizeof whole;
        memcpy(to, whole, *size);
        return GC_ERR_SUCCESS;
    }
    uint64_t number = (address - REGISTERS) / 8;
    if (address < REGISTERS || address % 8 != 0 || number >= R_COUNT || *size > 8)
        return fail(GC_ERR_INVALID_ADDRESS, "the camera has no register there");
    uint64_t value = computed(d, selected(d, (unsigned)number));
    memcpy(to, &value, *size);
    return GC_ERR_SUCCESS;
}

static void reset_encoder(struct world *w)
{
    w->ticks_offset -= encoder_at(w, lines_at(w, now_ns()));
}

static GC_ERROR check(const struct device *d, unsigned number, uint64_t value)
{
    if (number == R_PIXEL_FORMAT && !known_format(value))
        return fail(GC_ERR_INVALID_VALUE, "the camera has no such pixel format");
    if (number == R_WIDTH && (value < 1 || value > d->map.world->store_width))
        return fail(GC_ERR_INVALID_VALUE, "the width is out of range");
    if (number == R_HEIGHT && (value < 1 || value > 65535))
        return fail(GC_ERR_INVALID_VALUE, "the height is out of range");
    int locked = number == R_WIDTH || number == R_HEIGHT || number == R_PIXEL_FORMAT ||
                 (number >= R_CHUNK_ACTIVE && number < R_LATCH && number != R_CHUNK_SELECTOR);
    if (locked && register_value(d, R_LOCKED))
        return fail(GC_ERR_ACCESS_DENIED, "locked while the camera is acquiring");
    return GC_ERR_SUCCESS;
}

static void act(struct device *d, unsigned number)
{
    struct world *w = d->map.world;
    switch (number) {
    case R_START:
        d->acquiring = 1;
        if (d->stream != NULL)
            start_if_ready(d->stream);
        break;
    case R_STOP:
        d->acquiring = 0;
        if (d->stream != NULL)
            stop_stream(d->stream);
        break;
    case R_LATCH:
        w->latched_ns = (uint64_t)device_ns(w, now_ns());
        break;
    case R_ENCODER_RESET:
        reset_encoder(w);
        break;
    case R_LINE_RATE:
    case R_TRIGGER_MODE:
    case R_TRIGGER_SOURCE:
    case R_ENCODER_DIVIDER:
        apply_rate(d);
        break;
    default:
        break;
    }
}

GC_ERROR write_register(struct device *d, uint64_t address, const void *from, size_t size)
{
    struct world *w = d->map.world;
    if (address == TEXT_USER) {
        memset(w->user_name, 0, sizeof w->user_name);
        memcpy(w->user_name, from, size < WORLD_TEXT - 1 ? size : WORLD_TEXT - 1);
        return GC_ERR_SUCCESS;
    }
    uint64_t number = (address - REGISTERS) / 8;
    if (address < REGISTERS || address % 8 != 0 || number >= R_COUNT || size > 8)
        return fail(GC_ERR_INVALID_ADDRESS, "the camera has no register there");
    unsigned at = selected(d, (unsigned)number);
    uint64_t value = 0;
    memcpy(&value, from, size);
    GC_ERROR refused = check(d, at, value);
    if (refused != GC_ERR_SUCCESS)
        return refused;
    w->registers[at] = value;
    act(d, at);
    return GC_ERR_SUCCESS;
}
