"""What the machine is, as far as it bears on speed; nothing that names it or its users."""

from __future__ import annotations

import platform
from types import ModuleType
from typing import Any, Final

from linescan.benchmark.errors import BenchmarkError
from linescan.depth.backends.base import cores
from linescan.depth.machine import cpu_features, cpu_name, gpus, installed
from linescan.errors import install_hint
from linescan.version import __version__

FLAGS: Final = (
    "avx2",
    "avx_vnni",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_bf16",
    "amx_int8",
    "asimd",
    "bf16",
    "i8mm",
    "sve",
)
"""Instruction sets that change how fast matrices are multiplied."""
PACKAGES: Final = (
    "numpy",
    "opencv-python-headless",
    "onnxruntime",
    "onnxruntime-gpu",
    "openvino",
    "tensorrt",
    "tensorrt-cu13",
    "torch",
    "torchvision",
    "transformers",
    "pyzmq",
)


def describe_machine() -> dict[str, Any]:
    """CPU, memory, GPUs, system and versions, as plain data."""
    flags = cpu_features()
    return {
        "cpu": cpu_name(),
        "cores": cores(),
        "flags": [flag for flag in FLAGS if flag in flags],
        "memory_gb": round(import_psutil().virtual_memory().total / 2**30, 1),
        "gpus": _gpus(),
        "system": _system(),
        "python": platform.python_version(),
        "linescan": __version__,
        "packages": _versions(),
    }


def load_of_others(seconds: float = 1.0) -> float:
    """Share of all cores, 0 to 1, that are at work while this process waits."""
    busy: float = import_psutil().cpu_percent(interval=seconds)
    return round(busy / 100, 3)


def import_psutil() -> ModuleType:
    """psutil, or a ``BenchmarkError`` that says how to get it."""
    try:
        import psutil
    except ImportError as error:
        raise BenchmarkError(
            f"the benchmark needs psutil; {install_hint('bench')} ({error})"
        ) from error
    return psutil


def _gpus() -> list[dict[str, str]]:
    """Name, memory, driver and compute capability of each NVIDIA GPU."""
    names = ("name", "memory", "driver", "compute_capability")
    rows = gpus("name", "memory.total", "driver_version", "compute_cap")
    return [dict(zip(names, row, strict=True)) for row in rows]


def _system() -> str:
    try:
        pretty = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        pretty = ""
    # The kernel's name ends in what its builder liked: versions are enough.
    kernel = f"{platform.system()} {platform.release().partition('-')[0]}"
    return f"{pretty}, {kernel}" if pretty else kernel


def _versions() -> dict[str, str]:
    found = installed()
    return {name: found[name] for name in PACKAGES if name in found}
