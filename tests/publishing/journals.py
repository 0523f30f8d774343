"""A journal in memory, whose failures are asked for."""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping, Sequence

from linescan.errors import JournalError
from linescan.protocol import Buffer
from linescan.publishing.store import JournalHealth, Kept, KeptEpoch, Stream


class MemoryJournal:
    """Keeps messages in a dictionary.

    Attributes:
        full: ``append`` fails.
        slow: reading waits for it.
        gone: what ``pruned`` gives.
        synced: how often ``sync`` was called.
    """

    def __init__(self) -> None:
        self.full = False
        self.failing_sync = False
        self.closed = False
        self.slow = threading.Event()
        self.slow.set()
        self.read_count = 0
        self.synced = 0
        self._trouble = ""
        self.open_reads = 0
        self.gone: dict[Stream, int] = {}
        self.missing: list[tuple[Stream, int]] = []
        self._kept: dict[Stream, dict[int, list[bytes]]] = {}
        self._started: dict[str, int] = {}
        self._acknowledged: dict[str, dict[Stream, int]] = {}

    def open(self) -> None:
        self.closed = False

    def append(self, stream: Stream, seq: int, published_ns: int, frames: Sequence[Buffer]) -> None:
        if self.full:
            self.missing.append((stream, seq))
            self._trouble = "the disk is full"
            raise JournalError("the disk is full")
        self._trouble = ""
        self._started.setdefault(stream.epoch, published_ns)
        self._kept.setdefault(stream, {})[seq] = [bytes(frame) for frame in frames]

    def health(self) -> JournalHealth:
        return JournalHealth(1 if self._trouble else None, self._trouble, len(self.missing))

    def sync(self) -> Mapping[Stream, int]:
        self.synced += 1
        if self.failing_sync:
            self._trouble = "input/output error"
            raise OSError("input/output error")
        return {stream: max(kept) for stream, kept in list(self._kept.items())}

    def flush(self) -> None:
        pass

    def epochs(self) -> Sequence[KeptEpoch]:
        return [
            KeptEpoch(
                epoch,
                started,
                {s: (min(k), max(k)) for s, k in list(self._kept.items()) if s.epoch == epoch},
            )
            for epoch, started in self._started.items()
        ]

    def read(self, stream: Stream, first: int, last: int) -> Generator[Kept, None, None]:
        self.open_reads += 1
        try:
            kept = self._kept.get(stream, {})
            for seq in range(first, min(last, max(kept, default=-1)) + 1):
                self.slow.wait()
                if seq in kept:
                    self.read_count += 1
                    yield Kept(seq, kept[seq])
        finally:
            self.open_reads -= 1

    def pruned(self) -> Mapping[Stream, int]:
        return dict(self.gone)

    def drop(self, stream: Stream, seqs: range) -> None:
        """As retention does."""
        for seq in seqs:
            del self._kept[stream][seq]

    def kept(self, stream: Stream) -> dict[int, list[bytes]]:
        return self._kept.get(stream, {})

    def acknowledge(self, name: str, stream: Stream, seq: int) -> None:
        self._acknowledged.setdefault(name, {})[stream] = seq

    def acknowledged(self, name: str) -> Mapping[Stream, int]:
        return self._acknowledged.get(name, {})

    def close(self) -> None:
        self.closed = True
