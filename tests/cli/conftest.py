"""The command line as users run it: real processes, real sockets, real files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from linescan.config import SimulatedSource
from linescan.recording import HeightEncoding
from linescan.sources.simulated import record_simulated
from tests.ports import free_port

Start = Callable[..., "subprocess.Popen[str]"]
TIMEOUT_S = 50
FRAMES_ONLY = ("--set", "depth.enabled=false")
ON_CPU = ("--set", "depth.backend=cpu")
SILENT = ("--set", "publish.enabled=false")


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated recording of 1200 lines of 256 pixels."""
    path = tmp_path_factory.mktemp("recordings") / "parts"
    section = SimulatedSource(preset="parts", seed=5, width=256, lines=1200)
    record_simulated(section, path, truth=HeightEncoding(step=4))
    return path


@pytest.fixture
def endpoint() -> str:
    """A free endpoint on this machine."""
    return f"tcp://127.0.0.1:{free_port(3)}"


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts ``linescan`` with arguments; what still runs at the end of the test is killed."""
    running: list[subprocess.Popen[str]] = []

    def begin(*arguments: str | Path, script: str | None = None) -> subprocess.Popen[str]:
        program = ["-c", script] if script else ["-m", "linescan"]
        process = subprocess.Popen(
            [sys.executable, *program, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "COLUMNS": "200"},
        )
        running.append(process)
        return process

    yield begin
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


class Result:
    """How a command ended."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.out, self.err = process.communicate(timeout=TIMEOUT_S)
        self.code = process.returncode


@pytest.fixture
def linescan(start: Start) -> Callable[..., Result]:
    """Runs ``linescan`` with arguments to its end."""
    return lambda *arguments: Result(start(*arguments))
