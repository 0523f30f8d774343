"""Runs a page as its reader would: block after block, in a folder that looks like the clone.

- ```console: the lines that begin with ``$ `` are one bash script; every other line must be a line
  of its output, where ``…`` stands for anything.
- A console block that begins with ``# in a second terminal`` starts at once, runs beside what
  follows, and must end well by itself after the next block of the first terminal.
- ```python and ```yaml that begin with ``# NAME.py`` or ``# NAME.yaml`` are saved under that name;
  other Python is run.

Two things differ from what the reader gets. The port 5560 becomes a free one, also where a command
takes it by default; and depth runs on ONNX Runtime's CPU engine, the quickest to load.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.docs.pages import ROOT, Block, blocks
from tests.ports import free_port

SECOND_TERMINAL = "# in a second terminal"
TIMEOUT_S = 55
_FILE = re.compile(r"^# ([\w-]+\.(?:py|yaml))$")
_WRAPPER = """#!/bin/sh
command=$1
shift
case "$command" in
  run | replay)
    set -- --set publish.data=tcp://127.0.0.1:{port} --set depth.backend=cpu "$@" ;;
  image | cost)
    set -- --set depth.backend=cpu "$@" ;;
esac
exec "{python}" -m linescan "$command" "$@"
"""


@dataclass(frozen=True)
class Started:
    """A script on its way, its log, and the output lines it must give."""

    block: Block
    process: subprocess.Popen[bytes]
    log: Path
    expected: Sequence[str]


def play(page: Path, folder: Path) -> None:
    """Run all blocks of a page in ``folder``; an AssertionError says which one failed and how."""
    port = free_port(3)
    environment = _environment(folder, port)
    beside: list[Started] = []
    with _ended(beside):
        for number, block in enumerate(blocks(page)):
            if block.reason is not None:
                continue
            text = block.text.replace("5560", str(port))
            saved = _FILE.match(text.splitlines()[0]) if text else None
            if block.language in ("python", "yaml") and saved:
                (folder / saved[1]).write_text(text, encoding="utf-8")
            elif block.language in ("python", "console"):
                started = _start(block, text, folder, environment, number)
                beside.append(started)
                if not text.startswith(SECOND_TERMINAL):
                    while beside:
                        _finish(beside[-1])
                        beside.pop()
        assert not beside, f"{beside[-1].block}: no block of the first terminal follows"


def script(text: str) -> tuple[str, list[str]]:
    """The commands of a console block as one script, and the output lines that it shows."""
    commands, output = [], []
    goes_on = False
    for line in text.splitlines():
        if goes_on or line.startswith("$ "):
            commands.append(line if goes_on else line[2:])
            goes_on = line.endswith("\\")
        elif line.strip() and line != SECOND_TERMINAL:
            output.append(line.strip())
    return "\n".join(["set -euo pipefail", *commands, ""]), output


def shows(log: str, expected: str) -> bool:
    """Whether a line of the log is the expected one, ``…`` standing for anything."""
    pattern = re.compile(".*".join(re.escape(part) for part in expected.split("…")))
    return any(pattern.fullmatch(line.strip()) for line in log.splitlines())


def _start(
    block: Block, text: str, folder: Path, environment: Mapping[str, str], number: int
) -> Started:
    expected: list[str] = []
    if block.language == "python":
        program = [sys.executable, "-c", text]
    else:
        commands, expected = script(text)
        assert "\n" in commands.strip(), f"{block}: a console block without a '$ ' line"
        program = ["bash", "-c", commands]
    log = folder / ".logs" / f"{number}.txt"
    log.parent.mkdir(exist_ok=True)
    with log.open("wb") as out:
        process = subprocess.Popen(
            program,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Started(block, process, log, expected)


def _finish(started: Started) -> None:
    try:
        code: int | str = started.process.wait(TIMEOUT_S)
    except subprocess.TimeoutExpired:
        code = f"none, still running after {TIMEOUT_S} s"
    log = started.log.read_text(encoding="utf-8", errors="replace")
    told = f"{started.block}:\n{started.block.text}gave:\n{log}"
    assert code == 0, f"exit code {code} of {told}"
    for line in started.expected:
        assert shows(log, line), f"no line {line!r} from {told}"


@contextmanager
def _ended(beside: Sequence[Started]) -> Iterator[None]:
    """Leave nothing running behind: each script has a process group of its own."""
    try:
        yield
    finally:
        for started in beside:
            with suppress(ProcessLookupError):
                os.killpg(started.process.pid, signal.SIGKILL)
            started.process.wait()


def _environment(folder: Path, port: int) -> dict[str, str]:
    binaries = folder / ".bin"
    binaries.mkdir(exist_ok=True)
    programs = {
        "linescan": _WRAPPER.format(python=sys.executable, port=port),
        "python": f'#!/bin/sh\nexec "{sys.executable}" "$@"\n',
    }
    for name, text in programs.items():
        (binaries / name).write_text(text, encoding="utf-8")
        (binaries / name).chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "COLUMNS": "200",
        "LINESCAN_MODELS": str(folder / "models"),
    }
