"""NATS JetStream, a real server: all of it, once, through kills of server and forwarder."""

from __future__ import annotations

import json
import random
import signal
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from linescan.protocol import Buffer, InspectionMessage, Kind, decode, topic
from tests.sinks.brokers import Nats
from tests.sinks.conftest import Start
from tests.sinks.line import Line, Running
from tests.sinks.stored import Stored, in_stream, make_stream, stream_info

ALL = ("inspection", "objects", "event")
DAY_S = 86400
"""A duplicate window that no slow machine outlasts."""


def frames(chunks: Sequence[Stored]) -> list[bytes]:
    """JSON header and parts, as docs/how-to/forward-to-a-broker.md says how to read them."""
    whole = b"".join(chunk.payload for chunk in chunks)
    found, at = [], 0
    for length in map(int, chunks[0].headers["Linescan-Frames"].split(",")):
        found.append(whole[at : at + length])
        at += length
    assert at == len(whole)
    return found


def plain(parts: Sequence[Buffer]) -> list[bytes]:
    return [bytes(part) for part in parts]


def test_inspections_objects_and_events_are_there_in_order(
    line: Line, forward: Start, tmp_path: Path
) -> None:
    line.inspection(3)
    line.loss()
    line.inspection(2, with_labels=False)
    line.end()
    with Nats(tmp_path / "nats") as server:
        code, errors = forward({"nats": {"servers": [server.url]}}, "--once").end()
        assert code == 0, errors
        stored = in_stream(server.url)
    whole = [s for s in stored if not s.subject.endswith(".objects")]
    assert [frames([s]) for s in whole] == [plain(e.frames[1:]) for e in line.entries]
    assert [s.subject for s in whole] == [
        f"linescan.1.web-1.{entry.key.kind}" for entry in line.entries
    ]
    objects = [s for s in stored if s.subject == "linescan.1.web-1.objects"]
    assert [s.id for s in objects] == [f"{line.epoch}/web-1/objects/{n}" for n in range(3)]


def test_the_stream_is_made_as_stated(line: Line, forward: Start, tmp_path: Path) -> None:
    with Nats(tmp_path / "nats") as server:
        sink = {
            "servers": [server.url],
            "stream": "plant",
            "subjects": "hall-3",
            "duplicate_window_s": 300,
            "max_age_h": 48,
            "max_gb": 2,
        }
        assert forward({"nats": sink}, "--once").end()[0] == 0
        config = stream_info(server.url, "plant").config
        assert forward({"nats": sink}, "--once").end()[0] == 0  # and is right when found
    assert config.subjects == ["hall-3.>"]
    assert (config.duplicate_window, config.max_age, config.max_bytes) == (300, 172800, 2 * 10**9)
    assert (str(config.storage), config.num_replicas) == ("file", 1)


def test_a_stream_that_is_not_as_stated_is_refused(
    line: Line, forward: Start, tmp_path: Path
) -> None:
    with Nats(tmp_path / "nats") as server:
        sink = {"servers": [server.url], "duplicate_window_s": 60}
        assert forward({"nats": sink}, "--once").end()[0] == 0
        code, errors = forward({"nats": {**sink, "duplicate_window_s": 90}}, "--once").end()
    assert code == 2
    assert "its duplicate window is 60 s, duplicate_window_s is 90: change one of them" in errors


def test_what_is_larger_than_the_server_takes_travels_in_chunks(
    line: Line, forward: Start, tmp_path: Path
) -> None:
    line.inspection(2, size=(140, 210))  # 176 kB
    with Nats(tmp_path / "nats", settings="max_payload: 65536") as server:
        code, errors = forward({"nats": {"servers": [server.url]}}, "--once").end()
        assert code == 0, errors
        stored = in_stream(server.url)
    for entry in line.of(Kind.INSPECTION):
        id_ = f"{line.epoch}/web-1/inspection/{entry.key.seq}"
        chunks = [s for s in stored if s.id.startswith(f"{id_}/")]
        count = len(chunks)
        assert count == 3
        assert [c.headers["Linescan-Chunk"] for c in chunks] == [f"{n}/{count}" for n in range(3)]
        received = frames(chunks)
        assert received == plain(entry.frames[1:])
        message = decode([topic("web-1", Kind.INSPECTION), *received])
        assert isinstance(message, InspectionMessage)
        assert message.seq == entry.key.seq
    assert sum(s.subject.endswith(".objects") for s in stored) == 2


def test_lines_share_a_stream_that_the_plant_made(
    line: Line, forward: Start, tmp_path: Path
) -> None:
    with Nats(tmp_path / "nats") as server:
        make_stream(server.url, "plant", ["plant.*.>"])
        sink = {"servers": [server.url], "stream": "plant", "create": False}
        assert forward({"nats": {**sink, "subjects": "plant.line-1"}}, "--once").end()[0] == 0
        line.begin()  # ids tell runs apart, as they do lines
        assert forward({"nats": {**sink, "subjects": "plant.line-2"}}, "--once").end()[0] == 0
        subjects = [stored.subject for stored in in_stream(server.url, "plant")]
        code, errors = forward({"nats": {**sink, "subjects": "other"}}, "--once").end()
    assert subjects == ["plant.line-1.web-1.event", "plant.line-2.web-1.event"]
    assert code == 2
    assert "its subjects ['plant.*.>'] do not hold other.>: change one of them" in errors


