"""The benchmark of correction runs and prints its figures."""

from __future__ import annotations

import subprocess
import sys

from tests.docs.pages import ROOT


def test_both_tables_are_printed() -> None:
    script = ROOT / "scripts" / "bench_correction.py"
    run = subprocess.run(
        [sys.executable, str(script), "--width", "64", "--lines", "16"],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = run.stdout.splitlines()
    (taken,) = [line for line in lines if line.startswith("opencv float32 (taken)")]
    assert float(taken.split()[3]) > 0
    assert taken.endswith(", 0.000")
    assert sum(line.endswith("%") for line in lines) == 10
