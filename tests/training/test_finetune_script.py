"""The fine-tuning script: thirty images and a profilometer, on a CPU."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from linescan.depth import open_engine
from linescan.depth.card import read_card
from linescan.training.figures import Figures
from linescan.training.outcome import advice
from scripts.finetune import app
from tests.depth.checkpoints import save_checkpoint
from tests.training.own_data import write_pairs

TINY = "--size 56 --reduction 1.5 --batch 2 --threads 1 --validate-every 2 --rank 2 --no-register"


def run(data: Path, out: Path, more: str) -> tuple[int, str]:
    threads = torch.get_num_threads()
    try:
        result = CliRunner().invoke(app, [str(data), "--out", str(out), *f"{TINY} {more}".split()])
    finally:
        torch.set_num_threads(threads)
    return result.exit_code, " ".join(result.output.split())


def test_thirty_images_become_a_model_that_runs(tmp_path: Path) -> None:
    data = write_pairs(tmp_path / "data", 30)
    start = save_checkpoint(tmp_path / "start")
    out = tmp_path / "run"
    code, text = run(data, out, f"--start {start} --steps 4 --target metric --name mine")
    assert code == 0, text
    assert "24 samples to learn from, 6 held out" in text
    report = json.loads((out / "report.json").read_text())
    assert report["steps_done"] == 4
    figures = report["figures"]["held out"]
    assert figures["after"]["absolute"] < 1.5 * figures["before"]["absolute"]
    card = read_card(out / "mine.onnx")
    assert (card.name, card.unit, str(card.convention)) == ("mine", "um", "height")
    assert card.noise_floor > 0
    assert card.verification["max_error"] < 5e-4
    engine = open_engine(out / "mine.onnx", "cpu", "fp32", (56, 56))
    heights = engine.infer(np.zeros((56, 56), np.uint8)) * card.scale + card.shift
    assert np.isfinite(heights).all()
    assert (out / "part04.jpg").stat().st_size > 0

    code, text = run(data, out, f"--start {start} --steps 4 --target metric --name mine --seed 1")
    assert code == 2
    assert "was made under another plan (differs in seed)" in text


def test_what_does_not_fit_is_said_in_a_sentence(tmp_path: Path) -> None:
    code, text = run(tmp_path, tmp_path / "run", "")
    assert code == 2
    assert "no image named NAME_intensity.png" in text
    data = write_pairs(tmp_path / "data", 1)
    for more, said in (
        ("--only other", "no sample 'other'"),
        ("--target up", "expected one of relative, metric, none"),
        ("--size 100", "multiple of 14"),
        (f"--start {tmp_path}/none.onnx", "no such model file"),
        ("--reduction 4", "part00: a part of it has only"),
        ("--name a/b", "--name a/b: expected letters"),
        ("--loss silog", "--loss belongs to --target metric"),
        ("--hold 0.1", "--hold belongs to --target none"),
        ("--mode full --rank 4", "--rank belongs to --mode lora"),
        ("--register-scale 2", "--register-scale does not go with --no-register"),
        ("--target none --form 2", "--form belongs to --target relative or metric"),
        ("--target none --no-relight", "learns from nothing but other light"),
    ):
        code, text = run(data, tmp_path / "run", more)
        assert code == 2, more
        assert said in text, more


def test_what_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    data = write_pairs(tmp_path / "data", 1)
    (tmp_path / "file").touch()
    code, text = run(data, tmp_path / "file" / "run", "")
    assert code == 2
    assert "is no folder" in text
    assert "reading" not in text


def test_a_flat_test_half_is_left_out_of_the_figures(tmp_path: Path) -> None:
    data = write_pairs(tmp_path / "data", 4, size=168)
    start = save_checkpoint(tmp_path / "start")
    heights = data / "part00_height_um.npy"
    known = np.load(heights)
    known[:, 84:] = 0
    np.save(heights, known)
    code, text = run(data, tmp_path / "run", f"--start {start} --steps 2 --test-side right")
    assert code == 0, text
    known[:] = 0
    np.save(data / "part03_height_um.npy", known)
    code, text = run(data, tmp_path / "other", f"--start {start} --steps 2")
    assert code == 2
    assert "part03: its held-out part has the same height everywhere" in text


def test_figures_that_speak_against_the_new_model_are_put_into_words() -> None:
    def figures(ratio: float, rank: float) -> Figures:
        return Figures(ratio=ratio, rank=rank, absolute=None, light=0.1, flat=None)

    before = figures(0.8, 0.5)
    assert not advice(before, figures(0.7, 0.6))
    assert "nothing was gained" in advice(before, figures(0.8, 0.6))
    assert "sign came out wrong" in advice(before, figures(0.3, -0.9))


def test_without_truth_a_flattened_relief_and_no_gain_are_put_into_words() -> None:
    def figures(light: float, kept: float) -> Figures:
        return Figures(ratio=None, rank=None, absolute=None, light=light, flat=None, kept=kept)

    before = figures(0.1, 1.0)
    assert not advice(before, figures(0.05, 0.93))
    assert "only 3% of the start's relief are left" in advice(before, figures(0.01, 0.03))
    assert "nothing was gained" in advice(before, figures(0.1, 1.0))


def test_help_teaches() -> None:
    text = " ".join(CliRunner().invoke(app, ["--help"]).output.split())
    for word in ("Ctrl-C", "Example:", "NAME_height_um.npy", "NAME_lines.csv", "--target", "lora"):
        assert word in text


@pytest.mark.parametrize("names", [("part00_lines.csv",), ()])
def test_height_is_asked_for_where_it_is_needed(tmp_path: Path, names: tuple[str, ...]) -> None:
    data = write_pairs(tmp_path / "data", 1)
    (data / "part00_height_um.npy").unlink()
    for name in names:
        (data / name).write_text("line,height_um\n1,2\n")
    code, text = run(data, tmp_path / "run", "")
    assert code == 2
    assert ("column column is missing" if names else "train with --target none") in text
