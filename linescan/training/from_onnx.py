"""The torch model of an exported file: what the export folded, unfolded.

The embedded model is all that is needed to train on from it; nothing has to be downloaded. The
export's rewrites (``linescan.depth.export.fold``) are turned around so that they give the file's
numbers again: an unfolded model that is exported once more has the same weights, bit by bit where
the file stores them as fp16.

What a fold has lost needs a choice, and the function is the same whatever one chooses: the norms
have weight 1 and bias 0, the three channels share the gray kernel evenly, and the residual scales
are powers of two that give each channel's weights the size that trained weights have, because an
optimiser's step is measured against them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

from linescan.depth.card import ModelCard, read_card
from linescan.depth.export.needs import require
from linescan.depth.models import PATCH
from linescan.errors import ModelError
from linescan.training.model import set_eager_attention
from linescan.training.unfold import State, linear, plain_norm, tensor, unfold_normalisation

Weights = Mapping[str, NDArray[Any]]

_LINEAR = {
    "attention.out": ("attention.o_proj", "layer_scale1"),
    "reduce": ("mlp.fc2", "layer_scale2"),
}
"""Linear layers that hold a residual's scale: their names in the file, and in the model."""


@dataclass(frozen=True, slots=True)
class UnfoldedModel:
    """A torch model and what its file says about it.

    Attributes:
        model: in fp32, ready to train or to infer.
        card: of the file.
    """

    model: DepthAnythingForDepthEstimation
    card: ModelCard

    def save(self, folder: Path) -> Path:
        """Write a Hugging Face checkpoint whose ``linescan.json`` says what the card says."""
        self.model.save_pretrained(folder)
        (folder / "linescan.json").write_text(
            json.dumps(meaning(self.card), indent=2) + "\n", encoding="utf-8"
        )
        return folder


def meaning(card: ModelCard) -> dict[str, Any]:
    """What a ``linescan.json`` says, from a model's card."""
    return {
        "name": card.name,
        "convention": str(card.convention),
        "unit": card.unit,
        "scale": card.scale,
        "shift": card.shift,
        "noise_floor": card.noise_floor,
        "licence": card.licence,
        "input_size": list(card.input_size),
    }


def model_from_onnx(given: str | Path = "surface-tiny") -> UnfoldedModel:
    """Rebuild the torch model of an exported file.

    Args:
        given: a name of ``linescan model list``, or an .onnx file: gray, any size (dynamic), its
            arithmetic fp32, which is how the embedded model is exported.

    Raises:
        ModelError: there is no such file, or it was exported in another form.
    """
    require()
    card = read_card(given)
    if not card.dynamic or card.channels != 1 or card.precision != "fp32":
        raise ModelError(
            f"{card.path}: only a gray fp32 model of free size (linescan model export --dynamic) "
            f"can be turned back into a checkpoint: start from the checkpoint it was made of"
        )
    import onnx

    try:
        graph = _Graph(onnx.load(str(card.path)).graph, card)
        model = DepthAnythingForDepthEstimation(graph.config())
        missing, unknown = model.load_state_dict(graph.state(), strict=False)
    except (KeyError, IndexError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"{card.path}: not built as 'linescan model export' builds models ({error})"
        ) from error
    if unknown or any(not _is_unused(name) for name in missing):
        raise ModelError(f"{card.path}: weights do not fit: {[*missing, *unknown][:3]}")
    _clear_unused(model, missing)
    set_eager_attention(model)
    return UnfoldedModel(model.eval(), card)


