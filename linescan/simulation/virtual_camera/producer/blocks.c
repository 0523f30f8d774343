/* Blocks of lines: when each is due, what it holds, and what befalls it. */
#define _GNU_SOURCE
#include "producer.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK_LINE_COUNTER = 1, CHUNK_ENCODER, CHUNK_TIMESTAMP, CHUNK_FRAME_ID, CHUNK_SCAN_LINES,
       CHUNK_OVERRUNS };

static int chunk_on(const struct device *d, unsigned id)
{
    return register_value(d, R_CHUNK_ACTIVE) && register_value(d, R_CHUNK_ENABLE + id - 1);
}

uint64_t chunk_bytes(const struct device *d, uint64_t height)
{
    uint64_t bytes = 0;
    for (unsigned id = 1; id <= CHUNKS; id++)
        if (chunk_on(d, id))
            bytes += id == CHUNK_ENCODER ? 8 * height : 8;
    return bytes;
}

static void put_chunk(struct buffer *b, unsigned id, const void *value, uint64_t bytes)
{
    struct chunk *c = &b->chunk[b->chunks++];
    c->id = id;
    c->offset = b->filled;
    c->bytes = bytes;
    if (value != NULL)
        memcpy(b->base + b->filled, value, bytes);
    b->filled += bytes;
}

static void put_chunks(const struct device *d, struct buffer *b)
{
    const struct world *w = d->map.world;
    int64_t rows = (int64_t)b->rows, end = b->first_line + rows;
    int64_t overruns = overruns_at(w, end);
    const int64_t *values[] = {&b->first_line, NULL, &b->time_ns, &b->block_id, &rows, &overruns};
    b->filled = (b->filled + 7) / 8 * 8;
    for (unsigned id = 1; id <= CHUNKS; id++) {
        if (!chunk_on(d, id))
            continue;
        uint64_t at = b->filled;
        put_chunk(b, id, values[id - 1], id == CHUNK_ENCODER ? 8 * b->height : 8);
        if (id != CHUNK_ENCODER)
            continue;
        for (int64_t y = 0; y < (int64_t)b->height; y++) {
            int64_t ticks = encoder_at(w, b->first_line + (y < rows ? y : rows - 1));
            memcpy(b->base + at + 8 * (uint64_t)y, &ticks, 8);
        }
    }
}

void fill_block(struct stream *s, struct buffer *b, const struct fault *f, int64_t rows)
{
    const struct device *d = s->device;
    uint32_t kind = f == NULL ? 0 : f->kind;
    b->width = register_value(d, R_WIDTH);
    b->height = register_value(d, R_HEIGHT);
    b->format = register_value(d, R_PIXEL_FORMAT);
    b->rows = (uint64_t)rows;
    b->incomplete = kind == FAULT_INCOMPLETE;
    b->padding = kind == FAULT_PADDED ? (uint64_t)f->amount % (LINE_RESERVE + 1) : 0;
    b->first_line = s->line;
    b->block_id = s->block_id;
    b->time_ns = device_ns(d->map.world, time_of(d->map.world, s->line + rows));
    b->chunks = 0;
    uint64_t pitch = line_bytes(b->format, b->width) + b->padding;
    uint64_t needed = (b->height * pitch + 7) / 8 * 8 + chunk_bytes(d, b->height);
    if (b->size < needed) { /* announced before the payload grew */
        b->incomplete = 1;
        b->rows = b->filled = 0;
        return;
    }
    write_lines(&d->map, b->format, b->width, s->line, rows, b->base, pitch);
    int64_t height = (int64_t)b->height;
    if (!b->incomplete && rows < height) /* as cameras do: the image before shows behind */
        write_lines(&d->map, b->format, b->width, s->line - height + rows, height - rows,
                    b->base + b->rows * pitch, pitch);
    b->filled = (b->incomplete ? b->rows : b->height) * pitch;
    if (!b->incomplete) /* the trailer is what an incomplete block lacks */
        put_chunks(d, b);
}

static void next_id(struct stream *s)
{
    const struct world *w = s->device->map.world;
    s->block_id = (uint64_t)s->block_id >= w->last_block_id ? 1 : s->block_id + 1;
}

static void pass(struct stream *s, enum fate fate, int64_t rows)
{
    struct world *w = s->device->map.world;
    journal(w, fate, s->line, rows, s->block_id);
    atomic_fetch_add(&w->blocks, 1);
    s->line += rows;
    next_id(s);
}

