/* The virtual camera's world: a mapped file that outlives every process that opens the camera.
 * The Python mirror of these structures is linescan/simulation/virtual_camera/layout.py. */
#ifndef LINESCAN_WORLD_H
#define LINESCAN_WORLD_H

#include <stdatomic.h>
#include <stdint.h>

#define WORLD_MAGIC UINT64_C(0x3141435653454e4c) /* "LNESVCA1", little-endian */
#define WORLD_VERSION 1
#define WORLD_PATH 1024
#define WORLD_TEXT 64
#define WORLD_REGISTERS 64
#define WORLD_FAULTS 4096
#define WORLD_JOURNAL 65536

enum fault_kind {
    FAULT_INCOMPLETE = 1, /* rows: rows that arrived */
    FAULT_SHORT,          /* rows: rows delivered, stale rows behind them */
    FAULT_PADDED,         /* bytes of padding at each line's end */
    FAULT_DROPPED,        /* blocks that never arrive; their ids are used up */
    FAULT_UNDER_RUN,      /* blocks for which no buffer is taken */
    FAULT_REVERSAL,       /* lines over which the encoder runs backwards */
    FAULT_OVER_TRIGGER,   /* lines over which every second trigger is missed */
    FAULT_LOST,           /* nanoseconds for which the device is gone */
    FAULT_HANG,           /* a GenTL call never returns, see enum hang_call */
    FAULT_CRASH,          /* 0: SIGSEGV, 1: abort */
    FAULT_TRIGGER_STOP,   /* nanoseconds without line triggers */
    FAULT_LEAK            /* bytes that the producer never gives back */
};

enum hang_call { HANG_GET_DATA, HANG_STOP, HANG_READ_PORT };

enum fate {
    FATE_START = 1, /* a stream began; first is its first line */
    FATE_DELIVERED,
    FATE_INCOMPLETE,
    FATE_DROPPED,
    FATE_UNDER_RUN,
    FATE_STOP /* a stream ended in order; first is the line after its last block */
};

enum quirk {
    QUIRK_NO_FRAME_ID = 1,
    QUIRK_NO_TIMESTAMP = 2,
    QUIRK_NO_DELIVERED_HEIGHT = 4,
    QUIRK_NO_STATISTICS = 8,
    QUIRK_NO_ACCESS_STATUS = 16
};

struct fault {
    uint32_t kind;
    uint32_t by_block;     /* 0: at is an absolute line; 1: a block number since the world began */
    int64_t at;
    int64_t amount;
    _Atomic uint32_t done;
    uint32_t reserved;
    int64_t done_line;     /* first line of the block that it struck */
    int64_t done_ns;
};

struct entry {
    uint32_t fate;
    _Atomic uint32_t fetched;
    int64_t first;
    int64_t rows;          /* lines that share this fate */
    int64_t block_id;
    int64_t at_ns;
    int64_t pid;
};

struct world {
    uint64_t magic;
    uint64_t version;
    uint64_t size;
    /* clock: lines(t) = base_line + (t - base_ns) * rate_mhz / 10^12, trigger stops apart */
    int64_t base_ns;
    int64_t base_line;
    uint64_t rate_mhz;
    uint64_t trigger_rate_mhz; /* line rate while a line trigger is on */
    _Atomic uint32_t clock_turn; /* odd while the clock is changed */
    uint32_t quirks;
    int64_t device_offset_ns;  /* the camera's clock: system's time, plus this, plus its drift */
    int64_t device_ppm;
    _Atomic uint64_t held;     /* 1: no line passes before the first stream starts */
    /* encoder: ticks of a line, see encoder_at */
    int64_t ticks_num;
    int64_t ticks_den;
    int64_t ticks_offset;
    double wobble_ticks;
    double wobble_lines;
    /* pixels: a file of store_lines lines of store_width values, 1 byte (8 bits) or 2, looped */
    uint64_t store_lines;
    uint64_t store_width;
    uint64_t store_bits;
    int64_t store_first;       /* the absolute line that the store's line 0 is */
    uint64_t first_block_id;
    uint64_t last_block_id;    /* after it the ids begin at 1 again */
    int64_t lost_until_ns;
    uint64_t opened;           /* times that the device was opened */
    uint64_t latched_ns;
    uint64_t lines_by_fate[8];
    _Atomic uint64_t blocks;   /* blocks since the world began, whatever became of them */
    _Atomic uint64_t entries;  /* entries ever written to the journal */
    _Atomic uint32_t faults;
    uint32_t reserved;
    char serial[WORLD_TEXT];
    char user_name[WORLD_TEXT];
    char store[WORLD_PATH];
    uint64_t registers[WORLD_REGISTERS];
    struct fault fault[WORLD_FAULTS];
    struct entry entry[WORLD_JOURNAL];
};

/* A world and its pixel store, mapped into this process. */
struct map {
    struct world *world;
    const uint8_t *pixels;
    uint64_t pixel_bytes;
    int lock; /* file descriptor that holds the device, or -1 */
    char path[WORLD_PATH];
};

int map_world(struct map *map, const char *path);
void unmap_world(struct map *map);
int hold_device(struct map *map);
void let_device_go(struct map *map);

int64_t now_ns(void);
int64_t lines_at(const struct world *w, int64_t t_ns);
int64_t time_of(const struct world *w, int64_t lines);
int64_t device_ns(const struct world *w, int64_t t_ns);
void begin_clock(struct world *w);
void set_rate(struct world *w, uint64_t rate_mhz);
int64_t encoder_at(const struct world *w, int64_t line);
int64_t overruns_at(const struct world *w, int64_t line);
int64_t stop_within(const struct world *w, int64_t first, int64_t end, int64_t *stop_ns);

struct fault *due_fault(struct world *w, int64_t first, int64_t end);
void mark_done(struct fault *f, int64_t line);
int device_lost(const struct world *w);
struct entry *journal(struct world *w, enum fate fate, int64_t first, int64_t rows, int64_t id);

#endif
