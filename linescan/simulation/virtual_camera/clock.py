"""The world's clock and encoder, to the line and tick as the producer's ``world.c`` has them."""

from __future__ import annotations

import math
import time

from linescan.simulation.virtual_camera.faults import FaultKind
from linescan.simulation.virtual_camera.layout import WorldRecord

_UNIT = 10**12
"""Nanoseconds times millihertz of one line."""


def lines_at(world: WorldRecord, t_ns: int) -> int:
    """Lines that the sensor has exposed by a time of the monotonic clock, in ns."""
    if world.held:
        return int(world.base_line)
    run = t_ns - world.base_ns
    for at, length in _stops(world):
        if world.base_line + max(0, run) * world.rate_mhz // _UNIT < at:
            break
        into = run - _run_ns(world, at - world.base_line)
        if into < length:
            return at
        run -= length
    return int(world.base_line + max(0, run) * world.rate_mhz // _UNIT)


def time_of(world: WorldRecord, lines: int) -> int:
    """The time at which so many lines are exposed, ns of the monotonic clock."""
    stopped = sum(length for at, length in _stops(world) if at < lines)
    return int(world.base_ns + stopped + _run_ns(world, lines - world.base_line))


def device_ns(world: WorldRecord, t_ns: int) -> int:
    """What the camera's own clock shows at a time of the monotonic clock, both in ns."""
    return int(t_ns + world.device_offset_ns + t_ns // 1_000_000 * world.device_ppm)


def encoder_at(world: WorldRecord, line: int) -> int:
    """Encoder ticks at a line."""
    travel = line
    for fault in world.fault[: world.faults]:
        passed = min(max(0, line - fault.at), fault.amount)
        if fault.kind == FaultKind.REVERSAL:
            travel -= 2 * passed
        elif fault.kind == FaultKind.OVER_TRIGGER:
            travel += passed
    wobble = 0.0
    if world.wobble_lines > 0:
        turn = 6.283185307179586 * travel / world.wobble_lines
        wobble = world.wobble_ticks * math.sin(turn)
    whole, sign = abs(travel * world.ticks_num), 1 if travel * world.ticks_num >= 0 else -1
    return int(world.ticks_offset + sign * (whole // world.ticks_den) + math.floor(wobble))


def now_ns() -> int:
    """The world's time, ns of the monotonic clock."""
    return time.monotonic_ns()


def _stops(world: WorldRecord) -> list[tuple[int, int]]:
    """Stops of the line trigger since the clock was last set, by line; one a line."""
    stops: dict[int, int] = {}
    for fault in world.fault[: world.faults]:
        if fault.kind == FaultKind.TRIGGER_STOP and fault.at > world.base_line:
            stops.setdefault(fault.at, fault.amount)
    return sorted(stops.items())


def _run_ns(world: WorldRecord, lines: int) -> int:
    return -(-lines * _UNIT // int(world.rate_mhz))
