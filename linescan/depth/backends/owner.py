"""One thread opens, runs and closes a session: a CUDA graph belongs to the thread that ran it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from linescan.depth.backends.base import LoadedModel, Precision, Setup
from linescan.depth.card import ModelCard
from linescan.records import FloatArray

WARM_UP_RUNS = 3
"""ONNX Runtime captures a graph during the first runs: the captured one is then replayed."""


class OwnedModel(LoadedModel):
    """A model whose session is touched by a single thread of its own, whoever calls."""

    def __init__(self, card: ModelCard, precision: Precision, setup: Setup, device: str) -> None:
        super().__init__(card, precision, setup, device)
        self._owner = ThreadPoolExecutor(1, thread_name_prefix="engine")

    def start(self, open_and_bind: Callable[[], None]) -> None:
        """Open the session in the owner's thread; the thread ends where that fails."""
        try:
            self._owner.submit(open_and_bind).result()
        except BaseException:
            self._owner.shutdown()
            raise

    def warm_up(self) -> None:
        """Run blank images, in the owner's thread; raises whatever the backend does."""
        planes = np.zeros((1, self.card.channels, *self.image_shape[:2]), np.uint8)
        for _ in range(WARM_UP_RUNS):
            self.run_owned(planes)

    @abstractmethod
    def run_owned(self, planes: npt.NDArray[np.uint8]) -> FloatArray:
        """``_run``, in the owner's thread."""

    @abstractmethod
    def free_owned(self) -> None:
        """``_free``, in the owner's thread."""

    def _run(self, planes: npt.NDArray[np.uint8]) -> FloatArray:
        return self._owner.submit(self.run_owned, planes).result()

    def _free(self) -> None:
        self._owner.submit(self.free_owned).result()
        self._owner.shutdown()
