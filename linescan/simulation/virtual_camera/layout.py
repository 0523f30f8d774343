"""The world file's layout, as the producer's ``world.h`` has it."""

from __future__ import annotations

import ctypes

MAGIC = 0x3141435653454E4C
VERSION = 1
MAX_FAULTS = 4096
MAX_ENTRIES = 65536
TEXT = 64
PATH = 1024


class Register:
    """Numbers of the registers that a new world sets; see the producer's ``producer.h``."""

    WIDTH, HEIGHT, PIXEL_FORMAT = 0, 1, 2
    LINE_RATE, LINE_RATE_ENABLE, EXPOSURE = 8, 9, 10
    TRIGGER_SOURCE, ENCODER_A, ENCODER_B = 15, 18, 19
    ENCODER_DIVIDER, ENCODER_OUTPUT, ENCODER_RESOLUTION = 21, 22, 26
    COUNT = 64


class FaultRecord(ctypes.Structure):
    """One fault, and what became of it."""

    _fields_ = (
        ("kind", ctypes.c_uint32),
        ("by_block", ctypes.c_uint32),
        ("at", ctypes.c_int64),
        ("amount", ctypes.c_int64),
        ("done", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
        ("done_line", ctypes.c_int64),
        ("done_ns", ctypes.c_int64),
    )


class EntryRecord(ctypes.Structure):
    """One line of the journal."""

    _fields_ = (
        ("fate", ctypes.c_uint32),
        ("fetched", ctypes.c_uint32),
        ("first", ctypes.c_int64),
        ("rows", ctypes.c_int64),
        ("block_id", ctypes.c_int64),
        ("at_ns", ctypes.c_int64),
        ("pid", ctypes.c_int64),
    )


class WorldRecord(ctypes.Structure):
    """The whole file."""

    _fields_ = (
        ("magic", ctypes.c_uint64),
        ("version", ctypes.c_uint64),
        ("size", ctypes.c_uint64),
        ("base_ns", ctypes.c_int64),
        ("base_line", ctypes.c_int64),
        ("rate_mhz", ctypes.c_uint64),
        ("trigger_rate_mhz", ctypes.c_uint64),
        ("clock_turn", ctypes.c_uint32),
        ("quirks", ctypes.c_uint32),
        ("device_offset_ns", ctypes.c_int64),
        ("device_ppm", ctypes.c_int64),
        ("held", ctypes.c_uint64),
        ("ticks_num", ctypes.c_int64),
        ("ticks_den", ctypes.c_int64),
        ("ticks_offset", ctypes.c_int64),
        ("wobble_ticks", ctypes.c_double),
        ("wobble_lines", ctypes.c_double),
        ("store_lines", ctypes.c_uint64),
        ("store_width", ctypes.c_uint64),
        ("store_bits", ctypes.c_uint64),
        ("store_first", ctypes.c_int64),
        ("first_block_id", ctypes.c_uint64),
        ("last_block_id", ctypes.c_uint64),
        ("lost_until_ns", ctypes.c_int64),
        ("opened", ctypes.c_uint64),
        ("latched_ns", ctypes.c_uint64),
        ("lines_by_fate", ctypes.c_uint64 * 8),
        ("blocks", ctypes.c_uint64),
        ("entries", ctypes.c_uint64),
        ("faults", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
        ("serial", ctypes.c_char * TEXT),
        ("user_name", ctypes.c_char * TEXT),
        ("store", ctypes.c_char * PATH),
        ("registers", ctypes.c_uint64 * Register.COUNT),
        ("fault", FaultRecord * MAX_FAULTS),
        ("entry", EntryRecord * MAX_ENTRIES),
    )
