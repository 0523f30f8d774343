"""Damage is named and never gives wrong pixels."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from linescan.errors import SourceError
from linescan.recording import BadBlockError, Recording
from tests.recording.scans import Lines, lines_of


def _edit(key: str, value: object) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        data = yaml.safe_load((path / "recording.yaml").read_text())
        data[key] = value
        (path / "recording.yaml").write_text(yaml.safe_dump(data))

    return edit


def _rows(old: str, new: str) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        text = (path / "blocks.csv").read_text()
        assert old in text
        (path / "blocks.csv").write_text(text.replace(old, new))

    return edit


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_truncation_never_gives_wrong_pixels(
    small: tuple[Path, Lines], data: st.DataObject
) -> None:
    path, lines = small
    files = sorted(p.relative_to(path) for p in path.rglob("*") if p.is_file())
    name = data.draw(st.sampled_from(files))
    size = (path / name).stat().st_size
    cut = data.draw(st.integers(0, size - 1))
    with tempfile.TemporaryDirectory() as folder:
        broken = Path(folder) / "scan"
        shutil.copytree(path, broken)
        os.truncate(broken / name, cut)
        try:
            said, found = "", lines_of(Recording.open(broken))
        except SourceError as error:
            said, found = str(error), {}
        if said:
            assert str(broken) in said
            assert "\n" not in said
        else:
            # YAML cut behind its last needed key is still the whole description.
            assert name == Path("recording.yaml")
            assert found == lines


@pytest.mark.parametrize("name", ["000000.npy", "000001.encoder.npy"])
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda p: p.unlink(), "the file is missing"),
        (lambda p: p.write_bytes(b""), "the file is empty"),
        (lambda p: p.write_bytes(b"hello"), "no readable NumPy header"),
        (lambda p: os.truncate(p, p.stat().st_size - 1), "truncated: expected"),
        (lambda p: p.write_bytes(p.read_bytes() + b"x"), "too long: expected"),
        (lambda p: np.save(p, np.zeros((10, 3), np.uint8)), "expected shape (rows"),
        (lambda p: np.save(p, np.zeros(np.load(p).shape, np.float32)), "values, found float32"),
        (lambda p: np.save(p, np.load(p)[:2]), "rows, found 2"),
    ],
)
def test_a_broken_block_is_named(
    small: tuple[Path, Lines],
    tmp_path: Path,
    name: str,
    damage: Callable[[Path], Any],
    said: str,
) -> None:
    shutil.copytree(small[0], tmp_path / "scan")
    damaged = tmp_path / "scan" / "blocks" / name
    damage(damaged)
    recording = Recording.open(tmp_path / "scan")
    reads: tuple[Callable[[], object], ...] = (
        recording.check_files,
        lambda: list(recording.blocks()),
    )
    for read in reads:
        with pytest.raises(BadBlockError) as caught:
            read()
        text = str(caught.value)
        assert name in text
        assert said in text
        assert "from line" in text
        assert "\n" not in text


def test_fortran_order_is_named(small: tuple[Path, Lines], tmp_path: Path) -> None:
    shutil.copytree(small[0], tmp_path / "scan")
    damaged = tmp_path / "scan" / "blocks" / "000000.npy"
    np.save(damaged, np.asfortranarray(np.load(damaged)))
    with pytest.raises(BadBlockError, match=r"000000\.npy: .* expected rows in C order"):
        Recording.open(tmp_path / "scan").check_files()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (shutil.rmtree, "no such recording"),
        (lambda p: (p / "recording.yaml").unlink(), "it has no recording.yaml"),
        (lambda p: (p / "recording.yaml").write_text("a: [1"), "not valid YAML"),
        (lambda p: (p / "recording.yaml").write_text("hello"), "expected keys"),
        (lambda p: (p / "recording.yaml").write_bytes(b"\xff\xfe\x00"), "cannot be read"),
        (_edit("width", "wide"), "recording.yaml: 'width': "),
        (_edit("bits", 12), "uint8 pixels hold 8 bits, got 12"),
        (_edit("colour", 3), "unknown key 'colour'"),
        (_edit("version", 2), "format version 2, this software reads up to 1"),
        (_edit("lines", 99), "lists 23 lines and 5 lost from line 7, recording.yaml says 99"),
        (lambda p: (p / "blocks.csv").unlink(), "list of blocks is missing"),
        (lambda p: (p / "blocks.csv").write_text("a,b\n"), "blocks.csv:1: expected the columns"),
        (_rows("block,22", "block,16"), "blocks.csv:4: line 16 comes again; expected 22 or later"),
        (_rows("block,22", "block,x"), "blocks.csv:4: wrong row"),
        (_rows("block,22", "blob,22"), "'kind' must be block or loss, got 'blob'"),
        (_rows("000000.npy", "../a.npy"), "must be a name in the folder of blocks"),
        (_rows("camera_gap", "laziness"), "blocks.csv:3: wrong row: 'laziness'"),
        (_rows("\nloss,17,5", "\nloss,17,0"), "'count' must be at least 1, got 0"),
    ],
)
def test_a_wrong_description_is_one_clear_error(
    small: tuple[Path, Lines], tmp_path: Path, damage: Callable[[Path], Any], said: str
) -> None:
    path = tmp_path / "scan"
    shutil.copytree(small[0], path)
    damage(path)
    with pytest.raises(SourceError) as caught:
        Recording.open(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
