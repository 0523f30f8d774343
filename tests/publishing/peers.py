"""Subscribers in processes of their own, to be stopped and killed."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from typing import IO

READER = """
import sys
from linescan.client import Subscriber
endpoint, camera = sys.argv[1:3]
with Subscriber(endpoint, ("inspection", "event"), camera=camera, timeout_s=45) as results:
    print("ready", flush=True)
    for message in results:
        print(message.kind, message.seq, flush=True)
"""


@contextlib.contextmanager
def reader(endpoint: str, camera: str = "web-1") -> Iterator[subprocess.Popen[str]]:
    """A process that reads and prints ``<kind> <seq>`` for each message; killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", READER, endpoint, camera], stdout=subprocess.PIPE, text=True
    )
    try:
        assert output(process).readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        output(process).close()


def output(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout
