"""Acknowledgements: by name and stream, upwards only, whole at any time, bounded."""

from __future__ import annotations

from pathlib import Path

import pytest

from linescan.errors import JournalError
from linescan.journal import Acknowledgements, Stream, acknowledgements
from linescan.protocol import Kind
from tests.journal.entries import EPOCH

STREAM = Stream(EPOCH, "web-1", Kind.INSPECTION)


def test_they_stay(tmp_path: Path) -> None:
    acks = Acknowledgements(tmp_path)
    assert acks.get("qc") == {}
    acks.set("qc", *STREAM, 7)
    acks.set("qc", EPOCH, "web-1", Kind.EVENT, 0)
    acks.set("archive.2", *STREAM, 3)
    again = Acknowledgements(tmp_path)
    assert again.get("qc") == {STREAM: 7, STREAM._replace(kind=Kind.EVENT): 0}
    assert again.names() == ["archive.2", "qc"]
    again.forget("qc")
    assert acks.names() == ["archive.2"]


def test_they_only_go_up(tmp_path: Path) -> None:
    acks = Acknowledgements(tmp_path)
    for seq in (5, 3, 6, 6):
        acks.set("qc", *STREAM, seq)
    assert acks.get("qc") == {STREAM: 6}


@pytest.mark.parametrize("name", ["", "a/b", "../x", "a" * 64, "ü", "a b", "a\n"])
def test_a_name_that_is_none(tmp_path: Path, name: str) -> None:
    acks = Acknowledgements(tmp_path)
    with pytest.raises(JournalError, match="use 1 to 63"):
        acks.set(name, *STREAM, 1)
    with pytest.raises(JournalError, match="use 1 to 63"):
        acks.get(name)


@pytest.mark.parametrize("name", [".", "..", "-", "a" * 63])
def test_names_that_could_be_taken_for_something_else(tmp_path: Path, name: str) -> None:
    acks = Acknowledgements(tmp_path)
    acks.set(name, *STREAM, 1)
    assert acks.names() == [name]
    assert acks.get(name) == {STREAM: 1}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"streams": [{"epoch": 1}]}', b"\xff"])
def test_a_broken_file_counts_as_nothing_acknowledged(tmp_path: Path, content: bytes) -> None:
    acks = Acknowledgements(tmp_path)
    acks.set("qc", *STREAM, 7)
    (tmp_path / "acknowledgements" / "qc.json").write_bytes(content)
    assert acks.get("qc") == {}
    acks.set("qc", *STREAM, 2)
    assert acks.get("qc") == {STREAM: 2}


def test_names_and_streams_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acknowledgements, "MOST_NAMES", 3)
    monkeypatch.setattr(acknowledgements, "MOST_STREAMS", 4)
    acks = Acknowledgements(tmp_path)
    for name in "abc":
        acks.set(name, *STREAM, 1)
    with pytest.raises(JournalError, match="3 names have acknowledged already"):
        acks.set("d", *STREAM, 1)
    for epoch in range(6):
        acks.set("a", str(epoch), "web-1", Kind.EVENT, 1)
    assert [stream.epoch for stream in acks.get("a")] == ["2", "3", "4", "5"]
