from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto

from linescan.depth import read_card
from linescan.depth.card import WEIGHTS
from linescan.depth.record import write_record
from linescan.errors import ModelError
from linescan.records import Convention
from tests.depth.onnx_files import METADATA, write_model


def test_card_holds_what_the_file_says(handmade: Path) -> None:
    card = read_card(handmade)
    assert (card.name, card.convention, card.unit) == ("handmade", Convention.HEIGHT, "relative")
    assert (card.scale, card.shift, card.input_size, card.dynamic) == (2.0, -1.5, (28, 42), True)
    assert card.noise_floor == 0.25
    assert card.sha256 == hashlib.sha256(handmade.read_bytes()).hexdigest()


def test_card_of_a_static_file_has_the_files_own_size(tmp_path: Path) -> None:
    card = read_card(write_model(tmp_path / "static.onnx", (56, 70)))
    assert (card.input_size, card.dynamic) == ((56, 70), False)


def test_sizes(tmp_path: Path, handmade: Path) -> None:
    dynamic = read_card(handmade)
    assert dynamic.resolve_size("auto") == (28, 42)
    assert dynamic.resolve_size((56, 98)) == (56, 98)
    for size in ((56, 97), (14, 56)):
        with pytest.raises(ModelError, match="multiples of 14"):
            dynamic.resolve_size(size)
    static = read_card(write_model(tmp_path / "static.onnx", (56, 70)))
    assert static.resolve_size("auto") == static.resolve_size((56, 70)) == (56, 70)
    with pytest.raises(ModelError, match=r"exported for 56x70 only, depth.size asks for 70x56"):
        static.resolve_size((70, 56))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(share=st.floats(0.0, 1.0, exclude_max=True))
def test_a_truncated_file_is_refused(handmade: Path, share: float) -> None:
    whole = write_model(handmade).read_bytes()
    handmade.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ModelError, match=r"handmade\.onnx: ") as error:
        read_card(handmade)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"this is no model", b"\x00" * 4096, b"\x89PNG\r\n"])
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="not an ONNX model, or a damaged one"):
        read_card(path)


def test_other_inputs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.onnx"
    for wrong in (
        write_model(path, input_type=TensorProto.FLOAT),
        write_model(path, input_name="pixel_values"),
        write_model(path, extra_input=True),
    ):
        with pytest.raises(ModelError, match="expected one input 'gray' uint8"):
            read_card(wrong)


@pytest.mark.parametrize("key", sorted(METADATA))
def test_a_file_without_its_metadata_is_refused(tmp_path: Path, key: str) -> None:
    rest = {k: v for k, v in METADATA.items() if k != key}
    with pytest.raises(ModelError, match=f"linescan.{key}"):
        read_card(write_model(tmp_path / "x.onnx", metadata=rest))


@pytest.mark.parametrize(
    ("key", "value"), [("convention", "up"), ("scale", "big"), ("input_size", "[28]")]
)
def test_broken_metadata_is_refused(tmp_path: Path, key: str, value: str) -> None:
    with pytest.raises(ModelError, match="its metadata lacks or breaks"):
        read_card(write_model(tmp_path / "x.onnx", metadata={**METADATA, key: value}))


def test_a_size_is_fitted_to_the_frames_aspect(tmp_path: Path) -> None:
    card = read_card(
        write_model(tmp_path / "big.onnx", metadata={**METADATA, "input_size": "[252, 252]"})
    )
    assert card.fit(1000, 1000) == (252, 252)
    assert card.fit(512, 1024) == (182, 350)
    rows, columns = card.fit(100, 10**6)
    assert (rows, columns) == (28, 4088), "within what a model takes"
    assert read_card(write_model(tmp_path / "static.onnx", (56, 70))).fit(10, 99) == (56, 70)


def test_a_model_that_is_not_the_one_of_its_record(
    handmade: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = read_card(handmade).sha256
    write_record(handmade, {"sha256": digest, "max_error": 1e-6})
    assert read_card(handmade).verification["max_error"] == 1e-6
    assert not caplog.records
    changed = read_card(write_model(handmade, divide_by=5.0))
    assert not changed.verification
    (warning,) = caplog.records
    said = f"SHA-256 is {changed.sha256[:12]}…, handmade.verification.json says {digest[:12]}…"
    assert warning.levelname == "WARNING"
    assert said in warning.getMessage()
    monkeypatch.setattr("linescan.depth.card.WEIGHTS", handmade.parent)
    with pytest.raises(ModelError, match=f"{said}: install linescan again"):
        read_card(handmade)


def test_the_embedded_models_are_where_they_are_looked_for() -> None:
    assert read_card("surface-tiny").path.parent == WEIGHTS
