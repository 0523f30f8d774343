/* Lines of the pixel store, in the pixel format that the camera is set to. */
#include "pixels.h"

#include <string.h>

struct format {
    uint64_t id;
    unsigned value_bits; /* of a pixel */
    unsigned store_bits; /* that a pixel takes in a line */
    int packed;          /* GigE Vision's two pixels in three bytes */
};

static const struct format FORMATS[] = {
    {MONO8, 8, 8, 0},    {MONO10, 10, 16, 0},  {MONO10P, 10, 10, 0}, {MONO10PACKED, 10, 12, 1},
    {MONO12, 12, 16, 0}, {MONO12P, 12, 12, 0}, {MONO16, 16, 16, 0},  {MONO12PACKED, 12, 12, 1},
};

static const struct format *find(uint64_t id)
{
    for (unsigned i = 0; i < sizeof FORMATS / sizeof *FORMATS; i++)
        if (FORMATS[i].id == id)
            return &FORMATS[i];
    return NULL;
}

int known_format(uint64_t format)
{
    return find(format) != NULL;
}

uint64_t line_bytes(uint64_t format, uint64_t width)
{
    const struct format *f = find(format);
    return f == NULL ? 0 : (width * f->store_bits + 7) / 8;
}

static unsigned value(const uint8_t *line, uint64_t column, uint64_t bits, unsigned wanted)
{
    unsigned v = line[column];
    if (bits > 8) {
        uint16_t wide;
        memcpy(&wide, line + 2 * column, 2);
        v = wide;
    }
    return bits > wanted ? v >> (bits - wanted) : v << (wanted - bits);
}

static void put_packed(uint8_t *to, uint64_t column, unsigned v, unsigned bits)
{
    unsigned low = bits - 8; /* the bits that share the middle byte with the neighbour's */
    uint8_t *three = to + column / 2 * 3;
    three[column % 2 * 2] = (uint8_t)(v >> low);
    three[1] |= (uint8_t)((v & ((1u << low) - 1)) << (column % 2 * 4));
}

static void put_bits(uint8_t *to, uint64_t column, unsigned v, unsigned bits)
{
    uint64_t at = column * bits;
    unsigned shift = at % 8;
    unsigned shifted = v << shift; /* at most 7 + 12 bits: three bytes */
    for (unsigned done = 0; done < shift + bits; done += 8)
        to[at / 8 + done / 8] |= (uint8_t)(shifted >> done);
}

static void convert(const struct format *f, const uint8_t *from, uint64_t bits, uint64_t width,
                    uint8_t *to)
{
    memset(to, 0, line_bytes(f->id, width));
    for (uint64_t x = 0; x < width; x++) {
        unsigned v = value(from, x, bits, f->value_bits);
        if (f->packed) {
            put_packed(to, x, v, f->value_bits);
        } else if (f->store_bits == 8) {
            to[x] = (uint8_t)v;
        } else if (f->store_bits == 16) {
            uint16_t wide = (uint16_t)v;
            memcpy(to + 2 * x, &wide, 2);
        } else {
            put_bits(to, x, v, f->value_bits);
        }
    }
}

void write_lines(const struct map *map, uint64_t format, uint64_t width, int64_t first,
                 int64_t rows, uint8_t *to, uint64_t pitch)
{
    const struct world *w = map->world;
    const struct format *f = find(format);
    uint64_t stride = w->store_width * (w->store_bits > 8 ? 2 : 1);
    uint64_t bytes = line_bytes(format, width);
    int same = f->value_bits == w->store_bits && f->store_bits == (w->store_bits > 8 ? 16 : 8);
    int64_t lines = (int64_t)w->store_lines;
    int64_t at = ((first - w->store_first) % lines + lines) % lines;
    while (rows > 0) {
        int64_t run = lines - at < rows ? lines - at : rows;
        const uint8_t *from = map->pixels + (uint64_t)at * stride;
        if (same && bytes == stride && pitch == stride) {
            memcpy(to, from, (size_t)run * stride);
        } else {
            for (int64_t y = 0; y < run; y++) {
                if (same)
                    memcpy(to + (uint64_t)y * pitch, from + (uint64_t)y * stride, bytes);
                else
                    convert(f, from + (uint64_t)y * stride, w->store_bits, width,
                            to + (uint64_t)y * pitch);
            }
        }
        to += (uint64_t)run * pitch;
        rows -= run;
        at = 0;
    }
}
