"""Blocks as they come: lines, ids, times, chunks, under-runs, kills, and life cycles."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest

from linescan.records import Interval
from linescan.simulation.virtual_camera import Fate, JournalKind, Quirk
from tests.simulation.virtual_camera.conftest import Client, MakeWorld

CHUNKS = ("LineCounter", "EncoderValue", "Timestamp", "FrameID", "ScanLineCount", "TriggerOverruns")


def test_blocks_follow_each_other(client: Client, make_world: MakeWorld, tmp_path: object) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (500, 96), dtype=np.uint8)
    world = make_world(pixels, first_line=1000, ticks_per_line=(7, 2), wobble=(9.0, 300.0))
    out = f"{tmp_path}/raw.npy"
    answer = client.run(world, deed="grab", blocks=20, chunks=CHUNKS, scan_line=9, out=out)
    blocks = answer["blocks"]
    first = blocks[0]["chunks"]["LineCounter"]
    for n, (block, raw) in enumerate(zip(blocks, np.load(out), strict=True)):
        line = first + 64 * n
        assert (block["id"], block["complete"], block["rows"], block["padding"]) == (
            n + 1,
            True,
            64,
            0,
        )
        assert block["time_ns"] == world.time_of(line + 64)
        assert block["chunks"] == {
            "LineCounter": line,
            "EncoderValue": world.encoder_at(line + 9),
            "Timestamp": world.time_of(line + 64),
            "FrameID": n + 1,
            "ScanLineCount": 64,
            "TriggerOverruns": 0,
        }
        seen = pixels[(np.arange(line, line + 64) - 1000) % 500]
        assert np.array_equal(raw[: 64 * 96].reshape(64, 96), seen)
    assert world.truth().captured() == Interval(first, 20 * 64)


def test_the_raw_encoder_chunk_holds_each_lines_ticks(
    client: Client, make_world: MakeWorld, tmp_path: object
) -> None:
    world = make_world(hold=True, first_line=50)
    out = f"{tmp_path}/raw.npy"
    client.run(world, deed="grab", blocks=1, chunks=("EncoderValue",), out=out)
    ticks = np.load(out)[0][64 * 64 : 64 * 64 + 8 * 64].view("<i8")
    assert ticks.tolist() == [world.encoder_at(50 + y) for y in range(64)]


def test_a_held_world_begins_with_the_first_stream(client: Client, make_world: MakeWorld) -> None:
    world = make_world(hold=True, first_line=77)
    assert world.line_now == 77
    client.run(world, deed="grab", blocks=2)
    assert world.truth().streams[0].first == 77
    assert world.line_now > 77


def test_the_cameras_own_clock_is_off_and_drifts(client: Client, make_world: MakeWorld) -> None:
    world = make_world(hold=True, device_clock=(-5_000_000_000, 80))
    blocks = client.run(world, deed="grab", blocks=3, chunks=("Timestamp",))["blocks"]
    times = [world.device_time_of(64 * n) for n in (1, 2, 3)]
    assert [b["time_ns"] for b in blocks] == times
    assert [b["chunks"]["Timestamp"] for b in blocks] == times
    assert world.time_of(64) - times[0] < 5_000_000_000, "it runs ahead"


def test_block_ids_wrap(client: Client, make_world: MakeWorld) -> None:
    world = make_world(first_block_id=65533, last_block_id=65535)
    blocks = client.run(world, deed="grab", blocks=6)["blocks"]
    assert [b["id"] for b in blocks] == [65533, 65534, 65535, 1, 2, 3]


def test_a_slow_client_loses_whole_blocks_and_they_are_counted(
    client: Client, make_world: MakeWorld
) -> None:
    world = make_world()
    order = {"blocks": 12, "buffers": 3, "stall_after": 4, "stall_s": 0.2}
    answer = client.run(world, deed="grab", chunks=("LineCounter",), **order)
    ids = [b["id"] for b in answer["blocks"]]
    missing = ids[-1] - ids[0] + 1 - len(ids)
    truth = world.truth()
    span = truth.captured()
    assert missing > 0
    assert answer["under_runs"] >= missing
    assert truth.within(span)[Fate.UNDER_RUN] == missing * 64
    lines = [b["chunks"]["LineCounter"] for b in answer["blocks"]]
    assert np.array_equal(np.diff(lines), 64 * np.diff(ids))


def test_a_killed_client_leaves_the_truth_and_the_camera_behind(
    client: Client, make_world: MakeWorld
) -> None:
    world = make_world()
    for kill in range(5):
        before = world.blocks
        with client.start(world, deed="hold", seconds=40) as process:
            world.wait_for_blocks(before + 5, 30)
            os.kill(process.pid, signal.SIGKILL)
        assert world.opened == kill + 1
    last = client.run(world, deed="grab", blocks=3, chunks=("LineCounter",))["blocks"]
    truth = world.truth()
    assert len(truth.streams) == 6
    assert len(truth.fates[Fate.MISSED]) == 5
    span = truth.captured()
    assert span.end == last[-1]["chunks"]["LineCounter"] + 64
    assert sum(truth.within(span).values()) == span.count
    kinds = [entry.kind for entry in world.journal()]
    assert kinds.count(JournalKind.START) == 6
    assert kinds.count(JournalKind.STOP) == 1


def test_another_process_has_the_camera(client: Client, make_world: MakeWorld) -> None:
    world = make_world()
    with client.start(world, deed="hold", seconds=40) as process:
        world.wait_for_blocks(1, 30)
        assert client.run(world, deed="devices")[0]["access"] == 4, "busy"
        with client.start(world, deed="grab", blocks=1) as other:
            _, said = other.communicate(timeout=40)
        process.kill()
    assert "ResourceInUse" in said
    assert client.run(world, deed="devices")[0]["access"] == 1


def test_what_a_producer_does_not_tell(client: Client, make_world: MakeWorld) -> None:
    mute = Quirk.NO_FRAME_ID | Quirk.NO_TIMESTAMP | Quirk.NO_DELIVERED_HEIGHT
    world = make_world(quirks=mute | Quirk.NO_STATISTICS | Quirk.NO_ACCESS_STATUS)
    answer = client.run(world, deed="grab", blocks=2)
    block = answer["blocks"][1]
    assert (block["id"], block["time_ns"], block["rows"]) == (None, None, None)
    assert (answer["under_runs"], answer["access"]) == (None, None)


def test_triggers_from_outside_set_the_rate(client: Client, make_world: MakeWorld) -> None:
    world = make_world(trigger_rate_hz=6000.0)
    settings = {"TriggerMode": "On", "TriggerSource": "Encoder0", "EncoderDivider": 2}
    client.run(world, deed="features", settings=settings)
    assert world.record.rate_mhz == 3_000_000
    client.run(world, deed="features", settings={"TriggerSource": "Line0"})
    assert world.record.rate_mhz == 6_000_000
    client.run(world, deed="features", settings={"TriggerMode": "Off"})
    assert world.record.rate_mhz == 20_000_000


def test_the_counter_goes_on_without_a_client_and_across_rates(
    client: Client, make_world: MakeWorld
) -> None:
    world = make_world(first_line=500)
    begin = world.line_now
    time.sleep(0.05)
    middle = world.line_now
    assert middle - begin >= 1000
    values = client.run(world, deed="features", settings={"AcquisitionLineRate": 50.0})["values"]
    assert values["DeviceLineCounter"] >= middle
    assert world.line_now >= values["DeviceLineCounter"]


@pytest.mark.slow
def test_hundreds_of_life_cycles_leave_nothing_behind(
    client: Client, make_world: MakeWorld
) -> None:
    world = make_world(block_lines=32)
    answer = client.run(world, deed="cycles", times=120, blocks=2)
    assert answer["blocks"] == 240
    assert world.opened == 120
    early, late = answer["resident"]
    assert late - early < 30, "about 0.15 MB a cycle are the GenICam library's own"
    assert answer["threads"] <= 2
    assert answer["files"] < 20
