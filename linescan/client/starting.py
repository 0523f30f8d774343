"""Where mode ``complete`` begins."""

from __future__ import annotations

import enum
from collections.abc import Mapping

from linescan.client.lanes import Stream
from linescan.client.replies import Positions
from linescan.protocol.control import KEPT


class Since(enum.StrEnum):
    """Which messages come first."""

    ACKNOWLEDGED = "acknowledged"
    """After the last one acknowledged under the name; of a new name, the oldest kept."""
    OLDEST = "oldest"
    """The oldest that the journal keeps."""
    NOW = "now"
    """The next to be published."""


def start_of(
    positions: Positions, since: Since, camera: str | None, came: Mapping[Stream, int]
) -> dict[Stream, int]:
    """The first number to give of each stream to be given, in order of time.

    Args:
        positions: what there is.
        since: where to begin.
        camera: the only camera, or None for all.
        came: the first number of each stream that has come live in the meantime.
    """
    cameras = {c for entry in positions.epochs for c, _ in entry.streams}
    chosen = cameras if camera is None else cameras & {camera}
    starts: dict[Stream, int] = {}
    for name in sorted(chosen):
        starts |= _start_of_camera(positions, since, name, came)
    names = [entry.epoch for entry in positions.epochs]
    return dict(sorted(starts.items(), key=lambda item: names.index(item[0].epoch)))


def _start_of_camera(
    positions: Positions, since: Since, camera: str, came: Mapping[Stream, int]
) -> dict[Stream, int]:
    acknowledged = {s: seq for s, seq in positions.acknowledged.items() if s.camera == camera}
    resume = since is Since.ACKNOWLEDGED and bool(acknowledged)
    names = [entry.epoch for entry in positions.epochs]
    begun = [names.index(s.epoch) for s in acknowledged if s.epoch in names]
    first = max(begun, default=0) if resume else 0
    starts = {}
    for entry in positions.epochs[first:]:
        if since is Since.NOW and not entry.current:
            continue
        for kind in KEPT:
            if (camera, kind) not in entry.streams:
                continue
            oldest, last = entry.streams[camera, kind]
            stream = Stream(entry.epoch, camera, kind)
            if resume:
                starts[stream] = acknowledged.get(stream, -1) + 1
            elif since is Since.NOW or oldest is None:
                starts[stream] = min(last + 1, came.get(stream, last + 1))
            else:
                starts[stream] = oldest
    return starts
