"""Files that only grow, written past the page cache where the file system can do that.

Writing into the page cache costs a new page and a copy for every 4 KiB, and evicts what others
need. ``O_DIRECT`` costs one copy into a buffer that is used again and again; the disk fetches from
there. It writes whole blocks: the last, unfinished one is filled up with zeros, and written once
more with what follows.

How large a block must be is the disk's affair: a file system's own blocks are never smaller. Where
the kernel refuses all the same, the page cache takes the file from there on.
"""

from __future__ import annotations

import errno
import fcntl
import functools
import logging
import mmap
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import numpy as np

log = logging.getLogger(__name__)

BLOCK: Final = 4096
"""Direct writes begin and end at multiples of this, or of the file system's blocks if larger."""
MOST_BLOCK: Final = 64 << 10
"""Larger blocks would be written too often: there, the page cache is used."""
CHUNK: Final = 2 << 20
"""Bytes of one direct write: larger ones no longer pay."""
_MOST_VECTORS: Final = 512
"""Buffers that one system call takes: below what every Linux allows (1024)."""


class Growing(Protocol):
    """The end of a file; all calls may raise ``OSError``."""

    def put(self, data: memoryview) -> None:
        """Append, at the latest with ``flush``; the data must stay as they are until then."""

    def flush(self) -> None:
        """Write all that was put."""

    def reset(self, size: int) -> None:
        """Cut the file, and forget what was put and not written."""


class Direct:
    """Appends through a buffer of its own to a file opened with ``O_DIRECT``.

    Args:
        handle: the file, for reading and writing.
        block: what writes are multiples of; a power of two.
    """

    def __init__(self, handle: int, block: int = BLOCK) -> None:
        self._handle = handle
        self._block = block
        # Anonymous memory begins at a page; direct writes may need it to begin at a block.
        memory = memoryview(mmap.mmap(-1, CHUNK + block))
        begin = -np.frombuffer(memory, np.uint8).ctypes.data % block
        self._memory = memory[begin : begin + CHUNK]
        self._array = np.frombuffer(self._memory, np.uint8)
        self._begin = self._fill = 0

    def put(self, data: memoryview) -> None:
        """Copy into the buffer, and write as often as it is full."""
        if not data.nbytes:
            return
        source = np.frombuffer(data, np.uint8)
        while len(source):
            count = min(len(source), CHUNK - self._fill)
            # Not by slices of memoryviews: this one lets other threads run.
            np.copyto(self._array[self._fill : self._fill + count], source[:count])
            source = source[count:]
            self._fill += count
            if self._fill == CHUNK:
                self._write(CHUNK)
                self._begin, self._fill = self._begin + CHUNK, 0

    def flush(self) -> None:
        """Write what is in the buffer; the unfinished block stays there too."""
        whole = self._fill // self._block * self._block
        if self._fill > whole:
            self._array[self._fill : whole + self._block] = 0
            self._write(whole + self._block)
        elif whole:
            self._write(whole)
        rest = self._fill - whole
        self._array[:rest] = self._array[whole : self._fill].copy()
        self._begin, self._fill = self._begin + whole, rest

    def reset(self, size: int) -> None:
        """Cut the file, and fetch its unfinished block."""
        os.ftruncate(self._handle, size)
        self._begin = size // self._block * self._block
        self._fill = size - self._begin
        if self._fill:
            unfinished = [self._memory[: self._block]]
            count = self._do(lambda: os.preadv(self._handle, unfinished, self._begin))
            if count < self._fill:
                raise OSError(errno.EIO, os.strerror(errno.EIO))

    def _write(self, size: int) -> None:
        done = 0
        while done < size:
            data, at = self._memory[done:size], self._begin + done
            count = self._do(functools.partial(os.pwrite, self._handle, data, at))
            if not count:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            done += count
            if done % self._block:  # cut short, by a limit of the file's size: it goes on there
                _use_cache(self._handle)

    def _do(self, call: Callable[[], int]) -> int:
        """Read or write, through the page cache where the disk takes no direct access."""
        try:
            return call()
        except OSError as error:
            if error.errno != errno.EINVAL or not _use_cache(self._handle):
                raise
            _tell(os.fstat(self._handle).st_dev)
        return call()


class Buffered:
    """Appends through the page cache, without a copy of its own.

    Args:
        handle: the file, for writing.
    """

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._waiting: list[memoryview] = []
        self._end = 0

    def put(self, data: memoryview) -> None:
        """Keep a reference."""
        if data.nbytes:
            self._waiting.append(data)

    def flush(self) -> None:
        """Write what was put."""
        waiting = self._waiting
        while waiting:
            left = os.pwritev(self._handle, waiting[:_MOST_VECTORS], self._end)
            self._end += left
            while waiting and left >= waiting[0].nbytes:
                left -= waiting.pop(0).nbytes
            if left:
                waiting[0] = waiting[0][left:]

    def reset(self, size: int) -> None:
        """Cut the file."""
        self._waiting = []
        self._end = size
        os.ftruncate(self._handle, size)


def create(path: Path, header: bytes) -> tuple[int, Growing]:
    """A new file that begins with some bytes; its handle, and its end.

    Raises:
        OSError: it cannot be written; nothing of it is left.
    """
    handle, direct = _open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    try:
        growing = _growing(handle, direct=direct and _is_direct(handle, header))
        growing.reset(0)
        growing.put(memoryview(header))
        growing.flush()
    except OSError:
        os.close(handle)
        path.unlink()
        raise
    return handle, growing


def resume(path: Path, size: int) -> tuple[int, Growing]:
    """Go on behind the first ``size`` bytes of a file; what follows them is cut.

    Raises:
        OSError: it cannot be written.
    """
    handle, direct = _open(path, os.O_RDWR)
    try:
        growing = _growing(handle, direct=direct)
        growing.reset(size)
    except OSError:
        os.close(handle)
        raise
    return handle, growing


def _growing(handle: int, *, direct: bool) -> Growing:
    """The end of a file that was opened past the page cache, or as usual."""
    block = max(BLOCK, os.fstatvfs(handle).f_frsize)
    if direct and block <= MOST_BLOCK and CHUNK % block == 0:
        return Direct(handle, block)
    _use_cache(handle)
    _tell(os.fstat(handle).st_dev)
    return Buffered(handle)


@functools.lru_cache(maxsize=64)
def _tell(device: int) -> None:
    """Say once that a disk is written to through the page cache."""
    log.info(
        "device %d:%d takes no direct writes (O_DIRECT): the journal goes through the page cache",
        os.major(device),
        os.minor(device),
    )


def _open(path: Path, flags: int) -> tuple[int, bool]:
    """Open a file past the page cache; whether that worked, or else as usual."""
    flags |= os.O_CLOEXEC
    try:
        return os.open(path, flags | os.O_DIRECT, 0o644), True
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    return os.open(path, flags & ~os.O_EXCL, 0o644), False


def _is_direct(handle: int, some: bytes) -> bool:
    """Whether writes pass the page cache by: then, and only then, they must be of whole blocks."""
    try:
        os.pwrite(handle, some, 0)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return True
    _use_cache(handle)
    return False


def _use_cache(handle: int) -> bool:
    """What cannot be written directly goes the usual way; whether that is something new."""
    flags = fcntl.fcntl(handle, fcntl.F_GETFL)
    fcntl.fcntl(handle, fcntl.F_SETFL, flags & ~os.O_DIRECT)
    return bool(flags & os.O_DIRECT)
