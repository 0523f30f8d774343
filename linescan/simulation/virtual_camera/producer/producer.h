/* The producer's modules and what they share. */
#ifndef LINESCAN_PRODUCER_H
#define LINESCAN_PRODUCER_H

#include <pthread.h>

#include "gentl.h"
#include "pixels.h"
#include "world.h"

#define MAX_DEVICES 16
#define LINE_RESERVE 32 /* most bytes of padding that a fault may add to a line */
#define CHUNKS 6
#define VENDOR "linescan"
#define MODEL "Virtual line-scan camera"
#define VERSION "1.0"

enum kind { KIND_SYSTEM = 0x5359, KIND_INTERFACE, KIND_DEVICE, KIND_PORT, KIND_STREAM, KIND_EVENT };

struct module { /* what every handle points to first */
    enum kind kind;
};

struct chunk {
    uint64_t id;
    uint64_t offset;
    uint64_t bytes;
};

struct buffer {
    struct buffer *next;   /* in the queue that it waits in */
    struct buffer *others; /* in the list of all that were announced */
    uint8_t *base;
    uint64_t size;
    void *user;
    int own; /* the producer allocated it */
    enum { BUFFER_IDLE, BUFFER_QUEUED, BUFFER_FILLING, BUFFER_WAITING, BUFFER_TAKEN } state;
    int incomplete;
    int64_t block_id;
    int64_t first_line;
    int64_t time_ns;
    uint64_t width, height, rows, format, padding, filled;
    unsigned chunks;
    struct chunk chunk[CHUNKS];
    struct entry *entry;
};

struct queue {
    struct buffer *head, *tail;
    uint64_t length;
};

struct stream;

struct event {
    struct module module;
    struct stream *stream;
    int killed;
    uint64_t fired;
};

struct device {
    struct module module;
    struct module port;
    struct map map;
    char id[WORLD_TEXT + 8];
    struct stream *stream;
    int open;
    _Atomic int dead;      /* it was lost since it was opened */
    _Atomic int hang_read; /* an injected fault: reads never return */
    _Atomic int acquiring; /* AcquisitionStart was executed */
};

struct stream {
    struct module module;
    struct device *device;
    pthread_mutex_t lock;
    pthread_cond_t work; /* for the generator: started, queued or stopped */
    pthread_cond_t news; /* for those that wait for buffers */
    pthread_t thread;
    int running, stopping, streaming, hang_get;
    _Atomic int hang_stop;
    struct queue input, output;
    struct buffer *all;
    struct buffer *filling;
    struct event event;
    int has_event;
    int64_t line; /* first line of the next block */
    int64_t block_id;
    uint64_t announced, delivered, under_runs, started, limit;
};

/* info.c */
GC_ERROR fail(GC_ERROR code, const char *why);
GC_ERROR put_bytes(const void *value, size_t length, int32_t as, int32_t *type, void *to,
                   size_t *size);
GC_ERROR put_text(const char *text, int32_t *type, void *to, size_t *size);
GC_ERROR put_bool(int value, int32_t *type, void *to, size_t *size);
GC_ERROR put_int32(int32_t value, int32_t *type, void *to, size_t *size);
GC_ERROR put_uint32(uint32_t value, int32_t *type, void *to, size_t *size);
GC_ERROR put_uint64(uint64_t value, int32_t *type, void *to, size_t *size);
GC_ERROR put_size(size_t value, int32_t *type, void *to, size_t *size);
GC_ERROR put_pointer(void *value, int32_t *type, void *to, size_t *size);
int is_a(HANDLE handle, enum kind kind);

/* registers.c */
enum { /* registers of eight bytes, at REGISTERS + 8 * number; see the XML */
    R_WIDTH, R_HEIGHT, R_PIXEL_FORMAT, R_PAYLOAD_SIZE, R_WIDTH_MAX, R_ACQUISITION_MODE, R_START,
    R_STOP, R_LINE_RATE, R_LINE_RATE_ENABLE, R_EXPOSURE, R_GAIN, R_TRIGGER_SELECTOR,
    R_TRIGGER_MODE, R_TRIGGER_MODE_FRAME, R_TRIGGER_SOURCE, R_TRIGGER_SOURCE_FRAME,
    R_ENCODER_SELECTOR, R_ENCODER_A, R_ENCODER_B, R_ENCODER_MODE, R_ENCODER_DIVIDER,
    R_ENCODER_OUTPUT, R_ENCODER_TIMEOUT, R_ENCODER_STATUS, R_ENCODER_VALUE, R_ENCODER_RESOLUTION,
    R_ENCODER_RESET, R_CHUNK_ACTIVE, R_CHUNK_SELECTOR, R_CHUNK_ENABLE,
    R_LATCH = R_CHUNK_ENABLE + CHUNKS, R_LATCHED, R_LOCKED, R_LINE_COUNTER, R_OVERRUNS, R_COUNT
};
#define REGISTERS UINT64_C(0x1000)
GC_ERROR read_register(struct device *d, uint64_t address, void *to, size_t *size);
GC_ERROR write_register(struct device *d, uint64_t address, const void *from, size_t size);
uint64_t register_value(const struct device *d, unsigned number);
double register_float(const struct device *d, unsigned number);
void restore_registers(struct device *d);
uint64_t payload_size(const struct device *d);

/* blocks.c */
uint64_t chunk_bytes(const struct device *d, uint64_t height);
void fill_block(struct stream *s, struct buffer *b, const struct fault *f, int64_t rows);
int run_block(struct stream *s);

/* stream.c */
void queue_put(struct queue *q, struct buffer *b);
struct buffer *queue_take(struct queue *q);
struct buffer *find_buffer(const struct stream *s, HANDLE wanted);
void start_if_ready(struct stream *s);
void stop_stream(struct stream *s);
void close_stream(struct stream *s);

/* device.c */
GC_ERROR device_info(struct device *d, int32_t what, int32_t *type, void *to, size_t *size);

#endif
