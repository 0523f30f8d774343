"""Writers that are killed at a chosen line of the journal's code, in whichever thread runs it.

Each child opens the journal, which takes over what the one before it left, appends, syncs and
closes; a tracer counts the lines and ends it by SIGKILL. Prints a line for each: the epoch, the
last number that was reported durable, and the last one that was appended (-1: none).
"""

from __future__ import annotations

import itertools
import mmap
import os
import random
import signal
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import linescan.journal
from linescan.journal import Entry, JournalWriter
from tests.journal.entries import message, section

CODE = str(Path(linescan.journal.__file__).parent)
COUNT = 12
"""Messages of each writer."""
TOLD = struct.Struct("<qqqq")
"""Last number that was reported durable, last one that was appended; lines until the journal was
open, and in all."""
NAMES = ("durable", "appended", "opening", "lines")


def entries(epoch: str) -> Iterator[Entry]:
    """Small and large ones, so that places in memory are used again in part."""
    sizes = random.Random(epoch)
    for seq in range(COUNT):
        yield message(seq, epoch=epoch, size=sizes.choice([10, 5000, 90_000, 400_000]))


def write(folder: Path, epoch: str, told: Callable[..., None]) -> None:
    """One writer's life; for some messages, the disk does not answer for a while."""
    choice = random.Random(f"life of {epoch}")
    writer = JournalWriter(folder, section(buffer_mb=1))
    writer.open()
    told(opening=None)
    assert writer._storing is not None
    entries_left = entries(epoch)
    last = -1
    while burst := list(itertools.islice(entries_left, choice.randrange(1, 4))):
        with writer._storing._writing:
            for entry in burst:
                if sum(map(len, entry.frames)) > 300_000:
                    break
                writer.append(entry.key, entry.published_ns, entry.frames)
                told(appended=(last := entry.key.seq))
        for entry in burst:
            if entry.key.seq > last:
                writer.append(entry.key, entry.published_ns, entry.frames)
                told(appended=(last := entry.key.seq))
                writer.flush()
        if choice.randrange(3) == 0:
            for stream, seq in writer.sync().items():
                if stream.epoch == epoch:
                    told(durable=seq)
    writer.close()


class Life:
    """Counts the lines of a process, and ends it at one of them.

    Args:
        line: the line; 0: none.
        once_open: counted from when the journal is open.
    """

    def __init__(self, line: int, *, once_open: bool) -> None:
        self._line = line
        self._once_open = once_open
        self._count = itertools.count(1)
        self._shared = mmap.mmap(-1, TOLD.size)
        TOLD.pack_into(self._shared, 0, -1, -1, 0, 0)

    def begin(self) -> None:
        threading.settrace(self._trace)
        sys.settrace(self._trace)

    def tell(self, **values: int | None) -> None:
        """What outlives it."""
        for name, value in values.items():
            now = self.told()[3] if value is None else value
            struct.pack_into("<q", self._shared, 8 * NAMES.index(name), now)

    def told(self) -> tuple[int, int, int, int]:
        durable, appended, opening, lines = TOLD.unpack_from(self._shared)
        return durable, appended, opening, lines

    def _trace(self, frame: Any, event: str, arg: object) -> Any:
        if not frame.f_code.co_filename.startswith(CODE):
            return None
        if event == "line":
            number = next(self._count)
            self.tell(lines=number)
            opening = self.told()[2]
            counts = bool(opening) == self._once_open
            if counts and number == self._line + opening:
                os.kill(os.getpid(), signal.SIGKILL)
        return self._trace


def live(folder: Path, epoch: str, line: int, *, once_open: bool) -> tuple[int, int, int, int]:
    """A child's life up to a line; what it told."""
    life = Life(line, once_open=once_open)
    child = os.fork()
    if not child:
        life.begin()
        write(folder, epoch, life.tell)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status not in (0, signal.SIGKILL):
        raise RuntimeError(f"{epoch}, killed at line {line}: ended with {status}")
    return life.told()


def main(folder: Path, rounds: int, seed: int) -> None:
    choice = random.Random(seed)
    _, _, opening, lines = live(folder, "whole", 0, once_open=False)
    after = lines - opening
    for number in range(rounds):
        epoch, once_open = f"epoch-{number}", bool(choice.randrange(2))
        line = choice.randrange(1, after if once_open else opening)
        durable, appended, ended, lines = live(folder, epoch, line, once_open=once_open)
        opening = max(opening, ended or lines)
        sys.stdout.write(f"{epoch} {durable} {appended}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
