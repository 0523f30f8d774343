"""Processes that end, are ended, and are asked why; all of them real."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from linescan.benchmark.processes import child, ending, free_when_over

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(600)
"""


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_child_that_ignores_its_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linescan.benchmark.processes.GRACE_S", 0.2)
    with child(python(STUBBORN), stdout=subprocess.PIPE, text=True) as stubborn:
        assert stubborn.stdout is not None
        assert stubborn.stdout.readline() == "ready\n"
    assert stubborn.returncode == -9
    assert stubborn.stdout.closed


def test_a_subscriber_does_not_wait_for_a_pipeline_that_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("linescan.benchmark.processes.FAILED_S", 0.1)
    began = time.monotonic()
    with (
        child(python("raise SystemExit(3)")) as pipeline,
        child(python("import time; time.sleep(600)")) as subscriber,
    ):
        free_when_over(pipeline, subscriber)
        assert subscriber.wait(30) == -15
    assert time.monotonic() - began < 60  # a hang would be the 600 s


@pytest.mark.parametrize(
    ("code", "said", "words"),
    [
        (2, "INFO started\nerror: no model\nINFO over\n", "ended with exit code 2: no model"),
        (-9, "2026 INFO started\n\n", "was killed by SIGKILL: it gave no reason"),
        (1, "Traceback\nValueError: odd\nDEBUG x\n", "ended with exit code 1: ValueError: odd"),
        (-40, "", "was killed by signal 40: it gave no reason"),
    ],
)
def test_an_end_is_told_with_its_reason(code: int, said: str, words: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(said)
    assert ending("the pipeline", code, log) == f"the pipeline {words}"
