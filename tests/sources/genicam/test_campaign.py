"""Long trials: hundreds of faults, kills and losses, to the line, with flat memory."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from linescan.records import Cause
from linescan.simulation.virtual_camera import (
    ENDING_FAULTS,
    STREAM_FAULTS,
    Fate,
    FaultKind,
    FaultPlan,
)
from tests.sources.genicam.virtual import HEIGHT, Rig

MakeRig = Callable[..., Rig]
FLAT_MB = 8
"""Growth of the parent's own memory that counts as none: the interpreter's own caches."""


def own_memory_mb() -> float:
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("RssAnon:"))
    return int(line.split()[1]) / 1024


def leftovers() -> list[str]:
    """Camera processes of this one, and shared memory that it still holds or has left behind."""
    children = psutil.Process().children(recursive=True)
    cameras = [str(p) for p in children if "spawn_main" in " ".join(p.cmdline())]
    maps = Path("/proc/self/maps").read_text().splitlines()
    rings = [line for line in maps if "linescan-ring" in line]
    return [*cameras, *rings]


def check_causes(seen: Rig, *, rest: int) -> None:
    """Each loss has the cause that the camera's journal has; ``rest`` lines may be in doubt.

    A block that was fetched by a process which died before handing it over is a reconnect, and so
    is what the camera dropped after the last block that was handed over.
    """
    fates, lost = seen.check(), seen.lost()
    streams = {
        Cause.INCOMPLETE_BLOCK: Fate.INCOMPLETE,
        Cause.CAMERA_GAP: Fate.DROPPED,
        Cause.UNDER_RUN: Fate.UNDER_RUN,
    }
    assert set(lost) <= {*streams, Cause.RECONNECT}
    for cause, fate in streams.items():
        assert 0 <= fates[fate] - lost.get(cause, 0) <= rest
    delivered = sum(block.valid_rows for block in seen.blocks)
    assert 0 <= fates[Fate.DELIVERED] - delivered <= rest
    assert not any(getattr(item, "estimated", False) for item in seen.items)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_two_hundred_faults_of_all_kinds_are_accounted_for_to_the_line(rig: MakeRig) -> None:
    limits = {"first_retry_s": 0.01, "longest_retry_s": 0.05, "hang_s": 1.0}
    seen = rig(supervision=limits)
    kinds = [*STREAM_FAULTS * 4, *ENDING_FAULTS]
    plan = FaultPlan.seeded(
        11,
        230,
        block_lines=HEIGHT,
        first_line=20 * HEIGHT,
        spacing_lines=40 * HEIGHT,
        kinds=kinds,
        lost_ns=100_000_000,
    )
    seen.world.inject(*plan)
    seen.play(lambda r: sum(f.done for f in r.world.faults() if f.fault.kind not in ACTS) >= 170)
    seen.play(lambda r, end=seen.after + 50 * HEIGHT: r.after >= end)  # type: ignore[misc]
    done = [state for state in seen.world.faults() if state.done]
    ended = sum(state.fault.kind in ENDING_FAULTS for state in done)
    passed = [f for f in seen.world.faults() if f.done or f.fault.at < seen.after]
    assert len(passed) >= 200
    assert ended >= 10
    check_causes(seen, rest=(ended + 1) * 40 * HEIGHT)
    seen.close()
    assert leftovers() == []


ACTS = (FaultKind.REVERSAL, FaultKind.OVER_TRIGGER)
"""Faults that lie in the encoder: they never strike a block."""


@pytest.mark.parametrize(
    ("how", "times"),
    [
        ("kill", 3),
        ("lost", 3),
        pytest.param("kill", 100, marks=[pytest.mark.long, pytest.mark.timeout(1200)]),
        pytest.param("lost", 100, marks=[pytest.mark.long, pytest.mark.timeout(1200)]),
    ],
)
def test_it_recovers_each_time_and_leaves_nothing_behind(
    rig: MakeRig, how: str, times: int
) -> None:
    seen = rig(world={"line_rate_hz": 5000.0})
    memory: list[float] = []
    for _ in range(times):
        before, end = seen.camera.pid, seen.after + 4 * HEIGHT
        seen.play(lambda r, end=end: r.after >= end)  # type: ignore[misc]
        if how == "kill":
            os.kill(seen.camera.pid or 0, signal.SIGKILL)
        else:
            seen.world.strike(FaultKind.LOST, 50_000_000)
        lost = seen.lost().get(Cause.RECONNECT, 0)
        seen.play(lambda r, lost=lost: r.lost().get(Cause.RECONNECT, 0) > lost)  # type: ignore[misc]
        assert seen.camera.pid != before
        memory.append(own_memory_mb())
    seen.play(lambda r, end=seen.after + 4 * HEIGHT: r.after >= end)  # type: ignore[misc]
    seen.check()
    assert memory[-1] - memory[times // 5] < FLAT_MB
    seen.close()
    assert leftovers() == []
