"""A run shows its progress: a live panel on a terminal, plain log lines elsewhere."""

from __future__ import annotations

import logging
import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from rich.console import Console

from linescan.cli import progress
from linescan.cli.statistics import Statistics
from linescan.config import OverloadSection
from linescan.ledger import Ledger
from linescan.pipeline.runner import Pipeline
from linescan.stitching import Stitch
from tests.cli.conftest import FRAMES_ONLY, SILENT
from tests.pipeline.helpers import Lines, Settle


def test_a_terminal_shows_a_live_panel_and_the_times_of_the_stages(recording: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "linescan", "replay", str(recording)),
            *("--rate", "1000", *FRAMES_ONLY, *SILENT),
        ],
        stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"},
    )
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 4096):
            shown += part
    except OSError:
        pass  # the terminal's other end was closed
    assert process.wait(20) == 0
    text = shown.decode()
    for words in ("of 1200", "lines/s", "waiting", "stitch 0", "Ctrl-C ends", "end to end"):
        assert words in text


def test_elsewhere_progress_is_a_plain_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(progress, "LOG_S", 0.05)
    ledger, source = Ledger(), Lines(None, lost={20})
    source.open(ledger.capture)
    pipeline = Pipeline(source, [Stitch(20, 4), Settle(ledger)], ledger, OverloadSection())
    seen = threading.Event()

    class Watch(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.set()

    def stop() -> None:
        seen.wait(5)
        pipeline.stop("seen")

    logger = logging.getLogger("linescan")
    logger.addHandler(watch := Watch())
    stopper = threading.Thread(target=stop)
    stopper.start()
    try:
        with (
            caplog.at_level(logging.INFO, "linescan"),
            progress.Progress(pipeline, Statistics(), None, Console(force_terminal=False)),
        ):
            pipeline.run()
    finally:
        logger.removeHandler(watch)
        stopper.join()
    assert "lost 10 camera_gap" in caplog.text
    assert "waiting: stitch" in caplog.text
