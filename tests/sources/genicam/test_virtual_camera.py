"""Acquisition from the virtual line-scan camera: formats, faults, losses to the line."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from linescan.records import BlockFlag, Cause
from linescan.simulation.virtual_camera import Fate, Fault, FaultKind, FaultPlan, Quirk
from linescan.simulation.virtual_camera.layout import Register
from tests.sources.genicam.virtual import HEIGHT, WIDTH, Rig, lines

MakeRig = Callable[..., Rig]


def past(line: int) -> Callable[[Rig], bool]:
    return lambda rig: rig.after >= line


@pytest.mark.parametrize(
    ("pixel_format", "bits", "width"),
    [
        ("Mono8", 8, 255),
        ("Mono10", 10, 64),
        ("Mono10p", 10, 66),
        ("Mono10Packed", 10, 65),
        ("Mono12", 12, 64),
        ("Mono12p", 12, 65),
        ("Mono12Packed", 12, 64),
        ("Mono16", 16, 64),
    ],
)
def test_every_gray_format(rig: MakeRig, pixel_format: str, bits: int, width: int) -> None:
    wide = lines(300, width, bits)
    seen = rig(wide, world={"pixel_format": None}, pixel_format=pixel_format)
    if 8 < bits < 16:
        seen.world.record.store_bits = bits
    played = seen.play(past(5 * HEIGHT))
    assert played.camera.description.bits == bits
    played.check()
    assert not played.lost()


@pytest.mark.parametrize("padding", [1, 7, 32])
def test_padded_lines(rig: MakeRig, padding: int) -> None:
    seen = rig(lines(300, 65))
    seen.world.inject(*(Fault(FaultKind.PADDED, HEIGHT * n, padding) for n in range(2, 5)))
    seen.play(past(8 * HEIGHT)).check()
    assert not seen.lost()


def test_each_cause_of_loss_has_its_name(rig: MakeRig) -> None:
    seen = rig()
    seen.world.inject(
        Fault(FaultKind.INCOMPLETE, 10 * HEIGHT, 20),
        Fault(FaultKind.DROPPED, 20 * HEIGHT, 2),
        Fault(FaultKind.UNDER_RUN, 30 * HEIGHT, 3),
        Fault(FaultKind.SHORT, 40 * HEIGHT, 5),
    )
    fates = seen.play(past(60 * HEIGHT)).check()
    assert seen.lost() == {
        Cause.INCOMPLETE_BLOCK: HEIGHT,
        Cause.CAMERA_GAP: 2 * HEIGHT,
        Cause.UNDER_RUN: 3 * HEIGHT,
    }
    assert fates[Fate.DROPPED] == 2 * HEIGHT
    assert 5 in {block.valid_rows for block in seen.blocks}, "stale rows are not passed on"
    assert not any(getattr(item, "estimated", False) for item in seen.items)


@pytest.mark.parametrize("numbering", ["auto", "block_id"])
def test_a_block_without_lines_loses_none(rig: MakeRig, numbering: str, caplog: Any) -> None:
    seen = rig(numbering=numbering)
    seen.world.inject(*(Fault(FaultKind.SHORT, HEIGHT * n, 0) for n in (5, 6, 20)))
    seen.play(past(30 * HEIGHT)).check()
    assert not seen.lost()
    assert all(block.valid_rows == HEIGHT for block in seen.blocks)
    assert "not believed" not in caplog.text


def test_time_stamps_are_mapped_to_the_host(rig: MakeRig) -> None:
    seen = rig().play(past(40 * HEIGHT))
    for block in seen.blocks[5:]:
        assert block.exposed_ns is not None
        assert block.exposed_ns <= block.host_time_ns
    stamps = [b.exposed_ns or 0 for b in seen.blocks]
    steps = np.diff(stamps[10:])
    assert np.median(steps) == pytest.approx(HEIGHT / 20_000 * 1e9, rel=0.01)


@pytest.mark.parametrize("numbering", ["auto", "block_id"])
def test_ids_of_16_bits_wrap(rig: MakeRig, numbering: str) -> None:
    seen = rig(world={"first_block_id": 65530, "last_block_id": 65535}, numbering=numbering)
    seen.world.inject(Fault(FaultKind.DROPPED, 5 * HEIGHT, 3))
    seen.play(past(20 * HEIGHT)).check()
    assert seen.lost() == {Cause.CAMERA_GAP: 3 * HEIGHT}


@pytest.mark.parametrize(
    "quirks",
    [
        Quirk.NO_FRAME_ID,
        Quirk.NO_TIMESTAMP | Quirk.NO_STATISTICS,
        Quirk.NO_DELIVERED_HEIGHT | Quirk.NO_ACCESS_STATUS,
        Quirk(31),
    ],
)
def test_producers_that_tell_less(rig: MakeRig, quirks: Quirk) -> None:
    seen = rig(world={"quirks": quirks})
    seen.world.inject(Fault(FaultKind.DROPPED, 5 * HEIGHT, 3), Fault(FaultKind.SHORT, 640, 9))
    seen.play(past(30 * HEIGHT)).check()
    assert seen.lost() == {Cause.CAMERA_GAP: 3 * HEIGHT}


def test_without_counter_and_ids_the_clock_tells_and_says_so(rig: MakeRig) -> None:
    seen = rig(world={"quirks": Quirk.NO_FRAME_ID}, numbering="clock")
    seen.world.inject(Fault(FaultKind.DROPPED, 10 * HEIGHT, 30))
    seen.play(past(60 * HEIGHT)).check()
    assert seen.lost() == {Cause.CAMERA_GAP: 30 * HEIGHT}
    assert all(item.estimated for item in seen.items if hasattr(item, "estimated"))


def test_reversal_and_missed_triggers_are_flagged(rig: MakeRig) -> None:
    seen = rig(chunks={"encoder": "lines"})
    seen.world.inject(
        Fault(FaultKind.REVERSAL, 10 * HEIGHT + 9, 20), Fault(FaultKind.OVER_TRIGGER, 1280, 30)
    )
    seen.play(past(30 * HEIGHT)).check()
    flagged = {b.first_line // HEIGHT: b.flags for b in seen.blocks if b.flags}
    assert BlockFlag.ENCODER_REVERSED in flagged[10]
    assert BlockFlag.OVER_TRIGGER in flagged[20]
    assert set(flagged) <= {10, 20}
    ticks = seen.blocks[3].encoder
    assert ticks is not None
    assert ticks.tolist() == [seen.world.encoder_at(3 * HEIGHT + row) for row in range(HEIGHT)]


def test_each_block_has_the_ticks_of_its_ends(rig: MakeRig) -> None:
    seen = rig(world={"ticks_per_line": (7, 2)}).play(past(5 * HEIGHT))
    for block in seen.blocks:
        first, last = block.first_line, block.first_line + HEIGHT - 1
        assert block.encoder_ends == (seen.world.encoder_at(first), seen.world.encoder_at(last))
        assert block.encoder is None


def test_every_line_s_ticks_are_the_camera_s_own_whatever_the_block_looks_like(
    rig: MakeRig,
) -> None:
    seen = rig(world={"wobble": (9.0, 31.0)}, chunks={"encoder": "lines"})
    seen.world.inject(
        Fault(FaultKind.PADDED, 5 * HEIGHT, 8),
        Fault(FaultKind.SHORT, 8 * HEIGHT, 20),
        Fault(FaultKind.SHORT, 10 * HEIGHT, 3),
        Fault(FaultKind.REVERSAL, 15 * HEIGHT + 9, 20),
    )
    seen.play(past(20 * HEIGHT)).check()
    for block in seen.blocks:
        assert block.encoder is not None
        lines_of = range(block.first_line, block.first_line + block.valid_rows)
        assert block.encoder.tolist() == [seen.world.encoder_at(line) for line in lines_of]


@pytest.mark.parametrize("how", ["kill", "crash", "abort", "lost", "hang"])
def test_the_camera_comes_back_and_the_lines_between_are_counted(
    rig: MakeRig, how: str, caplog: Any
) -> None:
    limits = {"first_retry_s": 0.01, "longest_retry_s": 0.05, "hang_s": 1.0}
    seen = rig(supervision=limits)
    seen.play(past(20 * HEIGHT))
    before = seen.camera.pid
    match how:
        case "kill":
            os.kill(before or 0, signal.SIGKILL)
        case "crash":
            seen.world.strike(FaultKind.CRASH, 0)
        case "abort":
            seen.world.strike(FaultKind.CRASH, 1)
        case "lost":
            seen.world.strike(FaultKind.LOST, 300_000_000)
        case "hang":
            seen.world.strike(FaultKind.HANG, 0)
    seen.play(lambda r: Cause.RECONNECT in r.lost())
    seen.play(past(seen.after + 20 * HEIGHT))
    assert seen.camera.pid != before
    fates = seen.check()
    others = (Fate.MISSED, Fate.UNFETCHED, Fate.UNDER_RUN)
    # A block that was fetched by a process which died before it handed it over is lost, too.
    assert 0 <= seen.lost()[Cause.RECONNECT] - sum(fates[f] for f in others) <= 2 * HEIGHT
    assert not any(getattr(item, "estimated", False) for item in seen.items)


def test_a_leak_gets_the_process_replaced(rig: MakeRig, caplog: Any) -> None:
    seen = rig(supervision={"memory_mb": 100, "first_retry_s": 0.01})
    seen.play(past(20 * HEIGHT))
    before = seen.camera.pid
    seen.world.inject(Fault(FaultKind.LEAK, seen.world.line_now, 200 * 2**20))
    seen.play(lambda r: Cause.RECONNECT in r.lost())
    assert seen.camera.pid != before
    assert "its memory grew by" in caplog.text
    seen.check()


def test_a_campaign_of_mixed_faults_is_accounted_for_to_the_line(rig: MakeRig) -> None:
    seen = rig(world={"line_rate_hz": 40_000.0})
    plan = FaultPlan.seeded(
        7, 60, block_lines=HEIGHT, first_line=10 * HEIGHT, spacing_lines=8 * HEIGHT
    )
    seen.world.inject(*plan)
    last = plan.faults[-1].at
    fates = seen.play(past(last + 30 * HEIGHT)).check()
    assert sum(state.done for state in seen.world.faults()) >= 40
    lost = seen.lost()
    assert lost[Cause.INCOMPLETE_BLOCK] == fates[Fate.INCOMPLETE]
    assert lost[Cause.CAMERA_GAP] == fates[Fate.DROPPED]
    assert lost[Cause.UNDER_RUN] == fates[Fate.UNDER_RUN]
    assert set(lost) <= {Cause.INCOMPLETE_BLOCK, Cause.CAMERA_GAP, Cause.UNDER_RUN}


def test_a_stopped_trigger_is_idle_not_hung(rig: MakeRig) -> None:
    seen = rig(trigger={"mode": "encoder"}, supervision={"stall_s": 0.3, "first_retry_s": 0.01})
    seen.world.inject(Fault(FaultKind.TRIGGER_STOP, 20 * HEIGHT + 3, 1_000_000_000))
    began = time.monotonic()
    seen.play(past(40 * HEIGHT)).check()
    assert time.monotonic() - began > 1.0
    assert not seen.lost(), "lines that were never exposed are not captured"


def test_a_camera_that_runs_free_and_gives_no_lines_has_stalled(rig: MakeRig, caplog: Any) -> None:
    seen = rig(supervision={"stall_s": 0.3, "first_retry_s": 0.01})
    seen.world.inject(Fault(FaultKind.TRIGGER_STOP, 20 * HEIGHT, 1_000_000_000))
    seen.play(past(20 * HEIGHT))
    before = seen.camera.pid
    seen.play(past(40 * HEIGHT)).check()
    assert seen.camera.pid != before
    assert "while lines are due" in caplog.text


def test_a_camera_that_comes_back_with_other_lines_is_refused_until_it_has_the_old_ones(
    rig: MakeRig, caplog: Any
) -> None:
    seen = rig(camera_is_master=True, gain=9.0)
    seen.play(past(20 * HEIGHT))
    registers = seen.world.record.registers
    registers[Register.WIDTH], registers[Register.HEIGHT] = WIDTH // 2, 2 * HEIGHT
    opened = seen.world.opened

    def set_back() -> None:
        while seen.world.opened < opened + 6:
            time.sleep(0.01)
        registers[Register.WIDTH], registers[Register.HEIGHT] = WIDTH, HEIGHT

    back = threading.Thread(target=set_back)
    back.start()
    os.kill(seen.camera.pid or 0, signal.SIGKILL)
    seen.play(lambda r: Cause.RECONNECT in r.lost())
    back.join()
    seen.play(past(seen.after + 20 * HEIGHT)).check()
    refused = [r.message for r in caplog.records if "came back" in r.message]
    assert len(refused) == 1, "five attempts that fail alike are one line in the log"
    assert f"with width {WIDTH // 2} instead of {WIDTH}, height {2 * HEIGHT}" in refused[0]
    assert "values given for 'source.width', 'source.block_lines' are set at" in refused[0]
    assert [r for r in caplog.records if "the camera is back after" in r.message]
    differs = [r for r in caplog.records if "asks for 9.0, the camera's Gain is 0.0" in r.message]
    assert len(differs) == 2, "at each connection that counts"
