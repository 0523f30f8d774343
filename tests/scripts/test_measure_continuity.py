"""Depth of the embedded model along a simulated web has no steps at frame borders: in short."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import ROOT


def test_frames_join_without_steps(tmp_path: Path) -> None:
    script, figures = ROOT / "scripts" / "measure_continuity.py", tmp_path / "figures.json"
    run = subprocess.run(
        [sys.executable, str(script), "--frames", "6", "--json", str(figures)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "relief web, 6 frames, surface-tiny" in run.stdout
    found = json.loads(figures.read_text(encoding="utf-8"))
    for web in ("relief", "bare"):
        for kind in ("model", "relative"):
            raw, aligned = found[web][f"{kind}, raw"], found[web][f"{kind}, aligned"]
            assert raw["paired_step"] > 1.5
            assert aligned["paired_step"] <= 1.05
            assert aligned["drift"] <= 0.01
    # The plain ratio of five borders is too uncertain for a bound of a few percent.
    assert found["bare"]["model, aligned"]["step"] < 0.7 * found["bare"]["model, raw"]["step"]
    assert found["bare"]["model, aligned"]["flicker"] < 0.1
