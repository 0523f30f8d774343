/* Data streams: buffers, start and stop, and the thread that fills blocks. */
#define _GNU_SOURCE
#include "producer.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void queue_put(struct queue *q, struct buffer *b)
{
    b->next = NULL;
    if (q->tail != NULL)
        q->tail->next = b;
    else
        q->head = b;
    q->tail = b;
    q->length++;
}

struct buffer *queue_take(struct queue *q)
{
    struct buffer *b = q->head;
    if (b == NULL)
        return NULL;
    q->head = b->next;
    if (q->head == NULL)
        q->tail = NULL;
    q->length--;
    return b;
}

static void empty(struct queue *q)
{
    for (struct buffer *b = queue_take(q); b != NULL; b = queue_take(q))
        b->state = BUFFER_IDLE;
}

static void *generate(void *of)
{
    struct stream *s = of;
    struct world *w = s->device->map.world;
    pthread_mutex_lock(&s->lock);
    begin_clock(w);
    s->line = lines_at(w, now_ns());
    s->block_id = (int64_t)w->first_block_id;
    journal(w, FATE_START, s->line, 0, s->block_id);
    for (uint64_t done = 0; !s->stopping && done < s->limit; done = s->delivered - s->started)
        if (!run_block(s))
            break;
    journal(w, FATE_STOP, s->line, 0, s->block_id);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* Called with the camera's AcquisitionStart and with DSStartAcquisition: the later one counts. */
void start_if_ready(struct stream *s)
{
    pthread_mutex_lock(&s->lock);
    if (s->streaming && s->device->acquiring && !s->running) {
        s->stopping = 0;
        s->started = s->delivered;
        s->running = pthread_create(&s->thread, NULL, generate, s) == 0;
    }
    pthread_mutex_unlock(&s->lock);
}

void stop_stream(struct stream *s)
{
    pthread_mutex_lock(&s->lock);
    int running = s->running;
    s->stopping = 1;
    pthread_cond_broadcast(&s->work);
    pthread_mutex_unlock(&s->lock);
    if (running)
        pthread_join(s->thread, NULL);
    s->running = 0;
}

static void drop_buffer(struct stream *s, struct buffer *b)
{
    struct buffer **at = &s->all;
    while (*at != NULL && *at != b)
        at = &(*at)->others;
    if (*at == NULL)
        return;
    *at = b->others;
    s->announced--;
    if (b->own)
        free(b->base);
    free(b);
}

void close_stream(struct stream *s)
{
    stop_stream(s);
    while (s->all != NULL)
        drop_buffer(s, s->all);
    pthread_cond_destroy(&s->work);
    pthread_cond_destroy(&s->news);
    pthread_mutex_destroy(&s->lock);
    s->device->stream = NULL;
    s->module.kind = 0;
    free(s);
}

GENTL GC_ERROR DSClose(HANDLE handle)
{
    if (!is_a(handle, KIND_STREAM))
        return fail(GC_ERR_INVALID_HANDLE, "no data stream");
    close_stream(handle);
    return GC_ERR_SUCCESS;
}

static GC_ERROR announce(struct stream *s, void *base, size_t size, void *user, HANDLE *to)
{
    struct buffer *b = calloc(1, sizeof *b);
    if (b == NULL)
        return fail(GC_ERR_OUT_OF_MEMORY, "no memory for a buffer");
    b->own = base == NULL;
    b->base = base != NULL ? base : malloc(size);
    if (b->base == NULL) {
        free(b);
        return fail(GC_ERR_OUT_OF_MEMORY, "no memory for a buffer");
    }
    b->size = size;
    b->user = user;
    pthread_mutex_lock(&s->lock);
    b->others = s->all;
    s->all = b;
    s->announced++;
    pthread_mutex_unlock(&s->lock);
    *to = b;
    return GC_ERR_SUCCESS;
}

GENTL GC_ERROR DSAnnounceBuffer(HANDLE handle, void *base, size_t size, void *user, HANDLE *to)
{
    if (!is_a(handle, KIND_STREAM))
        return fail(GC_ERR_INVALID_HANDLE, "no data stream");
    if (base == NULL || size == 0 || to == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "a buffer needs memory");
    return announce(handle, base, size, user, to);
}

GENTL GC_ERROR DSAllocAndAnnounceBuffer(HANDLE handle, size_t size, void *user, HANDLE *to)
{
    if (!is_a(handle, KIND_STREAM))
        return fail(GC_ERR_INVALID_HANDLE, "no data stream");
    if (size == 0 || to == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "a buffer needs a size");
    return announce(handle, NULL, size, user, to);
}

struct buffer *find_buffer(const struct stream *s, HANDLE wanted)
{
    struct buffer *b = s->all;
    while (b != NULL && b != wanted)
        b = b->others;
    return b;
}

/* The buffer, if the client has it; then the stream is locked. */
static GC_ERROR take_back(struct stream *s, HANDLE wanted, const char *busy, struct buffer **to)
{
    if (!is_a(s, KIND_STREAM))
        return fail(GC_ERR_INVALID_HANDLE, "no data stream");
    pthread_mutex_lock(&s->lock);
    *to = find_buffer(s, wanted);
    if (*to != NULL && ((*to)->state == BUFFER_IDLE || (*to)->state == BUFFER_TAKEN))
        return GC_ERR_SUCCESS;
    pthread_mutex_unlock(&s->lock);
    return *to == NULL ? fail(GC_ERR_INVALID_BUFFER, "no such buffer") : fail(GC_ERR_BUSY, busy);
}

GENTL GC_ERROR DSRevokeBuffer(HANDLE handle, HANDLE buffer, void **base, void **user)
{
    struct stream *s = handle;
    struct buffer *b;
    GC_ERROR result = take_back(s, buffer, "the buffer is in use; flush the queues first", &b);
    if (result != GC_ERR_SUCCESS)
        return result;
    if (base != NULL)
        *base = b->own ? NULL : b->base;
    if (user != NULL)
        *user = b->user;
    drop_buffer(s, b);
    pthread_mutex_unlock(&s->lock);
    return GC_ERR_SUCCESS;
}

GENTL GC_ERROR DSQueueBuffer(HANDLE handle, HANDLE buffer)
{
    struct stream *s = handle;
    struct buffer *b;
    GC_ERROR result = take_back(s, buffer, "the buffer is queued already", &b);
    if (result != GC_ERR_SUCCESS)
        return result;
    b->state = BUFFER_QUEUED;
    queue_put(&s->input, b);
    pthread_mutex_unlock(&s->lock);
    return GC_ERR_SUCCESS;
}

GENTL GC_ERROR DSFlushQueue(HANDLE handle, int32_t what)
{
    struct stream *s = handle;
    if (!is_a(handle, KIND_STREAM))
        return fail(GC_ERR_INVALID_HANDLE, "no data stream");
    if (what < ACQ_QUEUE_INPUT_TO_OUTPUT || what > ACQ_QUEUE_ALL_DISCARD)
        return fail(GC_ERR_INVALID_PARAMETER, "no such queue operation");
    if (what == ACQ_QUEUE_INPUT_TO_OUTPUT)
        return fail(GC_ERR_NOT_IMPLEMENTED, "empty buffers are not handed out");
    pthread_mutex_lock(&s->lock);
    if (what != ACQ_QUEUE_UNQUEUED_TO_INPUT)
        empty(&s->output);
    if (what == ACQ_QUEUE_ALL_DISCARD)
        empty(&s->input);
    if (what == ACQ_QUEUE_ALL_TO_INPUT || what == ACQ_QUEUE_UNQUEUED_TO_INPUT)
        for (struct buffer *b = s->all; b != NULL; b = b->others)
            if (b->state == BUFFER_IDLE || b->state == BUFFER_TAKEN) {
                b->state = BUFFER_QUEUED;
                queue_put(&s->input, b);
            }
    pthread_mutex_unlock(&s->lock);
    return GC_ERR_SUCCESS;
}

GENTL GC_ERROR DSStartAcquisition(HANDLE handle, int32_t flags, uint64_t blocks)
{
    struct stream *s = handle;
    (void)flags;
    if (!is_a(handle, KIND_STREAM))
        return fail(GC_ERR_INVALID_HANDLE, "no data stream");
    if (s->device->dead || device_lost(s->device->map.world))
        return fail(GC_ERR_IO, "the camera is gone");
    if (s->streaming)
        return fail(GC_ERR_RESOURCE_IN_USE, "the data stream is started already");
    s->streaming = 1;
    s->limit = blocks;
    start_if_ready(s);
    return GC_ERR_SUCCESS;
}

GENTL GC_ERROR DSStopAcquisition(HANDLE handle, int32_t flags)
{
    struct stream *s = handle;
    if (!is_a(handle, KIND_STREAM))
        return fail(GC_ERR_INVALID_HANDLE, "no data stream");
    while (s->hang_stop)
        pause();
    if (!s->streaming)
        return fail(GC_ERR_RESOURCE_IN_USE, "the data stream is not started");
    if (s->device->dead && !(flags & ACQ_STOP_FLAGS_KILL))
        return fail(GC_ERR_IO, "the camera is gone");
    s->streaming = 0;
    stop_stream(s);
    return GC_ERR_SUCCESS;
}

GENTL GC_ERROR DSGetBufferID(HANDLE handle, uint32_t index, HANDLE *to)
{
    const struct stream *s = handle;
    if (!is_a(handle, KIND_STREAM))
        return fail(GC_ERR_INVALID_HANDLE, "no data stream");
    struct buffer *b = s->all;
    while (b != NULL && index-- > 0)
        b = b->others;
    if (b == NULL || to == NULL)
        return fail(GC_ERR_INVALID_INDEX, "no such buffer");
    *to = b;
    return GC_ERR_SUCCESS;
}
