"""What the machine is, as far as speed depends on it: devices, drivers and versions."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from linescan.version import __version__

_PACKAGES = ("onnxruntime", "onnxruntime-gpu", "openvino", "onnx")
_FAMILIES = ("tensorrt", "nvidia-cudnn", "nvidia-cuda-runtime")
"""Packages whose names end in the version of CUDA, or in a part of the whole."""
_LIBRARIES = ("nvinfer", "cudnn", "cudart")
"""TensorRT, cuDNN and the CUDA runtime, which may also come with the system."""
_VISIBLE = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER")
"""Variables that say which of the GPUs is the first."""
_CPU_INFO = Path("/proc/cpuinfo")


def versions() -> dict[str, str]:
    """Versions of linescan, of the installed engines and of the GPU libraries."""
    engines = {
        name: version
        for name, version in installed().items()
        if name in _PACKAGES or name.startswith(_FAMILIES)
    }
    found = {"linescan": __version__} | engines
    if libraries := _libraries():
        found["libraries"] = " ".join(libraries)
    return found


def installed() -> dict[str, str]:
    """Versions of all installed packages, by their names in small letters and with hyphens."""
    found: dict[str, str] = {}
    for package in metadata.distributions():
        name = str(package.metadata["Name"]).lower().replace("_", "-")
        found.setdefault(name, package.version)  # the first is the one that is imported
    return found


def cpu_name() -> str:
    """Name of the CPU as Linux gives it; its architecture where it gives none."""
    info = _cpu_info()
    if not info:
        return f"{platform.processor()} {platform.machine()}".strip()
    return info.get("model name", platform.machine())


def cpu_flags() -> frozenset[str] | None:
    """Instruction sets of an x86 CPU by Linux's names; None where Linux gives none."""
    flags = _cpu_info().get("flags")
    return None if flags is None else frozenset(flags.split())


def cpu_features() -> frozenset[str]:
    """Instruction sets of any CPU by Linux's names, those of ARM as well; empty elsewhere."""
    info = _cpu_info()
    return frozenset((info.get("flags") or info.get("Features", "")).split())


def gpus(*keys: str) -> list[tuple[str, ...]]:
    """Of each NVIDIA GPU what nvidia-smi says for these keys; empty where no driver answers.

    Args:
        keys: names of ``nvidia-smi --query-gpu``, such as ``name``.
    """
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    lines = _output(tool, f"--query-gpu={','.join(keys)}", "--format=csv,noheader").splitlines()
    rows = [tuple(value.strip() for value in line.split(",")) for line in lines]
    return [row for row in rows if len(row) == len(keys)]


def devices() -> dict[str, str]:
    """Name of the CPU; names of the GPUs with their driver's version, and which are visible."""
    found = {"cpu": _cpu()}
    if rows := gpus("index", "name", "driver_version"):
        found["gpu"] = "; ".join(", ".join(row) for row in rows)
    # nvidia-smi heeds neither, CUDA heeds both.
    return found | {name: os.environ[name] for name in _VISIBLE if name in os.environ}


def _cpu() -> str:
    """Name and a digest of the instruction sets: in a virtual machine names say little."""
    flags = hashlib.sha256(_cpu_info().get("flags", "").encode()).hexdigest()[:8]
    return f"{cpu_name()} ({flags})"


def _cpu_info() -> dict[str, str]:
    """What Linux says of the last core; empty elsewhere."""
    try:
        lines = _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in lines)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _libraries() -> list[str]:
    """File names of the GPU libraries that programs find on this system, versions included."""
    windows = sys.platform == "win32"
    variable = "PATH" if windows else "LD_LIBRARY_PATH"
    pattern = "{}*.dll" if windows else "lib{}.so*"
    folders = [Path(each) for each in os.environ.get(variable, "").split(os.pathsep) if each]
    found = {
        path
        for folder in folders
        for name in _LIBRARIES
        for path in folder.glob(pattern.format(name))
    }
    if not windows:
        for line in _output("/sbin/ldconfig", "-p").splitlines():
            name, _, path = line.strip().partition(" ")
            if name.startswith(tuple(f"lib{each}.so" for each in _LIBRARIES)):
                found.add(Path(path.rpartition(" ")[2]))
    return sorted({path.resolve().name for path in found})


def _output(*command: str) -> str:
    """What a program prints; empty where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20.0, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
