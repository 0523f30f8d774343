"""Half precision in a graph: weights that are stored so, and an encoder that computes so.

Needs onnx and numpy alone: engines may convert a file when they load it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from linescan.depth.card import ENCODER, HEAD
from linescan.errors import ModelError

Half = Literal["fp16", "bf16"]

MIN_STORED = 256
"""Smaller weights stay fp32: they save nothing."""
MAX_ROUNDING = 5e-4
"""Relative RMS rounding error of a tensor stored as fp16; twice what rounding normal numbers
costs. Tensors with more (values too small or too large for fp16) stay fp32."""

ELEMENT = {"fp16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16}
_MOVES = {"Reshape", "Transpose", "Split", "Slice", "Concat", "Squeeze"}
CONVERTED = {
    "fp16": {"MatMul", "Attention", "Softmax", "Add", "Gelu", "LayerNormalization"},
    "bf16": {"MatMul", "Attention", "Softmax"},
}
"""Operators of the encoder that are converted. What only moves values is converted after them.
LayerNormalization's sums are fp32 in either case
(its ``stash_type``). In bf16 the residuals, norms and activations stay fp32: eight bits are too
few to add up twelve layers, and few engines have these operators in bf16. The patch embedding
stays fp32: it sees pixels, not features."""
HEAD_CONVERTED = {"Conv", "ConvTranspose", "Relu", "Add", "Resize"}
"""Operators of the head that are converted on request, in fp16 alone."""


def store_fp16(proto: Any) -> int:
    """Store large weights as fp16 followed by a Cast to fp32; how many were.

    Engines fold the casts when they load: arithmetic stays theirs to choose.
    """
    casts = []
    for tensor in proto.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        if values.size < MIN_STORED or not _fits_fp16(values):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), name + ".fp16"))
        casts.append(_cast(name + ".fp16", name, TensorProto.FLOAT))
    nodes = list(proto.graph.node)
    del proto.graph.node[:]
    proto.graph.node.extend([*casts, *nodes])
    return len(casts)


def convert_encoder(proto: Any, half: Half, *, head: bool = False) -> int:
    """Let the encoder compute in half precision, in place; how many nodes do.

    The graph's input and output stay as they are; casts stand where fp32 and half precision meet.
    Weights that were stored as fp16 are taken as they are.

    Args:
        proto: an exported model, an ``onnx.ModelProto``.
        half: ``"fp16"`` or ``"bf16"``.
        head: convert the head as well, in fp16 alone.

    Raises:
        ModelError: it is not a file of this project's export, a weight is too large for fp16, or
            the head was asked for in bf16.
    """
    if head and half == "bf16":
        raise ModelError("the head is not converted to bf16: its steps near a level are too coarse")
    conversion = _Conversion(proto, half, head)
    if not conversion.count:
        raise ModelError("the model's encoder cannot be told from its head: export it again")
    conversion.apply()
    return conversion.count


@dataclass(slots=True)
class _Conversion:
    """One pass over the nodes, in their order, which is topological."""

    proto: Any
    half: Half
    head: bool
    count: int = field(init=False)
    _chosen: set[str] = field(init=False)
    _types: dict[str, int] = field(init=False)
    _weights: dict[str, Any] = field(init=False)
    _stored: dict[str, str] = field(init=False)
    _made: dict[str, str] = field(init=False, default_factory=dict)
    _new: list[Any] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        graph = self.proto.graph
        self._types = _element_types(graph)
        self._weights = {tensor.name: tensor for tensor in graph.initializer}
        self._stored = {
            node.output[0]: node.input[0]
            for node in graph.node
            if node.op_type == "Cast" and node.input[0] in self._weights
        }
        self._chosen = self._choose()
        self.count = sum(node.output[0] in self._chosen for node in graph.node)

    def apply(self) -> None:
        graph = self.proto.graph
        outputs = {value.name for value in graph.output}
        kept = [node for node in graph.node if node.output[0] not in self._chosen]
        wanted = outputs | {name for node in kept for name in node.input}
        nodes: list[Any] = []
        for node in graph.node:
            if node.output[0] in self._chosen:
                nodes.extend(self._convert(node, wanted))
            else:
                nodes.append(node)
        used = outputs | {name for node in nodes for name in node.input}
        nodes = [n for n in nodes if n.op_type != "Cast" or n.output[0] in used]
        used = {name for node in nodes for name in node.input}
        tensors = [t for t in (*graph.initializer, *self._new) if t.name in used]
        del graph.node[:], graph.initializer[:], graph.value_info[:]
        graph.node.extend(nodes)
        graph.initializer.extend(tensors)

    def _choose(self) -> set[str]:
        """Outputs of the nodes that are converted."""
        chosen: set[str] = set()
        for node in self.proto.graph.node:
            known = CONVERTED[self.half] if node.name.startswith(ENCODER) else set()
            if self.head and node.name.startswith(HEAD):
                known = HEAD_CONVERTED
            if self._types.get(node.output[0]) != TensorProto.FLOAT or not known:
                continue
            if node.op_type in known or (node.op_type in _MOVES and node.input[0] in chosen):
                chosen |= set(node.output)
        return chosen

    def _convert(self, node: Any, wanted: set[str]) -> Iterator[Any]:
        for i, name in enumerate(node.input):
            if self._types.get(name) == TensorProto.FLOAT:
                if name not in self._made:
                    yield from self._lower(name)
                node.input[i] = self._made[name]
        back = []
        for i, name in enumerate(node.output):
            self._made[name] = f"{name}.{self.half}"
            node.output[i] = self._made[name]
            if name in wanted:
                back.append(_cast(self._made[name], name, TensorProto.FLOAT))
        yield node
        yield from back

    def _lower(self, name: str) -> Iterator[Any]:
        """Make the half-precision twin of a tensor that no converted node gives."""
        source = self._weights.get(self._stored.get(name, name))
        if source is None:
            self._made[name] = f"{name}.{self.half}"
            yield _cast(name, self._made[name], ELEMENT[self.half])
        elif source.data_type == ELEMENT[self.half]:
            self._made[name] = source.name
        else:
            self._made[name] = f"{name}.{self.half}"
            self._new.append(_rounded(source, self._made[name], self.half))


def _rounded(tensor: Any, name: str, half: Half) -> Any:
    values = numpy_helper.to_array(tensor).astype(np.float32)
    if half == "bf16":
        import ml_dtypes  # comes with onnx

        return numpy_helper.from_array(values.astype(ml_dtypes.bfloat16), name)
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float16)
    if not np.isfinite(rounded).all():
        raise ModelError(f"the weight {tensor.name} is too large for fp16: use bf16")
    return numpy_helper.from_array(rounded, name)


def _element_types(graph: Any) -> dict[str, int]:
    """Element type of each tensor: all operators in use but two give that of their first input."""
    types = {value.name: value.type.tensor_type.elem_type for value in graph.input}
    types |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    for node in graph.node:
        kind = types.get(node.input[0], TensorProto.UNDEFINED) if node.input else None
        if node.op_type == "Shape":
            kind = TensorProto.INT64
        elif node.op_type == "Cast":
            kind = next(a.i for a in node.attribute if a.name == "to")
        types |= dict.fromkeys(node.output, kind or TensorProto.UNDEFINED)
    return types


def _cast(source: str, target: str, kind: int) -> Any:
    return helper.make_node("Cast", [source], [target], name=f"{target}.cast", to=kind)


def _fits_fp16(values: np.ndarray[Any, Any]) -> bool:
    with np.errstate(over="ignore"):
        stored = values.astype(np.float16).astype(np.float64)
    error = float(np.linalg.norm(stored - values))
    return bool(np.isfinite(error)) and error <= MAX_ROUNDING * float(np.linalg.norm(values))
