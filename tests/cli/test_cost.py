from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Result
from tests.depth.onnx_files import write_model

Run = Callable[..., Result]
FAST = ("--set", "depth.backend=cpu", "--set", "depth.precision=fp32")


def rows(text: str) -> list[list[str]]:
    """The cells of a printed table, without its head."""
    return [line.split() for line in text.splitlines() if re.match(r"\s*\d+x\d+ ", line)]


def test_cost_prints_a_row_for_each_size(linescan: Run) -> None:
    sizes = ("--size", "56x56", "--size", "112x56")
    result = linescan("cost", *sizes, "--frame", "200x400", "--overlap", "100", *FAST)
    assert result.code == 0, result.err
    assert "surface-tiny, frames of 200x400, resize" in result.out
    small, large = rows(result.out)
    assert small[:3] == ["56x56", "1", "17"]
    assert large[:3] == ["112x56", "1", "33"]
    assert float(large[3]) > float(small[3])
    assert float(small[6]) == pytest.approx(100 / float(small[4]) * 1e3, rel=0.01)
    assert small[7] == "cpu-fp32"
    assert "align" not in result.out


def test_cost_of_tiles_counts_all_passes(linescan: Run, tmp_path: Path) -> None:
    model = write_model(tmp_path / "any.onnx")
    more = ("--set", "depth.mode=tile", "--set", "depth.tile=28", "--frame", "28x100")
    result = linescan("cost", model, *more, *FAST, "--size", "28x28")
    assert result.code == 0, result.err
    (row,) = rows(result.out)
    assert row[:4] == ["28x28", "5", "31", "?"]  # 4 tiles, a coarse pass; operations unknown
    assert "of it align" in result.out
    assert 0 < float(row[5]) < float(row[4])


def test_cost_of_a_fixed_model_is_that_of_its_own_size(linescan: Run, tmp_path: Path) -> None:
    model = write_model(tmp_path / "fixed.onnx", (42, 28))
    result = linescan("cost", model, *FAST)
    assert [row[0] for row in rows(result.out)] == ["42x28"]
    result = linescan("cost", model, "--size", "28x28", *FAST)
    assert result.code == 2
    assert "exported for 42x28 only" in result.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--size", "250x252"), "expected a multiple of 14"),
        (("--size", "252"), "--size 252: expected two sides, such as 2048x4096"),
        (("--frame", "0x100"), "--frame 0x100: expected two sides"),
        (("--frame", "64x64", "--overlap", "64"), "--overlap 64: a frame has 64 lines"),
        (("nope",), "unknown depth model 'nope'"),
        (("--set", "depth.mode=cut"), "depth.mode"),
    ],
)
def test_cost_says_what_is_wrong(linescan: Run, arguments: tuple[str, ...], message: str) -> None:
    result = linescan("cost", *arguments)
    assert result.code == 2
    assert message in " ".join(result.err.split())
    assert "Traceback" not in result.err


@pytest.mark.parametrize("mode", ["letterbox", "tile"])
def test_image_takes_pictures_of_several_shapes_in_every_mode(
    linescan: Run, tmp_path: Path, mode: str
) -> None:
    import cv2

    model = write_model(tmp_path / "any.onnx")
    shapes = {"wide": (40, 300), "again": (40, 300), "tall": (200, 33)}
    for name, shape in shapes.items():
        picture = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture)
    files = [tmp_path / f"{name}.png" for name in shapes]
    settings = ("--set", f"depth.mode={mode}", "--set", f"depth.model={model}")
    result = linescan("image", *files, "--out", tmp_path / "out", *settings, *FAST)
    assert result.code == 0, result.err
    for name, shape in shapes.items():
        depth = cv2.imread(str(tmp_path / "out" / f"{name}_depth.png"), cv2.IMREAD_UNCHANGED)
        assert depth is not None
        assert depth.shape[1] / depth.shape[0] == pytest.approx(shape[1] / shape[0], rel=0.1)
    assert result.err.count("runs on cpu-fp32") <= 4  # twice two engines: shapes are kept
