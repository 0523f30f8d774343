"""The training script: what it teaches, refuses, and leaves behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import Dinov2Config, Dinov2Model
from typer.testing import CliRunner

from scripts.train_surface import app

ROOT = Path(__file__).parents[2]


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    """Return the folder of a tiny, random encoder, placed as LINESCAN_WEIGHTS has it."""
    folder = tmp_path / "weights" / "dinov2-small"
    torch.manual_seed(3)
    config = Dinov2Config(
        hidden_size=48, num_hidden_layers=4, num_attention_heads=2, image_size=56, patch_size=14
    )
    Dinov2Model(config).save_pretrained(folder)
    return folder


def options(out: Path, steps: int) -> list[str]:
    tiny = "--batch 1 --size 70 --layers 4 --workers 0 --threads 1 --validation-frames 1"
    return ["--out", str(out), "--steps", str(steps), *tiny.split()]


def test_script_trains_and_a_second_call_has_nothing_left_to_do(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINESCAN_WEIGHTS", str(encoder.parent))
    out = tmp_path / "run"
    threads = torch.get_num_threads()
    try:
        first = CliRunner().invoke(app, options(out, 2))
        again = CliRunner().invoke(app, options(out, 2))
    finally:
        torch.set_num_threads(threads)
    assert first.exit_code == 0, first.output
    assert (out / "final" / "linescan.json").is_file()
    assert (out / "final" / "model.safetensors").is_file()
    assert again.exit_code == 0, again.output
    assert "resuming at step 2" in again.output


def test_script_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LINESCAN_WEIGHTS", raising=False)
    run = CliRunner().invoke
    assert "LINESCAN_WEIGHTS" in run(app, options(tmp_path, 1)).output
    no_weights = run(app, [*options(tmp_path, 1), "--encoder", str(tmp_path)])
    assert no_weights.exit_code == 2
    assert "no DINOv2 checkpoint" in " ".join(no_weights.output.split())
    odd = run(app, [*options(tmp_path, 1), "--encoder", str(tmp_path), "--size", "100"])
    assert odd.exit_code == 2


def test_help_teaches() -> None:
    text = " ".join(CliRunner().invoke(app, ["--help"]).output.split())
    for word in ("Ctrl-C", "Example:", "linescan.json", "--layers", "--encoder"):
        assert word in text


INTERRUPTED_TWICE = """
import signal
from linescan.training.console import StopOnSignal

before = signal.getsignal(signal.SIGINT)
try:
    with StopOnSignal() as stop:
        assert not stop()
        signal.raise_signal(signal.SIGINT)
        assert stop()
        signal.raise_signal(signal.SIGINT)
        raise SystemExit("the second interrupt was ignored")
except KeyboardInterrupt:
    assert signal.getsignal(signal.SIGINT) is before
    print("insisted")
"""


def test_first_interrupt_asks_to_stop_and_the_second_insists() -> None:
    # In a process of its own: an interrupt that goes astray would end all tests.
    child = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_TWICE], cwd=ROOT, capture_output=True, text=True
    )
    assert (child.returncode, child.stdout) == (0, "insisted\n"), child.stderr
