"""Page-locked host memory: the GPU reads and writes it without the driver's extra copy."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Iterable
from typing import Any

import numpy.typing as npt

HOST_TO_DEVICE, DEVICE_TO_HOST = 1, 2
"""Values of ``cudaMemcpyKind``."""
_VERSIONS = (13, 12)


class CudaError(RuntimeError):
    """A call to the CUDA runtime failed."""


class CudaRuntime:
    """The few functions of the CUDA runtime that ONNX Runtime does not offer.

    Raises:
        CudaError: the library is not there.
    """

    def __init__(self) -> None:
        self._library = _load()
        self._library.cudaGetErrorString.restype = ctypes.c_char_p

    def pin(self, array: npt.NDArray[Any]) -> None:
        """Lock an array's pages in memory; ``unpin`` it before it is freed."""
        size = ctypes.c_size_t(array.nbytes)
        self._check(self._library.cudaHostRegister(_address(array), size, ctypes.c_uint(0)))

    def unpin(self, array: npt.NDArray[Any]) -> None:
        """Undo ``pin``."""
        self._check(self._library.cudaHostUnregister(_address(array)))

    def upload(self, array: npt.NDArray[Any], device: int) -> None:
        """Copy an array to an address on the device; returns when it is there."""
        self._copy(ctypes.c_void_p(device), _address(array), array.nbytes, HOST_TO_DEVICE)

    def download(self, device: int, array: npt.NDArray[Any]) -> None:
        """Fill an array from an address on the device; returns when it is there."""
        self._copy(_address(array), ctypes.c_void_p(device), array.nbytes, DEVICE_TO_HOST)

    def _copy(self, to: ctypes.c_void_p, source: ctypes.c_void_p, nbytes: int, kind: int) -> None:
        code = self._library.cudaMemcpy(to, source, ctypes.c_size_t(nbytes), ctypes.c_int(kind))
        self._check(code)

    def _check(self, code: int) -> None:
        if code:
            text = self._library.cudaGetErrorString(ctypes.c_int(code))
            raise CudaError(f"CUDA error {code}: {text.decode(errors='replace')}")


class Pinned:
    """Arrays whose pages stay locked until ``release``; where one cannot be locked, none is.

    Raises:
        CudaError: memory cannot be locked.
    """

    def __init__(self, runtime: CudaRuntime, arrays: Iterable[npt.NDArray[Any]]) -> None:
        self.runtime = runtime
        self._arrays: list[npt.NDArray[Any]] = []
        try:
            for array in arrays:
                runtime.pin(array)
                self._arrays.append(array)
        except CudaError:
            self.release()
            raise

    def release(self) -> None:
        """Unlock them; a second call does nothing."""
        while self._arrays:
            with contextlib.suppress(CudaError):  # the device is gone: so is the lock
                self.runtime.unpin(self._arrays.pop())


def _load() -> ctypes.CDLL:
    """The CUDA runtime, which ONNX Runtime's ``preload_dlls`` has loaded already."""
    windows = sys.platform == "win32"
    for version in _VERSIONS:
        name = f"cudart64_{version}.dll" if windows else f"libcudart.so.{version}"
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise CudaError("the CUDA runtime library is not found")


def _address(array: npt.NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
