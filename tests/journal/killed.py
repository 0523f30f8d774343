"""Writers that are killed: each round a child appends and syncs until SIGKILL ends it.

Prints a line for each round: the epoch, the last number that was reported durable, and the last one
that was appended (-1: none).
"""

from __future__ import annotations

import mmap
import os
import random
import select
import signal
import struct
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from linescan.journal import Entry, JournalWriter
from tests.journal.entries import message, section, segments

PATIENCE_S = 60.0
"""A machine that has more to do may let the first sync wait."""


def entries(epoch: str) -> Iterator[Entry]:
    sizes = random.Random(epoch)
    seq = 0
    while True:
        yield message(seq, epoch=epoch, size=sizes.choice([10, 1000, 20_000, 200_000]))
        seq += 1


APPENDED = struct.Struct("<q")


def write(folder: Path, epoch: str, pipe: int, appended: mmap.mmap) -> None:
    writer = JournalWriter(folder, section(max_gb=0.1))
    writer.open()

    def sync() -> None:
        while True:
            for stream, seq in writer.sync().items():
                if stream.epoch == epoch:
                    os.write(pipe, b"%d\n" % seq)

    threading.Thread(target=sync, daemon=True).start()
    for number, entry in enumerate(entries(epoch)):
        if len(segments(writer)) > 4:
            writer.sync()
        writer.append(entry.key, entry.published_ns, entry.frames)
        APPENDED.pack_into(appended, 0, number)
        if number % 16 == 15:  # so many may wait for the disk when it is killed
            writer.flush()


def main(folder: Path, rounds: int, seed: int) -> None:
    choice, appended = random.Random(seed), mmap.mmap(-1, APPENDED.size)
    for number in range(rounds):
        reader, pipe = os.pipe()
        APPENDED.pack_into(appended, 0, -1)
        child = os.fork()
        if not child:
            os.close(reader)
            write(folder, f"epoch-{number}", pipe, appended)
        os.close(pipe)
        if choice.randrange(4):  # or at once, whatever it does
            select.select([reader], [], [], PATIENCE_S)
        time.sleep(choice.random() * 0.03)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with os.fdopen(reader, "rb") as file:
            said = [line for line in file if line.endswith(b"\n")]
        last = int(said[-1]) if said else -1
        sys.stdout.write(f"epoch-{number} {last} {APPENDED.unpack_from(appended)[0]}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
