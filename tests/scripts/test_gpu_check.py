"""The kit for a GPU machine: its options, and its whole path on the CPU."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "gpu_check.sh"


def check(
    *arguments: str,
    cwd: Path,
    python: str = sys.executable,
    path: str = os.environ["PATH"],
    limit_s: float = 60,
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [shutil.which("bash") or "bash", str(SCRIPT), *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHON": python, "PATH": path},
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )


def test_help_teaches(tmp_path: Path) -> None:
    done = check("--help", cwd=tmp_path)
    assert done.returncode == 0
    for words in ("--dry-run", "exit code:", "installs nothing", "$PYTHON"):
        assert words in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--nonsense",), "unknown option --nonsense"),
        (("--size",), "--size needs a value"),
        (("--dry-run", "--size", "100"), "--size 100: expected a multiple of 14"),
        (("--size", "4102"), "--size 4102: expected a multiple of 14 from 70 to 4088"),
        (("--size", "-14"), "--size -14: expected a multiple of 14"),
        (("--rounds", "0"), "--rounds 0: expected a whole number"),
        (("--rounds", "10001"), "--rounds 10001: expected a whole number from 1 to 10000"),
    ],
)
def test_a_wrong_option_is_named(arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    done = check(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr


def test_a_python_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = check("--dry-run", cwd=tmp_path, python="./no-such-python")
    assert done.returncode == 2
    assert "no-such-python here" in done.stderr


def test_without_a_gpu_it_says_so(tmp_path: Path) -> None:
    for tool in ("bash", "dirname", "mktemp", "rm", "mkdir"):
        found = shutil.which(tool)
        assert found is not None
        (tmp_path / tool).symlink_to(found)
    done = check(cwd=tmp_path, path=str(tmp_path))
    assert done.returncode == 2
    assert "no NVIDIA driver here" in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.long
def test_the_dry_run_goes_the_whole_path(tmp_path: Path) -> None:
    """From another folder, at a small size: one table, results kept, exit code 0."""
    arguments = ("--dry-run", "--size", "70", "--rounds", "1", "--keep", "kept")
    done = check(*arguments, cwd=tmp_path, limit_s=390)
    text = " ".join(done.stdout.split())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "random-small at 70x70" in text
    assert "cpu fp32 70x70" in text
    assert "2048x2048 in the model" in text
    assert "did not run: cuda" in text
    assert "what must hold holds" in text
    for name in ("small", "small-2048", "trained"):
        assert json.loads((tmp_path / "kept" / f"{name}.json").read_text())["complete"], name
