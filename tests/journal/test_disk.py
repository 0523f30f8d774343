"""Files that grow past the page cache or through it hold the same bytes."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from linescan.journal import disk
from linescan.journal.disk import BLOCK, CHUNK, MOST_BLOCK, Buffered, Direct, create, resume
from linescan.journal.folder import opened
from tests.journal.small_disk import files_of

HEADER = b"\x89header\n"
COARSE = 4 * BLOCK


def is_direct(handle: int) -> bool:
    return bool(fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_DIRECT)


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A disk of blocks of 16 KiB: what passes the page cache must be of whole ones."""
    pwrite, preadv = os.pwrite, os.preadv

    def refuse(handle: int, size: int, at: int) -> None:
        if is_direct(handle) and (size % COARSE or at % COARSE):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    def write(handle: int, data: bytes | memoryview, at: int) -> int:
        refuse(handle, len(data), at)
        return pwrite(handle, data, at)

    def read(handle: int, into: list[memoryview], at: int) -> int:
        refuse(handle, sum(map(len, into)), at)
        return preadv(handle, into, at)

    monkeypatch.setattr(os, "pwrite", write)
    monkeypatch.setattr(os, "preadv", read)
    disk._tell.cache_clear()
    yield
    disk._tell.cache_clear()


@pytest.fixture
def blocks_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """The file system says that its blocks are so large."""

    def say(size: int) -> None:
        monkeypatch.setattr(os, "fstatvfs", lambda _: SimpleNamespace(f_frsize=size))

    return say


def grow(path: Path, pieces: list[bytes]) -> tuple[list[bool], bytes]:
    """A file made and gone on with after each piece; which ones passed the page cache."""
    handle, end = create(path, HEADER)
    expected, direct = HEADER, []
    for piece in pieces:
        end.put(memoryview(piece))
        end.flush()
        expected += piece
        direct.append(is_direct(handle))
        os.close(handle)
        handle, end = resume(path, len(expected))
    os.close(handle)
    return direct, expected


PIECES = [random.Random(9).randbytes(size) for size in (100, BLOCK, 5 * BLOCK, CHUNK + 1, 1)]


def test_blocks_as_large_as_the_file_system_says(
    tmp_path: Path, coarse: None, blocks_of: Callable[[int], None]
) -> None:
    blocks_of(COARSE)
    direct, expected = grow(tmp_path / "file", PIECES)
    assert all(direct)
    assert (tmp_path / "file").read_bytes() == expected


def test_blocks_larger_than_the_file_system_says(
    tmp_path: Path, coarse: None, caplog: pytest.LogCaptureFixture
) -> None:
    """The page cache takes what the disk refuses, at the first write and where a file goes on."""
    with caplog.at_level(logging.INFO):
        direct, expected = grow(tmp_path / "file", PIECES)
    assert not any(direct)
    assert (tmp_path / "file").read_bytes() == expected
    assert caplog.text.count("takes no direct writes (O_DIRECT)") == 1, "said once for a disk"


@pytest.mark.parametrize("size", [2 * MOST_BLOCK, 3 * BLOCK])
def test_blocks_that_are_too_large_or_odd(
    tmp_path: Path, blocks_of: Callable[[int], None], size: int
) -> None:
    blocks_of(size)
    direct, expected = grow(tmp_path / "file", PIECES)
    assert not any(direct)
    assert (tmp_path / "file").read_bytes() == expected


def test_another_error_is_not_taken_for_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle, _ = create(tmp_path / "file", HEADER)

    def fail(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "preadv", fail)
    with pytest.raises(OSError, match="Input/output error"):
        resume(tmp_path / "file", len(HEADER))
    os.close(handle)


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
