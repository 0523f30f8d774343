"""The machine and its limits."""

from __future__ import annotations

import sys

import pytest

from linescan.benchmark.errors import BenchmarkError
from linescan.benchmark.limits import measure_limits
from linescan.benchmark.machine import describe_machine, load_of_others
from linescan.depth.machine import cpu_features, devices, installed


def test_the_machine_is_described() -> None:
    found = describe_machine()
    assert found["cpu"]
    assert found["cores"] >= 1
    assert found["memory_gb"] > 0
    assert found["packages"]["onnxruntime" if "onnxruntime" in found["packages"] else "numpy"]
    assert isinstance(found["gpus"], list)
    assert 0.0 <= load_of_others(0.05) <= 1.0


def test_gpus_flags_and_versions_are_those_that_the_engines_are_chosen_by(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = [("NVIDIA H200", "143771 MiB", "580.10", "9.0")]
    monkeypatch.setattr("linescan.benchmark.machine.gpus", lambda *_: rows)
    found = describe_machine()
    assert found["gpus"] == [
        {
            "name": "NVIDIA H200",
            "memory": "143771 MiB",
            "driver": "580.10",
            "compute_capability": "9.0",
        }
    ]
    assert devices()["cpu"].startswith(found["cpu"])
    assert set(found["flags"]) <= cpu_features()
    assert found["packages"].items() <= installed().items()


def test_limits_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linescan.benchmark.limits.N", 128)
    monkeypatch.setattr("linescan.benchmark.limits.COPY_BYTES", 1 << 20)
    told: list[None] = []
    found = measure_limits(1, 0.01, lambda: told.append(None))
    assert found["fp32_gflops"] > 0
    assert found["bf16_gflops"] > 0
    assert found["copy_gb_s"] > 0
    assert told


def test_without_torch_there_is_no_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linescan.benchmark.limits.N", 128)
    monkeypatch.setattr("linescan.benchmark.limits.COPY_BYTES", 1 << 20)
    monkeypatch.setitem(sys.modules, "torch", None)
    found = measure_limits(1, 0.01)
    assert found["fp32_gflops"] > 0
    assert found["bf16_gflops"] is None
    assert "without torch" in found["notes"][0]


def test_without_psutil_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(BenchmarkError, match=r"pip install '\.\[bench\]'"):
        describe_machine()
