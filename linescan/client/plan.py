"""What mode ``complete`` does next: which message to give, which to fetch, which to acknowledge.

Pure bookkeeping without sockets. Messages of one camera are given epoch by epoch; within an epoch
each stream in the order of its numbers, and while both streams have something, in the order of
publication. ``end`` comes after the last inspection.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from linescan.client.course import Course
from linescan.client.lanes import Fetch, Held, Lane, Stream
from linescan.client.replies import Positions, Status
from linescan.client.sequences import Gap
from linescan.client.starting import Since
from linescan.protocol import EndEvent, Kind, Message, StartEvent
from linescan.protocol.control import KEPT, MAX_CREDIT

STASH: Final = 16
"""Live messages of one stream that wait, at most; more are dropped and fetched later."""
FIRST_CREDIT: Final = 4
"""Messages of a replay on their way, before their size is known."""
GRACE_S: Final = 1.0
"""What the status says exists may still be on its way for so long."""


class Plan:
    """The streams of a publisher and how far each has been given.

    Args:
        camera: the only camera, or None for all.
        since: where to begin.
        budget: bytes of messages that may wait, roughly: live ones beyond are dropped and fetched
            again, and fewer are asked for at a time.
        on_expired: told what can never be had.

    Attributes:
        journal: whether gaps can be fetched; None until that is known.
        stale: whether there is an epoch that the positions known do not name.
        dropped: live messages that had no room and were dropped, to be fetched.
        held_bytes: of the messages that wait.
        acks: by stream, up to which number the application is done, and not yet acknowledged.
    """

    def __init__(
        self, camera: str | None, since: Since, budget: int, on_expired: Callable[[Gap], None]
    ) -> None:
        self.journal: bool | None = None
        self.stale = True
        self.dropped = 0
        self.held_bytes = 0
        self.acks: dict[Stream, int] = {}
        self._since = since
        self._budget = budget
        self._on_expired = on_expired
        self._course = Course(camera)
        self._begun = False
        self._early: deque[tuple[Message, int]] = deque()
        self._largest = 0
        self._given: Stream | None = None

    @property
    def camera(self) -> str | None:
        """The only camera, or None for all."""
        return self._course.camera

    @property
    def epochs(self) -> tuple[str, ...]:
        """Epochs that are known and not over, in order of time."""
        return tuple(self._course.order)

    @property
    def fetching(self) -> bool:
        """Whether anything is missing that could be fetched."""
        return self.stale or any(lane.behind or lane.fetch for lane in self._course.near())

    def place(self, positions: Positions) -> None:
        """Take note of which epochs there are, and how far each goes."""
        if not self._begun:
            self._course.begin(positions, self._since, self._came())
        entries = positions.epochs
        if self.journal is False:  # what was before was given as it came
            entries = [entry for entry in entries if entry.current]
        self._course.extend(entries)
        self.journal, self.stale, self._begun = True, False, True
        self._take_early()

    def without_journal(self) -> None:
        """Gaps cannot be fetched: give what comes, report the rest."""
        self.journal, self.stale, self._begun = False, False, True
        self._take_early()

    def live(self, message: Message, size: int) -> None:
        """A message of the live stream has come."""
        if message.kind not in KEPT:
            return
        if message.epoch not in self._course.order:
            if self.journal is not False:
                self._keep_early(message, size)
                return
            self._course.order.append(message.epoch)
        lane = self._lane_of(message)
        if lane is None or lane.has(message.seq):
            return
        lane.extend(message.seq + 1)
        full = len(lane.waiting) >= STASH or self.held_bytes + size > self._budget
        if full and lane.following != message.seq:
            self.dropped += 1
        else:
            self._file(lane, Held(message, size, fetched=False))

    def replayed(self, fetch: Fetch, message: Message, size: int) -> None:
        """A message of a replay has come; numbers that it leaves out are not to be had."""
        lane = self._course.find(fetch.stream)
        if lane is not None and message.seq > fetch.expected:
            lane.lose([(fetch.expected, message.seq)])
        fetch.received(message.seq)
        if lane is None or lane.has(message.seq):
            fetch.owed += 1
        else:
            self._file(lane, Held(message, size, fetched=True))

    def unusable(self, fetch: Fetch, seq: int) -> None:
        """A message of a replay does not follow the protocol, and never will."""
        lane = self._course.find(fetch.stream)
        if lane is not None:
            lane.lose([(fetch.expected, seq + 1)])
        fetch.received(seq)
        fetch.owed += 1

    def begin_fetch(self, fetch: Fetch) -> None:
        """A replay was asked for."""
        lane = self._course.find(fetch.stream)
        if lane is not None:
            lane.fetch = fetch

    def close_fetch(self, fetch: Fetch, expired: Iterable[tuple[int, int]] = ()) -> None:
        """A replay has ended, and these runs of ``(first, end)`` are not to be had."""
        lane = self._course.find(fetch.stream)
        if lane is not None and lane.fetch is fetch:
            lane.lose(expired)
            lane.fetch = None

    def drop_fetches(self) -> None:
        """The connection is new: no replay is under way."""
        for lane in self._course.all():
            lane.fetch = None

    def status(self, status: Status, now: float) -> None:
        """Take note of what a status message says exists."""
        if self.camera not in (None, status.camera):
            return
        if status.epoch not in self._course.order:
            self.stale = self.stale or self.journal is not False
            return
        for kind, last in status.last.items():
            stream = Stream(status.epoch, status.camera, kind)
            lane = self._course.lane(stream) if self.journal else self._course.find(stream)
            if lane is None or last < lane.end:
                continue
            if lane.claim is None or lane.claim[0] <= lane.end:
                lane.claim = last + 1, now

    def quiet(self, now: float) -> list[Gap]:
        """The live stream has nothing to read: what the status named a while ago will not come."""
        gaps = []
        for lane in self._course.near():
            if lane.claim is None or now - lane.claim[1] < GRACE_S:
                continue
            first, end = lane.end, lane.claim[0]
            lane.claim = None
            if end > first:
                epoch, camera, kind = lane.stream
                gaps.append(Gap(camera, kind, epoch, first, end - first))
                lane.extend(end)
        return gaps

    def wanted(self) -> Iterator[tuple[Stream, int, int]]:
        """What to fetch now: stream, first and last number."""
        for lane in self._course.near():
            self._pass_over(lane)
            run = lane.missing()
            if run is not None and lane.fetch is None:
                yield lane.stream, *run

    def credit(self) -> int:
        """How many messages of a replay may be on their way."""
        if not self._largest:
            return FIRST_CREDIT
        return max(1, min(MAX_CREDIT, self._budget // 4 // self._largest))

    def give(self) -> Held | None:
        """The next message for the application, if it is there."""
        heads = [
            lane for camera in self._course.cameras if (lane := self._head(camera)) is not None
        ]
        if not heads:
            return None
        lane = min(heads, key=_time)
        self._given = lane.stream
        held = lane.take()
        self.held_bytes -= held.size
        return held

    def came_back(self) -> None:
        """The application is done with what it was given."""
        stream, self._given = self._given, None
        lane = None if stream is None else self._course.find(stream)
        if lane is not None and self.journal:
            self.acks[lane.stream] = lane.following - 1

    def is_over(self, ended: Mapping[str, str]) -> bool:
        """Whether all cameras of the newest epoch known have ended in it."""
        return not self.stale and self._course.is_over(ended)

    def _lane_of(self, message: Message) -> Lane | None:
        stream = Stream(message.epoch, message.camera, message.kind)
        if self.journal or self._course.find(stream) is not None:
            return self._course.lane(stream)
        # Without a journal, what was before is out of reach and not missed.
        events = self._course.find(stream._replace(kind=Kind.EVENT))
        from_start = events is not None and events.from_start
        lane = self._course.lane(stream, 0 if from_start else message.seq)
        if lane is not None:
            lane.from_start = isinstance(message, StartEvent)
        return lane

    def _file(self, lane: Lane, held: Held) -> None:
        message = held.message
        lane.waiting[message.seq] = held
        lane.extend(message.seq + 1)
        self.held_bytes += held.size
        self._largest = max(self._largest, held.size)
        if isinstance(message, EndEvent) and message.last_seq is not None:
            stream = lane.stream._replace(kind=Kind.INSPECTION)
            find = self._course.lane if self.journal else self._course.find
            inspections = find(stream)
            if inspections is not None:
                inspections.extend(message.last_seq + 1)

    def _keep_early(self, message: Message, size: int) -> None:
        self.stale = True
        if len(self._early) < STASH and self.held_bytes + size <= self._budget:
            self._early.append((message, size))
            self.held_bytes += size
        else:
            self.dropped += 1

    def _came(self) -> dict[Stream, int]:
        came: dict[Stream, int] = {}
        for message, _ in self._early:
            stream = Stream(message.epoch, message.camera, message.kind)
            came[stream] = min(message.seq, came.get(stream, message.seq))
        return came

    def _take_early(self) -> None:
        while self._early:
            message, size = self._early.popleft()
            self.held_bytes -= size
            if message.epoch in self._course.order or self.journal is False:
                self.live(message, size)

    def _head(self, camera: str) -> Lane | None:
        """The stream of a camera whose message comes next; None while that is not there."""
        while True:
            lanes = self._course.here(camera)
            for lane in lanes:
                self._pass_over(lane)
            if self.stale or not self._course.advance(camera):
                break
        if any(lane.behind for lane in lanes):
            return None  # what is being fetched may be earlier
        return min((lane for lane in lanes if lane.head is not None), key=_time, default=None)

    def _pass_over(self, lane: Lane) -> None:
        """Pass over what can never be had, and report it."""
        if self.journal is False:
            lane.lose_missing()
        for gap in lane.skip():
            self._on_expired(gap)
            if self._given != lane.stream and self.journal:
                self.acks[lane.stream] = lane.following - 1


def _time(lane: Lane) -> int:
    return lane.waiting[lane.following].message.published_ns
