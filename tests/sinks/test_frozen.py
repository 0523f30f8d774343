"""A broker that answers nothing, though its connection stands."""

from __future__ import annotations

import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.sinks.brokers import Mosquitto, Nats
from tests.sinks.conftest import Start
from tests.sinks.line import Line, Running
from tests.sinks.stored import Listener, in_stream, wait_until


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
            "nats": {"servers": [server.url], "timeout_s": 1},
            "mqtt": {"server": broker.url, "timeout_s": 1},
        }
        process = forward(sinks)
        wait_until(lambda: bool(listener.by_id()), "the first event")
        with Running(line, each_s=0.01):
            for number in range(2):
                time.sleep(1)
                server.freeze()
                broker.freeze()
                process.until("nats: nats://", number + 1)
                process.until("mqtt: mqtt://", number + 1)
                server.thaw()
                broker.thaw()
                process.until("connected to", 2 * (number + 2))
        code, errors = process.signal(signal.SIGTERM)
        assert code == 0, errors
        assert "no acknowledgement within 1 s" in errors
        assert forward(sinks, "--once").end()[0] == 0
        wanted = line.ids("objects", "event")
        wait_until(lambda: wanted <= set(listener.by_id()), "every message")
        counts = Counter(stored.id for stored in in_stream(server.url))
    assert set(listener.by_id()) == wanted
    assert set(counts) == line.ids("inspection", "objects", "event")
    assert set(counts.values()) == {1}
