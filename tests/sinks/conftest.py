"""What the tests of sinks share: a journal, a configuration, the forwarder as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.sinks.line import Line
from tests.sinks.waiting import WAIT_S, wait_until


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    """The writer of a journal."""
    made = Line(tmp_path / "journal")
    yield made
    made.close()


class Forward:
    """``linescan forward`` as users run it; what it says is read all the time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def until(self, words: str, times: int = 1) -> None:
        """Wait until it has said these words so many times."""
        wait_until(
            lambda: self.said.count(words) >= times or not self._reader.is_alive(), repr(words)
        )
        assert self.said.count(words) >= times, f"it ended, and did not say {words!r}: {self.said}"

    @contextmanager
    def says_again(self, *words: str) -> Iterator[None]:
        """Wait, after what is done meanwhile, until it has said each of these once more."""
        before = {each: self.said.count(each) for each in words}
        yield
        for each, count in before.items():
            self.until(each, count + 1)

    def end(self) -> tuple[int, str]:
        """Wait for its end; exit code and standard error."""
        code = self.process.wait(3 * WAIT_S)  # it may have much to forward
        self._reader.join(WAIT_S)
        assert "Traceback" not in self.said, self.said
        return code, self.said

    def signal(self, number: int) -> tuple[int, str]:
        """Send a signal and wait for its end."""
        self.process.send_signal(number)
        return self.end()

    def close(self) -> None:
        """Kill it if it still runs."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said += line


Start = Callable[..., Forward]


@pytest.fixture
def configure(tmp_path: Path) -> Callable[..., Path]:
    """Writes a configuration with these sinks."""

    def write(sinks: Mapping[str, Any], journal: Mapping[str, Any] | None = None) -> Path:
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
        config = tmp_path / "line.yaml"
        config.write_text(json.dumps(settings))  # JSON is YAML
        return config

    return write


@pytest.fixture
def forward(configure: Callable[..., Path]) -> Iterator[Start]:
    """Starts ``linescan forward`` with these sinks; what still runs at the end is killed."""
    running: list[Forward] = []

    def start(
        sinks: Mapping[str, Any], *options: str, env: Mapping[str, str] | None = None
    ) -> Forward:
        process = subprocess.Popen(
            [sys.executable, "-m", "linescan", "forward", str(configure(sinks)), *options],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "COLUMNS": "200", **(env or {})},
        )
        running.append(Forward(process))
        return running[-1]

    yield start
    for process in running:
        process.close()
