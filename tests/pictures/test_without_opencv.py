"""Without OpenCV the package imports, and asking for a picture says what to install."""

import subprocess
import sys

SCRIPT = """
import sys
sys.modules["cv2"] = None
import numpy as np
from pathlib import Path
from linescan import pictures
from linescan.errors import LinescanError
from linescan.records import Convention, DepthMap, WebMap
values = np.zeros((8, 8), np.float32)
depth = DepthMap(values, Convention.HEIGHT, "um", 1, 0, None, np.ones(8, bool), WebMap(0, 1, 0, 1))
for act in (
    lambda: pictures.render_heatmap(depth),
    lambda: pictures.render_overlay(None, depth),
    lambda: pictures.save_inspection(Path("never"), "a", depth=depth),
):
    try:
        act()
    except LinescanError as error:
        print(error)
assert not Path("never").exists()
"""


def test_a_picture_says_what_to_install() -> None:
    run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60)
    assert run.stderr == ""
    assert run.returncode == 0
    lines = run.stdout.splitlines()
    assert len(lines) == 3
    assert all("pip install '.[pictures]'" in line for line in lines)


def test_pictures_load_nothing_but_numpy() -> None:
    script = (
        "import sys; from linescan import pictures; "
        "print([m for m in ('cv2', 'pydantic', 'scipy', 'zmq', 'torch') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert run.stdout.strip() == "[]", run.stderr