class _Graph:
    """An exported graph, taken apart."""

    def __init__(self, graph: Any, card: ModelCard) -> None:
        from onnx import numpy_helper

        self._nodes = list(graph.node)
        self._maker = {name: node for node in self._nodes for name in node.output}
        arrays = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        stored = [n for n in self._nodes if n.op_type == "Cast" and n.input[0] in arrays]
        self.arrays: Weights = arrays | {n.output[0]: arrays[n.input[0]] for n in stored}
        self.card = card
        names = (n.input[1] for n in self._nodes if n.op_type == "Add")
        self.layers = sum(name.endswith(".reduce.bias") for name in names)
        if not self.layers:
            raise ValueError("there are no encoder layers")
        if "Sigmoid" in {n.op_type for n in self._nodes}:
            raise ValueError("it has a metric head")

    def config(self) -> DepthAnythingConfig:
        """The architecture, read from the shapes."""
        width = len(self._array("encoder/patches.bias"))
        neck = [len(self._array(f"head/convs.{i}.weight")[0]) for i in range(4)]
        backbone = Dinov2Config(
            hidden_size=width,
            num_hidden_layers=self.layers,
            num_attention_heads=self._heads(),
            mlp_ratio=len(self._array("encoder/blocks.0.expand.bias")) // width,
            image_size=self._array("encoder/grid").shape[-1] * PATCH,
            patch_size=PATCH,
            layer_norm_eps=self._eps(),
            out_features=[f"stage{stage}" for stage in self._stages()],
            apply_layernorm=True,
            reshape_hidden_states=False,
        )
        return DepthAnythingConfig(
            backbone_config=backbone,
            patch_size=PATCH,
            reassemble_hidden_size=width,
            neck_hidden_sizes=neck,
            fusion_hidden_size=len(self._array("head/convs.0.weight")),
            head_hidden_size=len(self._array("head/conv2.weight")),
        )

    def state(self) -> State:
        """All weights under the names of the torch model, float32."""
        state = {name: tensor(value) for name, value in self._head()}
        state |= self._embeddings()
        for i in range(self.layers):
            state |= self._block(i)
        width = len(self._array("encoder/patches.bias"))
        return state | plain_norm("backbone.layernorm", width)

    def _array(self, name: str) -> NDArray[np.float64]:
        return np.asarray(self.arrays[name], dtype=np.float64)

    def _head(self) -> Iterator[tuple[str, NDArray[np.float64]]]:
        for name in self.arrays:
            if not name.startswith("head/") or not name.endswith((".weight", ".bias")):
                continue
            own = name.removeprefix("head/")
            if own.startswith("reassemble."):
                own = own.replace("reassemble.", "neck.reassemble_stage.layers.")
            elif own.startswith("convs."):
                own = "neck." + own
            elif own.startswith("fusion."):
                own = own.replace("fusion.", "neck.fusion_stage.layers.")
                own = own.replace(".incoming.", ".residual_layer1.")
                own = own.replace(".fused.", ".residual_layer2.")
            else:
                own = "head." + own
            yield own, self._array(name)

    def _embeddings(self) -> State:
        weight, bias = unfold_normalisation(
            self._array("encoder/patches.weight"), self._array("encoder/patches.bias")
        )
        grid, first = self._array("encoder/grid"), self._array("encoder/first")
        places = grid.reshape(grid.shape[1], -1).T[None]
        at = "backbone.embeddings."
        return {
            f"{at}patch_embeddings.projection.weight": tensor(weight),
            f"{at}patch_embeddings.projection.bias": tensor(bias),
            f"{at}cls_token": tensor(first),
            f"{at}position_embeddings": tensor(
                np.concatenate((np.zeros_like(first), places), axis=1)
            ),
            f"{at}mask_token": torch.zeros(1, grid.shape[1]),
        }

    def _block(self, i: int) -> State:
        at, name = f"backbone.encoder.layer.{i}.", f"encoder/blocks.{i}."
        qkv, qkv_bias = self._linear(name + "attention.qkv")
        width = qkv.shape[1]
        # The query comes divided by the root of its length.
        root = np.sqrt(width / self._heads())
        factor = np.repeat((root, 1.0, 1.0), width)
        weights, biases = np.split(qkv * factor[:, None], 3), np.split(qkv_bias * factor, 3)
        state: State = {}
        for part, weight, bias in zip("qkv", weights, biases, strict=True):
            state |= linear(f"{at}attention.{part}_proj", weight, bias)
        expand, expand_bias = self._linear(name + "expand")
        state |= linear(at + "mlp.fc1", expand, expand_bias)
        usual = float(np.sqrt(np.mean(expand**2)))
        for own, (layer, scale) in _LINEAR.items():
            weight, bias = self._linear(name + own)
            size = np.sqrt(np.mean(weight**2, axis=1)) / usual
            power = np.exp2(np.clip(np.rint(np.log2(np.maximum(size, 1e-6))), -6, 6))
            state |= linear(at + layer, weight / power[:, None], bias / power)
            state[f"{at}{scale}.lambda1"] = tensor(power)
        return state | plain_norm(at + "norm1", width) | plain_norm(at + "norm2", width)

    def _linear(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Weight (out, in) and bias of a linear layer; the tracer names its bias alone."""
        bias = name + ".bias"
        added = next(n for n in self._nodes if n.op_type == "Add" and n.input[1] == bias)
        product = self._maker[added.input[0]]
        return self._array(product.input[1]).T, self._array(bias)

    def _heads(self) -> int:
        """Heads of the attention, from the shape (1, tokens, heads, length) of its queries."""
        split = next(n for n in self._nodes if n.op_type == "Split")
        shaped = next(n for n in self._nodes if split.output[0] in n.input)
        return int(self.arrays[shaped.input[1]][2])

    def _eps(self) -> float:
        norm = next(n for n in self._nodes if n.op_type == "LayerNormalization")
        eps = next(a.f for a in norm.attribute if a.name == "epsilon")
        return float(f"{eps:.6g}")

    def _stages(self) -> list[int]:
        """After how many layers each feature map leaves the encoder."""
        after: dict[str, int] = {}
        for node in self._nodes:
            if node.op_type == "Add":
                for name in node.input:
                    made = self._maker.get(name)
                    if made and made.op_type == "Add" and made.input[1].endswith(".reduce.bias"):
                        after[node.output[0]] = int(made.input[1].split(".")[1]) + 1
        return [after[self._source(name, after)] for name in self.card.features]

    def _source(self, name: str, known: Mapping[str, int]) -> str:
        while name not in known:
            name = self._maker[name].input[0]
        return name


def _is_unused(name: str) -> bool:
    """The deepest fusion has nothing to fuse: its first residual layer is never run."""
    return name.startswith("neck.fusion_stage.layers.0.residual_layer1.")


def _clear_unused(model: torch.nn.Module, names: list[str]) -> None:
    with torch.no_grad():
        for name in names:
            model.get_parameter(name).zero_()
