from __future__ import annotations

import contextlib
from pathlib import Path

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linescan.depth.models import find
from linescan.depth.tensors import tensor_shapes
from linescan.errors import ModelError


def test_shapes_are_those_that_onnx_reads(handmade: Path) -> None:
    for path in (handmade, find("surface-tiny").path):
        graph = onnx.load(path).graph
        assert tensor_shapes(path) == {t.name: tuple(t.dims) for t in graph.initializer}


@settings(max_examples=60, deadline=None)
@given(cut=st.floats(0, 1), flip=st.integers(0, 255), where=st.floats(0, 1))
def test_damaged_files_give_one_clear_error_or_an_answer(
    tmp_path_factory: pytest.TempPathFactory, cut: float, flip: int, where: float
) -> None:
    folder = tmp_path_factory.mktemp("damaged", numbered=True)
    from tests.depth.onnx_files import write_model

    path = write_model(folder / "m.onnx")
    data = bytearray(path.read_bytes())
    data[int(where * (len(data) - 1))] ^= flip
    path.write_bytes(bytes(data[: max(1, int(cut * len(data)))]))
    with contextlib.suppress(ModelError):  # anything else fails the test
        assert isinstance(tensor_shapes(path), dict)


def test_no_file_and_an_empty_one_are_named(tmp_path: Path) -> None:
    empty = tmp_path / "empty.onnx"
    empty.touch()
    for path in (empty, tmp_path / "none.onnx"):
        with pytest.raises(ModelError, match=r"\.onnx: its weights cannot be listed"):
            tensor_shapes(path)
