"""The quantised graph: bytes where they were chosen, everything else as it was.

Written as QuantizeLinear and DequantizeLinear around the products, which ONNX Runtime and OpenVINO
turn into integer arithmetic when they load the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from linescan.depth.card import ENCODER
from linescan.depth.quantise.graph import Array, Graph, Linear
from linescan.depth.quantise.plan import LinearPlan, ScoresPlan, Unit


def rewrite(proto: Any, units: Iterable[Unit]) -> Any:
    """A copy of the model in which these units are quantised.

    Args:
        proto: the model they were worked out from, an ``onnx.ModelProto``; left as it is.
        units: what to quantise.
    """
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    return _Rewriting(copy, list(units)).run()


class _Rewriting:
    """One pass over the nodes of ``proto``, which it changes."""

    def __init__(self, proto: Any, units: Sequence[Unit]) -> None:
        self._proto = proto
        self._graph = Graph(proto)
        self._linears = {p.layer.output: p for unit in units for p in unit.linears}
        self._scores = [p for unit in units for p in unit.scores]
        self._layers = {each.output: each for each in self._graph.find().linears}
        self._before: dict[str, list[Any]] = {}
        self._new: dict[str, Any] = {}

    def run(self) -> Any:
        columns = self._columns()
        for name, (shift, factor) in columns.items():
            self._change_columns(self._layers[name], shift, factor)
        for plan in self._linears.values():
            self._quantise_linear(plan, *columns.get(plan.layer.output, (0.0, 1.0)))
        for scores in self._scores:
            self._quantise_scores(scores)
        self._finish()
        return self._proto

    def _columns(self) -> dict[str, tuple[Array, Array]]:
        """What to add to a layer's outputs, and then to multiply them by, for those that follow."""
        found: dict[str, tuple[Array, Array]] = {}

        def third(name: str, index: int) -> tuple[Array, Array]:
            if name not in found:
                size = self._graph.shape(self._layers[name].weight)[1]
                found[name] = (np.zeros(size), np.ones(size))
            shift, factor = found[name]
            part = slice(index * len(shift) // 3, (index + 1) * len(shift) // 3)
            return shift[part], factor[part]

        for plan in self._linears.values():
            if plan.layer.projection is not None:
                shift, factor = third(plan.layer.projection, 2)
                # Each row of attention sums to one: a constant passes through it.
                shift[:] = -plan.grid.offset
                factor[:] = 1 / plan.grid.stretch
        for scores in self._scores:
            third(scores.product.projection, 0)[1][:] = 1 / scores.balance
            shift, factor = third(scores.product.projection, 1)
            shift[:] = -scores.middle
            factor[:] = scores.balance
        return found

    def _change_columns(self, layer: Linear, shift: Array, factor: Array) -> None:
        """Of a layer that stays as it is; one that is quantised takes them into its own steps."""
        if layer.output in self._linears:
            return
        weight, bias = self._graph.weight(layer.weight), self._graph.weight(layer.bias)
        self._replace(self._graph.makers[layer.product], layer.weight, weight * factor)
        self._replace(self._graph.makers[layer.output], layer.bias, (bias + shift) * factor)

    def _replace(self, node: Any, name: str, values: Array) -> None:
        fresh = self._constant(f"{node.output[0]}.{'b' if values.ndim == 1 else 'w'}", values)
        for i, each in enumerate(node.input):
            if each == name:
                node.input[i] = fresh

    def _quantise_linear(
        self, plan: LinearPlan, shift: Array | float, factor: Array | float
    ) -> None:
        layer = plan.layer
        node = self._graph.makers[layer.product]
        source = self._stretch_input(plan)
        scale = self._constant(f"{layer.output}.step", np.array(plan.grid.step))
        zero = self._constant(f"{layer.output}.zero", np.array(0), np.uint8)
        node.input[0] = self._through_bytes(node, source, layer.output, scale, zero)
        node.input[1] = self._bytes(node, layer.output, plan.integers, plan.step * factor)
        self._replace(self._graph.makers[layer.output], layer.bias, (plan.bias + shift) * factor)

    def _stretch_input(self, plan: LinearPlan) -> str:
        """The layer's input with shifted and stretched channels; its name."""
        layer, stretch, offset = plan.layer, plan.grid.stretch, plan.grid.offset
        if layer.feeder == "values":
            return layer.source
        if layer.feeder == "norm":
            norm = self._graph.makers[layer.source]
            scale = self._graph.weight(norm.input[1])
            shift = self._graph.weight(norm.input[2]) if len(norm.input) > 2 else 0.0
            names = [
                self._constant(f"{layer.output}.norm.w", scale / stretch),
                self._constant(f"{layer.output}.norm.b", (shift - offset) / stretch),
            ]
            del norm.input[1:]
            norm.input.extend(names)
            return layer.source
        factor = self._constant(f"{layer.output}.factor", 1 / stretch)
        shift_name = self._constant(f"{layer.output}.shift", -offset / stretch)
        node = self._graph.makers[layer.product]
        stretched = self._insert(node, "Mul", [layer.source, factor], f"{layer.output}.stretched")
        return self._insert(node, "Add", [stretched, shift_name], f"{layer.output}.shifted")

    def _quantise_scores(self, plan: ScoresPlan) -> None:
        name = plan.product.output
        node = self._graph.makers[name]
        zero = self._constant(f"{name}.zero", np.array(0), np.int8)
        for i, (part, size) in enumerate((("query", plan.query_step), ("key", plan.key_step))):
            scale = self._constant(f"{name}.{part}.step", np.array(size))
            node.input[i] = self._through_bytes(node, node.input[i], f"{name}.{part}", scale, zero)

    def _through_bytes(self, node: Any, source: str, name: str, scale: str, zero: str) -> str:
        rounded = self._insert(node, "QuantizeLinear", [source, scale, zero], f"{name}.bytes")
        return self._insert(node, "DequantizeLinear", [rounded, scale, zero], f"{name}.rounded")

    def _bytes(self, node: Any, name: str, integers: npt.NDArray[np.int8], step: Array) -> str:
        """A constant that is stored as bytes; its name."""
        inputs = [
            self._constant(f"{name}.weight.bytes", integers, np.int8),
            self._constant(f"{name}.weight.step", step),
            self._constant(f"{name}.weight.zero", np.zeros(len(step)), np.int8),
        ]
        return self._insert(node, "DequantizeLinear", inputs, f"{name}.weight", axis=1)

    def _insert(
        self, node: Any, kind: str, inputs: list[str], output: str, **attributes: Any
    ) -> str:
        from onnx import helper

        name = ENCODER + output.removeprefix(ENCODER)
        made = helper.make_node(kind, inputs, [output], name=f"{name}.{kind}", **attributes)
        self._before.setdefault(node.output[0], []).append(made)
        return output

    def _constant(
        self,
        name: str,
        values: npt.NDArray[Any],
        kind: type[np.float32 | np.int8 | np.uint8] = np.float32,
    ) -> str:
        from onnx import numpy_helper

        self._new[name] = numpy_helper.from_array(np.ascontiguousarray(values, kind), name)
        return name

    def _finish(self) -> None:
        """Put the new nodes before those that read them, and drop what nothing reads any more."""
        graph = self._proto.graph
        nodes = [
            each for node in graph.node for each in (*self._before.get(node.output[0], ()), node)
        ]
        outputs = {value.name for value in graph.output}
        used = outputs | {name for node in nodes for name in node.input}
        nodes = [n for n in nodes if n.op_type != "Cast" or n.output[0] in used]
        used = {name for node in nodes for name in node.input}
        tensors = [t for t in (*graph.initializer, *self._new.values()) if t.name in used]
        del graph.node[:], graph.initializer[:], graph.value_info[:]
        graph.node.extend(nodes)
        graph.initializer.extend(tensors)
