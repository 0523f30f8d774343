from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import DepthAnythingForDepthEstimation, pipeline

from linescan.depth.export import export, random_checkpoint
from linescan.depth.export.random_weights import ARCHITECTURES, configuration
from linescan.errors import ModelError


@pytest.mark.parametrize(("name", "millions"), [("small", 24.8), ("base", 97.5), ("large", 335.3)])
def test_the_architectures_have_the_published_size(name: str, millions: float) -> None:
    with torch.device("meta"):
        model = DepthAnythingForDepthEstimation(configuration(ARCHITECTURES[name]))
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count / 1e6 == pytest.approx(millions, abs=0.1)
    layers = ARCHITECTURES[name].layers
    assert ARCHITECTURES[name].stages[-1] == layers


@pytest.mark.slow
def test_a_random_checkpoint_can_be_exported_and_run_as_published(tmp_path: Path) -> None:
    folder = random_checkpoint("small", tmp_path / "small")
    card = json.loads((folder / "linescan.json").read_text())
    assert card["name"] == "random-small"
    report = export(folder, tmp_path / "x.onnx", size=(154, 196))
    assert report.max_error < 1e-4
    depth = pipeline("depth-estimation", model=str(folder))
    from PIL import Image

    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (70, 70, 3), np.uint8))
    values = depth(picture)["predicted_depth"]
    assert values.min() > 0, "the last ReLU cuts nothing"
    assert values.std() > 0.1


@pytest.mark.slow
def test_the_seed_makes_the_weights(tmp_path: Path) -> None:
    state = torch.get_rng_state()
    files = [
        random_checkpoint("small", tmp_path / str(i), seed=seed) / "model.safetensors"
        for i, seed in enumerate((4, 4, 5))
    ]
    one, same, other = (file.read_bytes() for file in files)
    assert one == same != other
    assert torch.equal(torch.get_rng_state(), state)


def test_other_names_and_places_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="small, base, large only"):
        random_checkpoint("giant", tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="cannot write the checkpoint"):
        random_checkpoint("small", tmp_path / "file")
