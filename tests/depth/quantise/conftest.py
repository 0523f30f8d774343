from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

SIZE = (70, 84)
"""Rows and columns of the exported models."""


def frames(count: int, seed: int = 0) -> list[npt.NDArray[np.uint8]]:
    """Smooth bumps under uneven light, with grain; each frame another."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : SIZE[0], 0 : SIZE[1]] / SIZE[1]
    found = []
    for _ in range(count):
        light = 110 + 40 * rng.normal() * (x - 0.5) + rng.normal(0, 4, SIZE)
        for _ in range(4):
            row, column, radius = rng.uniform(0, 0.8), rng.uniform(0, 1), rng.uniform(0.05, 0.2)
            place = ((y - row) ** 2 + (x - column) ** 2) / radius**2
            light += rng.uniform(-70, 70) * np.exp(-place)
        found.append(np.clip(np.rint(light), 0, 255).astype(np.uint8))
    return found


@pytest.fixture(scope="package")
def exported(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small random model at 70 x 84, attention as its parts."""
    from linescan.depth.export import export

    return export(checkpoint, tmp_path_factory.mktemp("exported") / "model.onnx", size=SIZE).path


@pytest.fixture(scope="package")
def fused(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with attention as one operator, and weights stored as fp16."""
    from linescan.depth.export import export

    out = tmp_path_factory.mktemp("exported") / "fused.onnx"
    return export(checkpoint, out, size=SIZE, attention="fused", storage="fp16").path


@pytest.fixture(scope="package")
def dynamic(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with free sides."""
    from linescan.depth.export import export

    out = tmp_path_factory.mktemp("exported") / "dynamic.onnx"
    return export(checkpoint, out, size=SIZE, dynamic=True).path
