"""Mode complete where there are several cameras: of one publisher, and of two."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest

from linescan.client import Subscriber
from linescan.config.journal import JournalSection
from linescan.pipeline.keeping import Keeping
from linescan.protocol import Kind, Message, Stamp, encode_end
from linescan.publishing import Outgoing, Publisher
from tests.client.helpers import TOTALS
from tests.client.journalled import Order, journalled
from tests.publishing.sending import publish, publishing
from tests.waiting import PATIENCE_S

CAMERAS = ["web-1", "web-2"]

pytestmark = pytest.mark.timeout(180)  # several processes


def subscriber(endpoint: str, name: str = "qc-1") -> Subscriber:
    return Subscriber(endpoint, mode="complete", name=name, timeout_s=PATIENCE_S)


def by_camera(messages: Iterable[Message]) -> dict[str, list[tuple[str, int]]]:
    found: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for message in messages:
        found[message.camera].append((message.epoch, message.seq))
    return found


def send_both(publisher: Publisher, count: int, first: int = 0) -> None:
    for seq in range(first, first + count):
        for camera in CAMERAS:
            publish(publisher, 1, first=seq, camera=camera)


def end(publisher: Publisher, camera: str, seq: int) -> None:
    stamp = Stamp(camera, publisher.epoch, seq, 10**6)
    message = encode_end(stamp, totals=TOTALS, last_seq=None, reason="finished")
    publisher.send(Outgoing([message], stamp=stamp, kind=Kind.EVENT))
    publisher.flush(PATIENCE_S)


def test_two_cameras_of_one_publisher_over_its_restart(tmp_path: Path) -> None:
    section = JournalSection(folder=tmp_path / "journal")
    with publishing(cameras=CAMERAS, journal=Keeping(section)) as first:
        send_both(first, 10)
        with subscriber(first.endpoint) as results:
            given = list(itertools.islice(results, 9))
            results.acknowledge()
    with publishing(cameras=CAMERAS, journal=Keeping(section)) as second:
        publish(second, 4, camera="web-2")  # one camera begins later than the other
        with subscriber(second.endpoint) as results:
            given += list(itertools.islice(results, 11 + 4))
            publish(second, 3, camera="web-1")
            end(second, "web-1", 3)
            publish(second, 3, first=4, camera="web-2")  # the other goes on
            end(second, "web-2", 7)
            given += list(results)
            assert not results.missed
    before = [(first.epoch, seq) for seq in range(10)]
    found = by_camera(given)
    assert found["web-1"] == before + [(second.epoch, seq) for seq in range(4)]
    assert found["web-2"] == before + [(second.epoch, seq) for seq in range(8)]


def test_two_publishers_know_the_same_name_apart(tmp_path: Path) -> None:
    """Two lines with a camera each, and a subscriber to each of them under one name."""
    with (
        journalled(Order(str(tmp_path / "a"), camera="web-1")) as one,
        journalled(Order(str(tmp_path / "b"), camera="web-2")) as other,
    ):
        one.tell("frame 6")
        other.tell("frame 3")
        with subscriber(one.order.data) as a, subscriber(other.order.data) as b:
            given = list(itertools.islice(a, 5)) + list(itertools.islice(b, 2))
            a.acknowledge()
            b.acknowledge()
        one.tell("frame 2", "end")
        other.tell("frame 1", "end")
        with subscriber(one.order.data) as a, subscriber(other.order.data) as b:
            given += [*b, *a]
            assert not a.missed
            assert not b.missed
    for camera, count in (("web-1", 8), ("web-2", 4)):
        mine = [message for message in given if message.camera == camera]
        inspections = [m.seq for m in mine if m.kind is Kind.INSPECTION]
        events = [m.seq for m in mine if m.kind is Kind.EVENT]
        assert (inspections, events) == (list(range(count)), [0, 1])
