"""What every engine is."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from typing import Literal, final

import numpy as np
import numpy.typing as npt

from linescan.depth.card import ModelCard
from linescan.errors import ModelError
from linescan.records import FloatArray

Precision = Literal["fp32", "bf16"]
BackendName = Literal["cuda", "openvino", "cpu"]


class BackendMissingError(ModelError):
    """The backend is not part of this installation: a choice that was made, not a failure."""


class Engine(ABC):
    """A model, loaded at one size, that runs images one at a time.

    The same image gives the same bits on the same engine. Buffers are allocated once; a lock lets
    one thread in at a time.

    Attributes:
        card: the model's card.
        backend: what runs it.
        precision: of the arithmetic.
        device: on which device, for people.
        size: rows and columns of the input.
    """

    backend: BackendName

    def __init__(
        self, card: ModelCard, size: tuple[int, int], precision: Precision, device: str
    ) -> None:
        self.card = card
        self.size = size
        self.precision = precision
        self.device = device
        self._lock = threading.Lock()
        self._closed = False

    @property
    def name(self) -> str:
        """Backend and precision, such as ``openvino-fp32``, for results and logs."""
        return f"{self.backend}-{self.precision}"

    @final
    def infer(self, image: npt.NDArray[np.uint8]) -> FloatArray:
        """Run the model.

        Args:
            image: (h, w) uint8 of the engine's size.

        Returns:
            (h, w) float32, the model's own output: scale and shift of its card are not applied.
            The array belongs to the caller.

        Raises:
            ModelError: the image does not fit, the backend failed, the output is not finite, or
                the engine is closed.
        """
        if image.shape != self.size or image.dtype != np.uint8:
            raise ModelError(
                f"{self.name} takes {self.size[0]}x{self.size[1]} uint8 images, "
                f"got {'x'.join(map(str, image.shape))} {image.dtype}"
            )
        with self._lock:
            if self._closed:
                raise ModelError(f"{self.name}: the engine is closed")
            try:
                output = self._run(np.ascontiguousarray(image))
            except Exception as error:  # backends' errors share no base class
                reason = first_line(error)
                raise ModelError(f"{self.name}: inference failed: {reason}") from error
        if not np.isfinite(output).all():
            raise ModelError(
                f"{self.name}: model '{self.card.name}' gave values that are not finite"
            )
        return output

    def close(self) -> None:
        """Free the model; a second call does nothing."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._free()

    @abstractmethod
    def _run(self, image: npt.NDArray[np.uint8]) -> FloatArray:
        """Run a contiguous image of the right size; the result must not be overwritten later."""

    @abstractmethod
    def _free(self) -> None:
        """Drop what holds memory."""


def cores() -> int:
    """CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def first_line(error: BaseException) -> str:
    """An error in one line: the text's first line that says something, or the error's class."""
    lines = (line.strip() for line in str(error).splitlines())
    return next((line for line in lines if line), type(error).__name__)
