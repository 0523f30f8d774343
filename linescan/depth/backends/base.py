"""What every engine is."""

from __future__ import annotations

import os
import re
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from linescan.depth.card import ModelCard
from linescan.errors import ModelError
from linescan.records import FloatArray

Precision = Literal["fp32", "fp16", "bf16", "bf16_mixed"]
"""Of the arithmetic; ``bf16_mixed`` is an encoder in bf16 and a head in fp32."""
BackendName = Literal["tensorrt", "cuda", "openvino", "cpu"]


_PLACE = "Exception from src/"
"""How OpenVINO begins: with a place in its source."""
_CUDA_FAILURE = re.compile(r"CUDA failure \d+: [^;]*[^; ]")
"""What ONNX Runtime says of CUDA, in the middle of signatures and file names."""
_OUT_OF_MEMORY = (
    "bad_alloc",
    "out of memory",
    "CUDA_ERROR_OUT_OF_MEMORY",
    "Failed to allocate memory",
    "Cannot allocate memory",
)


class BackendError(ModelError):
    """The backend does not load, whatever the model and the precision."""


class BackendMissingError(BackendError):
    """The backend is not part of this installation: no fault, and not warned of."""


class PrecisionMissingError(ModelError):
    """The device, or the installation, cannot do this precision: no fault, and not warned of."""


@dataclass(frozen=True, slots=True)
class Setup:
    """How an engine is to be set up, beside what runs it.

    Attributes:
        size: rows and columns of the model.
        threads: CPU threads.
        cache: the engine's own folder for what it builds; None where it is to keep nothing.
    """

    size: tuple[int, int]
    threads: int
    cache: Path | None = None


class Engine(ABC):
    """Runs images through a model at one size, one at a time; threads may share it.

    Attributes:
        card: the model's card.
        size: rows and columns of the model and of its output.
        backend: what runs it.
        precision: of the arithmetic.
        device: on which device, for people.
        deviation: from the fp32 reference, measured when the engine was opened: RMS after an affine
            alignment, in standard deviations of the reference; None where it was not measured.
        fallbacks: how often another engine took over from one that failed.
    """

    card: ModelCard
    size: tuple[int, int]
    backend: BackendName
    precision: Precision
    device: str
    deviation: float | None = None
    fallbacks: int = 0

    @property
    def name(self) -> str:
        """Backend and precision, such as ``openvino-fp32``, for results and logs."""
        return f"{self.backend}-{self.precision}"

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of the uint8 image that ``infer`` takes: (rows, columns), or (…, 3) for RGB."""
        return self.card.image_shape(self.size)

    @abstractmethod
    def infer(self, image: npt.NDArray[np.uint8]) -> FloatArray:
        """Run the model.

        Args:
            image: uint8 of the engine's ``image_shape``.

        Returns:
            (h, w) float32 of the engine's size, the model's own output: scale and shift of its card
            are not applied. The array belongs to the caller.

        Raises:
            ModelError: the image does not fit, the backend failed, the output is not finite, or
                the engine is closed.
        """

    @abstractmethod
    def close(self) -> None:
        """Free the model; a second call does nothing."""


class LoadedModel(Engine):
    """A model in the memory of one backend.

    The same image gives the same bits. Buffers are allocated once; a lock lets one thread in at a
    time.
    """

    precisions: ClassVar[tuple[Precision, ...]]
    """What the backend offers, fastest expected first."""
    on_gpu: ClassVar[bool] = False
    keeps: ClassVar[bool] = False
    """What loading builds is kept in the setup's cache."""
    slow_to_build: ClassVar[bool] = False
    """Building takes minutes."""

    def __init__(self, card: ModelCard, precision: Precision, setup: Setup, device: str) -> None:
        self.card = card
        self.size = setup.size
        self.precision = precision
        self.device = device
        self._lock = threading.Lock()
        self._closed = False

    def infer(self, image: npt.NDArray[np.uint8]) -> FloatArray:
        """See ``Engine.infer``."""
        check_image(self, image)
        with self._lock:
            if self._closed:
                raise ModelError(f"{self.name}: the engine is closed")
            try:
                output = self._run(_planes(image))
            except Exception as error:  # backends' errors share no base class
                reason = first_line(error)
                raise ModelError(f"{self.name}: inference failed: {reason}") from error
        if not np.isfinite(output).all():
            raise ModelError(
                f"{self.name}: model '{self.card.name}' gave values that are not finite"
            )
        return output

    def close(self) -> None:
        """See ``Engine.close``."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._free()

    @abstractmethod
    def _run(self, planes: npt.NDArray[np.uint8]) -> FloatArray:
        """Run (1, channels, h, w), C-contiguous; the result must not be overwritten later."""

    @abstractmethod
    def _free(self) -> None:
        """Drop what holds memory."""


def check_image(engine: Engine, image: npt.NDArray[np.uint8]) -> None:
    """Raise a ``ModelError`` where an image is not of the engine's shape and uint8."""
    if image.shape != engine.image_shape or image.dtype != np.uint8:
        raise ModelError(
            f"{engine.name} takes {'x'.join(map(str, engine.image_shape))} uint8 images, "
            f"got {'x'.join(map(str, image.shape))} {image.dtype}"
        )


def cores() -> int:
    """CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def first_line(error: BaseException) -> str:
    """An error in one line: the text's first line that says something, or the error's class."""
    lines = (line.strip() for line in str(error).splitlines())
    said = (line for line in lines if line and not line.startswith(_PLACE))
    text = next(said, type(error).__name__)
    if found := _CUDA_FAILURE.search(text):
        text = found[0]
    memory = isinstance(error, MemoryError) or any(each in str(error) for each in _OUT_OF_MEMORY)
    return f"out of memory ({text})" if memory else text


def is_out_of_memory(error: ModelError) -> bool:
    """Memory ran out; by the words of ``first_line``."""
    return "out of memory" in str(error)


def on_device(error: ModelError) -> bool:
    """The device or its memory failed, not what was loaded; by the words of ``first_line``."""
    return is_out_of_memory(error) or "CUDA failure" in str(error)


def _planes(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(1, channels, h, w) of a gray (h, w) or RGB (h, w, 3) image; no copy where there need not."""
    planes = image[None] if image.ndim == 2 else np.moveaxis(image, -1, 0)
    return np.ascontiguousarray(planes)[None]