static void deliver(struct stream *s, const struct fault *f, int64_t rows, int64_t arrived)
{
    struct world *w = s->device->map.world;
    struct buffer *b = queue_take(&s->input);
    if (b == NULL) {
        s->under_runs++;
        pass(s, FATE_UNDER_RUN, rows);
        return;
    }
    b->state = BUFFER_FILLING;
    s->filling = b;
    pthread_mutex_unlock(&s->lock);
    fill_block(s, b, f, arrived);
    pthread_mutex_lock(&s->lock);
    s->filling = NULL;
    b->entry = journal(w, b->incomplete ? FATE_INCOMPLETE : FATE_DELIVERED, s->line, rows,
                       s->block_id);
    atomic_fetch_add(&w->blocks, 1);
    s->line += rows;
    next_id(s);
    s->delivered++;
    b->state = BUFFER_WAITING;
    queue_put(&s->output, b);
    pthread_cond_broadcast(&s->news);
}

static void crash(int64_t how)
{
    if (how == 1)
        abort();
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
}

static void leak(int64_t bytes)
{
    static void *volatile kept;
    void *block = malloc((size_t)bytes);
    if (block != NULL)
        memset(block, 1, (size_t)bytes);
    kept = block;
    (void)kept;
}

/* Faults of the process or the device; true if no block comes of it. */
static int strike(struct stream *s, struct fault *f)
{
    struct device *d = s->device;
    switch (f->kind) {
    case FAULT_CRASH:
        crash(f->amount);
        return 1;
    case FAULT_HANG:
        s->hang_get = f->amount == HANG_GET_DATA;
        s->hang_stop = f->amount == HANG_STOP;
        d->hang_read = f->amount == HANG_READ_PORT;
        pthread_cond_broadcast(&s->news);
        return 0;
    case FAULT_LOST:
        d->map.world->lost_until_ns = now_ns() + f->amount;
        d->dead = 1;
        return 1;
    case FAULT_LEAK:
        leak(f->amount);
        return 0;
    default:
        return 0;
    }
}

/* Waits until a time or until the stream stops; true if it is time. */
static int wait_until(struct stream *s, int64_t at_ns)
{
    struct timespec at = {at_ns / 1000000000, at_ns % 1000000000};
    while (!s->stopping && now_ns() < at_ns)
        pthread_cond_timedwait(&s->work, &s->lock, &at);
    return !s->stopping;
}

/* Lines of the next block, and when it is due: a stop of the line trigger may end it early. */
static int64_t next_rows(const struct stream *s, int64_t height, int64_t *due_ns)
{
    const struct world *w = s->device->map.world;
    double patience = register_float(s->device, R_ENCODER_TIMEOUT) * 1000;
    int64_t stop_ns = 0, stop = stop_within(w, s->line, s->line + height, &stop_ns);
    if (stop && patience > 0 && (double)stop_ns > patience) {
        *due_ns = time_of(w, stop) + (int64_t)patience;
        return stop - s->line;
    }
    *due_ns = time_of(w, s->line + height);
    return height;
}

static int64_t within(int64_t value, int64_t most)
{
    return value < 1 ? 1 : value < most ? value : most;
}

int run_block(struct stream *s)
{
    struct world *w = s->device->map.world;
    int64_t due_ns, rows = next_rows(s, (int64_t)register_value(s->device, R_HEIGHT), &due_ns);
    uint32_t turn = atomic_load(&w->clock_turn), faults = atomic_load(&w->faults);
    int64_t soon = now_ns() + 50000000;
    /* The rate may change and faults may be added meanwhile, so look again now and then. */
    if (!wait_until(s, due_ns < soon ? due_ns : soon))
        return 0;
    if (turn != atomic_load(&w->clock_turn) || faults != atomic_load(&w->faults) ||
        now_ns() < due_ns)
        return 1;
    struct fault *f = due_fault(w, s->line, s->line + rows);
    if (f != NULL) {
        mark_done(f, s->line);
        if (strike(s, f))
            return 0;
    }
    int64_t arrived = rows;
    if (f != NULL && f->kind == FAULT_SHORT)
        arrived = rows = f->amount < 1 ? 0 : within(f->amount, rows);
    if (f != NULL && f->kind == FAULT_INCOMPLETE)
        arrived = within(f->amount, rows);
    if (f == NULL || (f->kind != FAULT_DROPPED && f->kind != FAULT_UNDER_RUN)) {
        deliver(s, f, rows, arrived);
        return 1;
    }
    for (int64_t n = within(f->amount, 1024); n > 0 && wait_until(s, time_of(w, s->line + rows));
         n--) {
        s->under_runs += f->kind == FAULT_UNDER_RUN;
        pass(s, f->kind == FAULT_DROPPED ? FATE_DROPPED : FATE_UNDER_RUN, rows);
    }
    return !s->stopping;
}
