/* What is known of streams and buffers. */
#include "producer.h"

static GC_ERROR statistics(struct stream *s, int32_t what, int32_t *type, void *to, size_t *size)
{
    if (s->device->map.world->quirks & QUIRK_NO_STATISTICS)
        return fail(GC_ERR_NOT_IMPLEMENTED, "this producer does not count");
    switch (what) {
    case STREAM_INFO_NUM_DELIVERED:
        return put_uint64(s->delivered, type, to, size);
    case STREAM_INFO_NUM_UNDERRUN:
        return put_uint64(s->under_runs, type, to, size);
    case STREAM_INFO_NUM_QUEUED:
        return put_size(s->input.length, type, to, size);
    case STREAM_INFO_NUM_AWAIT_DELIVERY:
        return put_size(s->output.length, type, to, size);
    default: /* STREAM_INFO_NUM_STARTED */
        return put_uint64(s->delivered - s->started, type, to, size);
    }
}

static GC_ERROR stream_info(struct stream *s, int32_t what, int32_t *type, void *to, size_t *size)
{
    switch (what) {
    case STREAM_INFO_ID:
        return put_text("Stream0", type, to, size);
    case STREAM_INFO_TLTYPE:
        return put_text("Custom", type, to, size);
    case STREAM_INFO_NUM_ANNOUNCED:
        return put_size(s->announced, type, to, size);
    case STREAM_INFO_NUM_DELIVERED:
    case STREAM_INFO_NUM_UNDERRUN:
    case STREAM_INFO_NUM_QUEUED:
    case STREAM_INFO_NUM_AWAIT_DELIVERY:
    case STREAM_INFO_NUM_STARTED:
        return statistics(s, what, type, to, size);
    case STREAM_INFO_PAYLOAD_SIZE:
        return put_size(payload_size(s->device), type, to, size);
    case STREAM_INFO_IS_GRABBING:
        return put_bool(s->running, type, to, size);
    case STREAM_INFO_DEFINES_PAYLOADSIZE:
        return put_bool(1, type, to, size);
    case STREAM_INFO_NUM_CHUNKS_MAX:
        return put_size(CHUNKS, type, to, size);
    case STREAM_INFO_BUF_ANNOUNCE_MIN:
    case STREAM_INFO_BUF_ALIGNMENT:
        return put_size(1, type, to, size);
    default:
        return fail(GC_ERR_NOT_IMPLEMENTED, "the data stream does not know this");
    }
}

GENTL GC_ERROR DSGetInfo(HANDLE handle, int32_t what, int32_t *type, void *to, size_t *size)
{
    struct stream *s = handle;
    if (!is_a(handle, KIND_STREAM))
        return fail(GC_ERR_INVALID_HANDLE, "no data stream");
    pthread_mutex_lock(&s->lock);
    GC_ERROR result = stream_info(s, what, type, to, size);
    pthread_mutex_unlock(&s->lock);
    return result;
}

static GC_ERROR memory_info(const struct buffer *b, int32_t what, int32_t *type, void *to,
                            size_t *size)
{
    switch (what) {
    case BUFFER_INFO_BASE:
        return put_pointer(b->base, type, to, size);
    case BUFFER_INFO_SIZE:
        return put_size(b->size, type, to, size);
    case BUFFER_INFO_USER_PTR:
        return put_pointer(b->user, type, to, size);
    case BUFFER_INFO_NEW_DATA:
        return put_bool(b->state == BUFFER_WAITING || b->state == BUFFER_TAKEN, type, to, size);
    case BUFFER_INFO_IS_QUEUED:
        return put_bool(b->state == BUFFER_QUEUED, type, to, size);
    case BUFFER_INFO_IS_ACQUIRING:
        return put_bool(b->state == BUFFER_FILLING, type, to, size);
    case BUFFER_INFO_IS_INCOMPLETE:
        return put_bool(b->incomplete, type, to, size);
    case BUFFER_INFO_TLTYPE:
        return put_text("Custom", type, to, size);
    case BUFFER_INFO_SIZE_FILLED:
    case BUFFER_INFO_DATA_SIZE:
        return put_size(b->filled, type, to, size);
    case BUFFER_INFO_DATA_LARGER_THAN_BUFFER:
    case BUFFER_INFO_IS_COMPOSITE:
        return put_bool(0, type, to, size);
    default:
        return fail(GC_ERR_NOT_IMPLEMENTED, "the buffer does not know this");
    }
}

static GC_ERROR image_info(const struct buffer *b, int32_t what, int32_t *type, void *to,
                           size_t *size)
{
    switch (what) {
    case BUFFER_INFO_WIDTH:
        return put_size(b->width, type, to, size);
    case BUFFER_INFO_HEIGHT:
        return put_size(b->height, type, to, size);
    case BUFFER_INFO_XPADDING:
        return put_size(b->padding, type, to, size);
    case BUFFER_INFO_XOFFSET:
    case BUFFER_INFO_YOFFSET:
    case BUFFER_INFO_YPADDING:
    case BUFFER_INFO_IMAGEOFFSET:
        return put_size(0, type, to, size);
    case BUFFER_INFO_IMAGEPRESENT:
        return put_bool(b->rows > 0, type, to, size);
    case BUFFER_INFO_PAYLOADTYPE:
        return put_size(b->chunks ? PAYLOAD_TYPE_CHUNK_DATA : PAYLOAD_TYPE_IMAGE, type, to, size);
    case BUFFER_INFO_PIXELFORMAT:
        return put_uint64(b->format, type, to, size);
    case BUFFER_INFO_PIXELFORMAT_NAMESPACE:
        return put_uint64(PIXELFORMAT_NAMESPACE_PFNC_32BIT, type, to, size);
    case BUFFER_INFO_PIXEL_ENDIANNESS:
        return put_int32(PIXELENDIANNESS_LITTLE, type, to, size);
    case BUFFER_INFO_CONTAINS_CHUNKDATA:
        return put_bool(b->chunks > 0, type, to, size);
    case BUFFER_INFO_DELIVERED_CHUNKPAYLOADSIZE:
        return put_size(b->chunks ? b->filled - b->chunk[0].offset : 0, type, to, size);
    default:
        return memory_info(b, what, type, to, size);
    }
}

