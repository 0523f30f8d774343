"""Results as a run leaves them, with figures that are easy to check by head."""

from __future__ import annotations

import copy
from typing import Any

from linescan.benchmark.results import DEVIATION_MEANS, FORMAT, RATIO_MEANS
from linescan.benchmark.stream import STAGES


def stage(ms: float) -> dict[str, Any]:
    """A stage whose p50 is ``ms``."""
    return {
        "items": 10,
        "p50_ms": ms,
        "p95_ms": 1.5 * ms,
        "p99_ms": 2 * ms,
        "max_ms": 3 * ms,
        "ms_per_frame": ms,
        "bytes_per_frame": None,
        "gb_s": None,
        "share_of_copy": None,
    }


def row(name: str, median: float, deviation: float | None, **changes: Any) -> dict[str, Any]:
    """One contender."""
    return {
        "name": name,
        "precision": name.partition("-")[2] or "fp32",
        "device": "CPU, 2 threads",
        "contains": "uint8 frame, resize by area, engine, float32 depth at the model's size",
        "rounds": 3,
        "median_ms": median,
        "p95_ms": 1.1 * median,
        "p99_ms": 1.2 * median,
        "max_ms": 1.3 * median,
        "min_ms": 0.9 * median,
        "model_ms": 0.95 * median,
        "deviation": deviation,
        "samples_ms": [0.9 * median, median, 1.3 * median],
        "ratio_vs_transformers": 800.0 / median,
        "ratio_vs_onnxruntime_fp32": 600.0 / median,
        "model_ratio_vs_transformers": 700.0 / median,
        "model_ratio_vs_onnxruntime_fp32": 500.0 / median,
        "gflops": 400.0,
        "share_of_limit": 0.5,
        "within_gate": None if deviation is None else deviation <= 0.02,
        **changes,
    }


STAGES_MS: dict[str, Any] = {
    name: None if name in ("correct", "align") else stage(5.0 * (at + 1))
    for at, name in enumerate(STAGES)
}
STAGES_MS["stitch"] |= {"bytes_per_frame": 8_400_000, "gb_s": 0.56, "share_of_copy": 0.0187}


def run(mode: str, offered: float | None) -> dict[str, Any]:
    """One run of the pipeline."""
    return {
        "mode": mode,
        "offered_lines_per_s": offered,
        "engine": "openvino-bf16",
        "frames": 3,
        "frames_per_s": 4.0,
        "lines_per_s": 7680.0,
        "message_bytes": 1_610_000,
        "lost_lines": 0,
        "missed_messages": 0,
        "memory_mb": {"after_first": 390.0, "after_tenth": 400.0, "at_end": 401.0},
        "subscriber_memory_mb": {"after_first": 70.0, "after_tenth": 71.0, "at_end": 72.0},
        "stages": STAGES_MS,
        "end_to_end_samples_ms": [50.0, 55.0, 110.0],
    }


RESULTS: dict[str, Any] = {
    "format": FORMAT,
    "made": "2026-01-01T00:00:00+00:00",
    "complete": True,
    "ratio_means": RATIO_MEANS,
    "deviation_means": DEVIATION_MEANS,
    "settings": {
        "frame": [2048, 2048],
        "resize_in_model": False,
        "rounds": 3,
        "warm_up": 1,
        "frames": 3,
        "threads": 2,
        "tolerance": 0.02,
    },
    "model": {
        "name": "made-up",
        "sha256": "00",
        "weights": "trained",
        "size": [518, 518],
        "tokens": 1370,
        "gflop": 80.0,
    },
    "machine": {
        "cpu": "A Processor",
        "cores": 2,
        "flags": ["avx2", "avx512_bf16"],
        "memory_gb": 23.5,
        "gpus": [],
        "system": "Linux 6.1",
        "python": "3.11.7",
        "linescan": "0.1.0",
        "packages": {"numpy": "2.4.6"},
    },
    "load_of_others": {"before": 0.01, "after": 0.02},
    "limits": {
        "fp32_gflops": 200.0,
        "bf16_gflops": 800.0,
        "copy_gb_s": 30.0,
        "cuda": None,
        "notes": ["torch sees no CUDA device"],
    },
    "backends": [row("openvino-bf16", 200.0, 0.004), row("openvino-fp32", 400.0, 0.0)],
    "baselines": [row("transformers", 800.0, 1e-6), row("onnxruntime-fp32", 600.0, 1e-6)],
    "not_loaded": [{"name": "cuda-fp32", "reason": "built without CUDA"}],
    "stages": STAGES_MS,
    "pipeline": {
        "bare_engine_frames_per_s": [4.1, 4.0],
        "share_of_bare_engine": 0.988,
        "outside_model_over_model": {"throughput": 0.12, "paced": 0.1},
        "throughput": run("throughput", None),
        "paced": run("paced", 5376.0),
    },
}


def results(**changes: Any) -> dict[str, Any]:
    """A copy that a test may change."""
    return {**copy.deepcopy(RESULTS), **copy.deepcopy(changes)}
