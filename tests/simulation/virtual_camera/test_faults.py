"""Each fault: what the client sees of it, and what the journal says."""

from __future__ import annotations

import signal
import time

import numpy as np
import psutil
import pytest

from linescan.simulation.virtual_camera import (
    Fate,
    Fault,
    FaultKind,
    FaultPlan,
    HangCall,
    JournalKind,
    VirtualWorld,
)
from tests.simulation.virtual_camera.conftest import Client, MakeWorld

LINES = ("LineCounter",)


@pytest.fixture
def world(make_world: MakeWorld) -> VirtualWorld:
    """Blocks of 64 lines from line 0 on."""
    return make_world(hold=True)


def done(world: VirtualWorld) -> list[int | None]:
    return [fault.line for fault in world.faults()]


def test_an_incomplete_block(client: Client, world: VirtualWorld) -> None:
    world.inject(Fault(FaultKind.INCOMPLETE, 130, 20))
    blocks = client.run(world, deed="grab", blocks=5, chunks=LINES)["blocks"]
    assert [b["complete"] for b in blocks] == [True, True, False, True, True]
    assert (blocks[2]["rows"], blocks[2]["filled"]) == (20, 20 * 64)
    assert [b["id"] for b in blocks] == [1, 2, 3, 4, 5]
    assert done(world) == [128]
    truth = world.truth()
    assert truth.lines(Fate.INCOMPLETE) == 64
    assert truth.captured().count == 5 * 64


def test_a_short_block_has_stale_rows_and_no_line_is_lost(
    client: Client, world: VirtualWorld, tmp_path: object
) -> None:
    world.inject(Fault(FaultKind.SHORT, 20 * 64, 20))
    out = f"{tmp_path}/raw.npy"
    order = {"blocks": 23, "chunks": ("LineCounter", "ScanLineCount"), "buffers": 4, "out": out}
    blocks = client.run(world, deed="grab", **order)["blocks"]
    first = [b["chunks"]["LineCounter"] for b in blocks]
    assert first == [*range(0, 21 * 64, 64), 20 * 64 + 20, 21 * 64 + 20]
    assert (blocks[20]["rows"], blocks[20]["height"]) == (20, 64)
    assert blocks[20]["chunks"]["ScanLineCount"] == 20
    store = np.fromfile(world.record.store.decode(), np.uint8).reshape(-1, 64)
    image = np.load(out)[20][: 64 * 64].reshape(64, 64)
    line = 20 * 64 + np.arange(64)
    assert np.array_equal(image[:20], store[line[:20] % 700])
    assert np.array_equal(image[20:], store[(line[20:] - 64) % 700]), "rows of the block before"
    assert world.truth().lines(Fate.DELIVERED) == 22 * 64 + 20


def test_a_padded_block(client: Client, world: VirtualWorld, tmp_path: object) -> None:
    world.inject(Fault(FaultKind.PADDED, 64, 16))
    out = f"{tmp_path}/raw.npy"
    blocks = client.run(world, deed="grab", blocks=3, chunks=LINES, out=out)["blocks"]
    assert [b["padding"] for b in blocks] == [0, 16, 0]
    assert [b["chunks"]["LineCounter"] for b in blocks] == [0, 64, 128]
    store = np.fromfile(world.record.store.decode(), np.uint8).reshape(-1, 64)
    padded = np.load(out)[1][: 64 * 80].reshape(64, 80)
    assert np.array_equal(padded[:, :64], store[64:128])


@pytest.mark.parametrize(
    ("kind", "fate"),
    [(FaultKind.DROPPED, Fate.DROPPED), (FaultKind.UNDER_RUN, Fate.UNDER_RUN)],
)
def test_blocks_that_never_come(
    client: Client, world: VirtualWorld, kind: FaultKind, fate: Fate
) -> None:
    world.inject(Fault(kind, 64, 3))
    answer = client.run(world, deed="grab", blocks=3, chunks=LINES)
    assert [b["id"] for b in answer["blocks"]] == [1, 5, 6]
    assert [b["chunks"]["LineCounter"] for b in answer["blocks"]] == [0, 256, 320]
    assert answer["under_runs"] == (3 if kind is FaultKind.UNDER_RUN else 0)
    truth = world.truth()
    assert truth.lines(fate) == 192
    assert truth.captured().count == 6 * 64


