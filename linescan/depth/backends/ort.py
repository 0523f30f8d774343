"""What the ONNX Runtime backends share: a session with bound, preallocated buffers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from linescan.depth.backends.base import Engine, first_line
from linescan.depth.card import COLUMNS, INPUT, OUTPUT, ROWS, ModelCard, import_onnxruntime
from linescan.errors import ModelError
from linescan.records import FloatArray


def session_options(size: tuple[int, int], threads: int) -> Any:
    """Options for one model at one size: the free dimensions become fixed before optimisation."""
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_free_dimension_override_by_name(ROWS, size[0])
    options.add_free_dimension_override_by_name(COLUMNS, size[1])
    return options


def open_session(card: ModelCard, options: Any, providers: list[Any], wanted: str) -> Any:
    """A session whose first provider really is the wanted one.

    ONNX Runtime lists providers that cannot load, and falls back to the CPU without an error: only
    the session's own list tells.
    """
    onnxruntime = import_onnxruntime()
    try:
        session = onnxruntime.InferenceSession(str(card.path), options, providers=providers)
    except Exception as error:  # ONNX Runtime's errors share no base class
        raise ModelError(f"{card.path}: {wanted} cannot load it: {first_line(error)}") from error
    loaded = session.get_providers()
    if loaded[0] != wanted:
        raise ModelError(f"{wanted} did not load (the session runs on {loaded[0]})")
    return session


class BoundSession(Engine):
    """An ONNX Runtime session with its input and output bound to memory of its device."""

    def bind(self, session: Any, device: str) -> None:
        """Allocate the buffers on ``device`` (``"cpu"`` or ``"cuda"``) and bind them."""
        values = import_onnxruntime().OrtValue
        rows, columns = self.size
        self._session = session
        self._input = values.ortvalue_from_shape_and_type([1, 1, rows, columns], np.uint8, device)
        self._output = values.ortvalue_from_shape_and_type([1, rows, columns], np.float32, device)
        self._binding = session.io_binding()
        self._binding.bind_ortvalue_input(INPUT, self._input)
        self._binding.bind_ortvalue_output(OUTPUT, self._output)

    def _run(self, image: npt.NDArray[np.uint8]) -> FloatArray:
        self._input.update_inplace(image[None, None])
        self._session.run_with_iobinding(self._binding)
        # On the CPU numpy() is a view of the bound buffer, which the next run overwrites.
        return np.array(self._output.numpy()[0], dtype=np.float32)

    def _free(self) -> None:
        del self._binding, self._input, self._output, self._session
