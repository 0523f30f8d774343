"""What the machine is, as far as it bears on speed; nothing that names it or its users."""

from __future__ import annotations

import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from linescan.benchmark.errors import BenchmarkError
from linescan.depth.backends.base import cores
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
    cpu, flags = _cpu()
    return {
        "cpu": cpu,
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


def _cpu() -> tuple[str, set[str]]:
    """Model name and flags."""
    info = Path("/proc/cpuinfo")
    if not info.is_file():
        return platform.processor() or platform.machine(), set()
    fields: dict[str, str] = {}
    for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    name = fields.get("model name") or platform.machine()
    flags = fields.get("flags") or fields.get("Features") or ""
    return name, set(flags.split())


def _gpus() -> list[dict[str, str]]:
    """Name, memory, driver and compute capability of each NVIDIA GPU."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    keys = ("name", "memory.total", "driver_version", "compute_cap")
    query = [tool, f"--query-gpu={','.join(keys)}", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    names = ("name", "memory", "driver", "compute_capability")
    rows = [line.split(",") for line in done.stdout.splitlines() if line.strip()]
    return [
        {name: value.strip() for name, value in zip(names, row, strict=True)}
        for row in rows
        if len(row) == len(names)
    ]


def _system() -> str:
    try:
        pretty = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        pretty = ""
    # The kernel's name ends in what its builder liked: versions are enough.
    kernel = f"{platform.system()} {platform.release().partition('-')[0]}"
    return f"{pretty}, {kernel}" if pretty else kernel


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