def test_the_encoder_reverses(client: Client, world: VirtualWorld) -> None:
    world.inject(Fault(FaultKind.REVERSAL, 64, 64))
    blocks = client.run(world, deed="grab", blocks=4, chunks=("EncoderValue",))["blocks"]
    assert [b["chunks"]["EncoderValue"] for b in blocks] == [0, 256, 0, 256]


def test_triggers_that_come_too_early_are_missed(client: Client, world: VirtualWorld) -> None:
    world.inject(Fault(FaultKind.OVER_TRIGGER, 64, 32))
    chunks = ("EncoderValue", "TriggerOverruns")
    blocks = client.run(world, deed="grab", blocks=4, chunks=chunks)["blocks"]
    assert [b["chunks"]["EncoderValue"] for b in blocks] == [0, 256, 640, 896]
    assert [b["chunks"]["TriggerOverruns"] for b in blocks] == [0, 32, 32, 32]


def test_a_trigger_stop_exposes_nothing(client: Client, world: VirtualWorld) -> None:
    world.inject(Fault(FaultKind.TRIGGER_STOP, 100, 300_000_000))
    blocks = client.run(world, deed="grab", blocks=4, chunks=LINES)["blocks"]
    assert [b["chunks"]["LineCounter"] for b in blocks] == [0, 64, 128, 192]
    assert blocks[1]["time_ns"] - blocks[0]["time_ns"] == 64 * 50_000 + 300_000_000
    assert [b["time_ns"] for b in blocks] == [world.time_of(64 * n) for n in (1, 2, 3, 4)]


def test_the_line_counter_stands_still_while_the_trigger_is_stopped(
    client: Client, make_world: MakeWorld
) -> None:
    world = make_world()
    ahead = world.line_now + 2000
    world.inject(
        Fault(FaultKind.TRIGGER_STOP, ahead, 1_000_000),
        Fault(FaultKind.TRIGGER_STOP, ahead + 1000, 3_600_000_000_000),
    )
    time.sleep(max(0.0, (world.time_of(ahead + 1000) - time.monotonic_ns()) / 1e9) + 0.01)
    values = client.run(world, deed="features")["values"]
    assert values["DeviceLineCounter"] == ahead + 1000 == world.line_now
    assert world.time_of(ahead + 1001) - world.time_of(ahead + 1000) == 3_600_000_050_000


def test_a_trigger_stop_ends_a_block_after_the_encoders_time_out(
    client: Client, world: VirtualWorld
) -> None:
    world.inject(Fault(FaultKind.TRIGGER_STOP, 100, 300_000_000))
    order = {"settings": {"EncoderTimeout": 20_000.0}, "chunks": LINES}
    blocks = client.run(world, deed="grab", blocks=4, **order)["blocks"]
    assert [b["chunks"]["LineCounter"] for b in blocks] == [0, 64, 100, 164]
    assert [b["rows"] for b in blocks] == [64, 36, 64, 64]
    assert world.truth().captured().count == 228


def test_a_lost_device_fails_until_it_is_opened_again(client: Client, world: VirtualWorld) -> None:
    world.inject(Fault(FaultKind.LOST, 640, 1_000_000_000))
    seen = client.run(world, deed="lose")
    assert seen["access"] == 3, "not accessible"
    assert "read" in seen, "reading a feature fails"
    world.lose(30)
    assert client.run(world, deed="devices") == []
    world.lose(0)
    blocks = client.run(world, deed="grab", blocks=2, chunks=LINES)["blocks"]
    truth = world.truth()
    assert truth.lines(Fate.MISSED) == truth.streams[1].first - truth.streams[0].end > 0
    assert blocks[0]["chunks"]["LineCounter"] == truth.streams[1].first


@pytest.mark.parametrize(("amount", "killer"), [(0, signal.SIGSEGV), (1, signal.SIGABRT)])
def test_a_crash_takes_the_process(
    client: Client, world: VirtualWorld, amount: int, killer: signal.Signals
) -> None:
    world.inject(Fault(FaultKind.CRASH, 200, amount))
    with client.start(world, deed="hold", seconds=40) as process:
        process.communicate(timeout=40)
    assert process.returncode == -killer
    assert done(world) == [192]
    assert len(client.run(world, deed="grab", blocks=2)["blocks"]) == 2, "it strikes once"


