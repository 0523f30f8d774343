"""bfloat16 graphs on any CPU: ONNX Runtime has no bf16 kernels, but converts to bf16 and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import onnx
from onnx import TensorProto, helper


def computes_in_bf16(proto: Any) -> bool:
    """Whether a graph holds anything in bf16."""
    return any(
        attribute.name == "to" and attribute.i == TensorProto.BFLOAT16
        for node in proto.graph.node
        if node.op_type == "Cast"
        for attribute in node.attribute
    )


def emulate_bf16(proto: Any) -> Any:
    """A graph whose bf16 operators compute in fp32 on bf16 inputs and round their results to bf16.

    That is what bf16 hardware with fp32 accumulators does. ONNX Runtime must run it without
    optimisations, which would take the casts away.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    graph = copy.graph
    bf16 = {t.name for t in graph.initializer if t.data_type == TensorProto.BFLOAT16}
    nodes: list[Any] = []
    for node in graph.node:
        if node.op_type == "Cast":
            kind = next(a.i for a in node.attribute if a.name == "to")
            bf16 |= set(node.output) if kind == TensorProto.BFLOAT16 else set()
            nodes.append(node)
            continue
        low = bf16.intersection(node.input)
        bf16 |= set(node.output) if low else set()
        nodes.extend(_in_fp32(node, low) if low else [node])
    del graph.node[:]
    graph.node.extend(nodes)
    return copy


def _in_fp32(node: Any, low: set[str]) -> Iterator[Any]:
    for i, name in enumerate(node.input):
        if name in low:
            wide = f"{name}.{node.output[0]}.{i}"
            yield helper.make_node("Cast", [name], [wide], to=TensorProto.FLOAT)
            node.input[i] = wide
    results = list(node.output)
    node.output[:] = [f"{name}.wide" for name in results]
    yield node
    for name in results:
        yield helper.make_node("Cast", [f"{name}.wide"], [name], to=TensorProto.BFLOAT16)
