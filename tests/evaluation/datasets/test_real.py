"""The yardstick on real height maps: what docs/explanation/real-surfaces.md says is measured so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from linescan.cli import app

pytestmark = pytest.mark.real_data


@pytest.mark.parametrize(
    ("data_set", "options", "frames"),
    [
        ("profiler", ["--level"], 2),
        ("lit:{}/cobble-road/belgian_block_height_m.npy", ["--pitch", "10"], 3),
    ],
)
def test_real_heights_are_judged(
    real_data: Path, tmp_path: Path, data_set: str, options: list[str], frames: int
) -> None:
    name = data_set.format(real_data) if ":" in data_set else str(real_data / data_set)
    figures = tmp_path / "figures.json"
    models = ["-m", "surface-tiny", "-m", "baseline:blur", "--backend", "cpu"]
    result = CliRunner().invoke(app, ["evaluate", name, *options, *models, "--json", str(figures)])
    assert result.exit_code == 0, result.output
    mine, _ = json.loads(figures.read_text())["results"]
    assert mine["frames_judged"] == frames
    score = mine["figures"]["rmse_over_sigma"]
    # Least squares cannot do worse than a flat web; the page says that it hardly does better.
    assert 0.5 < score <= 1.0 + 1e-6
    if ":" in data_set:
        assert mine["figures"]["right_sign"] == 1.0
        assert "lit by the simulator" in mine["data_set"]["about"]
