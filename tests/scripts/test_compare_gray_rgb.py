"""The script, as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from scripts.compare_gray_rgb import app
from scripts.compare_gray_rgb import pictures as chosen
from tests.depth.checkpoints import save_checkpoint
from tests.evaluation.gray_rgb.handmade import colour_noise


def run(*arguments: object) -> tuple[int, str]:
    """Exit code, and all that was said, in one line."""
    result = CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "400"})
    return result.exit_code, " ".join(result.output.split())


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(3):
        cv2.imwrite(str(folder / f"colour{seed}.png"), colour_noise(seed))
    cv2.imwrite(str(folder / "gray.png"), np.zeros((20, 20), np.uint8))
    (folder / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    return folder


@pytest.mark.slow
def test_a_folder_is_compared_and_reported(pictures: Path, tmp_path: Path) -> None:
    model, out = save_checkpoint(tmp_path / "random"), tmp_path / "new" / "report"
    options = ["--model", model, "--size", 56, 70, "--backend", "cpu", "--rounds", 2]
    code, said = run(pictures, "--out", out, "--json", tmp_path / "copy.json", *options)
    assert code == 0, said
    assert "skipped gray.png: it is a gray picture" in said
    assert "skipped torn.jpg: the file is truncated" in said
    assert "The difference is" in said
    assert "does not settle the claim about `small`: the weights are `random`" in said
    figures = json.loads((out / "report.json").read_text())
    assert json.loads((tmp_path / "copy.json").read_text()) == figures
    assert [p["name"] for p in figures["pictures"]] == [f"colour{n}.png" for n in range(3)]
    assert all(len(p["rounds"]) == 2 for p in figures["pictures"])
    assert figures["about"]["size"] == [56, 70]
    assert figures["about"]["engine"] == "cpu-fp32"
    assert figures["complete"]
    assert figures["summary"]["gray"]["deviation"]["median"] > 0
    assert "colour2.png" in (out / "report.md").read_text()
    sheet = cv2.imread(str(out / "pictures.png"))
    assert sheet is not None
    assert sheet.shape[0] > 3 * 240
    again, why = run(pictures, "--out", out, *options)
    assert again == 2
    assert "nothing is overwritten" in why


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "either a folder of colour pictures or --simulated"),
        (["PICTURES", "--simulated", 2], "either a folder of colour pictures or --simulated"),
        (["EMPTY"], "no PNG, TIFF, BMP or JPEG images"),
        (["MISSING"], "no such image or folder"),
        (["PICTURES", "--model", "surface-tiny"], "already summed up"),
        (["PICTURES", "--model", "MISSING"], "no such folder"),
        (["PICTURES", "--model", "EMPTY"], "config.json"),
        (["PICTURES", "--model", "large"], "--acknowledge-licence"),
        (["PICTURES", "--backend", "abacus"], "expected auto, "),
        (["PICTURES", "--precision", "fp8"], "expected auto, "),
        (["PICTURES", "--rounds", 0], "--rounds"),
        (["PICTURES", "--json", "missing/a.json"], "there is no folder missing"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    arguments: list[object], said: str, pictures: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    places = {"PICTURES": pictures, "EMPTY": tmp_path / "empty", "MISSING": tmp_path / "missing"}
    out = tmp_path / "report"
    code, output = run(*(places.get(str(a), a) for a in arguments), "--out", out)
    assert code == 2
    assert said in output
    assert "Traceback" not in output
    assert not out.exists()


def test_simulated_webs_take_the_place_of_a_folder() -> None:
    loaders, where = chosen(None, simulated=3, limit=2)
    assert [load().name for load in loaders] == ["web-900000", "web-900001"]
    assert "simulated" in where


def test_help_teaches() -> None:
    code, said = run("--help")
    assert code == 0
    assert "compare_gray_rgb.py photographs --model small" in said
    assert "The verdict follows from limits" in said
