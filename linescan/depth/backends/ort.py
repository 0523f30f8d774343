"""What the ONNX Runtime backends share: a session, and how images and depth get in and out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from linescan.depth.backends.base import BackendError, LoadedModel, Setup, first_line
from linescan.depth.card import COLUMNS, OUTPUT, ROWS, ModelCard, import_onnxruntime
from linescan.errors import ModelError
from linescan.records import FloatArray


def session_options(setup: Setup) -> Any:
    """Options for one model at one size: the free dimensions become fixed before optimisation."""
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = setup.threads
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_free_dimension_override_by_name(ROWS, setup.size[0])
    options.add_free_dimension_override_by_name(COLUMNS, setup.size[1])
    return options


def open_session(
    card: ModelCard, options: Any, providers: list[Any], model: bytes | None = None
) -> Any:
    """A session that really runs on the first of the providers.

    ONNX Runtime lists providers that cannot load, and may fall back to the CPU without an error:
    only the session's own list tells.

    Args:
        card: of the model.
        options: see ``session_options``.
        providers: names, or pairs of name and options.
        model: in place of the card's file.
    """
    wanted = providers[0] if isinstance(providers[0], str) else providers[0][0]
    source = str(card.path) if model is None else model
    try:
        session = import_onnxruntime().InferenceSession(
            source, options, providers=providers, enable_fallback=0
        )
    except Exception as error:  # ONNX Runtime's errors share no base class
        raise ModelError(f"{card.path}: {wanted} cannot load it: {first_line(error)}") from error
    loaded = session.get_providers()
    if loaded[0] != wanted:
        raise BackendError(
            f"{wanted} did not load (the session runs on {loaded[0]}): ONNX Runtime's message on "
            f"stderr names what is missing; 'nvidia-smi' tells whether the driver works"
        )
    return session


class HostSession(LoadedModel):
    """A session on the CPU that reads and writes the same two arrays in every run."""

    def bind(self, session: Any) -> None:
        """Allocate the arrays and bind them to the session."""
        values = import_onnxruntime().OrtValue
        shape = (1, self.card.channels, *self.image_shape[:2])
        self._session = session
        self._image = np.zeros(shape, np.uint8)
        self._depth = np.zeros((1, *self.size), np.float32)
        self._binding = session.io_binding()
        self._binding.bind_ortvalue_input(
            self.card.input_name, values.ortvalue_from_numpy(self._image)
        )
        self._binding.bind_ortvalue_output(OUTPUT, values.ortvalue_from_numpy(self._depth))

    def _run(self, planes: npt.NDArray[np.uint8]) -> FloatArray:
        np.copyto(self._image, planes)
        self._session.run_with_iobinding(self._binding)
        return np.array(self._depth[0])

    def _free(self) -> None:
        del self._binding, self._session
