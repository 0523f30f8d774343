/* The new-buffer event: how filled buffers are taken. */
#define _GNU_SOURCE
#include "producer.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

GENTL GC_ERROR GCRegisterEvent(HANDLE source, int32_t what, HANDLE *to)
{
    if (!is_a(source, KIND_STREAM))
        return fail(GC_ERR_NOT_IMPLEMENTED, "only data streams have events");
    if (what != EVENT_NEW_BUFFER)
        return fail(GC_ERR_NOT_IMPLEMENTED, "the data stream has new-buffer events only");
    struct stream *s = source;
    if (s->has_event)
        return fail(GC_ERR_RESOURCE_IN_USE, "the event is registered already");
    memset(&s->event, 0, sizeof s->event);
    s->event.module.kind = KIND_EVENT;
    s->event.stream = s;
    s->has_event = 1;
    *to = &s->event;
    return GC_ERR_SUCCESS;
}

GENTL GC_ERROR GCUnregisterEvent(HANDLE source, int32_t what)
{
    struct stream *s = source;
    if (!is_a(source, KIND_STREAM) || what != EVENT_NEW_BUFFER || !s->has_event)
        return fail(GC_ERR_INVALID_HANDLE, "the event is not registered");
    s->has_event = 0;
    s->event.module.kind = 0;
    return GC_ERR_SUCCESS;
}

/* Waits for a buffer; the lock is held. The time-out is in ms, all ones for ever. */
static GC_ERROR wait_for_buffer(struct stream *s, uint64_t timeout_ms)
{
    int64_t end = now_ns();
    end = timeout_ms > INT64_C(1000000000) ? INT64_MAX : end + (int64_t)timeout_ms * 1000000;
    struct timespec until = {end / 1000000000, end % 1000000000};
    while (s->hang_get || s->output.head == NULL) {
        if (s->hang_get) { /* an injected fault: this call never returns */
            pthread_mutex_unlock(&s->lock);
            for (;;)
                pause();
        }
        if (s->event.killed) {
            s->event.killed = 0;
            return fail(GC_ERR_ABORT, "the wait was ended");
        }
        if (timeout_ms == 0 || now_ns() >= end)
            return fail(GC_ERR_TIMEOUT, "no buffer came in time");
        pthread_cond_timedwait(&s->news, &s->lock, &until);
    }
    return GC_ERR_SUCCESS;
}

GENTL GC_ERROR EventGetData(HANDLE handle, void *to, size_t *size, uint64_t timeout_ms)
{
    if (!is_a(handle, KIND_EVENT))
        return fail(GC_ERR_INVALID_HANDLE, "no event");
    EVENT_NEW_BUFFER_DATA data;
    struct stream *s = ((struct event *)handle)->stream;
    if (to == NULL || size == NULL || *size < sizeof data)
        return fail(GC_ERR_INVALID_PARAMETER, "no place for the event's data");
    pthread_mutex_lock(&s->lock);
    GC_ERROR result = wait_for_buffer(s, timeout_ms);
    if (result == GC_ERR_SUCCESS) {
        struct buffer *b = queue_take(&s->output);
        b->state = BUFFER_TAKEN;
        atomic_store(&b->entry->fetched, 1);
        data.buffer = b;
        data.user = b->user;
        memcpy(to, &data, sizeof data);
        *size = sizeof data;
        s->event.fired++;
    }
    pthread_mutex_unlock(&s->lock);
    return result;
}

GENTL GC_ERROR EventGetDataInfo(HANDLE handle, const void *in, size_t in_size, int32_t what,
                                int32_t *type, void *to, size_t *size)
{
    const EVENT_NEW_BUFFER_DATA *data = in;
    if (!is_a(handle, KIND_EVENT))
        return fail(GC_ERR_INVALID_HANDLE, "no event");
    if (in == NULL || in_size < sizeof *data)
        return fail(GC_ERR_INVALID_PARAMETER, "no event data");
    if (what == EVENT_DATA_ID)
        return put_pointer(data->buffer, type, to, size);
    if (what == EVENT_DATA_VALUE)
        return put_pointer(data->user, type, to, size);
    return fail(GC_ERR_NOT_IMPLEMENTED, "the event does not know this");
}

GENTL GC_ERROR EventGetInfo(HANDLE handle, int32_t what, int32_t *type, void *to, size_t *size)
{
    if (!is_a(handle, KIND_EVENT))
        return fail(GC_ERR_INVALID_HANDLE, "no event");
    const struct event *e = handle;
    switch (what) {
    case EVENT_EVENT_TYPE:
        return put_int32(EVENT_NEW_BUFFER, type, to, size);
    case EVENT_NUM_IN_QUEUE:
        return put_size(e->stream->output.length, type, to, size);
    case EVENT_NUM_FIRED:
        return put_uint64(e->fired, type, to, size);
    case EVENT_SIZE_MAX:
    case EVENT_INFO_DATA_SIZE_MAX:
        return put_size(sizeof(EVENT_NEW_BUFFER_DATA), type, to, size);
    default:
        return fail(GC_ERR_NOT_IMPLEMENTED, "the event does not know this");
    }
}

GENTL GC_ERROR EventFlush(HANDLE handle)
{
    if (!is_a(handle, KIND_EVENT))
        return fail(GC_ERR_INVALID_HANDLE, "no event");
    struct stream *s = ((struct event *)handle)->stream;
    pthread_mutex_lock(&s->lock);
    for (struct buffer *b = queue_take(&s->output); b != NULL; b = queue_take(&s->output))
        b->state = BUFFER_IDLE;
    pthread_mutex_unlock(&s->lock);
    return GC_ERR_SUCCESS;
}

GENTL GC_ERROR EventKill(HANDLE handle)
{
    if (!is_a(handle, KIND_EVENT))
        return fail(GC_ERR_INVALID_HANDLE, "no event");
    struct stream *s = ((struct event *)handle)->stream;
    pthread_mutex_lock(&s->lock);
    s->event.killed = 1;
    pthread_cond_broadcast(&s->news);
    pthread_mutex_unlock(&s->lock);
    return GC_ERR_SUCCESS;
}
