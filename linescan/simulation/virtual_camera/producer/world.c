/* Maps a world; its clock, encoder, faults and journal. */
#define _GNU_SOURCE
#include "world.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void *map_file(const char *path, int writable, uint64_t *bytes)
{
    int file = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (file < 0)
        return NULL;
    struct stat about;
    void *at = MAP_FAILED;
    if (fstat(file, &about) == 0 && about.st_size > 0) {
        *bytes = (uint64_t)about.st_size;
        at = mmap(NULL, *bytes, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, file, 0);
    }
    close(file);
    return at == MAP_FAILED ? NULL : at;
}

int map_world(struct map *map, const char *path)
{
    uint64_t bytes = 0;
    memset(map, 0, sizeof *map);
    map->lock = -1;
    if (strlen(path) >= sizeof map->path)
        return -1;
    strcpy(map->path, path);
    map->world = map_file(path, 1, &bytes);
    if (map->world == NULL)
        return -1;
    struct world *w = map->world;
    if (bytes != sizeof *w || w->magic != WORLD_MAGIC || w->version != WORLD_VERSION ||
        w->size != sizeof *w) {
        munmap(w, bytes);
        map->world = NULL;
        return -1;
    }
    map->pixels = map_file(w->store, 0, &map->pixel_bytes);
    if (map->pixels == NULL ||
        map->pixel_bytes < w->store_lines * w->store_width * (w->store_bits > 8 ? 2 : 1)) {
        unmap_world(map);
        return -1;
    }
    return 0;
}

void unmap_world(struct map *map)
{
    let_device_go(map);
    if (map->pixels != NULL)
        munmap((void *)(uintptr_t)map->pixels, map->pixel_bytes);
    if (map->world != NULL)
        munmap(map->world, sizeof *map->world);
    map->pixels = NULL;
    map->world = NULL;
}

