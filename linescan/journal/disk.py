"""Files that only grow, written past the page cache where the file system can do that.

Writing into the page cache costs a new page and a copy for every 4 KiB, and evicts what others
need. ``O_DIRECT`` costs one copy into a buffer that is used again and again; the disk fetches from
there. It writes whole blocks: the last, unfinished one is filled up with zeros, and written once
more with what follows.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
from pathlib import Path
from typing import Final, Protocol

import numpy as np

BLOCK: Final = 4096
"""Direct writes begin and end at multiples of this: what every disk takes."""
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
    """

    def __init__(self, handle: int) -> None:
        self._handle = handle
        # Anonymous memory begins at a page, as direct writes need it.
        self._memory = memoryview(mmap.mmap(-1, CHUNK))
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
        whole = self._fill // BLOCK * BLOCK
        if self._fill > whole:
            self._array[self._fill : whole + BLOCK] = 0
            self._write(whole + BLOCK)
        elif whole:
            self._write(whole)
        rest = self._fill - whole
        self._array[:rest] = self._array[whole : self._fill].copy()
        self._begin, self._fill = self._begin + whole, rest

    def reset(self, size: int) -> None:
        """Cut the file, and fetch its unfinished block."""
        os.ftruncate(self._handle, size)
        self._begin = size // BLOCK * BLOCK
        self._fill = size - self._begin
        if self._fill:
            count = os.preadv(self._handle, [self._memory[:BLOCK]], self._begin)
            if count < self._fill:
                raise OSError(errno.EIO, os.strerror(errno.EIO))

    def _write(self, size: int) -> None:
        done = 0
        while done < size:
            try:
                count = os.pwrite(self._handle, self._memory[done:size], self._begin + done)
            except OSError as error:
                if error.errno != errno.EINVAL or not _use_cache(self._handle):
                    raise
                continue
            if not count:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            done += count
            if done % BLOCK:  # cut short, by a limit of the file's size: it goes on from there
                _use_cache(self._handle)


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
        growing: Growing = (
            Direct(handle) if direct and _is_direct(handle, header) else Buffered(handle)
        )
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
        growing: Growing = Direct(handle) if direct else Buffered(handle)
        growing.reset(size)
    except OSError:
        os.close(handle)
        raise
    return handle, growing


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
