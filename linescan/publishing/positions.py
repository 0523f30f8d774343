"""What there is of each run: the current one from memory, the others from the journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from linescan.publishing.published import Published
from linescan.publishing.reports import acknowledged_json
from linescan.publishing.requests import RequestError
from linescan.publishing.store import Journal, KeptEpoch, Stream

MOST_EPOCHS: Final = 1000
"""Newest epochs that a reply names."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the journal has, what it had, and what a name has acknowledged."""

    epochs: Sequence[KeptEpoch] = ()
    pruned: Mapping[Stream, int] | None = None
    acknowledged: Mapping[Stream, int] | None = None


@dataclass(slots=True)
class _Run:
    """One epoch, as a reply names it."""

    started_ns: int
    streams: dict[Stream, tuple[int | None, int]]


def look(journal: Journal, name: str | None) -> Found:
    """Ask the journal, for all that was published; slow."""
    journal.flush()
    mine = journal.acknowledged(name) if name is not None else {}
    return Found(journal.epochs(), journal.pruned(), mine)


def positions(published: Published, found: Found) -> dict[str, Any]:
    """The fields of a reply to ``positions``."""
    current = published.epoch
    runs = _runs(found)
    runs = dict(list(runs.items())[-MOST_EPOCHS:])
    own = runs.setdefault(current, _Run(published.started_ns, {})).streams
    for stream, last in published.last.items():
        own[stream] = own.get(stream, (None, 0))[0], last
    return {
        "epochs": [
            {
                "epoch": epoch,
                "started_ns": str(run.started_ns),
                "current": epoch == current,
                "streams": [_position(published, s, *at) for s, at in run.streams.items()],
            }
            for epoch, run in runs.items()
        ],
        "acknowledged": acknowledged_json(found.acknowledged or {}),
    }


def _runs(found: Found) -> dict[str, _Run]:
    """All epochs in order of time: retention begins with the oldest."""
    runs: dict[str, _Run] = {}
    for stream in found.pruned or {}:
        runs.setdefault(stream.epoch, _Run(0, {}))
    for kept in found.epochs:
        runs.pop(kept.epoch, None)  # of which a part is there
        runs[kept.epoch] = _Run(kept.started_ns, dict(kept.streams))
    for stream, last in (found.pruned or {}).items():
        runs[stream.epoch].streams.setdefault(stream, (None, last))
    return runs


def _position(
    published: Published, stream: Stream, oldest: int | None, last: int
) -> dict[str, Any]:
    current = stream.epoch == published.epoch
    return {
        "camera": stream.camera,
        "kind": str(stream.kind),
        "oldest": oldest,
        "last": last,
        "durable": published.durable(stream) if current else last,
    }


class Earlier:
    """The last numbers of the runs before this one, which change no more; for the clerk's thread.

    Args:
        journal: where they stand.
        current: the epoch of this run.
    """

    def __init__(self, journal: Journal, current: str) -> None:
        self._journal = journal
        self._current = current
        self._last: Mapping[Stream, int] | None = None

    def acknowledge(self, name: str, stream: Stream, seq: int) -> int:
        """Note that a subscriber has processed all of a run up to a number.

        A crash may have cost the journal the tail that a subscriber got: more than the journal has
        counts as all of it.

        Returns:
            The number noted.

        Raises:
            RequestError: nothing is known of such a run.
        """
        if self._last is None:
            kept = {s: last for k in self._journal.epochs() for s, (_, last) in k.streams.items()}
            self._last = {**self._journal.pruned(), **kept}
        last = self._last.get(stream) if stream.epoch != self._current else None
        if last is None:
            raise RequestError("unknown_stream", "nothing is known of such a run")
        self._journal.acknowledge(name, stream, min(seq, last))
        return min(seq, last)