@pytest.mark.parametrize("call", list(HangCall))
def test_a_hang_never_ends(client: Client, world: VirtualWorld, call: HangCall) -> None:
    world.inject(Fault(FaultKind.HANG, 128, int(call)))
    blocks = {"blocks": 5} if call is not HangCall.GET_DATA else {"blocks": 10**9}
    with client.start(world, deed="grab", give_up_s=30, **blocks) as process:
        world.wait_for_blocks(3, 30)
        time.sleep(0.5)
        assert process.poll() is None
        process.kill()
    assert len(client.run(world, deed="grab", blocks=2)["blocks"]) == 2, "it strikes once"


def test_a_leak_grows_the_process(client: Client, world: VirtualWorld) -> None:
    with client.start(world, deed="hold", seconds=40) as process:
        world.wait_for_blocks(10, 30)
        before = psutil.Process(process.pid).memory_info().rss
        world.strike(FaultKind.LEAK, 100 * 2**20)
        world.wait_for_blocks(world.blocks + 20, 30)
        after = psutil.Process(process.pid).memory_info().rss
        process.kill()
    assert 95 * 2**20 < after - before < 120 * 2**20


def test_faults_by_block_and_late_ones_strike_one_after_the_other(
    client: Client, world: VirtualWorld
) -> None:
    world.inject(
        Fault(FaultKind.PADDED, 2, 4, by_block=True),
        Fault(FaultKind.PADDED, 130, 8),
        Fault(FaultKind.PADDED, 0, 1),
    )
    blocks = client.run(world, deed="grab", blocks=5)["blocks"]
    assert [b["padding"] for b in blocks] == [1, 0, 4, 8, 0]


def test_what_is_out_of_range_is_refused(world: VirtualWorld) -> None:
    with pytest.raises(ValueError, match="out of range"):
        world.inject(Fault(FaultKind.SHORT, 10, -1))
    with pytest.raises(ValueError, match="must lie ahead"):
        world.inject(Fault(FaultKind.TRIGGER_STOP, 0, 10))
    with pytest.raises(ValueError, match="4096 faults at most"):
        world.inject(*[Fault(FaultKind.SHORT, 10)] * 4097)


def test_a_plan_is_the_same_for_the_same_seed() -> None:
    plan = [
        FaultPlan.seeded(seed, 70, block_lines=64, first_line=500, spacing_lines=200)
        for seed in (1, 1, 2)
    ]
    assert plan[0] == plan[1] != plan[2]
    lines = [fault.at for fault in plan[0]]
    assert lines == sorted(lines)
    assert lines[0] == 500
    assert len({fault.kind for fault in plan[0]}) == 7


def test_two_hundred_mixed_faults_leave_an_exact_account(
    client: Client, make_world: MakeWorld
) -> None:
    world = make_world(hold=True, line_rate_hz=100_000.0, last_block_id=65535, first_block_id=65400)
    world.inject(*FaultPlan.seeded(11, 210, block_lines=64, first_line=640, spacing_lines=400))
    order = {"blocks": 1700, "chunks": ("LineCounter", "ScanLineCount"), "buffers": 64}
    blocks = client.run(world, deed="grab", **order)["blocks"]
    assert all(fault.done for fault in world.faults())
    truth = world.truth()
    span = truth.captured()
    assert sum(truth.within(span).values()) == span.count
    complete = [b["chunks"] for b in blocks if b["complete"]]
    assert truth.lines(Fate.DELIVERED) == sum(c["ScanLineCount"] for c in complete)
    incomplete = sum(not b["complete"] for b in blocks)
    assert truth.lines(Fate.INCOMPLETE) == 64 * incomplete == 64 * 30
    assert truth.lines(Fate.DROPPED) > 0
    assert truth.lines(Fate.UNDER_RUN) > 0
    written = world.written()
    assert written[JournalKind.DROPPED] == truth.lines(Fate.DROPPED)
    assert written[JournalKind.UNDER_RUN] == truth.lines(Fate.UNDER_RUN)
