"""A publisher with a real journal, in a process of its own: to be stopped, killed, started again.

``python -m tests.client.journalled ORDER``: the order is JSON, see ``Order``. It begins when a line
comes on standard input; further lines are commands, and each is answered by a line. Killed and
started again in the same folder and at the same endpoints, it is the next epoch.
"""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from linescan.config import PublishSection
from linescan.config.journal import JournalSection
from linescan.ledger import Ledger
from linescan.pipeline.keeping import Keeping
from linescan.protocol import Kind, topic
from linescan.publishing import Publish
from linescan.records import Cause, Loss
from tests.protocol.samples import inspection
from tests.waiting import PATIENCE_S, wait_until

INSPECTION = topic("web-1", Kind.INSPECTION)


@dataclass(frozen=True)
class Order:
    """What to start."""

    folder: str = ""
    data: str = "tcp://127.0.0.1:*"
    control: str | None = "tcp://127.0.0.1:*"
    status: str | None = "tcp://127.0.0.1:*"
    memory_mb: int = 64
    max_gb: float = 1.0
    segment_mb: int = 16
    journal: bool = True
    camera: str = "web-1"


class Line:
    """A publishing stage, and what it is told to do."""

    def __init__(self, order: Order) -> None:
        section = PublishSection(
            data=order.data,
            control=order.control,
            status=order.status,
            memory_mb=order.memory_mb,
            linger_s=1,
        )
        kept = JournalSection(
            folder=Path(order.folder), max_gb=order.max_gb, segment_mb=order.segment_mb
        )
        self.ledger = Ledger()
        self.journal = Keeping(kept) if order.journal else None
        self.stage = Publish(
            section,
            order.camera,
            self.ledger,
            message_bytes=8192,
            journal=self.journal,
            sync_s=0.02,
        )
        self.stage.setup()
        self.line = 0
        self.frames = [inspection(n * 64, size=(14, 21)) for n in range(16)]

    def frame(self, count: int = 1, each_s: float = 0.0) -> None:
        for _ in range(count):
            item = self.frames[self.line // 64 % len(self.frames)]
            self.line += 64
            self.ledger.capture(item.lines())
            list(self.stage.process(item))
            if each_s:
                time.sleep(each_s)

    def loss(self) -> None:
        list(self.stage.skip(Loss(self.line, 1, Cause.CAMERA_GAP)))

    def wait(self, count: int = 1) -> None:
        self.stage.publisher.wait_for_subscribers(count, PATIENCE_S)

    def end(self) -> None:
        list(self.stage.finish())

    def close(self) -> None:
        self.stage.teardown()

    def durable(self) -> None:
        """Wait until all that was published is on the disk."""
        published = self.stage.publisher._published
        wait_until(
            lambda: all(published.durable(s) == seq for s, seq in published.last.items()),
            "the journal's sync",
        )

    def wanted(self) -> None:
        """Wait until somebody subscribes to inspections."""
        wait_until(lambda: self.stage.publisher.wants(INSPECTION), "a subscriber")

    def unwanted(self) -> None:
        """Wait until nobody subscribes to inspections."""
        wait_until(lambda: not self.stage.publisher.wants(INSPECTION), "that nobody subscribes")

    @property
    def endpoints(self) -> Mapping[str, str | None]:
        return self.stage.publisher.endpoints


def main() -> None:
    sys.stdin.readline()
    line = Line(Order(**json.loads(sys.argv[1])))
    answer(json.dumps(line.endpoints))
    for command in sys.stdin:
        name, *args = command.split()
        getattr(line, name)(*(json.loads(arg) for arg in args))
        if name != "close":
            line.stage.publisher.flush(PATIENCE_S)
        answer("done")


def answer(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Journalled:
    """A handle on such a process."""

    def __init__(self, order: Order) -> None:
        self.order = order
        """Once it has begun, with the endpoints taken: to start it again where it was."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.client.journalled", json.dumps(asdict(order))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def begin(self) -> None:
        self.send("begin")
        taken = json.loads(_pipe(self.process.stdout).readline())
        self.order = Order(**{**asdict(self.order), **taken})

    def send(self, command: str) -> None:
        """Have something done without waiting for it."""
        _pipe(self.process.stdin).write(f"{command}\n")
        _pipe(self.process.stdin).flush()

    def tell(self, *commands: str) -> None:
        """Do things one after the other, each to its end."""
        for command in commands:
            self.send(command)
            assert _pipe(self.process.stdout).readline() == "done\n"

    def answered(self, timeout_s: float) -> bool:
        """Whether the oldest command that was sent and not awaited is done."""
        pipe = _pipe(self.process.stdout)
        if not select.select([pipe], [], [], timeout_s)[0]:
            return False
        assert pipe.readline() == "done\n"
        return True

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(BrokenPipeError):
                _pipe(pipe).close()


@contextlib.contextmanager
def journalled(order: Order) -> Iterator[Journalled]:
    """A publishing process; killed at the end."""
    process = Journalled(order)
    try:
        process.begin()
        yield process
    finally:
        process.kill()


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


if __name__ == "__main__":
    main()
