"""Complete subscribers, stopped and killed; publishers, killed: nothing is lost, all is told apart.

The campaigns last about ``LINESCAN_LONG`` minutes each (a quarter of one where that is not set):
``make test-long``. ``LINESCAN_INSPECTIONS`` and ``LINESCAN_KILLS`` say how much instead: 20000 and
200 are the full campaigns. Each leaves its figures in ``figures.json`` in its folder
(``--basetemp``).
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import time
from collections import defaultdict
from pathlib import Path

import psutil
import pytest

from linescan.journal import JournalReader
from linescan.protocol.control import KEPT
from tests.client.journalled import Journalled, Order, journalled
from tests.client.taker import Taken, digest, lives, start
from tests.lengths import MINUTES
from tests.publishing.asking import asking

EACH_S = 0.0015
INSPECTIONS = int(os.environ.get("LINESCAN_INSPECTIONS", MINUTES * 60 * 300))
KILLS = int(os.environ.get("LINESCAN_KILLS", max(5, MINUTES * 40)))
MEMORY_MB = 16
SLACK_MB = 16.0
"""What the interpreter and its allocator may gain beside the budget."""


@pytest.mark.long
@pytest.mark.timeout(INSPECTIONS / 50 + 240)
def test_complete_subscribers_hold_every_number_once_and_the_bytes_of_the_journal(
    tmp_path: Path,
) -> None:
    rng = random.Random(5)
    folder, steady, shaken = tmp_path / "journal", tmp_path / "steady.log", tmp_path / "shaken.log"
    with journalled(Order(str(folder), memory_mb=MEMORY_MB)) as line:
        common = {"endpoint": line.order.data, "timeout_s": 120}
        live = start(tmp_path / "live.log", **common, mode="live")
        first = start(steady, **common, mode="complete", name="steady")
        options = {**common, "mode": "complete", "name": "shaken"}
        second = start(shaken, **options)
        line.tell("wait 3", "frame 1000 0.001")
        process = psutil.Process(line.process.pid)
        before = peak = _resident_mb(process)
        line.send(f"frame {INSPECTIONS} {EACH_S}")
        deeds = itertools.cycle(("kill", "stop", "stop"))
        while not line.answered(0.2):
            second = _shake(next(deeds), second, rng, shaken, options)
            peak = max(peak, _resident_mb(process))
        line.tell("end")
        for subscriber in (live, first, second):
            assert subscriber.wait(120) == 0
        peak = max(peak, _resident_mb(process))
    kept = _kept(folder)
    assert sum(taken.kind == "inspection" for taken in kept) == INSPECTIONS + 1000
    (once,) = lives(steady)
    assert once == _in_order(kept, once)
    assert "expired=0 missed=0" in steady.read_text()
    _check_lives(kept, lives(shaken))
    assert len(lives(shaken)) > 1
    (newest,) = lives(tmp_path / "live.log")
    assert set(newest) < set(kept)
    assert [taken.seq for taken in newest] == sorted({taken.seq for taken in newest})
    figures = {
        "inspections": INSPECTIONS + 1000,
        "lives": len(lives(shaken)),
        "given_again": sum(map(len, lives(shaken))) - len(kept),
        "live_given": len(newest),
        "publisher_mb": [round(before, 1), round(peak, 1)],
    }
    (tmp_path / "figures.json").write_text(json.dumps(figures))
    assert peak - before < MEMORY_MB + SLACK_MB, f"{before:.0f} MB grew to {peak:.0f} MB"


def _shake(
    deed: str,
    process: subprocess.Popen[bytes],
    rng: random.Random,
    log: Path,
    options: dict[str, object],
) -> subprocess.Popen[bytes]:
    """Stop a subscriber for a while, or kill it and start it again."""
    if deed == "stop":
        process.send_signal(signal.SIGSTOP)
        time.sleep(rng.choice((0.05, 0.3, 1.0, 6.0)))
        process.send_signal(signal.SIGCONT)
    else:
        process.kill()
        process.wait()
        time.sleep(rng.choice((0.0, 0.5)))
        process = start(log, **options)
    time.sleep(rng.uniform(0.3, 2))
    return process


@pytest.mark.long
@pytest.mark.timeout(KILLS * 6 + 240)
def test_what_was_reported_durable_outlives_the_publisher(tmp_path: Path) -> None:
    rng = random.Random(6)
    folder, log = tmp_path / "journal", tmp_path / "complete.log"
    durable: dict[tuple[str, str], int] = {}
    line = Journalled(Order(str(folder), memory_mb=MEMORY_MB))
    line.begin()
    common = {"endpoint": line.order.data, "timeout_s": 120}
    complete = start(log, **common, mode="complete", name="complete")
    live = start(tmp_path / "live.log", **common, mode="live")
    following = Journalled(line.order)
    try:
        line.tell("wait 2")
        for _ in range(KILLS):
            line.send(f"frame 100000 {rng.choice((0.0, 0.0005, 0.002))}")
            end = time.monotonic() + rng.choice((0.0, 0.05, 0.2, 0.6, 1.2)) * rng.random()
            with asking(line.order.control) as control:
                while time.monotonic() < end:
                    _note_durable(control.ask("positions")[0]["epochs"], durable)
            line.kill()
            line, following = following, Journalled(line.order)
            line.begin()
        line.tell("wait 2", "frame 100", "end")
        assert complete.wait(120) == 0
        assert live.wait(30) == 0
    finally:
        for process in (line, following):
            process.kill()
        for subscriber in (complete, live):
            subscriber.kill()
    kept = _kept(folder)
    _check_durable(kept, durable)
    assert len({taken.epoch for taken in kept}) > KILLS / 2
    (given,) = lives(log)
    assert given == _in_order(kept, given)
    assert "expired=0 missed=0" in log.read_text()
    epochs = len({taken.epoch for taken in kept})
    figures = {"kills": KILLS, "epochs": epochs, "kept": len(kept), "durable": len(durable)}
    (tmp_path / "figures.json").write_text(json.dumps(figures))


def _note_durable(epochs: list[dict[str, object]], durable: dict[tuple[str, str], int]) -> None:
    for epoch in epochs:
        streams = epoch["streams"]
        assert isinstance(streams, list)
        for stream in streams:
            if stream["durable"] is not None:
                durable[str(epoch["epoch"]), stream["kind"]] = stream["durable"]


def _check_durable(kept: list[Taken], durable: dict[tuple[str, str], int]) -> None:
    numbers = defaultdict(set)
    for taken in kept:
        numbers[taken.stream].add(taken.seq)
    assert durable
    for stream, last in durable.items():
        assert numbers[stream] >= set(range(last + 1)), f"{stream}: durable up to {last}"


def _kept(folder: Path) -> list[Taken]:
    """All that the journal holds, epoch by epoch."""
    reader = JournalReader(folder)
    found = []
    for epoch in reader.epochs():
        for kind in KEPT:
            if ("web-1", kind) in epoch.streams:
                oldest, last = epoch.streams["web-1", kind]
                found += [
                    Taken(epoch.epoch, kind, entry.key.seq, digest(entry.frames))
                    for entry in reader.read(epoch.epoch, "web-1", kind, oldest, last)
                ]
    return found


def _in_order(kept: list[Taken], given: list[Taken]) -> list[Taken]:
    """What the journal holds, in the order given where that is allowed.

    Epochs follow each other, and so do the numbers of each kind; how the two kinds of one epoch
    alternate is not looked at.
    """
    waiting: dict[tuple[str, str], list[Taken]] = defaultdict(list)
    epochs: list[str] = []
    for taken in reversed(kept):
        waiting[taken.stream].append(taken)
        epochs += [taken.epoch] if taken.epoch not in epochs else []
    order = []
    for taken in given:
        while epochs and not any(waiting[epochs[-1], kind] for kind in KEPT):
            epochs.pop()
        if not epochs or not waiting[epochs[-1], taken.kind]:
            break
        order.append(waiting[epochs[-1], taken.kind].pop())
    return order + [taken for left in waiting.values() for taken in reversed(left)]


def _check_lives(kept: list[Taken], found: list[list[Taken]]) -> None:
    """Each life gets each message once, and goes on at most where the one before ended.

    A message that was given and not yet acknowledged when the process was killed is given again:
    application tells it by epoch, kind and number, as is done here.
    """
    following: dict[tuple[str, str], int] = defaultdict(int)
    unique: dict[tuple[str, str, int], Taken] = {}
    for life in found:
        mine: dict[tuple[str, str], int] = {}
        for taken in life:
            expected = mine.get(taken.stream)
            if expected is None:
                assert taken.seq <= following[taken.stream]
            else:
                assert taken.seq == expected
            mine[taken.stream] = taken.seq + 1
            following[taken.stream] = max(following[taken.stream], taken.seq + 1)
            assert unique.setdefault((*taken.stream, taken.seq), taken) == taken
    assert sorted(unique.values()) == sorted(kept)


def _resident_mb(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 2**20
