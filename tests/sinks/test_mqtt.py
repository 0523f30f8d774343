"""MQTT 5, a real mosquitto: all of it at least once, and a last will."""

from __future__ import annotations

import json
import random
import signal
import time
from pathlib import Path

import pytest

from linescan.protocol import Kind, ObjectsMessage, decode, encode
from tests.protocol.samples import inspection
from tests.sinks.brokers import Mosquitto
from tests.sinks.conftest import Start
from tests.sinks.line import Line, Running
from tests.sinks.stored import Listener
from tests.sinks.waiting import wait_until

WORDS = ("objects", "event")


def test_objects_and_events_are_there_in_order(line: Line, forward: Start, tmp_path: Path) -> None:
    line.inspection(3)
    line.loss()
    line.inspection(2, with_labels=False)
    line.end()
    with Mosquitto(tmp_path / "mqtt") as broker, Listener(broker.port) as listener:
        code, errors = forward({"mqtt": {"server": broker.url}}, "--once").end()
        assert code == 0, errors
        expected = [f"{line.epoch}/web-1/{id_}" for id_ in (
            "event/0", "objects/0", "objects/1", "objects/2", "event/1", "event/2",
        )]  # fmt: skip
        wait_until(lambda: len(listener.by_id()) == len(expected), "all messages")
        found = listener.by_id()
    assert list(found) == expected
    messages = [copies[0] for copies in found.values()]
    assert [m.topic for m in messages] == [
        f"linescan/1/web-1/{id_.split('/')[2]}" for id_ in expected
    ]
    assert {getattr(m.properties, "ContentType", None) for m in messages} == {"application/json"}
    events = [m.payload for m in messages if m.topic.endswith("/event")]
    assert events == [bytes(entry.frames[1]) for entry in line.of(Kind.EVENT)]


def test_an_objects_message_is_what_the_publisher_sends(
    line: Line, forward: Start, tmp_path: Path
) -> None:
    line.inspection()
    with Mosquitto(tmp_path / "mqtt") as broker, Listener(broker.port) as listener:
        assert forward({"mqtt": {"server": broker.url}}, "--once").end()[0] == 0
        wait_until(lambda: len(listener.by_id()) == 2, "all messages")
        (message,) = [m for m in listener.messages() if m.topic.endswith("/objects")]
    received = decode([b"linescan/1/web-1/objects/", bytes(message.payload)])
    assert isinstance(received, ObjectsMessage)
    (published,) = [encode(inspection(0, size=(14, 21)), Kind.OBJECTS, received.stamp)]
    assert published is not None
    assert json.loads(message.payload) == json.loads(bytes(published[1]))


@pytest.mark.slow
def test_a_broker_that_is_killed_ends_with_everything_at_least_once(
    line: Line, forward: Start, tmp_path: Path
) -> None:
    choice = random.Random(7)
    with Mosquitto(tmp_path / "mqtt") as broker, Listener(broker.port) as listener:
        broker.store()  # it knows the listener's session from now on
        process = forward({"mqtt": {"server": broker.url}})
        process.until("connected to")
        with Running(line, each_s=0.004) as running:
            for _ in range(6):
                running.wait_for_more(30)
                time.sleep(choice.uniform(0.0, 0.2))
                with process.says_again("connected to"), listener.comes_again():
                    broker.kill()
                    time.sleep(choice.uniform(0.0, 0.2))
                    broker.start()
        code, errors = process.signal(signal.SIGTERM)
        assert code == 0, errors
        assert forward({"mqtt": {"server": broker.url}}, "--once").end()[0] == 0
        wanted = line.ids(*WORDS)
        wait_until(lambda: wanted <= set(listener.by_id()), "every message")
        found = listener.by_id()
    assert set(found) == wanted
    for copies in found.values():
        assert len({copy.payload for copy in copies}) == 1


@pytest.mark.slow
def test_a_forwarder_that_is_killed_ends_with_everything_at_least_once(
    line: Line, forward: Start, tmp_path: Path
) -> None:
    choice = random.Random(8)
    with Mosquitto(tmp_path / "mqtt") as broker, Listener(broker.port) as listener:
        sink = {"mqtt": {"server": broker.url}}
        with Running(line, each_s=0.004):
            for _ in range(3):
                process = forward(sink)
                process.until("connected to")
                time.sleep(choice.uniform(0.0, 0.5))
                assert process.signal(signal.SIGKILL)[0] == -signal.SIGKILL
        assert forward(sink, "--once").end()[0] == 0
        wanted = line.ids(*WORDS)
        wait_until(lambda: wanted <= set(listener.by_id()), "every message")
        assert set(listener.by_id()) == wanted


def test_the_state_topic_says_who_is_there(line: Line, forward: Start, tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "mqtt") as broker:
        sink = {"mqtt": {"server": broker.url}}
        with Listener(broker.port, "linescan/1/web-1/state") as listener:
            process = forward(sink)
            wait_until(lambda: listener.states()[-1:] == ["online"], "online")
            process.signal(signal.SIGKILL)
            wait_until(lambda: listener.states()[-1] == "offline", "the last will")
            process = forward(sink)
            wait_until(lambda: listener.states()[-1] == "online", "online again")
            assert process.signal(signal.SIGTERM)[0] == 0
            wait_until(lambda: listener.states()[-1] == "offline", "offline at the end")
            last = listener.messages()[-1]
        assert last.topic == "linescan/1/web-1/state"


def test_the_state_is_retained_for_whoever_comes_later(
    line: Line, forward: Start, tmp_path: Path
) -> None:
    with Mosquitto(tmp_path / "mqtt") as broker:
        assert forward({"mqtt": {"server": broker.url}}, "--once").end()[0] == 0
        with Listener(broker.port, "linescan/1/+/state") as listener:
            wait_until(lambda: listener.states() == ["offline"], "the retained state")
            assert listener.messages()[0].retain


def test_what_the_broker_may_not_take_is_not_counted_as_sent(
    line: Line, forward: Start, tmp_path: Path
) -> None:
    rules = tmp_path / "rules"
    rules.write_text("topic readwrite linescan/1/web-1/state\n")
    settings = f"allow_anonymous true\nacl_file {rules}"
    with Mosquitto(tmp_path / "mqtt", settings=settings) as broker:
        process = forward({"mqtt": {"server": broker.url}})
        process.until("the broker does not take a message: Not authorized")
        code, errors = process.signal(signal.SIGTERM)
    assert code == 0
    assert "sent nothing yet" in errors
    assert not (tmp_path / "journal" / "acknowledgements" / "sink-mqtt.json").exists()


def test_what_is_too_large_for_the_broker_is_counted_and_said(
    line: Line, forward: Start, tmp_path: Path
) -> None:
    settings = "allow_anonymous true\nmax_packet_size 1900"
    line.inspection()
    line.end()
    with (
        Mosquitto(tmp_path / "mqtt", settings=settings) as broker,
        Listener(broker.port) as listener,
    ):
        code, errors = forward({"mqtt": {"server": broker.url}}, "--once").end()
        wait_until(lambda: len(listener.by_id()) == 2, "both events")
    assert code == 1
    assert f"{line.epoch}/web-1/objects/0 is left out: the broker does not take its" in errors
    assert "1 too large" in errors
