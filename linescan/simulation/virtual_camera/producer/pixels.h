/* Gray pixel formats: their line sizes, and lines written in them. */
#ifndef LINESCAN_PIXELS_H
#define LINESCAN_PIXELS_H

#include <stdint.h>

#include "world.h"

enum { /* the GenICam pixel format naming convention's 32-bit values */
    MONO8 = 0x01080001,
    MONO10 = 0x01100003,
    MONO10PACKED = 0x010C0004,
    MONO12 = 0x01100005,
    MONO12PACKED = 0x010C0006,
    MONO16 = 0x01100007,
    MONO10P = 0x010A0046,
    MONO12P = 0x010C0047
};

int known_format(uint64_t format);
uint64_t line_bytes(uint64_t format, uint64_t width);
void write_lines(const struct map *map, uint64_t format, uint64_t width, int64_t first,
                 int64_t rows, uint8_t *to, uint64_t pitch);

#endif