int hold_device(struct map *map)
{
    int file = open(map->path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return -1;
    /* The kernel lets go of the lock when its process dies, however it dies. */
    if (flock(file, LOCK_EX | LOCK_NB) != 0) {
        close(file);
        return -1;
    }
    map->lock = file;
    return 0;
}

void let_device_go(struct map *map)
{
    if (map->lock >= 0)
        close(map->lock);
    map->lock = -1;
}

int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static const struct fault *next_stop(const struct world *w, int64_t line, int64_t after)
{
    const struct fault *best = NULL;
    uint32_t count = atomic_load(&w->faults);
    for (uint32_t i = 0; i < count; i++) {
        const struct fault *f = &w->fault[i];
        if (f->kind == FAULT_TRIGGER_STOP && f->at >= line && f->at > after &&
            (best == NULL || f->at < best->at))
            best = f;
    }
    return best;
}

static int64_t run_ns(uint64_t rate_mhz, int64_t lines)
{
    __int128 whole = (__int128)lines * 1000000000000;
    return (int64_t)((whole + (int64_t)rate_mhz - 1) / (int64_t)rate_mhz);
}

int64_t lines_at(const struct world *w, int64_t t_ns)
{
    int64_t stopped = 0, after = w->base_line;
    if (atomic_load(&w->held))
        return w->base_line;
    for (;;) {
        const struct fault *stop = next_stop(w, w->base_line, after);
        int64_t run = t_ns - w->base_ns - stopped;
        int64_t lines = run <= 0 ? 0 : (int64_t)((__int128)run * w->rate_mhz / 1000000000000);
        if (stop == NULL || w->base_line + lines < stop->at)
            return w->base_line + lines;
        int64_t into = run - run_ns(w->rate_mhz, stop->at - w->base_line);
        if (into < stop->amount)
            return stop->at;
        stopped += stop->amount;
        after = stop->at;
    }
}

int64_t time_of(const struct world *w, int64_t lines)
{
    int64_t stopped = 0;
    const struct fault *stop = next_stop(w, w->base_line, w->base_line);
    while (stop != NULL && stop->at < lines) {
        stopped += stop->amount;
        stop = next_stop(w, w->base_line, stop->at);
    }
    return w->base_ns + stopped + run_ns(w->rate_mhz, lines - w->base_line);
}

int64_t device_ns(const struct world *w, int64_t t_ns)
{
    return t_ns + w->device_offset_ns + t_ns / 1000000 * w->device_ppm;
}

void begin_clock(struct world *w)
{
    if (!atomic_load(&w->held))
        return;
    w->base_ns = now_ns();
    atomic_store(&w->held, 0);
}

void set_rate(struct world *w, uint64_t rate_mhz)
{
    if (rate_mhz == 0 || rate_mhz == w->rate_mhz)
        return;
    int64_t now = now_ns(), line = lines_at(w, now);
    atomic_fetch_add(&w->clock_turn, 1);
    w->base_ns = now;
    w->base_line = line;
    w->rate_mhz = rate_mhz;
    atomic_fetch_add(&w->clock_turn, 1);
}

static int64_t passed(const struct fault *f, int64_t line)
{
    int64_t lines = line - f->at;
    return lines <= 0 ? 0 : lines < f->amount ? lines : f->amount;
}

int64_t encoder_at(const struct world *w, int64_t line)
{
    int64_t travel = line;
    uint32_t count = atomic_load(&w->faults);
    for (uint32_t i = 0; i < count; i++) {
        if (w->fault[i].kind == FAULT_REVERSAL)
            travel -= 2 * passed(&w->fault[i], line);
        else if (w->fault[i].kind == FAULT_OVER_TRIGGER)
            travel += passed(&w->fault[i], line);
    }
    double wobble = 0;
    if (w->wobble_lines > 0)
        wobble = w->wobble_ticks * sin(6.283185307179586 * (double)travel / w->wobble_lines);
    __int128 ticks = (__int128)travel * w->ticks_num / w->ticks_den;
    return w->ticks_offset + (int64_t)ticks + (int64_t)floor(wobble);
}

int64_t overruns_at(const struct world *w, int64_t line)
{
    int64_t missed = 0;
    uint32_t count = atomic_load(&w->faults);
    for (uint32_t i = 0; i < count; i++)
        if (w->fault[i].kind == FAULT_OVER_TRIGGER)
            missed += passed(&w->fault[i], line);
    return missed;
}

int64_t stop_within(const struct world *w, int64_t first, int64_t end, int64_t *stop_ns)
{
    const struct fault *stop = next_stop(w, first, first);
    if (stop == NULL || stop->at >= end)
        return 0;
    *stop_ns = stop->amount;
    return stop->at;
}

static int of_the_web(uint32_t kind)
{
    return kind == FAULT_REVERSAL || kind == FAULT_OVER_TRIGGER || kind == FAULT_TRIGGER_STOP;
}

struct fault *due_fault(struct world *w, int64_t first, int64_t end)
{
    uint32_t count = atomic_load(&w->faults);
    int64_t block = (int64_t)atomic_load(&w->blocks);
    struct fault *due = NULL;
    for (uint32_t i = 0; i < count; i++) {
        struct fault *f = &w->fault[i];
        if (atomic_load(&f->done))
            continue;
        if (of_the_web(f->kind)) { /* these act by themselves, as lines pass */
            if (f->at < end)
                mark_done(f, first);
        } else if (due == NULL && (f->by_block ? f->at <= block : f->at < end)) {
            due = f;
        }
    }
    return due;
}

void mark_done(struct fault *f, int64_t line)
{
    f->done_line = line;
    f->done_ns = now_ns();
    atomic_store(&f->done, 1);
}

int device_lost(const struct world *w)
{
    return now_ns() < w->lost_until_ns;
}

struct entry *journal(struct world *w, enum fate fate, int64_t first, int64_t rows, int64_t id)
{
    uint64_t at = atomic_load(&w->entries);
    struct entry *e = &w->entry[at % WORLD_JOURNAL];
    e->fate = fate;
    atomic_store(&e->fetched, 0);
    e->first = first;
    e->rows = rows;
    e->block_id = id;
    e->at_ns = now_ns();
    e->pid = getpid();
    w->lines_by_fate[fate] += (uint64_t)rows;
    atomic_store(&w->entries, at + 1);
    return e;
}
