"""Small ONNX models made by hand: real files for real sessions, whose output is known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

METADATA: Mapping[str, str] = {
    "name": "handmade",
    "convention": "height",
    "unit": "relative",
    "scale": "2.0",
    "shift": "-1.5",
    "noise_floor": "0.25",
    "licence": "Apache-2.0",
    "source": "by hand",
    "input_size": "[28, 42]",
    "precision": "fp32",
    "features": "[]",
}


def write_model(
    path: Path,
    size: tuple[int | str, int | str] = ("rows", "columns"),
    *,
    metadata: Mapping[str, str] = METADATA,
    input_name: str = "gray",
    input_type: int = TensorProto.UINT8,
    divide_by: float = 4.0,
    extra_input: bool = False,
) -> Path:
    """A model that gives ``gray / divide_by``; 0 makes it infinite."""
    nodes = [
        helper.make_node("Cast", [input_name], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["pixels", "divisor"], ["divided"]),
        helper.make_node("Squeeze", ["divided", "axis"], ["depth"]),
    ]
    inputs = [helper.make_tensor_value_info(input_name, input_type, [1, 1, *size])]
    if extra_input:
        inputs.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, [1]))
        nodes.append(helper.make_node("Identity", ["more"], ["unused"]))
    output = helper.make_tensor_value_info("depth", TensorProto.FLOAT, [1, *size])
    constants = [
        helper.make_tensor("divisor", TensorProto.FLOAT, [], [divide_by]),
        helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
    ]
    graph = helper.make_graph(nodes, "handmade", inputs, [output], constants)
    proto: Any = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10
    )
    helper.set_model_props(proto, {f"linescan.{k}": v for k, v in metadata.items()})
    onnx.save(proto, str(path))
    return path
