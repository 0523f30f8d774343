"""Files that grow past the page cache or through it hold the same bytes."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from linescan.journal.disk import BLOCK, CHUNK, Buffered, Direct, create, resume
from linescan.journal.folder import opened
from tests.journal.small_disk import files_of

HEADER = b"\x89header\n"


@pytest.mark.parametrize("kind", [Direct, Buffered])
def test_what_is_put_is_there(tmp_path: Path, kind: type[Direct] | type[Buffered]) -> None:
    """In pieces around the sizes of blocks and chunks, and after cuts."""
    choice, path = random.Random(4), tmp_path / "file"
    flags = os.O_RDWR | os.O_CREAT | (os.O_DIRECT if kind is Direct else 0)
    with opened(path, flags) as handle:
        end = kind(handle)
        end.reset(0)
        expected = b""
        for _ in range(60):
            for _ in range(choice.randrange(4)):
                size = choice.choice([0, 1, 200, BLOCK - 1, BLOCK, BLOCK + 1, CHUNK, CHUNK + 77])
                piece = choice.randbytes(size)
                end.put(memoryview(piece))
                expected += piece
            end.flush()
            data = path.read_bytes()
            assert data[: len(expected)] == expected
            assert len(data) <= -(-len(expected) // BLOCK) * BLOCK
            assert not any(data[len(expected) :])
            if choice.random() < 0.3:
                end.put(memoryview(b"never written"))
                expected = expected[: choice.randrange(len(expected) + 1)]
                end.reset(len(expected))
                assert path.read_bytes() == expected


def test_a_new_file_and_going_on_with_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    handle, end = create(path, HEADER)
    end.put(memoryview(b"first"))
    end.flush()
    os.close(handle)
    handle, end = resume(path, len(HEADER) + 3)
    end.put(memoryview(b"second"))
    end.flush()
    os.close(handle)
    assert path.read_bytes().rstrip(b"\0") == HEADER + b"firsecond"


def test_where_nothing_passes_the_page_cache(tmp_path: Path) -> None:
    """In memory there is no disk to write to directly: it is noticed, and costs no copy."""
    path = Path("/dev/shm") / f"linescan-{os.getpid()}-{tmp_path.name}"
    handle, end = create(path, HEADER)
    try:
        assert isinstance(end, Buffered)
        end.put(memoryview(b"data"))
        end.flush()
        assert path.read_bytes() == HEADER + b"data"
    finally:
        os.close(handle)
        path.unlink()


def test_a_limit_within_a_block(tmp_path: Path) -> None:
    """A direct write cannot end there: the rest goes through the page cache."""
    path = tmp_path / "file"
    data = random.Random(1).randbytes(3 * BLOCK)
    handle, end = create(path, HEADER)
    with files_of(2 * BLOCK + 100):
        end.put(memoryview(data))
        with pytest.raises(OSError, match="File too large"):
            end.flush()
        end.reset(len(HEADER))
        end.put(memoryview(data[:BLOCK]))
        end.flush()
    end.put(memoryview(data[BLOCK:]))
    end.flush()
    os.close(handle)
    assert path.read_bytes().rstrip(b"\0") == HEADER + data.rstrip(b"\0")


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"other")
    with pytest.raises(FileExistsError):
        create(path, HEADER)
    assert path.read_bytes() == b"other"
