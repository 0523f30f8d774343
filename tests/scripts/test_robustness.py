"""The script of the robustness suite: one factor, one frame, the embedded model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from scripts.robustness import app
from tests.docs.pages import ROOT

SCRIPT = ROOT / "scripts" / "robustness.py"


def test_one_factor_is_measured_and_written(tmp_path: Path) -> None:
    out = {kind: tmp_path / f"figures.{kind}" for kind in ("json", "md", "png")}
    command = [sys.executable, str(SCRIPT), "--factor", "shadow", "--frames", "1"]
    files = ["--json", out["json"], "--markdown", out["md"], "--picture", out["png"]]
    run = subprocess.run([*command, *map(str, files)], capture_output=True, text=True, check=True)
    assert "surface-tiny, 1 frames each" in run.stdout
    found = json.loads(out["json"].read_text(encoding="utf-8"))
    assert found["complete"]
    assert [each["level"] for each in found["results"]] == [None, "0.3", "0.6", "0.9"]
    assert "| shadows from outside | 0.3 of direct light |" in out["md"].read_text(encoding="utf-8")
    assert out["png"].stat().st_size > 1000


def test_an_unknown_factor_is_one_sentence() -> None:
    run = subprocess.run(
        [sys.executable, str(SCRIPT), "--factor", "weather"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert "Traceback" not in run.stderr
    assert "factor 'weather': expected one of elevation" in " ".join(run.stderr.split())


def test_what_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    for option, file, said in (
        ("--json", tmp_path, "is a folder"),
        ("--picture", tmp_path / "curves", "expected a name that ends in .png"),
        ("--markdown", tmp_path / "none" / "x.md", "its folder does not exist"),
    ):
        result = CliRunner().invoke(app, [option, str(file)], env={"COLUMNS": "300"})
        assert result.exit_code == 2, result.output
        assert said in " ".join(result.output.split())