static GC_ERROR buffer_info(const struct stream *s, const struct buffer *b, int32_t what,
                            int32_t *type, void *to, size_t *size)
{
    uint32_t quirks = s->device->map.world->quirks;
    switch (what) {
    case BUFFER_INFO_FRAMEID:
        if (quirks & QUIRK_NO_FRAME_ID)
            break;
        return put_uint64((uint64_t)b->block_id, type, to, size);
    case BUFFER_INFO_TIMESTAMP:
    case BUFFER_INFO_TIMESTAMP_NS:
        if (quirks & QUIRK_NO_TIMESTAMP)
            break;
        return put_uint64((uint64_t)b->time_ns, type, to, size);
    case BUFFER_INFO_DELIVERED_IMAGEHEIGHT:
        if (quirks & QUIRK_NO_DELIVERED_HEIGHT)
            break;
        return put_size(b->rows, type, to, size);
    default:
        return image_info(b, what, type, to, size);
    }
    return fail(GC_ERR_NOT_AVAILABLE, "this camera does not say so");
}

GENTL GC_ERROR DSGetBufferInfo(HANDLE handle, HANDLE buffer, int32_t what, int32_t *type, void *to,
                               size_t *size)
{
    struct stream *s = handle;
    if (!is_a(handle, KIND_STREAM))
        return fail(GC_ERR_INVALID_HANDLE, "no data stream");
    pthread_mutex_lock(&s->lock);
    const struct buffer *b = find_buffer(s, buffer);
    GC_ERROR result = b != NULL ? buffer_info(s, b, what, type, to, size)
                                : fail(GC_ERR_INVALID_BUFFER, "no such buffer");
    pthread_mutex_unlock(&s->lock);
    return result;
}

GENTL GC_ERROR DSGetBufferChunkData(HANDLE handle, HANDLE buffer, SINGLE_CHUNK_DATA *to,
                                    size_t *count)
{
    struct stream *s = handle;
    if (!is_a(handle, KIND_STREAM))
        return fail(GC_ERR_INVALID_HANDLE, "no data stream");
    if (count == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no place for the number of chunks");
    GC_ERROR result = GC_ERR_SUCCESS;
    pthread_mutex_lock(&s->lock);
    const struct buffer *b = find_buffer(s, buffer);
    if (b == NULL)
        result = fail(GC_ERR_INVALID_BUFFER, "no such buffer");
    else if (to != NULL && *count < b->chunks)
        result = fail(GC_ERR_BUFFER_TOO_SMALL, "there are more chunks");
    else
        *count = b->chunks;
    for (unsigned i = 0; result == GC_ERR_SUCCESS && to != NULL && i < b->chunks; i++) {
        to[i].id = b->chunk[i].id;
        to[i].offset = (ptrdiff_t)b->chunk[i].offset;
        to[i].length = b->chunk[i].bytes;
    }
    pthread_mutex_unlock(&s->lock);
    return result;
}

/* Clients look for these functions and complain where they are missing. */

GENTL GC_ERROR DSGetNumBufferParts(HANDLE handle, HANDLE buffer, uint32_t *count)
{
    (void)handle, (void)buffer, (void)count;
    return fail(GC_ERR_NOT_IMPLEMENTED, "a block is one image, not several parts");
}

GENTL GC_ERROR DSGetBufferPartInfo(HANDLE handle, HANDLE buffer, uint32_t part, int32_t what,
                                   int32_t *type, void *to, size_t *size)
{
    (void)handle, (void)buffer, (void)part, (void)what, (void)type, (void)to, (void)size;
    return fail(GC_ERR_NOT_IMPLEMENTED, "a block is one image, not several parts");
}

GENTL GC_ERROR DSAnnounceCompositeBuffer(HANDLE handle, uint32_t segments, void **bases,
                                         size_t *sizes, void *user, HANDLE *to)
{
    (void)handle, (void)segments, (void)bases, (void)sizes, (void)user, (void)to;
    return fail(GC_ERR_NOT_IMPLEMENTED, "buffers have one segment");
}

GENTL GC_ERROR DSGetNumBufferSegments(HANDLE handle, HANDLE buffer, uint32_t *count)
{
    (void)handle, (void)buffer, (void)count;
    return fail(GC_ERR_NOT_IMPLEMENTED, "buffers have one segment");
}

GENTL GC_ERROR DSGetBufferSegmentInfo(HANDLE handle, HANDLE buffer, uint32_t segment, int32_t what,
                                      int32_t *type, void *to, size_t *size)
{
    (void)handle, (void)buffer, (void)segment, (void)what, (void)type, (void)to, (void)size;
    return fail(GC_ERR_NOT_IMPLEMENTED, "buffers have one segment");
}

GENTL GC_ERROR DSGetNumFlows(HANDLE handle, uint32_t *count)
{
    (void)handle, (void)count;
    return fail(GC_ERR_NOT_IMPLEMENTED, "the stream has one flow");
}

GENTL GC_ERROR DSGetFlowInfo(HANDLE handle, uint32_t flow, int32_t what, int32_t *type, void *to,
                             size_t *size)
{
    (void)handle, (void)flow, (void)what, (void)type, (void)to, (void)size;
    return fail(GC_ERR_NOT_IMPLEMENTED, "the stream has one flow");
}