def test_a_stream_that_is_not_there_is_not_made_against_the_configuration(
    line: Line, forward: Start, tmp_path: Path
) -> None:
    with Nats(tmp_path / "nats") as server:
        sink = {"servers": [server.url], "create": False}
        code, errors = forward({"nats": sink}, "--once").end()
    assert code == 2
    assert "there is no stream 'linescan': make it, or set sinks.nats.create" in errors


def test_a_full_stop_in_a_camera_s_name_is_no_part_of_the_subject(
    forward: Start, tmp_path: Path
) -> None:
    line = Line(tmp_path / "journal", "web.1")
    line.close()
    with Nats(tmp_path / "nats") as server:
        assert forward({"nats": {"servers": [server.url]}}, "--once").end()[0] == 0
        (stored,) = in_stream(server.url)
    assert stored.subject == "linescan.1.web%2E1.event"
    assert stored.id == f"{line.epoch}/web.1/event/0"


def test_a_server_that_takes_next_to_nothing_is_refused(
    line: Line, forward: Start, tmp_path: Path
) -> None:
    with Nats(tmp_path / "nats", settings="max_payload: 2048") as server:
        code, errors = forward({"nats": {"servers": [server.url]}}, "--once").end()
    assert code == 2
    assert "takes messages of 2048 bytes at most: raise its max_payload to 4096 or more" in errors


@pytest.mark.slow
def test_a_server_that_is_killed_ends_with_everything_once(
    line: Line, forward: Start, tmp_path: Path
) -> None:
    choice = random.Random(5)
    with Nats(tmp_path / "nats") as server:
        sink = {"nats": {"servers": [server.url], "duplicate_window_s": DAY_S}}
        process = forward(sink)
        process.until("connected to")
        with Running(line, each_s=0.004) as running:
            for _ in range(6):
                running.wait_for_more(30)
                time.sleep(choice.uniform(0.0, 0.2))
                with process.says_again("connected to"):
                    server.kill()
                    time.sleep(choice.uniform(0.0, 0.2))
                    server.start()
        code, errors = process.signal(signal.SIGTERM)
        assert code == 0, errors
        code, errors = forward(sink, "--once").end()
        assert code == 0, errors
        counts = Counter(stored.id for stored in in_stream(server.url))
    assert set(counts) == line.ids(*ALL)
    assert set(counts.values()) == {1}


@pytest.mark.slow
def test_a_forwarder_that_is_killed_ends_with_everything_once(
    line: Line, forward: Start, tmp_path: Path
) -> None:
    choice = random.Random(6)
    with Nats(tmp_path / "nats") as server:
        sink = {"nats": {"servers": [server.url], "duplicate_window_s": DAY_S}}
        with Running(line, each_s=0.004):
            for _ in range(4):
                process = forward(sink)
                process.until("connected to")
                time.sleep(choice.uniform(0.0, 0.5))
                assert process.signal(signal.SIGKILL)[0] == -signal.SIGKILL
        code, errors = forward(sink, "--once").end()
        assert code == 0, errors
        counts = Counter(stored.id for stored in in_stream(server.url))
    assert set(counts) == line.ids(*ALL)
    assert set(counts.values()) == {1}


def test_what_retention_removed_is_said_to_the_broker(forward: Start, tmp_path: Path) -> None:
    line = Line(tmp_path / "journal", max_gb=0.005)
    with Nats(tmp_path / "nats") as server:
        sink = {"nats": {"servers": [server.url]}}
        line.inspection(3, size=(280, 420))  # 0.7 MB each, in segments of 1 MB
        assert forward(sink, "--once").end()[0] == 0
        line.missing(2)
        line.inspection(12, size=(280, 420))
        line.end()
        line.writer.prune()
        line.close()
        code, errors = forward(sink, "--once").end()
        assert code == 1
        stored = in_stream(server.url)
    (said,) = [json.loads(s.payload) for s in stored if s.subject == "linescan.1.web-1.expired"]
    assert (said["type"], said["epoch"], said["kind"]) == ("expired", line.epoch, "inspection")
    ((first, count),) = said["runs"]
    there = {int(s.id.split("/")[3]) for s in stored if s.subject.endswith(".inspection")}
    assert first == 3
    assert there == {0, 1, 2, *range(first + count, 17)}
    assert count > 2
    assert f"web-1/inspection {first} to {first + count - 1} of epoch {line.epoch}" in errors
    assert f"{count} expired" in errors
