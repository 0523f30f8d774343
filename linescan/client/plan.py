"""What mode ``complete`` does next: which message to give, which to fetch, which to acknowledge.

Pure bookkeeping without sockets. Messages of one camera are given epoch by epoch; within an epoch
each stream in the order of its numbers, and while both streams have something, in the order of
publication. ``end`` comes after the last inspection.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from linescan.client.lanes import Fetch, Held, Lane, Stream
from linescan.client.replies import Positions, Status
from linescan.client.sequences import Gap
from linescan.client.starting import Since, start_of
from linescan.protocol import EndEvent, Kind, Message, StartEvent
from linescan.protocol.control import KEPT, MAX_CREDIT

log = logging.getLogger(__name__)

STASH: Final = 16
"""Messages of one stream that wait behind a gap, at most; more are dropped and fetched later."""
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
        camera: as given.
        journal: whether gaps can be fetched; None until that is known.
        stale: whether there is an epoch that the positions known do not name.
        dropped: live messages that had no room and were dropped, to be fetched.
        held_bytes: of the messages that wait.
        acks: by stream, up to which number the application is done, and not yet acknowledged.
    """

    def __init__(
        self, camera: str | None, since: Since, budget: int, on_expired: Callable[[Gap], None]
    ) -> None:
        self.camera = camera
        self.journal: bool | None = None
        self.stale = True
        self.dropped = 0
        self.held_bytes = 0
        self.acks: dict[Stream, int] = {}
        self._since = since
        self._budget = budget
        self._on_expired = on_expired
        self._order: list[str] = []
        self._lanes: dict[Stream, Lane] = {}
        self._at: dict[str, str] = {}
        self._begun = False
        self._early: deque[tuple[Message, int]] = deque()
        self._largest = 0
        self._given: Stream | None = None

    @property
    def epochs(self) -> tuple[str, ...]:
        """Epochs that are known and not over, in order of time."""
        return tuple(self._order)

    @property
    def fetching(self) -> bool:
        """Whether anything is missing that could be fetched."""
        return self.stale or any(lane.behind or lane.fetch for lane in self._near())

    def place(self, positions: Positions) -> None:
        """Take note of which epochs there are, and how far each goes."""
        if not self._begun:
            self._begin(positions)
        entries = positions.epochs
        if self.journal is False:  # what was before was given as it came
            entries = [entry for entry in entries if entry.current]
        self.journal = True
        names = [entry.epoch for entry in entries]
        first = min((names.index(e) for e in self._order if e in names), default=0)
        order = [epoch for epoch in self._order if epoch not in names] + names[first:]
        begun = min((order.index(e) for e in self._at.values() if e in order), default=0)
        self._order = order[begun:]
        for entry in entries[first:]:
            for (camera, kind), (_, last) in entry.streams.items():
                if self.camera in (None, camera):
                    self._lane(Stream(entry.epoch, camera, kind)).extend(last + 1)
        self.stale = False
        self._take_early()

    def without_journal(self) -> None:
        """Gaps cannot be fetched: give what comes, report the rest."""
        self.journal, self.stale, self._begun = False, False, True
        self._take_early()

    def live(self, message: Message, size: int) -> None:
        """A message of the live stream has come."""
        if message.kind not in KEPT:
            return
        if message.epoch not in self._order:
            if self.journal is not False:
                self._keep_early(message, size)
                return
            self._order.append(message.epoch)
        stream = Stream(message.epoch, message.camera, message.kind)
        if self._is_past(stream):
            return
        lane = self._lanes.get(stream)
        if lane is None:
            # Without a journal, what was before is out of reach and not missed.
            from_zero = self.journal or self._saw_start(stream) or isinstance(message, StartEvent)
            lane = self._lane(stream, 0 if from_zero else message.seq)
        lane.extend(message.seq + 1)
        if lane.has(message.seq):
            return
        is_next = lane.following == message.seq
        full = len(lane.waiting) >= STASH or self.held_bytes + size > self._budget
        if full and not is_next:
            self.dropped += 1
            return
        self._file(lane, Held(message, size, fetched=False))

    def replayed(self, fetch: Fetch, message: Message, size: int) -> None:
        """A message of a replay has come; numbers that it leaves out are not to be had."""
        lane = self._lanes.get(fetch.stream)
        if lane is not None and message.seq > fetch.expected:
            lane.lose([(fetch.expected, message.seq)])
        fetch.expected = message.seq + 1
        if lane is None or lane.has(message.seq):
            fetch.owed += 1
        else:
            self._file(lane, Held(message, size, fetched=True))

    def unusable(self, fetch: Fetch, seq: int) -> None:
        """A message of a replay does not follow the protocol, and never will."""
        if fetch.stream in self._lanes:
            self._lanes[fetch.stream].lose([(fetch.expected, seq + 1)])
        fetch.expected = seq + 1
        fetch.owed += 1

    def close_fetch(self, fetch: Fetch, expired: Iterable[tuple[int, int]] = ()) -> None:
        """A replay has ended, and these runs of ``(first, end)`` are not to be had."""
        lane = self._lanes.get(fetch.stream)
        if lane is not None and lane.fetch is fetch:
            lane.lose(expired)
            lane.fetch = None

    def drop_fetches(self) -> None:
        """The connection is new: no replay is under way."""
        for lane in self._lanes.values():
            lane.fetch = None

    def status(self, status: Status, now: float) -> None:
        """Take note of what a status message says exists."""
        if self.camera not in (None, status.camera):
            return
        if status.epoch not in self._order:
            self.stale = self.stale or self.journal is not False
            return
        for kind, last in status.last.items():
            stream = Stream(status.epoch, status.camera, kind)
            if last < 0 or self._is_past(stream):
                continue
            if stream not in self._lanes and not self.journal:
                continue
            lane = self._lane(stream)
            if last + 1 > lane.end and (lane.claim is None or lane.claim[0] <= lane.end):
                lane.claim = last + 1, now

    def wanted(self, now: float) -> Iterator[tuple[Stream, int, int]]:
        """What to fetch now: stream, first and last number."""
        for lane in self._near():
            if lane.claim is not None and now - lane.claim[1] >= GRACE_S:
                lane.extend(lane.claim[0])
                lane.claim = None
            self._pass_over(lane)
            run = lane.missing()
            if run is not None and lane.fetch is None:
                yield lane.stream, *run

    def begin_fetch(self, fetch: Fetch) -> None:
        """A replay was asked for."""
        self._lanes[fetch.stream].fetch = fetch

    def credit(self) -> int:
        """How many messages of a replay may be on their way."""
        if not self._largest:
            return FIRST_CREDIT
        return max(1, min(MAX_CREDIT, self._budget // 4 // self._largest))

    def give(self) -> Held | None:
        """The next message for the application, if it is there."""
        heads = [lane for camera in list(self._at) if (lane := self._head(camera)) is not None]
        if not heads:
            return None
        lane = min(heads, key=lambda lane: lane.waiting[lane.following].message.published_ns)
        self._given = lane.stream
        held = lane.take()
        self.held_bytes -= held.size
        return held

    def came_back(self) -> None:
        """The application is done with what it was given."""
        if self._given is not None:
            stream, self._given = self._given, None
            lane = self._lanes.get(stream)
            if lane is not None and self.journal:
                self.acks[stream] = lane.following - 1

    def is_over(self, ended: Mapping[str, str]) -> bool:
        """Whether all cameras of the newest epoch known have ended in it."""
        newest = self._order[-1:]
        here = {camera: [epoch] for camera, epoch in self._at.items() if [epoch] == newest}
        return (
            not self.fetching and bool(here) and all([ended.get(c)] == e for c, e in here.items())
        )

    def _begin(self, positions: Positions) -> None:
        self._begun = True
        starts = start_of(positions, self._since, self.camera)
        for stream, following in starts.items():
            self._lanes[stream] = Lane(stream, following, following)
            self._at.setdefault(stream.camera, stream.epoch)
        if self._since is Since.NOW or not starts:
            self._order = [entry.epoch for entry in positions.epochs if entry.current]
        else:
            names = [entry.epoch for entry in positions.epochs]
            self._order = names[min(names.index(s.epoch) for s in starts) :]

    def _lane(self, stream: Stream, following: int = 0) -> Lane:
        if stream not in self._lanes:
            if self._is_past(stream):
                return Lane(stream, following)  # it belongs to what was left behind
            self._lanes[stream] = Lane(stream, following, following)
            self._at.setdefault(stream.camera, stream.epoch)
        return self._lanes[stream]

    def _is_past(self, stream: Stream) -> bool:
        at = self._at.get(stream.camera)
        order = self._order
        return at in order and (
            stream.epoch not in order or order.index(stream.epoch) < order.index(at)
        )

    def _near(self) -> list[Lane]:
        """The streams of the epochs that are being given."""
        streams = (Stream(e, camera, kind) for camera, e in self._at.items() for kind in KEPT)
        return [self._lanes[stream] for stream in streams if stream in self._lanes]

    def _saw_start(self, stream: Stream) -> bool:
        events = self._lanes.get(stream._replace(kind=Kind.EVENT))
        return events is not None and (0 in events.waiting or events.following == 1)

    def _file(self, lane: Lane, held: Held) -> None:
        lane.waiting[held.message.seq] = held
        self.held_bytes += held.size
        lane.extend(held.message.seq + 1)
        self._largest = max(self._largest, held.size)
        message = held.message
        if isinstance(message, EndEvent) and message.last_seq is not None:
            stream = lane.stream._replace(kind=Kind.INSPECTION)
            if stream in self._lanes or self.journal:
                self._lane(stream).extend(message.last_seq + 1)

    def _keep_early(self, message: Message, size: int) -> None:
        self.stale = True
        if len(self._early) < STASH and self.held_bytes + size <= self._budget:
            self._early.append((message, size))
            self.held_bytes += size
        else:
            self.dropped += 1

    def _take_early(self) -> None:
        while self._early:
            message, size = self._early.popleft()
            self.held_bytes -= size
            if message.epoch in self._order or self.journal is False:
                self.live(message, size)

    def _head(self, camera: str) -> Lane | None:
        """The stream of a camera whose message comes next; None while that is not there."""
        lanes = self._here(camera)
        if any(lane.behind for lane in lanes):
            return None  # what is being fetched may be earlier
        ready = [lane for lane in lanes if lane.head is not None]
        return min(ready, key=lambda lane: _time(lane), default=None)

    def _here(self, camera: str) -> list[Lane]:
        """The streams of the epoch that a camera is in, which is left where it is over."""
        while True:
            epoch = self._at[camera]
            lanes = [lane for kind in KEPT if (lane := self._find(epoch, camera, kind))]
            for lane in lanes:
                self._pass_over(lane)
            following = None if self.stale else self._after(camera, epoch)
            if following is None or any(lane.following < lane.end for lane in lanes):
                return lanes
            for lane in lanes:
                del self._lanes[lane.stream]
            self._at[camera] = following

    def _find(self, epoch: str, camera: str, kind: Kind) -> Lane | None:
        return self._lanes.get(Stream(epoch, camera, kind))

    def _after(self, camera: str, epoch: str) -> str | None:
        """The next epoch in which the camera has messages."""
        later = self._order[self._order.index(epoch) + 1 :] if epoch in self._order else self._order
        return next(
            (e for e in later if any(self._find(e, camera, kind) for kind in KEPT)),
            None,
        )

    def _pass_over(self, lane: Lane) -> None:
        """Pass over what can never be had, and report it."""
        if self.journal is False and lane.behind:
            run = lane.missing()
            if run is not None:
                lane.lose([(run[0], run[1] + 1)])
        for gap in lane.skip():
            self._on_expired(gap)
            if self._given != lane.stream and self.journal:
                self.acks[lane.stream] = lane.following - 1


def _time(lane: Lane) -> int:
    return lane.waiting[lane.following].message.published_ns
