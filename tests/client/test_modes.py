"""What the modes have in common, what they give, and which options they take."""

from __future__ import annotations

from typing import Any

import pytest

from linescan.client import Subscriber
from linescan.errors import SubscribeError
from linescan.protocol import EndEvent, Kind
from tests.client.completing import gaps_told_by, miss, take
from tests.client.helpers import seqs
from tests.client.journalled import Journalled
from tests.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.timeout(180)  # several processes each


def test_it_reports_gaps_in_every_mode(line: Journalled) -> None:
    with Subscriber(
        line.order.data, name="viewer", timeout_s=PATIENCE_S, camera="web-1"
    ) as results:
        line.tell("wait", "frame 1")
        assert seqs(take(results, 1)) == [0]
        miss(line, results, 4)
        line.tell("frame 1")
        assert seqs(take(results, 1)) == [5]
        assert results.missed == 4
        results.timeout_s = 0.1
        wait_until(lambda: gaps_told_by(line, results) == {"inspection": 4, "event": 0})


def test_objects_alone(line: Journalled) -> None:
    with Subscriber(
        line.order.data, mode="objects", camera="web-1", timeout_s=PATIENCE_S
    ) as results:
        line.tell("wait", "frame 3", "end")
        given = list(results)
        assert [m.kind for m in given] == [Kind.OBJECTS] * 3
        assert isinstance(results.end, EndEvent)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"mode": "complete"}, "mode complete needs a name"),
        ({"mode": "complete", "name": "a b"}, "subscriber name 'a b'"),
        ({"mode": "complete", "name": "a", "since": "ever"}, "unknown since ever: choose from ack"),
        ({"mode": "complete", "name": "a", "kinds": ["image"]}, "gives inspection and event"),
        ({"mode": "objects", "kinds": ["inspection"]}, "mode objects gives objects and event"),
        ({"mode": "newest"}, "unknown mode newest: choose from stream, live"),
        ({"since": "oldest"}, "since is for mode complete alone, and this is mode stream"),
        ({"mode": "live", "status": "tcp://127.0.0.1:1"}, "status is for mode complete alone"),
        ({"mode": "objects", "control": "tcp://127.0.0.1:1"}, "give a name too, or leave control"),
        ({"mode": "complete", "name": "a", "control": "nonsense"}, "control socket 'nonsense'"),
        ({"mode": "complete", "name": "a", "status": "nonsense"}, "status socket 'nonsense'"),
    ],
)
def test_bad_options_say_what_to_do(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SubscribeError, match=complaint):
        Subscriber("tcp://127.0.0.1:5560", **options)
