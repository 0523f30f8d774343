"""A quantised file beside its original: made, measured, and counted as the same arithmetic."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from linescan.benchmark.command import main
from linescan.depth import read_card
from linescan.depth.cost import cost
from linescan.depth.export import export
from linescan.depth.quantise import quantise
from tests.depth.checkpoints import save_checkpoint
from tests.depth.quantise.conftest import SIZE, frames

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
GENEROUS = 0.2
"""A random head is rougher than a trained one."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A small model, and its int8 twin under a name that is not found by itself."""
    folder = tmp_path_factory.mktemp("models")
    original = export(save_checkpoint(folder / "checkpoint"), folder / "small.onnx", size=SIZE).path
    twin = quantise(
        read_card(original), frames(16), folder / "twin.onnx", tolerance=GENEROUS, threads=1
    )
    return original, twin.path


def test_operations_of_a_quantised_file_are_those_of_its_original(
    models: tuple[Path, Path],
) -> None:
    original, twin = (cost(read_card(path), SIZE) for path in models)
    assert twin == original


def test_a_quantised_file_is_measured_beside_its_original(
    models: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    original, twin = models
    file = tmp_path / "r.json"
    given = f"--model {original} --int8 {twin} --quick --frame 140x168 --frames 0 --threads 1"
    engines = ["--backend", "cpu-int8", "--backend", "openvino-int8", "--backend", "cpu-fp32"]
    code = main([*given.split(), *engines, "--no-baselines", "--json", str(file)])
    out = capsys.readouterr().out
    assert code == 0, out
    found = json.loads(file.read_text())
    rows: dict[str, Any] = {row["name"]: row for row in found["backends"]}
    assert set(rows) == {"cpu-int8", "openvino-int8", "cpu-fp32"}
    for name in ("cpu-int8", "openvino-int8"):
        row = rows[name]
        assert name in out
        assert row["precision"] == "int8"
        assert 1e-4 < row["deviation"] < GENEROUS  # it is another file than the reference's
        assert row["gflops"] == pytest.approx(
            found["model"]["gflop"] / row["model_ms"] * 1e3, rel=0.02, abs=0.1
        )
        assert row["share_of_limit"] is None  # an int8 product is not measured
    assert rows["cpu-fp32"]["deviation"] == 0.0
    assert found["model"]["gflop"] == pytest.approx(cost(read_card(original), SIZE).gflop, abs=0.01)


def test_the_original_is_no_int8_file(
    models: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    original, _ = models
    assert main(["--model", str(original), "--int8", str(original), "--quick"]) == 2
    assert "--int8 takes a file that 'linescan model quantise' made" in capsys.readouterr().err


def test_a_quantised_file_is_no_original(
    models: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    _, twin = models
    assert main(["--model", str(twin), "--quick"]) == 2
    said = capsys.readouterr().err
    assert "computes in int8" in said
    assert "with --int8" in said
