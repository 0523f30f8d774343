"""The torch model of an exported file computes the same, and exports to the same again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from linescan.depth import open_engine
from linescan.depth.export.fold import fold
from linescan.depth.export.graph import features, set_metadata, to_onnx
from linescan.depth.probe import probe_image
from linescan.errors import ModelError
from linescan.training.data import simulated_frame
from linescan.training.from_onnx import model_from_onnx
from linescan.training.model import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    load_model,
    normalise,
    parameter_count,
    predict_height,
)
from tests.depth.checkpoints import save_checkpoint
from tests.depth.onnx_files import METADATA, write_model


def exported(model: Any) -> Any:
    """The model as the export traces it, without the export's proofs, which take long."""
    proto = to_onnx(fold(model, IMAGENET_MEAN, IMAGENET_STD), (70, 70), dynamic=True)
    set_metadata(proto, {**METADATA, "features": json.dumps(features(proto))})
    return proto


def random_model(folder: Path) -> Any:
    """A small model without two equal weights: the tracer would make one of them."""
    model = load_model(save_checkpoint(folder))
    torch.manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


def content(values: NDArray[Any]) -> bytes:
    """Type and bytes of an array, its zeros without a sign."""
    return values.dtype.str.encode() + (values + values.dtype.type(0)).tobytes()


def test_unfolded_surface_tiny_computes_what_the_file_computes() -> None:
    unfolded = model_from_onnx("surface-tiny")
    assert parameter_count(unfolded.model) > 14e6
    image = simulated_frame(5, 126).image
    expected = open_engine("surface-tiny", "cpu", "fp32", (126, 126)).infer(image)
    with torch.no_grad():
        got = predict_height(unfolded.model, torch.from_numpy(image)[None, None])[0].numpy()
    error = np.abs(got - (expected + unfolded.card.shift)).max()
    assert error < 2e-4 * np.ptp(expected)


def test_folded_again_the_weights_are_the_same() -> None:
    """The tracer turns linear layers over and gives them names of its own: content is compared."""
    unfolded = model_from_onnx("surface-tiny")
    tensors = onnx.load(str(unfolded.card.path)).graph.initializer
    in_file = {content(numpy_helper.to_array(t)) for t in tensors}
    network = fold(unfolded.model, IMAGENET_MEAN, IMAGENET_STD)
    folded = dict(network.state_dict())
    assert len(folded) > 80
    for name, value in folded.items():
        if "fusion.0.incoming" in name:
            continue
        values = value.numpy().T if value.ndim == 2 else value.numpy()
        forms = (content(values.astype(np.float16)), content(values))
        assert any(form in in_file for form in forms), name


@torch.no_grad()
def test_any_exported_checkpoint_comes_back(tmp_path: Path) -> None:
    original = random_model(tmp_path / "checkpoint")
    proto = exported(original)
    onnx.save(proto, str(tmp_path / "model.onnx"))
    unfolded = model_from_onnx(tmp_path / "model.onnx")
    encoder, expected_encoder = (m.config.backbone_config for m in (unfolded.model, original))
    assert encoder.out_features == expected_encoder.out_features
    assert encoder.num_attention_heads == expected_encoder.num_attention_heads == 3
    pixels = normalise(torch.from_numpy(probe_image(70, 98))[None, None])
    expected = original(pixel_values=pixels).predicted_depth
    got = unfolded.model(pixel_values=pixels).predicted_depth
    assert (got - expected).abs().max() < 2e-5 * (expected.max() - expected.min())
    folder = unfolded.save(tmp_path / "saved")
    torch.testing.assert_close(load_model(folder)(pixel_values=pixels).predicted_depth, got)
    meaning = json.loads((folder / "linescan.json").read_text())
    assert (meaning["scale"], meaning["shift"], meaning["noise_floor"]) == (2.0, -1.5, 0.25)

    last = next(node for node in reversed(proto.graph.node) if node.op_type == "Relu")
    last.op_type = "Sigmoid"
    onnx.save(proto, str(tmp_path / "metric.onnx"))
    with pytest.raises(ModelError, match="metric head"):
        model_from_onnx(tmp_path / "metric.onnx")


def test_other_forms_are_refused(tmp_path: Path, handmade: Path) -> None:
    fixed = write_model(tmp_path / "fixed.onnx", (28, 42))
    with pytest.raises(ModelError, match="--dynamic"):
        model_from_onnx(fixed)
    with pytest.raises(ModelError, match="no such model file"):
        model_from_onnx(tmp_path / "none.onnx")
    with pytest.raises(ModelError, match="no encoder layers"):
        model_from_onnx(handmade)
