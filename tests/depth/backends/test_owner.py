"""The owner thread, with a session on the CPU in the place of one on a GPU."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from linescan.depth import read_card
from linescan.depth.backends.base import BackendName, Setup
from linescan.depth.backends.ort import HostSession, open_session, session_options
from linescan.depth.backends.owner import WARM_UP_RUNS, OwnedModel
from linescan.errors import ModelError
from linescan.records import FloatArray
from tests.depth.failing_models import SIZE


class Owned(OwnedModel):
    """Notes which thread does what."""

    backend: BackendName = "cpu"

    def __init__(self, path: Path) -> None:
        super().__init__(read_card(path), "fp32", Setup(SIZE, 1), "CPU")
        self.seen: list[tuple[str, int]] = []
        self.start(self._open)

    def _open(self) -> None:
        self._note("open")
        options = session_options(Setup(SIZE, 1))
        HostSession.bind(self, open_session(self.card, options, ["CPUExecutionProvider"]))  # type: ignore[arg-type]
        self.warm_up()

    def run_owned(self, planes: npt.NDArray[np.uint8]) -> FloatArray:
        self._note("run")
        return HostSession._run(self, planes)  # type: ignore[arg-type]

    def free_owned(self) -> None:
        self._note("free")
        HostSession._free(self)  # type: ignore[arg-type]

    def _note(self, what: str) -> None:
        self.seen.append((what, threading.get_ident()))


def test_one_thread_opens_runs_and_closes(handmade: Path) -> None:
    engine = Owned(handmade)
    images = np.random.default_rng(1).integers(0, 256, (16, *SIZE), dtype=np.uint8)
    with ThreadPoolExecutor(4) as pool:
        for image, depth in zip(images, pool.map(engine.infer, images), strict=True):
            np.testing.assert_array_equal(depth, image / np.float32(4))
    engine.close()
    engine.close()
    assert [what for what, _ in engine.seen] == [
        "open",
        *["run"] * (WARM_UP_RUNS + 16),
        "free",
    ]
    (owner,) = {thread for _, thread in engine.seen}
    assert owner != threading.get_ident()
    assert owner not in {thread.ident for thread in threading.enumerate()}
    with pytest.raises(ModelError, match="closed"):
        engine.infer(images[0])


def test_the_thread_ends_where_the_session_cannot_be_opened(handmade: Path) -> None:
    before = threading.active_count()
    broken = handmade.with_name("broken.onnx")
    whole = handmade.read_bytes()
    broken.write_bytes(whole)

    class Late(Owned):
        def _open(self) -> None:
            broken.write_bytes(whole[: len(whole) // 2])
            super()._open()

    with pytest.raises(ModelError, match="cannot load it"):
        Late(broken)
    assert threading.active_count() == before
