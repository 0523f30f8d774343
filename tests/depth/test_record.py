from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from linescan.depth import find, read_card
from linescan.depth.check import check_engines, check_record
from linescan.depth.record import read_record, record_path, write_record
from linescan.errors import ModelError


@pytest.fixture
def recorded(handmade: Path) -> Path:
    """The handmade model with a record that fits."""
    write_record(handmade, {"sha256": read_card(handmade).sha256, "max_error": 1e-6})
    return handmade


def test_a_record_lies_beside_its_model(recorded: Path) -> None:
    path = record_path(recorded)
    assert path == recorded.with_name("handmade.verification.json")
    assert [p.name for p in recorded.parent.iterdir() if "part" in p.name] == []
    assert read_record(recorded) == json.loads(path.read_text())


def test_the_card_holds_the_record_of_this_very_file_alone(recorded: Path) -> None:
    assert read_card(recorded).verification["max_error"] == 1e-6
    assert check_record(read_card(recorded))["max_error"] == 1e-6
    with recorded.open("ab") as stream:  # another model of the same name
        stream.write(b"\x72\x06\x0a\x01k\x12\x01v")  # metadata k = v
    assert read_card(recorded).verification == {}
    with pytest.raises(ModelError, match="not the file that was verified"):
        check_record(read_card(recorded))
    record_path(recorded).unlink()
    assert read_card(recorded).verification == {}
    with pytest.raises(ModelError, match=r"handmade\.verification\.json: no such file"):
        check_record(read_card(recorded))


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"sha256": 3}', "\x00"])
def test_a_damaged_record_is_one_sentence(recorded: Path, content: str) -> None:
    record_path(recorded).write_text(content)
    assert read_card(recorded).verification == {}
    with pytest.raises(ModelError, match=r"verification\.json: (damaged|not the record)") as error:
        read_record(recorded)
    assert "\n" not in str(error.value)


def test_the_embedded_model_has_its_record(tmp_path: Path) -> None:
    card = read_card("surface-tiny")
    record = check_record(card)
    assert record["name"] == "surface-tiny"
    assert 0 < record["max_error"] <= record["bound"]
    assert {"torch", "transformers", "onnx", "onnxruntime"} == set(record["versions"])
    assert len(record["checks"]) == len(record["storage_checks"]) == 8
    copy = shutil.copy(find("surface-tiny").path, tmp_path / "mine.onnx")
    with pytest.raises(ModelError, match="no such file"):
        check_record(read_card(copy))


def test_engines_are_opened_compared_and_timed(recorded: Path) -> None:
    found = {check.candidate.name: check for check in check_engines(read_card(recorded))}
    reference = found["cpu-fp32"]
    assert reference.reason is None
    assert reference.within(0.0)
    assert reference.ms is not None
    assert reference.ms > 0
    for check in found.values():
        assert (check.ms is None) == (check.reason is not None)
        assert "handmade" not in (check.reason or ""), "which model it is, the user knows"
