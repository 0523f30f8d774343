from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import openvino
import pytest

from linescan.depth import ModelCard, read_card
from linescan.depth.backends.base import Precision, Setup
from linescan.depth.backends.openvino import OpenVinoEngine, has_bf16
from linescan.depth.candidates import REFERENCE, load
from linescan.depth.gate import Gate
from linescan.errors import ModelError
from tests.depth.onnx_files import write_model

SETUP = Setup((70, 70), 1)
SHORT = {"float32": "f32", "bfloat16": "bf16"}
HAS_BF16 = has_bf16(openvino.Core())


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return read_card("surface-tiny")


@pytest.fixture(scope="module")
def gate(card: ModelCard) -> Gate:
    return Gate(load(REFERENCE, card, SETUP), 0.1)


@pytest.mark.parametrize(
    ("precision", "parts", "least", "most"),
    [("fp32", 1, 0.0, 1e-4), ("bf16", 2, 1e-4, 0.02), ("bf16_mixed", 3, 1e-4, 0.02)],
)
def test_each_part_runs_in_its_precision(
    card: ModelCard, gate: Gate, precision: Precision, parts: int, least: float, most: float
) -> None:
    """Left alone, OpenVINO computes fp32 models in bf16: three digits instead of seven."""
    if precision != "fp32" and not HAS_BF16:
        with pytest.raises(ModelError, match="no bf16"):
            OpenVinoEngine(card, precision, SETUP)
        return
    engine = OpenVinoEngine(card, precision, SETUP)
    gate.check(engine)
    assert engine.deviation is not None
    assert least < engine.deviation < most
    used = [
        request.get_compiled_model().get_property("INFERENCE_PRECISION_HINT").get_type_name()
        for request in engine._requests
    ]
    names = {"bf16": ["f32", "bf16"], "bf16_mixed": ["f32", "bf16", "f32"], "fp32": ["f32"]}
    assert len(used) == parts
    assert [SHORT.get(name, name) for name in used] == names[precision]


@pytest.mark.parametrize(
    ("flags", "there"),
    [
        ("fpu avx512f avx512_vnni", False),  # only emulated
        ("fpu avx512f avx512_bf16", True),
        ("fpu avx512f amx_bf16", True),
        ("fpu avx2", True),  # OpenVINO would not report what it has to emulate here
        (None, True),
    ],
)
def test_bf16_that_is_only_emulated_does_not_count(
    card: ModelCard, monkeypatch: pytest.MonkeyPatch, flags: str | None, there: bool
) -> None:
    found = None if flags is None else frozenset(flags.split())
    monkeypatch.setattr("linescan.depth.backends.openvino.cpu_flags", lambda: found)
    core = openvino.Core()
    reported = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    assert has_bf16(core) == (reported and there)
    if not (reported and there):
        with pytest.raises(ModelError, match="no bf16 arithmetic"):
            OpenVinoEngine(card, "bf16", SETUP)


def test_features_that_are_not_there_say_what_to_do(card: ModelCard) -> None:
    if not HAS_BF16:
        return
    with pytest.raises(ModelError, match=r"no tensor 'nowhere' .*: export it again"):
        OpenVinoEngine(replace(card, features=("nowhere",)), "bf16_mixed", SETUP)


def test_the_other_stages_share_the_cores(card: ModelCard) -> None:
    engine = OpenVinoEngine(card, "fp32", SETUP)
    compiled = engine._requests[0].get_compiled_model()
    assert compiled.get_property("ENABLE_CPU_PINNING") is False
    assert compiled.get_property("INFERENCE_NUM_THREADS") == 1


SIGNALLED = """
import os, signal, sys, threading
from pathlib import Path
from linescan.depth import open_engine

signal.signal(signal.SIGTERM, lambda *_: print("handled"))
engines = [open_engine(sys.argv[1], "openvino", "fp32", cache=Path(sys.argv[2]))]
thread = threading.Thread(target=lambda: engines.pop().close())
thread.start()
thread.join()
os.kill(os.getpid(), signal.SIGTERM)
"""


def test_a_signal_after_the_last_engine_was_closed_elsewhere(tmp_path: Path) -> None:
    """OpenVINO unmaps the stack of signal handlers with its last core."""
    path = write_model(tmp_path / "model.onnx", (28, 42))
    command = [sys.executable, "-c", SIGNALLED, str(path), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr
