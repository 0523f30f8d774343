"""ONNX models by hand that fail on some images: real files for real sessions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.depth.onnx_files import METADATA

SIZE = (28, 42)
DARK = 4
"""An image of this gray value makes the models fail."""


def write_coarse_model(path: Path) -> Path:
    """``gray / most + gray / 10000``, not finite in bf16 where the image is dark.

    ``most`` is the maximum after 2048 was added and subtracted again: next to 2048, bf16 has steps
    of 16, and 0 remains of a dark image. The second term suffers a little from the same. A matrix
    product with the identity between the two keeps engines from fusing them.
    """
    nodes = [
        helper.make_node("Cast", ["gray"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["pixels", "identity"], ["same"]),
        helper.make_node("Add", ["same", "offset"], ["lifted"]),
        helper.make_node("MatMul", ["lifted", "identity"], ["kept"]),
        helper.make_node("Sub", ["kept", "offset"], ["lowered"]),
        helper.make_node("ReduceMax", ["lowered"], ["most"], keepdims=1),
        helper.make_node("Div", ["pixels", "most"], ["divided"]),
        helper.make_node("Mul", ["lowered", "little"], ["rough"]),
        helper.make_node("Add", ["divided", "rough"], ["sum"]),
        helper.make_node("Squeeze", ["sum", "axis"], ["depth"]),
    ]
    constants = [
        helper.make_tensor("offset", TensorProto.FLOAT, [], [2048.0]),
        helper.make_tensor("little", TensorProto.FLOAT, [], [1e-4]),
        numpy_helper.from_array(np.eye(SIZE[1], dtype=np.float32), "identity"),
    ]
    return _write(path, nodes, constants)


def write_unsound_model(path: Path) -> Path:
    """``gray`` times the root of its maximum minus 50: NaN on every engine where it is dark."""
    nodes = [
        helper.make_node("Cast", ["gray"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["pixels"], ["most"], keepdims=1),
        helper.make_node("Sub", ["most", "offset"], ["above"]),
        helper.make_node("Sqrt", ["above"], ["root"]),
        helper.make_node("Mul", ["pixels", "root"], ["scaled"]),
        helper.make_node("Squeeze", ["scaled", "axis"], ["depth"]),
    ]
    return _write(path, nodes, [helper.make_tensor("offset", TensorProto.FLOAT, [], [50.0])])


def write_constant_model(path: Path) -> Path:
    """The same value everywhere, as an untrained head gives it."""
    nodes = [
        helper.make_node("Cast", ["gray"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["pixels", "offset"], ["nothing"]),
        helper.make_node("Squeeze", ["nothing", "axis"], ["depth"]),
    ]
    return _write(path, nodes, [helper.make_tensor("offset", TensorProto.FLOAT, [], [0.0])])


def write_rgb_model(path: Path, frame: tuple[int, int] = (56, 84)) -> Path:
    """Takes RGB frames twice as large as its output: every second pixel, red + 2 green + 3 blue."""
    nodes = [
        helper.make_node("Cast", ["rgb"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Slice", ["pixels", "starts", "ends", "axes", "steps"], ["thinned"]),
        helper.make_node("Mul", ["thinned", "weights"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "axis"], ["depth"], keepdims=0),
    ]
    constants = [
        helper.make_tensor("starts", TensorProto.INT64, [2], [0, 0]),
        helper.make_tensor("ends", TensorProto.INT64, [2], list(frame)),
        helper.make_tensor("axes", TensorProto.INT64, [2], [2, 3]),
        helper.make_tensor("steps", TensorProto.INT64, [2], [2, 2]),
        helper.make_tensor("weights", TensorProto.FLOAT, [1, 3, 1, 1], [1.0, 2.0, 3.0]),
    ]
    return _write(path, nodes, constants, "rgb", [1, 3, *frame])


def dark() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """An image that makes the models fail, (28, 42) uint8."""
    image = np.full(SIZE, DARK, np.uint8)
    image[0] = 0
    return image


def _write(
    path: Path,
    nodes: list[Any],
    constants: list[Any],
    name: str = "gray",
    shape: list[int] | None = None,
) -> Path:
    inputs = [helper.make_tensor_value_info(name, TensorProto.UINT8, shape or [1, 1, *SIZE])]
    outputs = [helper.make_tensor_value_info("depth", TensorProto.FLOAT, [1, *SIZE])]
    axis = helper.make_tensor("axis", TensorProto.INT64, [1], [1])
    graph = helper.make_graph(nodes, "handmade", inputs, outputs, [axis, *constants])
    opset = [helper.make_opsetid("", 20)]
    proto: Any = helper.make_model(graph, opset_imports=opset, ir_version=10)
    helper.set_model_props(proto, {f"linescan.{k}": v for k, v in METADATA.items()})
    onnx.save(proto, str(path))
    return path
