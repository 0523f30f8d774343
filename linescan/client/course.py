"""The epochs of a publisher in order, their streams, and which epoch each camera is in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from linescan.client.lanes import Lane, Stream
from linescan.client.replies import EpochEntry, Positions
from linescan.client.starting import Since, start_of
from linescan.protocol import Kind
from linescan.protocol.control import KEPT


class Course:
    """Messages of one camera are given epoch by epoch: this says which comes next.

    Args:
        camera: the only camera, or None for all.

    Attributes:
        camera: as given.
        order: epochs that are known and not over, in order of time.
    """

    # A run of which the journal has nothing is in no list of epochs: those that were before it must
    # be known too, or they would seem to be after it.

    def __init__(self, camera: str | None) -> None:
        self.camera = camera
        self.order: list[str] = []
        self._before: set[str] = set()
        self._lanes: dict[Stream, Lane] = {}
        self._at: dict[str, str] = {}

    @property
    def cameras(self) -> list[str]:
        """Cameras of which anything is known."""
        return list(self._at)

    def begin(self, positions: Positions, since: Since, came: Mapping[Stream, int]) -> None:
        """Begin where it was asked for, or with what has come already."""
        starts = start_of(positions, since, self.camera, came)
        for stream, following in starts.items():
            self._lanes[stream] = Lane(stream, following, following)
            self._at.setdefault(stream.camera, stream.epoch)
        names = [entry.epoch for entry in positions.epochs]
        if since is Since.NOW or not starts:
            self.order = [entry.epoch for entry in positions.epochs if entry.current]
        else:
            self.order = names[min(names.index(stream.epoch) for stream in starts) :]

    def extend(self, entries: Sequence[EpochEntry]) -> None:
        """Take note of which epochs there are, and how far each goes."""
        names = [entry.epoch for entry in entries]
        order = self.order[self._begun() :]
        self._before |= set(self.order) - set(order)
        after = max((names.index(e) + 1 for e in self._before if e in names), default=0)
        first = min((names.index(e) for e in order if e in names), default=after)
        self._before = set(names[:first])
        self.order = [epoch for epoch in order if epoch not in names] + names[first:]
        for entry in entries[first:]:
            for (camera, kind), (_, last) in entry.streams.items():
                if self.camera in (None, camera):
                    lane = self.lane(Stream(entry.epoch, camera, kind))
                    if lane is not None:
                        lane.extend(last + 1)

    def lane(self, stream: Stream, following: int = 0) -> Lane | None:
        """The lane of a stream, new where there was none; None where its epoch is over."""
        lane = self._lanes.get(stream)
        if lane is None and not self._is_over(stream):
            lane = self._lanes[stream] = Lane(stream, following, following)
            self._at.setdefault(stream.camera, stream.epoch)
        return lane

    def find(self, stream: Stream) -> Lane | None:
        """The lane of a stream, where there is one."""
        return self._lanes.get(stream)

    def near(self) -> list[Lane]:
        """The streams of the epochs that are being given."""
        return [lane for camera in self._at for lane in self.here(camera)]

    def all(self) -> list[Lane]:
        """All streams."""
        return list(self._lanes.values())

    def here(self, camera: str) -> list[Lane]:
        """The streams of the epoch that a camera is in."""
        return self._of(self._at[camera], camera)

    def advance(self, camera: str) -> bool:
        """Leave the epoch that a camera is in, where it is over and another follows."""
        lanes, following = self.here(camera), self._after(camera)
        if following is None or any(lane.following < lane.end for lane in lanes):
            return False
        for lane in lanes:
            del self._lanes[lane.stream]
        self._at[camera] = following
        return True

    def is_over(self, ended: Mapping[str, str]) -> bool:
        """Whether all cameras of the newest epoch have ended in it."""
        here = [camera for camera, epoch in self._at.items() if [epoch] == self.order[-1:]]
        ended_all = all(ended.get(camera) == self._at[camera] for camera in here)
        return bool(here) and ended_all and not any(lane.behind for lane in self.near())

    def _begun(self) -> int:
        """Where in the order the first epoch stands that a camera is in."""
        return min((self.order.index(e) for e in self._at.values() if e in self.order), default=0)

    def _is_over(self, stream: Stream) -> bool:
        at, order = self._at.get(stream.camera), self.order
        if at not in order:
            return False
        return stream.epoch not in order or order.index(stream.epoch) < order.index(at)

    def _of(self, epoch: str, camera: str) -> list[Lane]:
        streams = (Stream(epoch, camera, Kind(kind)) for kind in KEPT)
        return [self._lanes[stream] for stream in streams if stream in self._lanes]

    def _after(self, camera: str) -> str | None:
        """The next epoch in which a camera has messages."""
        epoch = self._at[camera]
        at = self.order.index(epoch) + 1 if epoch in self.order else 0
        return next((later for later in self.order[at:] if self._of(later, camera)), None)
