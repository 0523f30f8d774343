"""The two processes of a run: started, watched and ended together, and why one of them ended."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

CHATTER: Final = re.compile(r"\b(INFO|DEBUG)\b", re.IGNORECASE)
"""Log lines that give no reason for an end."""
GRACE_S: Final = 15.0
"""For the other process once one has ended."""
FAILED_S: Final = 2.0
"""For a subscriber whose pipeline failed: it may still read what was sent."""


def free_when_over(pipeline: subprocess.Popen[Any], subscriber: subprocess.Popen[str]) -> None:
    """End a subscriber that waits for a pipeline that is gone."""
    failed = pipeline.wait() != 0
    try:
        subscriber.wait(FAILED_S if failed else GRACE_S)
    except subprocess.TimeoutExpired:
        subscriber.terminate()


@contextmanager
def child(command: Sequence[str], **how: Any) -> Iterator[subprocess.Popen[Any]]:
    """A child process that is gone at the end, whatever happens."""
    process = subprocess.Popen(command, **how)
    try:
        yield process
    finally:
        process.terminate()
        end(process)
        if process.stdout is not None:
            process.stdout.close()


def end(process: subprocess.Popen[Any]) -> None:
    """Wait for a process that is to end by itself or was told to; kill it where it does not."""
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def ending(who: str, code: int, log: Path) -> str:
    """Which process ended how, and the last it said that is a reason."""
    how = f"ended with exit code {code}" if code >= 0 else f"was killed by {_signal(-code)}"
    lines = [line.strip() for line in log.read_text(encoding="utf-8").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error: ")]
    reasons = errors or [line for line in lines if not CHATTER.search(line)]
    said = reasons[-1].removeprefix("error: ") if reasons else "it gave no reason"
    return f"{who} {how}: {said}"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has no name
        return f"signal {number}"
