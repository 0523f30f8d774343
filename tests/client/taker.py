"""A subscriber in a process of its own that writes down what it is given.

``python -m tests.client.taker LOG OPTIONS``: each message is a line ``<epoch> <kind> <seq>
<SHA-256 of all its bytes>`` in LOG, written before the next message is asked for; each life of the
process begins with a line ``life``, and one that came to its end closes with ``over``. The options
are those of ``Subscriber`` as JSON.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from linescan.client import Subscriber
from linescan.protocol import Buffer, InspectionMessage, Message, topic
from linescan.protocol.fields import dump_json


class Taken(NamedTuple):
    """One message of a log."""

    epoch: str
    kind: str
    seq: int
    digest: str

    @property
    def stream(self) -> tuple[str, str]:
        return self.epoch, self.kind


def digest(frames: Iterable[Buffer]) -> str:
    total = hashlib.sha256()
    for frame in frames:
        total.update(frame)
    return total.hexdigest()


def frames_of(message: Message) -> list[Buffer]:
    """The very bytes of a message: JSON as the publisher writes it, and the arrays."""
    frames: list[Buffer] = [topic(message.camera, message.kind), dump_json(dict(message.header))]
    if isinstance(message, InspectionMessage):
        arrays = (message.depth, message.labels)
        frames += [array.tobytes() for array in arrays if array is not None]
    return frames


def start(log: Path, **options: Any) -> subprocess.Popen[bytes]:
    """Begin to take, or go on."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.client.taker", str(log), json.dumps(options)]
    )


def lives(log: Path) -> list[list[Taken]]:
    """What each life of the process was given."""
    found: list[list[Taken]] = []
    for line in log.read_text().splitlines():
        words = line.split()
        if words == ["life"]:
            found.append([])
        elif len(words) == 4:
            found[-1].append(Taken(words[0], words[1], int(words[2]), words[3]))
    return found


def main() -> None:
    log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(log, b"life\n")
    with Subscriber(**json.loads(sys.argv[2])) as results:
        for message in results:
            line = f"{message.epoch} {message.kind} {message.seq} {digest(frames_of(message))}\n"
            os.write(log, line.encode())
    counts = f"over expired={results.expired} missed={results.missed} slow={results.slow}"
    os.write(log, f"{counts} malformed={results.malformed}\n".encode())


if __name__ == "__main__":
    main()
