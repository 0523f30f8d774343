"""Brokers acknowledge before they store: what a crash takes is sent again."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.lengths import scaled
from tests.sinks.brokers import Mosquitto, Nats
from tests.sinks.conftest import Start
from tests.sinks.line import Line, Running
from tests.sinks.stored import Listener, in_stream
from tests.sinks.waiting import wait_until

WORDS = ("objects", "event")
ALL = ("inspection", *WORDS)
KILLS = scaled(60, 6)


def known_to(broker: Mosquitto) -> None:
    """A listener has a session with a broker that will store it, and is away."""
    with Listener(broker.port):
        pass
    broker.store()


def found_by_listener(broker: Mosquitto, count: int) -> set[str]:
    with Listener(broker.port) as listener:
        wait_until(lambda: len(listener.by_id()) >= count, f"{count} messages")
        return set(listener.by_id())


@pytest.mark.parametrize("process_dies", [False, True])
def test_what_a_broker_acknowledged_and_lost_is_sent_again(
    process_dies: bool, line: Line, forward: Start, tmp_path: Path
) -> None:
    line.inspection(5)
    with Mosquitto(tmp_path / "mqtt", stores_each_s=1800) as broker:
        known_to(broker)
        sink = {"mqtt": {"server": broker.url}}
        process = forward(sink, *(["--once"] if process_dies else []))
        if process_dies:
            assert process.end()[0] == 0
        else:
            with Listener(broker.port, name="other") as other:
                wait_until(lambda: len(other.by_id()) == 6, "all messages")
        broker.kill()
        line.inspection()
        line.sync()
        broker.start()
        if process_dies:
            process = forward(sink, "--once")
            assert process.end()[0] == 0
        found = found_by_listener(broker, 7)
    assert found == line.ids(*WORDS)


def test_without_a_window_a_crash_of_the_broker_takes_what_it_acknowledged(
    line: Line, forward: Start, tmp_path: Path
) -> None:
    line.inspection(5)
    with Mosquitto(tmp_path / "mqtt", stores_each_s=1800) as broker:
        known_to(broker)
        sink = {"mqtt": {"server": broker.url, "resend_s": 0}}
        assert forward(sink, "--once").end()[0] == 0
        broker.kill()
        line.inspection()
        broker.start()
        assert forward(sink, "--once").end()[0] == 0
        assert found_by_listener(broker, 1) == {f"{line.epoch}/web-1/objects/5"}


def test_what_a_power_cut_took_from_a_stream_is_there_again_once(
    line: Line, forward: Start, tmp_path: Path
) -> None:
    store, cut = tmp_path / "nats" / "store", tmp_path / "cut"
    line.inspection(3)
    with Nats(tmp_path / "nats") as server:
        sink = {"nats": {"servers": [server.url], "duplicate_window_s": 86400, "resend_s": 3600}}
        assert forward(sink, "--once").end()[0] == 0
        server.kill()
        shutil.copytree(store, cut)  # what was on the disk when the power went
        server.start()
        line.inspection(3)
        assert forward(sink, "--once").end()[0] == 0
        server.kill()
        shutil.rmtree(store)
        cut.rename(store)
        server.start()
        line.end()
        code, errors = forward(sink, "--once").end()
        assert code == 0, errors
        counts = Counter(stored.id for stored in in_stream(server.url))
    assert set(counts) == line.ids(*ALL)
    assert set(counts.values()) == {1}


@pytest.mark.long
@pytest.mark.timeout(KILLS * 10 + 240)
def test_a_broker_that_is_killed_after_acknowledgements_ends_with_everything(
    line: Line, forward: Start, tmp_path: Path
) -> None:
    choice = random.Random(9)
    broker = Mosquitto(tmp_path / "mqtt", stores_each_s=1)
    with broker, Listener(broker.port, name="other") as witness:
        known_to(broker)
        sink = {"mqtt": {"server": broker.url, "resend_s": 10}}
        process = forward(sink)
        process.until("connected to")
        with Running(line, each_s=0.05):
            for _ in range(KILLS):
                witness.wait_for_more(5)
                time.sleep(choice.uniform(0.0, 0.8))
                with process.says_again("connected to"), witness.comes_again():
                    broker.kill()
                    broker.start()
        assert process.signal(signal.SIGTERM)[0] == 0
        assert forward(sink, "--once").end()[0] == 0
        wanted = line.ids(*WORDS)
        found = found_by_listener(broker, len(wanted))
    assert found == wanted
