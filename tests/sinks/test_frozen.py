"""A broker that answers nothing, though its connection stands."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.sinks.brokers import Mosquitto, Nats
from tests.sinks.conftest import Start
from tests.sinks.line import Line, Running
from tests.sinks.stored import Listener, in_stream
from tests.sinks.waiting import wait_until


@pytest.mark.slow
def test_brokers_that_freeze_get_everything_when_they_go_on(
    line: Line, forward: Start, tmp_path: Path
) -> None:
    with (
        Nats(tmp_path / "nats") as server,
        Mosquitto(tmp_path / "mqtt") as broker,
        Listener(broker.port) as listener,
    ):
        sinks = {
            "nats": {"servers": [server.url], "timeout_s": 1, "duplicate_window_s": 86400},
            "mqtt": {"server": broker.url, "timeout_s": 1},
        }
        process = forward(sinks)
        wait_until(lambda: bool(listener.by_id()), "the first event")
        with Running(line, each_s=0.01) as running:
            for _ in range(2):
                running.wait_for_more(50)
                with process.says_again("nats: nats://", "mqtt: mqtt://"):
                    server.freeze()
                    broker.freeze()
                with process.says_again("nats: connected to", "mqtt: connected to"):
                    server.thaw()
                    broker.thaw()
        code, errors = process.signal(signal.SIGTERM)
        assert code == 0, errors
        patient = {name: {**sink, "timeout_s": 60} for name, sink in sinks.items()}
        assert forward(patient, "--once").end()[0] == 0
        wanted = line.ids("objects", "event")
        wait_until(lambda: wanted <= set(listener.by_id()), "every message")
        counts = Counter(stored.id for stored in in_stream(server.url))
    assert set(listener.by_id()) == wanted
    assert set(counts) == line.ids("inspection", "objects", "event")
    assert set(counts.values()) == {1}
