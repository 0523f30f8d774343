from __future__ import annotations

import stat
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from linescan.depth.machine import (
    cpu_features,
    cpu_flags,
    cpu_name,
    devices,
    gpus,
    installed,
    versions,
)
from linescan.version import __version__


def test_versions_are_those_that_run() -> None:
    found = versions()
    assert found["linescan"] == __version__
    assert onnxruntime.__version__ in (found.get("onnxruntime"), found.get("onnxruntime-gpu"))


def test_the_cpu_has_a_name_that_stays() -> None:
    assert devices()["cpu"].strip()
    assert devices() == devices()


@pytest.mark.parametrize(
    ("script", "gpu"),
    [
        ("echo '0, NVIDIA H100, 580.10'", "0, NVIDIA H100, 580.10"),
        ("echo '0, A, 5'; echo '1, B, 5'", "0, A, 5; 1, B, 5"),
        ("echo 'no devices were found'; exit 6", None),
    ],
)
def test_the_gpu_comes_with_its_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, gpu: str | None
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert devices().get("gpu") == gpu


@pytest.mark.parametrize("variable", ["CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"])
def test_which_gpu_is_the_first_makes_another_machine(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.delenv(variable, raising=False)
    plain = devices()
    monkeypatch.setenv(variable, "1")
    assert devices() == {**plain, variable: "1"}


@pytest.mark.parametrize(
    "name", ["tensorrt", "tensorrt_cu12", "tensorrt-cu13-libs", "nvidia-cudnn-cu13", "openvino"]
)
def test_engines_are_found_by_any_of_their_packages_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    info = tmp_path / f"{name.replace('-', '_')}-10.99.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 10.99\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert versions()[name.replace("_", "-")] == "10.99"


@pytest.mark.skipif(sys.platform == "win32", reason="names of Linux")
def test_libraries_that_were_installed_without_a_package_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = versions()
    (tmp_path / "libnvinfer.so.10.99.1").touch()
    (tmp_path / "libnvinfer.so.10").symlink_to("libnvinfer.so.10.99.1")
    (tmp_path / "libother.so.1").touch()
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{tmp_path / 'nowhere'}:{tmp_path}")
    names = before.get("libraries", "").split()
    assert versions() == {
        **before,
        "libraries": " ".join(sorted([*names, "libnvinfer.so.10.99.1"])),
    }


def test_the_instruction_sets_are_those_that_linux_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "cpuinfo"
    monkeypatch.setattr("linescan.depth.machine._CPU_INFO", info)
    assert cpu_flags() is None
    assert cpu_features() == frozenset()
    info.write_text("processor\t: 0\nflags\t\t: fpu avx512f\nvmx flags\t: vnmi\n\n")
    assert cpu_flags() == cpu_features() == frozenset({"fpu", "avx512f"})
    info.write_text("processor\t: 0\nmodel name\t: Ampère \nFeatures\t: fp asimd\n", "utf-8")
    assert cpu_flags() is None
    assert cpu_features() == frozenset({"fp", "asimd"})
    assert cpu_name() == "Ampère"


def test_gpus_are_asked_for_what_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no row of the table, such as a warning, is no GPU."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus("name") == []
    tool = tmp_path / "nvidia-smi"
    row = '[ "$1" = --query-gpu=name,compute_cap ] && echo "NVIDIA H200, 9.0"'
    tool.write_text(f"#!/bin/sh\necho WARNING\n{row}\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    assert gpus("name", "compute_cap") == [("NVIDIA H200", "9.0")]


def test_packages_are_named_as_they_are_installed() -> None:
    found = installed()
    assert found["numpy"] == np.__version__
    assert all("_" not in name and name == name.lower() for name in found)
