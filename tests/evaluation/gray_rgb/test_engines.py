"""A checkpoint in both forms: the same weights, the channels in the right order."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import DepthAnythingForDepthEstimation

from linescan.depth.models import REGISTRY
from linescan.errors import ModelError
from linescan.evaluation.choice import EngineChoice
from linescan.evaluation.gray_rgb.colour import luma
from linescan.evaluation.gray_rgb.engines import EnginePair, is_published_small, open_pair
from tests.depth.checkpoints import save_checkpoint
from tests.evaluation.gray_rgb.handmade import colour_noise

SIZE = (56, 84)
RGB = colour_noise(3, SIZE)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("checkpoint") / "random")


@pytest.fixture(scope="module")
def shares() -> list[float]:
    """What was told of the progress of ``engines``."""
    return []


@pytest.fixture(scope="module")
def engines(
    checkpoint: Path, shares: list[float], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EnginePair]:
    """Both engines, whose files are gone once they are closed."""
    folder = tmp_path_factory.mktemp("temporary")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder))
        choice = EngineChoice("cpu", threads=1)
        with open_pair(
            str(checkpoint), SIZE, choice, say=lambda _, share: shares.append(share)
        ) as pair:
            assert any(folder.iterdir())
            yield pair
    assert not any(folder.iterdir())


def original(checkpoint: Path, rgb: np.ndarray) -> np.ndarray:
    """What the checkpoint itself makes of an RGB picture."""
    model = DepthAnythingForDepthEstimation.from_pretrained(checkpoint).eval()
    pixels = (rgb / 255.0 - MEAN) / STD
    with torch.no_grad():
        tensor = torch.from_numpy(pixels).float().permute(2, 0, 1)[None]
        return np.asarray(model(pixel_values=tensor).predicted_depth[0].numpy())


def test_the_colour_file_computes_what_the_checkpoint_does(
    checkpoint: Path, engines: EnginePair
) -> None:
    expected = original(checkpoint, RGB)
    np.testing.assert_allclose(
        engines.rgb.infer(RGB), expected, atol=1e-3 * float(np.ptp(expected))
    )
    swapped = original(checkpoint, RGB[:, :, ::-1])
    assert np.abs(swapped - expected).max() > 0.05 * np.ptp(expected)


def test_both_files_agree_on_a_gray_picture(engines: EnginePair) -> None:
    gray = luma(RGB)
    depth = engines.gray.infer(gray)
    same = engines.rgb.infer(np.repeat(gray[:, :, None], 3, axis=2))
    np.testing.assert_allclose(depth, same, atol=1e-3 * float(np.ptp(same)))


def test_both_run_on_the_same_engine(engines: EnginePair) -> None:
    assert engines.gray.name == engines.rgb.name == "cpu-fp32"
    assert engines.gray.size == engines.rgb.size == SIZE
    assert (engines.gray.card.channels, engines.rgb.card.channels) == (1, 3)


def test_progress_reaches_its_end(engines: EnginePair, shares: list[float]) -> None:
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) > 5


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("surface-tiny", "already summed up"),
        ("somewhere/model.onnx", "already summed up"),
        ("base", "CC-BY-NC-4.0"),
        ("no such folder", "no such folder"),
    ],
)
def test_what_has_no_colour_weights_is_refused(model: str, said: str) -> None:
    with pytest.raises(ModelError, match=said), open_pair(model):
        pass


def test_a_choice_is_checked_before_anything_is_loaded() -> None:
    assert EngineChoice.of("openvino", "bf16", 2) == EngineChoice("openvino", "bf16", 2)
    with pytest.raises(ModelError, match="backend 'abacus': expected auto, "):
        EngineChoice.of("abacus", "fp32")
    with pytest.raises(ModelError, match="precision 'fp8': expected auto, "):
        EngineChoice.of("cpu", "fp8")


def test_the_published_small_is_known_by_hub_id_and_folder_name() -> None:
    hub_id = REGISTRY["small"].hub_id
    assert hub_id is not None
    assert is_published_small(hub_id)
    assert is_published_small(hub_id.split("/")[1])
    assert not is_published_small("final")
    assert not is_published_small("")
