"""Publishers in processes of their own, to be stopped, killed and started again."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from typing import IO

PIPELINE = """
import sys
from linescan.config import PublishSection
from linescan.ledger import Ledger
from linescan.publishing import Publish
from linescan.records import Cause, Loss
from tests.protocol.samples import inspection
from tests.waiting import PATIENCE_S
endpoint, camera = sys.argv[1:3]
ledger = Ledger()
stage = Publish(PublishSection(data=endpoint, linger_s=1), camera, ledger)
stage.setup()
print(stage.publisher.endpoint, flush=True)
line = 0
for command in sys.stdin:
    if command == "wait\\n":
        stage.publisher.wait_for_subscribers(1, PATIENCE_S)
    elif command == "frame\\n":
        item = inspection(line)
        line += 64
        ledger.capture(item.lines())
        stage.process(item)
    elif command == "end\\n":
        stage.finish()
        stage.teardown()
        break
    stage.publisher.flush(PATIENCE_S)
    print("done", flush=True)
print("ended", flush=True)
"""


class Source:
    """A publishing process that does what it is told."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.endpoint = self._pipe(process.stdout).readline().strip()
        assert self.endpoint

    def tell(self, *commands: str) -> None:
        """Run commands, each to its end: ``wait`` (for a subscriber), ``frame``, ``end``."""
        for command in commands:
            pipe = self._pipe(self.process.stdin)
            pipe.write(f"{command}\n")
            pipe.flush()
            assert self._pipe(self.process.stdout).readline() in ("done\n", "ended\n")

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe


@contextlib.contextmanager
def source(endpoint: str = "tcp://127.0.0.1:*", camera: str = "web-1") -> Iterator[Source]:
    """A publishing process; killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", PIPELINE, endpoint, camera],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield Source(process)
        finally:
            process.kill()
