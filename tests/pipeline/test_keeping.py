"""The publisher and the real journal together: kept, replayed, and there after a kill."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import zmq

from linescan.config import Config, ImagesSource, parse
from linescan.errors import ConfigError, JournalError
from linescan.journal import JournalReader
from linescan.pipeline.factory import build_pipeline
from linescan.pipeline.keeping import Keeping
from linescan.protocol import EndEvent, Kind, Stamp, StartEvent, decode, encode
from linescan.publishing import Outgoing, Publisher
from tests.journal.small_disk import files_of
from tests.lengths import scaled
from tests.pipeline.killed_publisher import FREE, section
from tests.protocol.samples import inspection
from tests.publishing.asking import Asking, asking
from tests.publishing.sending import publish

MANY = scaled(200, least=40)


@contextlib.contextmanager
def keeping(folder: Path, linger_s: float = 0.0) -> Iterator[Publisher]:
    """A publisher with a journal."""
    publisher = Publisher(
        FREE,
        ["web-1"],
        linger_s=linger_s,
        control=FREE,
        status=FREE,
        journal=Keeping(section(folder)),
        sync_s=0.005,
    )
    publisher.start()
    try:
        yield publisher
    finally:
        publisher.close()


def replay(ask: Asking, epoch: str, kind: str, last: int) -> tuple[list[list[bytes]], Any]:
    """All messages from 0 on, and the runs that are not to be had."""
    stream = {"epoch": epoch, "camera": "web-1", "kind": kind}
    id_ = ask.send("replay", **stream, first=0, last=last, credit=8)
    got: list[list[bytes]] = []
    while True:
        reply, frames = ask.receive()
        assert reply["ok"], reply
        if not reply["more"]:
            return got, reply["expired"]
        assert reply["seq"] == len(got)
        got.append(frames)
        ask.send("credit", id=id_, n=1)


def inspections(publisher: Publisher, count: int) -> list[list[bytes]]:
    messages = []
    for seq in range(count):
        stamp = Stamp("web-1", publisher.epoch, seq, time.time_ns())
        message = encode(inspection(seq * 64, size=(160, 160)), Kind.INSPECTION, stamp)
        assert message is not None
        publisher.send(Outgoing([message], stamp=stamp))
        messages.append([bytes(frame) for frame in message])
    publisher.flush(10)
    return messages


def test_what_was_published_is_replayed_at_once_and_after_a_restart(tmp_path: Path) -> None:
    with keeping(tmp_path) as publisher:
        first = publisher.epoch
        sent = inspections(publisher, 30), publish(publisher, 20)
        with asking(publisher.endpoints["control"]) as ask:
            assert replay(ask, first, "inspection", 29) == (sent[0], [])
            assert replay(ask, first, "event", 19) == (sent[1], [])
            mine = {"epoch": first, "camera": "web-1", "kind": "event"}
            assert ask.ask("ack", name="qc", **mine, seq=7)[0]["ok"]
    with keeping(tmp_path) as publisher, asking(publisher.endpoints["control"]) as ask:
        assert publisher.epoch != first
        inspections(publisher, 2)
        positions, _ = ask.ask("positions", name="qc")
        assert [e["epoch"] for e in positions["epochs"]] == [first, publisher.epoch]
        assert [e["current"] for e in positions["epochs"]] == [False, True]
        assert positions["acknowledged"] == [{**mine, "seq": 7}]
        last = {s["kind"]: s["last"] for s in positions["epochs"][0]["streams"]}
        assert last == {"inspection": 29, "event": 19}
        assert replay(ask, first, "inspection", 35) == (sent[0], [[30, 6]])
    kept = JournalReader(tmp_path).read(first, "web-1", Kind.INSPECTION, 0, 29)
    assert [[bytes(frame) for frame in entry.frames] for entry in kept] == sent[0]


def pipeline_settings(tmp_path: Path, **publish: Any) -> Config:
    """A web of 640 lines, without depth, and a journal."""
    cv2.imwrite(str(tmp_path / "web.png"), np.zeros((640, 64), np.uint8))
    config = {
        "depth": {"enabled": False},
        "segmentation": {"enabled": False},
        "frame": {"lines": 64, "overlap": 0},
        "publish": {"data": FREE, "linger_s": 0, **publish},
        "journal": {"enabled": True, "folder": str(tmp_path / "journal")},
    }
    return parse(json.dumps(config), "test", source=ImagesSource(path=tmp_path / "web.png"))


def test_a_pipeline_keeps_all_that_it_publishes(tmp_path: Path) -> None:
    pipeline, _ = build_pipeline(pipeline_settings(tmp_path))
    assert pipeline.run().totals.balanced
    reader = JournalReader(tmp_path / "journal")
    (epoch,) = reader.epochs()
    kept = [
        decode(entry.frames)
        for kind in (Kind.INSPECTION, Kind.EVENT)
        for entry in reader.read(epoch.epoch, "web-1", kind, 0, 99)
    ]
    assert [message.seq for message in kept] == [*range(10), 0, 1]
    start, end = kept[-2:]
    assert isinstance(start, StartEvent)
    assert isinstance(end, EndEvent)
    assert (end.last_seq, end.totals.published) == (9, 640)


def test_a_journal_without_publishing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^'journal.enabled': .* set publish.enabled: true"):
        build_pipeline(pipeline_settings(tmp_path, enabled=False))


def test_a_folder_in_use_is_refused_and_nothing_stays_open(tmp_path: Path) -> None:
    with keeping(tmp_path):
        second = Publisher(FREE, ["web-1"], control=FREE, journal=Keeping(section(tmp_path)))
        with pytest.raises(JournalError, match=str(tmp_path)):
            second.start()
    with keeping(tmp_path):
        pass


def test_a_taken_port_lets_go_of_the_journal(tmp_path: Path) -> None:
    with keeping(tmp_path / "a") as publisher:
        taken = Publisher(publisher.endpoint, ["web-1"], journal=Keeping(section(tmp_path / "b")))
        with pytest.raises(Exception, match="it is taken"):
            taken.start()
        with keeping(tmp_path / "b"):
            pass


def test_a_full_disk_leaves_holes_in_the_journal_alone(tmp_path: Path) -> None:
    with keeping(tmp_path) as publisher, asking(publisher.endpoints["control"]) as ask:
        sent = publish(publisher, 5)
        with files_of(20_000):
            publish(publisher, 3, first=5, size=100_000)
            assert replay(ask, publisher.epoch, "event", 7) == (sent, [[5, 3]])
        publish(publisher, 2, first=8)
        latest = publish(publisher, 1, first=10)
        assert ask.ask("latest", camera="web-1", kind="event")[1] == latest[0]
        stream = {"epoch": publisher.epoch, "camera": "web-1", "kind": "event"}
        ask.send("replay", **stream, first=0, last=10, credit=16)
        seqs = []
        while (reply := ask.receive()[0])["more"]:
            seqs.append(reply["seq"])
        assert seqs == [*range(len(sent)), 8, 9, 10]
        assert reply["expired"] == [[5, 3]]


def test_at_the_end_whoever_is_behind_may_fetch_the_rest(tmp_path: Path) -> None:
    with keeping(tmp_path, linger_s=30) as publisher:
        control = publisher.endpoints["control"]
        with asking(control) as ask:
            stream = {"epoch": publisher.epoch, "camera": "web-1", "kind": "event"}
            messages = publish(publisher, 10)
            assert ask.ask("ack", name="qc", **stream, seq=3)[0]["ok"]
            closing = threading.Thread(target=publisher.close)
            closing.start()
            assert replay(ask, publisher.epoch, "event", 9) == (messages, [])
            assert closing.is_alive()
            assert ask.ask("ack", name="qc", **stream, seq=9)[0]["ok"]
            closing.join()  # at once, not after 30 s: the test's time-out tells


def kill_one(folder: Path, choice: random.Random) -> tuple[str, int, dict[int, list[bytes]]]:
    """Run a publisher for a moment; its epoch, what was durable, and what came live."""
    pause_s = choice.choice(["0", "0.0005"])
    command = [sys.executable, "-m", "tests.pipeline.killed_publisher", str(folder), pause_s]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    context: zmq.Context[Any] = zmq.Context()
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        status, data = context.socket(zmq.SUB), context.socket(zmq.SUB)
        for socket, endpoint in ((status, told["status"]), (data, told["data"])):
            socket.rcvhwm = 0
            socket.subscribe(b"linescan/1/web-1/")
            socket.connect(endpoint)
        durable, until = -1, choice.randrange(60)
        while durable < until:
            _, text = status.recv_multipart()
            durable = json.loads(text)["inspection"]["durable"] or -1
        time.sleep(choice.random() * 0.02)
        process.kill()
        process.wait()
        live = {}
        while data.poll(200):
            frames = data.recv_multipart()
            live[json.loads(frames[1])["seq"]] = frames
        while status.poll(50):
            durable = json.loads(status.recv_multipart()[1])["inspection"]["durable"]
        return told["epoch"], durable, live
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
        context.destroy(linger=0)


@pytest.mark.parametrize(
    "rounds", [5, pytest.param(MANY, marks=[pytest.mark.long, pytest.mark.timeout(900)])]
)
def test_what_was_reported_durable_is_there_after_a_kill(tmp_path: Path, rounds: int) -> None:
    choice = random.Random(5)
    epochs = set()
    for _ in range(rounds):
        epoch, durable, live = kill_one(tmp_path, choice)
        epochs.add(epoch)
        assert live
        with keeping(tmp_path) as publisher, asking(publisher.endpoints["control"]) as ask:
            assert epoch in {e["epoch"] for e in ask.ask("positions")[0]["epochs"]}
            got, expired = replay(ask, epoch, "inspection", durable)
        assert expired == []
        assert len(got) == durable + 1
        for seq, frames in live.items():
            assert seq > durable or got[seq] == frames
    assert len(epochs) == rounds
