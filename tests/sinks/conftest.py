"""What the tests of sinks share: a journal, a configuration, the forwarder as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.sinks.line import Line

TIMEOUT_S = 50.0


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    """The writer of a journal."""
    made = Line(tmp_path / "journal")
    yield made
    made.close()


class Forward:
    """``linescan forward`` as users run it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._said = ""

    def until(self, words: str, times: int = 1) -> None:
        """Wait until it has said these words so many times."""
        assert self.process.stderr is not None
        while self._said.count(words) < times:
            line = self.process.stderr.readline()
            assert line, f"it ended and did not say {words!r}: {self._said}"
            self._said += line

    def end(self) -> tuple[int, str]:
        """Wait for its end; exit code and standard error."""
        _, rest = self.process.communicate(timeout=TIMEOUT_S)
        errors = self._said + rest
        assert "Traceback" not in errors, errors
        return self.process.returncode, errors

    def signal(self, number: int) -> tuple[int, str]:
        """Send a signal and wait for its end."""
        self.process.send_signal(number)
        return self.end()


Start = Callable[..., Forward]


@pytest.fixture
def forward(tmp_path: Path) -> Iterator[Start]:
    """Starts ``linescan forward`` with these sinks; what still runs at the end is killed."""
    running: list[subprocess.Popen[str]] = []
    config = tmp_path / "line.yaml"

    def start(
        sinks: Mapping[str, Any],
        *options: str,
        env: Mapping[str, str] | None = None,
        journal: Mapping[str, Any] | None = None,
    ) -> Forward:
        settings = {
            "source": {"type": "simulated"},
            "journal": {
                "enabled": True,
                "folder": "journal",
                "keep_for": ["sink-nats", "sink-mqtt"],
                **(journal or {}),
            },
            "sinks": sinks,
        }
        config.write_text(json.dumps(settings))  # JSON is YAML
        process = subprocess.Popen(
            [sys.executable, "-m", "linescan", "forward", str(config), *options],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "COLUMNS": "200", **(env or {})},
        )
        running.append(process)
        return Forward(process)

    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()
