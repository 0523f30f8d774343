"""``linescan model quantise`` as users run it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from linescan.cli.quantise import _play
from linescan.config import SimulatedSource
from linescan.depth import read_card
from linescan.sources.factory import guess_source
from linescan.sources.simulated import record_simulated
from tests.cli.conftest import Result
from tests.depth.checkpoints import save_checkpoint

Run = Callable[..., Result]
pytestmark = pytest.mark.slow  # each starts processes that load ONNX Runtime and OpenVINO
SIZE = (70, 84)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random model."""
    from linescan.depth.export import export

    folder = tmp_path_factory.mktemp("model")
    return export(save_checkpoint(folder / "steel"), folder / "steel.onnx", size=SIZE).path


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of 20 frames of 128 x 128."""
    path = tmp_path_factory.mktemp("recordings") / "web"
    record_simulated(SimulatedSource(preset="mixed", seed=3, width=128, lines=2560), path)
    return path


def test_a_recording_gives_a_file_that_runs(
    linescan: Run, exported: Path, web: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINESCAN_MODELS", str(tmp_path))
    made = linescan(
        "model", "quantise", exported, "--frames", web, "--limit", 16, "--tolerance", 0.5
    )
    assert made.code == 0, made.err
    out = tmp_path / f"{read_card(exported).name}-int8.onnx"
    assert str(out) in made.out
    assert "16 of 16 linear layers, 100% of their work" in made.out
    assert "calibrated on 8 frames at 70x84" in made.out
    assert re.search(r"deviation on 4 other frames: 0\.\d+ standard deviations", made.out)
    assert re.search(r"time: [\d.]+ ms on \S+, the original [\d.]+ ms on \S+", made.out)
    assert f"depth.model: {out.stem}" in made.out
    checked = linescan("model", "check", out.stem, "--tolerance", 1)
    assert checked.code == 0, checked.err
    assert "in int8" in checked.out
    run = linescan("replay", web, "--set", f"depth.model={out.stem}", "--set", "depth.tolerance=1")
    assert run.code == 0, run.err
    assert "quantised to int8" in run.err


def test_frames_are_spread_over_the_whole_recording(web: Path) -> None:
    section = guess_source(web)
    every = [image.tobytes() for image in _play(section, (70, 84), 99)]
    assert len(every) == 20
    assert len(set(every)) == 20
    for limit in (7, 11, 13):
        places = [every.index(image.tobytes()) for image in _play(section, (70, 84), limit)]
        assert len(places) == limit
        assert places[0] == 0
        assert places[-1] >= 20 - 20 / limit - 1
        assert max(np.diff(places)) - min(np.diff(places)) <= 1


def test_images_and_simulated_webs_do_too(linescan: Run, exported: Path, tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    rng = np.random.default_rng(2)
    for i in range(9):
        rows = np.cumsum(rng.normal(0, 4, (128, 128)), axis=1) + 128
        cv2.imwrite(str(tmp_path / f"part{i}.png"), np.clip(rows, 0, 255).astype(np.uint8))
    for source in (("--frames", tmp_path), ("--preset", "mixed", "--limit", "8")):
        out = tmp_path / f"{source[0].strip('-')}.onnx"
        made = linescan("model", "quantise", exported, *source, "--out", out, "--tolerance", 0.5)
        assert made.code == 0, made.err
        assert read_card(out).precision == "int8"


def test_what_is_wrong_is_one_sentence(
    linescan: Run, exported: Path, web: Path, tmp_path: Path
) -> None:
    out = ("--out", tmp_path / "x.onnx")
    cut = tmp_path / "cut.onnx"
    shutil.copy(exported, cut)
    cut.write_bytes(cut.read_bytes()[:-1000])
    attempts: list[tuple[tuple[str | Path | int, ...], str]] = [
        ((exported, *out), "give either --frames, what to calibrate on, or --preset"),
        ((exported, "--frames", web, "--limit", 5, *out), "5 frames to calibrate on: at least 8"),
        ((exported, "--frames", tmp_path / "nowhere", *out), "no such recording"),
        ((exported, "--preset", "steel", *out), "--preset steel: expected one of"),
        ((cut, "--frames", web, *out), "not an ONNX model, or a damaged one"),
    ]
    for arguments, said in attempts:
        result = linescan("model", "quantise", *arguments)
        assert result.code == 2, arguments
        assert said in result.err
        assert "Traceback" not in result.err
    assert not (tmp_path / "x.onnx").exists()
