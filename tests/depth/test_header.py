from __future__ import annotations

import contextlib
from pathlib import Path

import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linescan.depth import find
from linescan.depth.header import FLOAT, UINT8, read_header
from linescan.errors import ModelError
from tests.depth.onnx_files import METADATA, write_model


@pytest.mark.parametrize("path", [find("surface-tiny").path, None])
def test_it_says_what_onnx_says(tmp_path: Path, path: Path | None) -> None:
    path = path or write_model(tmp_path / "x.onnx", (56, 70), extra_input=True)
    header, proto = read_header(path), onnx.load(path)
    assert header.metadata == {prop.key: prop.value for prop in proto.metadata_props}
    for ours, theirs in ((header.inputs, proto.graph.input), (header.outputs, proto.graph.output)):
        assert len(ours) == len(theirs) > 0
        for tensor, value in zip(ours, theirs, strict=True):
            kind = value.type.tensor_type
            assert (tensor.name, tensor.element) == (value.name, kind.elem_type)
            dims = tuple(dim.dim_param or dim.dim_value for dim in kind.shape.dim)
            assert tensor.shape == dims


def test_free_sides_are_names(handmade: Path) -> None:
    header = read_header(handmade)
    (given_,), (made,) = header.inputs, header.outputs
    assert (given_.element, given_.shape) == (UINT8, (1, 1, "rows", "columns"))
    assert (made.element, made.shape) == (FLOAT, (1, "rows", "columns"))
    assert header.metadata["linescan.name"] == METADATA["name"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(data=st.data())
def test_damaged_bytes_are_an_error_or_another_header_never_a_crash(
    handmade: Path, data: st.DataObject
) -> None:
    whole = bytearray(write_model(handmade).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    handmade.write_bytes(bytes(whole))
    with contextlib.suppress(ModelError):
        read_header(handmade)


def test_nested_lengths_that_promise_too_much_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    for content in (b"\x3a\xff\xff\xff\xff\x0f", b"\x3a\x05\x5a\x7f\x0a\x01x", b"\xff" * 11):
        path.write_bytes(content)
        with pytest.raises(ModelError, match="damaged"):
            read_header(path)
