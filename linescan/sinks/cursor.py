"""How far a sink is in each stream of the journal, kept in the journal's folder."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from linescan.errors import JournalError
from linescan.journal import Acknowledgements, Stream

log = logging.getLogger(__name__)

SAVE_S: Final = 0.2
"""The file is written so often at most; what was sent since is sent again after a crash."""
GRAINS: Final = 16
"""Acknowledgements are kept apart by a sixteenth of ``resend_s``."""
MOST_RECENT: Final = 64
"""Beyond so many groups of acknowledgements, the newest takes in all that follow."""


@dataclass(slots=True)
class _Recent:
    """Acknowledgements that came close together: the last number of each stream."""

    since: float
    until: float
    at: dict[Stream, int] = field(default_factory=dict)


class Cursor:
    """The last number of each stream that the broker has acknowledged, and has for good.

    A broker may acknowledge what it has not yet on its disk, and lose it in a crash. So a message
    is *settled* only when another one that was sent ``resend_s`` or more after its acknowledgement
    is acknowledged on the same connection: only a broker that lived until then answers there. The
    file on the disk, and with it the journal's retention, knows only what is settled; where a
    connection ends, or the process, all that is not is sent again.

    Args:
        folder: the journal's.
        name: under which the place is kept.
        resend_s: a broker that acknowledged has stored after so many seconds; with 0, at once.
        clock: seconds that never go back.

    Attributes:
        is_new: nothing was ever settled under that name.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        resend_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kept = Acknowledgements(folder)
        self._name = name
        self._resend_s = resend_s
        self._clock = clock
        self._settled = self._kept.get(name)
        self._at = dict(self._settled)
        self._recent: deque[_Recent] = deque()
        self._changed: set[Stream] = set()
        self._saved = -SAVE_S
        self._complained = False
        self.is_new = not self._at

    def __getitem__(self, stream: Stream) -> int:
        """The last number that is done; -1 where nothing is."""
        return self._at.get(stream, -1)

    def begin(self, stream: Stream, seq: int) -> None:
        """Everything up to ``seq`` is none of ours; a place that is known stays."""
        if stream not in self._at and seq >= 0:
            self._at[stream] = seq
            self._settle(stream, seq)

    def advance(self, stream: Stream, seq: int, sent_s: float | None) -> None:
        """Everything up to ``seq`` is acknowledged; what is settled is saved now and then.

        Args:
            stream: which numbering.
            seq: the last number.
            sent_s: when it was sent, or earlier, by the clock; None where nothing was to be sent,
                so that it says nothing about the broker.
        """
        if seq <= self[stream]:
            return
        self._at[stream] = seq
        if sent_s is not None and self._resend_s:
            self._note(stream, seq)
            self._settle_before(sent_s - self._resend_s)
        elif any(stream in recent.at for recent in self._recent):
            self._recent[-1].at[stream] = seq  # not before what precedes it
        else:
            self._settle(stream, seq)
        if self._changed and time.monotonic() >= self._saved + SAVE_S:
            self.save()

    def rewind(self) -> int:
        """The connection is over: what is not settled is not done; how many messages that is."""
        again = sum(seq - self._settled.get(stream, -1) for stream, seq in self._at.items())
        self._at = dict(self._settled)
        self._recent.clear()
        return again

    def save(self) -> None:
        """Write what has changed; where that fails it is tried again with the next change."""
        try:
            for stream in list(self._changed):
                self._kept.set(self._name, *stream, self._settled[stream])
                self._changed.discard(stream)
            self._complained = False
        except JournalError as error:
            if not self._complained:
                log.warning("%s", error)
            self._complained = True
        self._saved = time.monotonic()

    def _note(self, stream: Stream, seq: int) -> None:
        now = self._clock()
        last = self._recent[-1] if self._recent else None
        if last is None or (
            now >= last.since + self._resend_s / GRAINS and len(self._recent) < MOST_RECENT
        ):
            last = _Recent(now, now)
            self._recent.append(last)
        last.until = now
        last.at[stream] = seq

    def _settle_before(self, time_s: float) -> None:
        while self._recent and self._recent[0].until <= time_s:
            for stream, seq in self._recent.popleft().at.items():
                self._settle(stream, seq)

    def _settle(self, stream: Stream, seq: int) -> None:
        self._settled[stream] = seq
        self._changed.add(stream)
