"""The journal, as the publisher uses it."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Final

from linescan.config import JournalSection
from linescan.journal import JournalReader, JournalWriter, Key
from linescan.protocol import Buffer
from linescan.publishing import JournalHealth, Kept, KeptEpoch, Stream

FLUSH_S: Final = 10.0
"""A disk that has not written after so many seconds what was published keeps replays waiting no
longer."""


class Keeping:
    """Writes and reads one journal; see ``linescan.publishing.Journal``.

    Args:
        section: the configuration of the journal.
    """

    def __init__(self, section: JournalSection) -> None:
        self._folder = section.folder
        self._writer = JournalWriter(section.folder, section)

    def open(self) -> None:
        """Take the folder, and put right what a crash left."""
        self._writer.open()
        self._reader = JournalReader(self._folder)

    def append(self, stream: Stream, seq: int, published_ns: int, frames: Sequence[Buffer]) -> None:
        """Have a message kept; the frames stay as they are from now on."""
        self._writer.append(_key(stream, seq), published_ns, frames)

    def health(self) -> JournalHealth:
        """Whether messages are being kept."""
        state = self._writer.state
        return JournalHealth(state.since_ns, state.reason, state.missing)

    def sync(self) -> Mapping[Stream, int]:
        """Make durable what was appended, and say up to which numbers that is."""
        return {Stream(*stream): seq for stream, seq in self._writer.sync().items()}

    def flush(self) -> None:
        """Wait until what was appended is written, so that it can be read.

        Raises:
            JournalError: the disk does not answer.
        """
        self._writer.flush(FLUSH_S)

    def epochs(self) -> Sequence[KeptEpoch]:
        """What is kept, in order of time."""
        return [
            KeptEpoch(
                found.epoch,
                found.started_ns,
                {
                    Stream(found.epoch, camera, kind): (range_.oldest, range_.last)
                    for (camera, kind), range_ in found.streams.items()
                },
            )
            for found in self._reader.epochs()
        ]

    def pruned(self) -> Mapping[Stream, int]:
        """The last numbers of streams that were kept once and of which nothing is left."""
        return {Stream(*stream): last for stream, last in self._reader.pruned().items()}

    def read(self, stream: Stream, first: int, last: int) -> Generator[Kept, None, None]:
        """Messages of a range in order; those that are not to be had are left out."""
        self.flush()  # what was published is there for whoever asks next
        entries = self._reader.read(stream.epoch, stream.camera, stream.kind, first, last)
        for entry in entries:
            yield Kept(entry.key.seq, entry.frames)

    def acknowledge(self, name: str, stream: Stream, seq: int) -> None:
        """A subscriber has processed all up to a number."""
        self._writer.acknowledgements.set(name, stream.epoch, stream.camera, stream.kind, seq)

    def acknowledged(self, name: str) -> Mapping[Stream, int]:
        """What a subscriber has acknowledged; empty where it is not known."""
        known = self._writer.acknowledgements.get(name)
        return {Stream(*stream): seq for stream, seq in known.items()}

    def close(self) -> None:
        """Sync and release."""
        self._writer.close()


def _key(stream: Stream, seq: int) -> Key:
    return Key(stream.epoch, stream.camera, stream.kind, seq)
