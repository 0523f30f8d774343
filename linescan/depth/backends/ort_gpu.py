"""What the two GPU backends share: a session whose image and depth stay at fixed GPU addresses."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from linescan.depth.backends.base import BackendError, BackendMissingError, first_line
from linescan.depth.backends.cuda_memory import CudaError, CudaRuntime, Pinned
from linescan.depth.backends.owner import OwnedModel
from linescan.depth.card import OUTPUT, import_onnxruntime
from linescan.errors import ModelError
from linescan.records import FloatArray

log = logging.getLogger(__name__)

CUDA = "CUDAExecutionProvider"
CUDA_OPTIONS = {
    # The provider's default lets matrix products run in TF32, with 10 bits of mantissa.
    "use_tf32": "0",
    # Timing every algorithm takes seconds at start and may choose another one next time.
    "cudnn_conv_algo_search": "HEURISTIC",
}


def require_provider(name: str) -> str:
    """Load the GPU libraries beside ONNX Runtime; what it complained about meanwhile.

    ``preload_dlls`` prints its complaints instead of raising.

    Raises:
        BackendMissingError: this ONNX Runtime is built without the provider.
    """
    onnxruntime = import_onnxruntime()
    if name not in onnxruntime.get_available_providers():
        raise BackendMissingError(
            f"this ONNX Runtime is built without {name}: install the extra gpu in place of cpu"
        )
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        onnxruntime.preload_dlls()
    return " ".join(printed.getvalue().split())


@contextlib.contextmanager
def explained(said: str) -> Iterator[None]:
    """Add to an error what loading the libraries complained about."""
    try:
        yield
    except ModelError as error:
        raise type(error)(f"{error}{said and ': ' + said}") from error


class DeviceSession(OwnedModel):
    """The image goes up once and the depth map comes down once; nothing else crosses the bus.

    The addresses never change, as a captured CUDA graph demands. Host memory is page-locked where
    the CUDA runtime can be had; else ONNX Runtime's own copies serve.
    """

    on_gpu = True

    def open_with(self, open_one: Callable[[bool], Any]) -> None:
        """Open a session with a CUDA graph and let it capture; where that fails, one without.

        Args:
            open_one: gives the session, with a graph where its argument is true.
        """
        self.start(lambda: self._open_either(open_one))

    def _open_either(self, open_one: Callable[[bool], Any]) -> None:
        try:
            self.bind(open_one(True))
            try:
                self.warm_up()
            except Exception:
                self.free_owned()
                raise
        except BackendError:
            raise
        except Exception as error:  # noqa: BLE001 - ONNX Runtime's errors share no base class
            log.info("%s runs without a CUDA graph: %s", self.name, first_line(error))
            self.bind(open_one(False))

    def bind(self, session: Any) -> None:
        """Allocate the buffers and bind them to the session."""
        values = import_onnxruntime().OrtValue
        shape = (1, self.card.channels, *self.image_shape[:2])
        self._image = np.zeros(shape, np.uint8)
        self._depth = np.zeros((1, *self.size), np.float32)
        self._input = values.ortvalue_from_shape_and_type(list(shape), np.uint8, "cuda")
        self._output = values.ortvalue_from_shape_and_type([1, *self.size], np.float32, "cuda")
        self._session = session
        self._binding = session.io_binding()
        self._binding.bind_ortvalue_input(self.card.input_name, self._input)
        self._binding.bind_ortvalue_output(OUTPUT, self._output)
        self._pinned: Pinned | None = None
        try:
            self._pinned = Pinned(CudaRuntime(), (self._image, self._depth))
        except CudaError as error:
            log.warning("%s copies through pageable memory, slower: %s", self.name, error)

    def run_owned(self, planes: npt.NDArray[np.uint8]) -> FloatArray:
        """See ``OwnedModel``."""
        if self._pinned is None:
            self._input.update_inplace(planes)
            self._session.run_with_iobinding(self._binding)
            return np.array(self._output.numpy()[0], dtype=np.float32)
        np.copyto(self._image, planes)
        self._pinned.runtime.upload(self._image, self._input.data_ptr())
        self._session.run_with_iobinding(self._binding)
        self._pinned.runtime.download(self._output.data_ptr(), self._depth)
        return np.array(self._depth[0])

    def free_owned(self) -> None:
        """See ``OwnedModel``."""
        del self._binding, self._input, self._output, self._session
        if self._pinned is not None:
            self._pinned.release()
