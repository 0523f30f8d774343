"""What is worth quantising in an exported graph, and how its tensors hang together.

Needs onnx and numpy alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from linescan.depth.card import ENCODER
from linescan.errors import ModelError

Array = npt.NDArray[np.float64]
Feeder = Literal["norm", "values", "other"]
"""What gives a linear layer's input, and so takes over the stretch of its channels: the norm before
it, or the layer that makes the values which attention mixes; for any other it costs two steps."""


@dataclass(frozen=True, slots=True)
class Linear:
    """A product with a constant matrix, and the sum with a constant that follows.

    Attributes:
        output: the tensor of the sum, which names the layer.
        product: the tensor before it.
        source: the layer's input, (…, K).
        weight: name of the matrix, (K, N).
        bias: name of the constant, (N,).
        feeder: what gives the input.
        projection: output of the layer that makes the values, where these feed it.
    """

    output: str
    product: str
    source: str
    weight: str
    bias: str
    feeder: Feeder
    projection: str | None = None


@dataclass(frozen=True, slots=True)
class Scores:
    """The product of queries and keys of an attention.

    Attributes:
        output: its tensor, which names it.
        query: its first input.
        key: its second.
        projection: output of the linear layer that makes queries, keys and values, N = 3 · width.
    """

    output: str
    query: str
    key: str
    projection: str


@dataclass(frozen=True, slots=True)
class Products:
    """All that is quantised in a model, in the graph's order."""

    linears: tuple[Linear, ...]
    scores: tuple[Scores, ...]


class Graph:
    """Nodes by the tensors they give, and constants.

    Args:
        proto: an exported model, an ``onnx.ModelProto``; only read.
    """

    def __init__(self, proto: Any) -> None:
        self.proto = proto
        self.makers = {name: node for node in proto.graph.node for name in node.output}
        self.readers: dict[str, list[Any]] = {}
        for node in proto.graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self._tensors = {tensor.name: tensor for tensor in proto.graph.initializer}

    def constant(self, name: str) -> Array | None:
        """A weight's values, also where it is stored as fp16 and cast; None for anything else."""
        from onnx import numpy_helper

        maker = self.makers.get(name)
        stored = maker.input[0] if maker is not None and maker.op_type == "Cast" else name
        tensor = self._tensors.get(stored)
        return None if tensor is None else numpy_helper.to_array(tensor).astype(np.float64)

    def weight(self, name: str) -> Array:
        """A constant that ``find`` has named.

        Raises:
            ModelError: there is no such constant.
        """
        values = self.constant(name)
        if values is None:
            raise ModelError(f"the model's constant {name} is missing: export it again")
        return values

    def shape(self, name: str) -> tuple[int, ...]:
        """Of a weight; empty for anything else."""
        maker = self.makers.get(name)
        stored = maker.input[0] if maker is not None and maker.op_type == "Cast" else name
        tensor = self._tensors.get(stored)
        return () if tensor is None else tuple(tensor.dims)

    def find(self) -> Products:
        """The encoder's linear layers and attention scores."""
        linears = tuple(self._linears())
        made = {linear.output for linear in linears}
        return Products(linears, tuple(self._scores(made)))

    def _linears(self) -> Iterator[Linear]:
        outputs: set[str] = set()
        for node in self.proto.graph.node:
            if node.op_type != "MatMul" or not node.name.startswith(ENCODER):
                continue
            sums = [each for each in self.readers.get(node.output[0], ()) if each.op_type == "Add"]
            if len(self.shape(node.input[1])) != 2 or len(sums) != 1:
                continue
            bias = next((n for n in sums[0].input if len(self.shape(n)) == 1), None)
            if bias is None:
                continue
            feeder, projection = self._feeder(node.input[0], outputs)
            outputs.add(sums[0].output[0])
            yield Linear(
                output=sums[0].output[0],
                product=node.output[0],
                source=node.input[0],
                weight=node.input[1],
                bias=bias,
                feeder=feeder,
                projection=projection,
            )

    def _feeder(self, source: str, linears: set[str]) -> tuple[Feeder, str | None]:
        maker = self.makers.get(source)
        if maker is None or len(self.readers[source]) > 1:
            return "other", None
        if maker.op_type == "LayerNormalization":
            return "norm", None
        mixing = self._back(source, {"Reshape", "Transpose"})
        if mixing is not None and mixing.op_type in ("MatMul", "Attention"):
            values = mixing.input[1 if mixing.op_type == "MatMul" else 2]
            projection = self._third(values, 2)
            if projection in linears:
                return "values", projection
        return "other", None

    def _scores(self, linears: set[str]) -> Iterator[Scores]:
        for node in self.proto.graph.node:
            if node.op_type != "Softmax" or not node.name.startswith(ENCODER):
                continue
            product = self.makers.get(node.input[0])
            if product is None or product.op_type != "MatMul":
                continue
            query, key = product.input
            projection = self._third(query, 0)
            if projection in linears and projection == self._third(key, 1):
                yield Scores(product.output[0], query, key, str(projection))

    def _third(self, name: str, index: int) -> str | None:
        """The tensor whose ``index``-th third, only reshaped since, is the named one."""
        split = self._back(name, {"Reshape", "Transpose"})
        if split is None or split.op_type != "Split" or len(split.output) != 3:
            return None
        if self._path_end(name, {"Reshape", "Transpose"}) != split.output[index]:
            return None
        return str(split.input[0])

    def _back(self, name: str, through: set[str]) -> Any:
        return self.makers.get(self._path_end(name, through))

    def _path_end(self, name: str, through: set[str]) -> str:
        maker = self.makers.get(name)
        while maker is not None and maker.op_type in through:
            name = maker.input[0]
            maker = self.makers.get(name)
        return name
