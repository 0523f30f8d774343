"""What the machine could do: matrix products and memory copies, measured.

A product of two n x n matrices counts 2·n³ operations. The best of several runs is taken: a limit
is what the machine reaches when nothing disturbs it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np

N: Final = 2048
"""Side of the matrices: 16 MiB each in fp32, larger than most caches hold."""
N_CUDA: Final = 8192
COPY_BYTES: Final = 256 << 20
LEAST_RUNS: Final = 3


def measure_limits(
    threads: int, seconds: float, progress: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """Matrix products and memory copies on the CPU, and on an NVIDIA GPU where torch has one.

    Args:
        threads: as many as the engines may use.
        seconds: to spend on each figure.
        progress: called after each figure.

    Returns:
        ``fp32_gflops`` and ``bf16_gflops`` of the CPU (None where that cannot be measured, with a
        reason in ``notes``), ``copy_gb_s`` (bytes read plus bytes written), and ``cuda`` with
        ``fp32_gflops``, ``fp16_gflops``, ``bf16_gflops`` and ``copy_gb_s``, or None.
    """
    limits: dict[str, Any] = {"fp32_gflops": None, "bf16_gflops": None, "cuda": None, "notes": []}
    limits["copy_gb_s"] = _copy(threads, seconds)
    progress()
    try:
        import torch
    except ImportError:
        limits["notes"].append("without torch: fp32 with NumPy, no bf16")
        limits["fp32_gflops"] = _gflops(N, _numpy_product(), seconds)
        return limits
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for name in ("fp32", "bf16"):
            limits[f"{name}_gflops"] = _gflops(N, _torch_product(N, name, "cpu"), seconds)
            progress()
    finally:
        torch.set_num_threads(before)
    if torch.cuda.is_available():
        limits["cuda"] = _cuda(seconds)
    else:
        limits["notes"].append("torch sees no CUDA device")
    return limits


def _cuda(seconds: float) -> dict[str, float | None]:
    import torch

    figures: dict[str, float | None] = {
        f"{name}_gflops": _gflops(N_CUDA, _torch_product(N_CUDA, name, "cuda"), seconds)
        for name in ("fp32", "fp16", "bf16")
    }
    source = torch.empty(COPY_BYTES, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)

    def copy() -> None:
        target.copy_(source)
        torch.cuda.synchronize()

    figures["copy_gb_s"] = round(2 * COPY_BYTES / _best(copy, seconds) / 1e9, 1)
    return figures


def _copy(threads: int, seconds: float) -> float:
    """GB/s of a copy shared by the threads, bytes read plus bytes written."""
    source = np.ones(COPY_BYTES, np.uint8)
    target = np.zeros_like(source)
    parts = list(zip(np.array_split(target, threads), np.array_split(source, threads), strict=True))
    with ThreadPoolExecutor(threads) as pool:

        def copy() -> None:
            for done in [pool.submit(np.copyto, *part) for part in parts]:
                done.result()

        return round(2 * COPY_BYTES / _best(copy, seconds) / 1e9, 1)


def _numpy_product() -> Callable[[], None]:
    a = np.ones((N, N), np.float32)
    out = np.empty_like(a)

    def product() -> None:
        np.matmul(a, a, out=out)

    return product


def _torch_product(n: int, precision: str, device: str) -> Callable[[], None]:
    import torch

    kinds = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
    a = torch.ones((n, n), dtype=kinds[precision], device=device)
    out = torch.empty_like(a)

    def product() -> None:
        torch.mm(a, a, out=out)
        if device == "cuda":
            torch.cuda.synchronize()

    return product


def _gflops(n: int, product: Callable[[], None], seconds: float) -> float:
    return round(2 * n**3 / _best(product, seconds) / 1e9, 1)


def _best(work: Callable[[], None], seconds: float) -> float:
    """Shortest run in seconds, of all that fit into the time and at least a few."""
    work()
    best = float("inf")
    until = time.perf_counter() + seconds
    runs = 0
    while runs < LEAST_RUNS or time.perf_counter() < until:
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
        runs += 1
    return best
