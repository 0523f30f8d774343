"""NumPy files: written whole or not at all, and checked before they are trusted."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from linescan.errors import SourceError


def write_whole(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Write a file under a .part name, then give it its name.

    It is left to the system when it brings it to the disk: to wait for that costs most of a disk's
    speed, and what a power failure cuts short is found by its size.

    Raises:
        OSError: it cannot be written; no part of it is left behind.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            write(file)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def write_array(path: Path, array: npt.NDArray[Any]) -> None:
    """Write an array as .npy, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """

    def write(file: BinaryIO) -> None:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        file.write(array.data.cast("B"))

    write_whole(path, write)


def append_rows(handle: int, data: bytes) -> None:
    """Append whole rows to an open file, or none of them.

    Raises:
        OSError: they cannot be written.
    """
    before = os.fstat(handle).st_size
    try:
        while data:
            data = data[os.write(handle, data) :]
    except OSError:
        os.ftruncate(handle, before)
        raise


def write_error(folder: Path, error: OSError, needed: int) -> SourceError:
    """One sentence for a write that failed: the path, why, and the space on its disk."""
    try:
        free = f"; {shutil.disk_usage(folder).free / 1e6:.1f} MB are free there"
    except OSError:
        free = ""
    full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    why = "the disk is full" if full else (error.strerror or str(error))
    advice = "; free some space or record elsewhere" if full else ""
    return SourceError(
        f"{folder}: cannot write the recording: {why}{free}, {needed / 1e6:.1f} MB are needed"
        f"{advice}"
    )


def map_array(path: Path, dtype: str, columns: int | None) -> npt.NDArray[Any]:
    """Map a .npy file of (rows,) or (rows, columns) into memory, read-only.

    Raises:
        ValueError: it is missing, empty, truncated, or not what it should be; the text says so in
            one clause without the file's name.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            shape, offset = _check(file, size, np.dtype(dtype), columns)
    except FileNotFoundError as error:
        raise ValueError("the file is missing") from error
    except OSError as error:
        raise ValueError(f"the file cannot be read: {error.strerror or error}") from error
    if 0 in shape:
        return np.empty(shape, dtype)
    try:
        mapped = np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape)
    except (OSError, ValueError) as error:
        raise ValueError(f"the file cannot be mapped: {error}") from error
    return np.asarray(mapped)


def _check(
    file: BinaryIO, size: int, dtype: np.dtype[Any], columns: int | None
) -> tuple[tuple[int, ...], int]:
    """Shape of the array in a .npy file and where its data begin, if it is what it should be."""
    if size == 0:
        raise ValueError("the file is empty")
    try:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0}.get(
            version, np.lib.format.read_array_header_2_0
        )
        shape, fortran, found = read(file)
    except (ValueError, EOFError, SyntaxError) as error:
        raise ValueError("the file has no readable NumPy header, or only part of it") from error
    wanted = "(rows,)" if columns is None else f"(rows, {columns})"
    if fortran and len(shape) > 1 and min(shape) > 1:
        raise ValueError("expected rows in C order, found Fortran order")
    if shape[1:] != (() if columns is None else (columns,)) or len(shape) == 0:
        raise ValueError(f"expected shape {wanted}, found {shape}")
    if found != dtype:
        raise ValueError(f"expected {dtype} values, found {found}")
    expected = file.tell() + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if size != expected:
        kind = "truncated" if size < expected else "too long"
        raise ValueError(f"the file is {kind}: expected {expected} bytes, found {size}")
    return shape, file.tell()
