"""Results as plain data: what the JSON file holds, see docs/reference/benchmark.md."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Final

from linescan.benchmark.baselines import ONNXRUNTIME, TRANSFORMERS
from linescan.benchmark.contender import Contender
from linescan.benchmark.durations import in_ms, percentiles
from linescan.benchmark.errors import BenchmarkError
from linescan.benchmark.rounds import Times

Results = dict[str, Any]
Row = dict[str, Any]

FORMAT: Final = "linescan-benchmark/1"
RATIO_MEANS: Final = (
    "the baseline's median over this median, end to end: 4.0 is four times as fast as it; "
    "model_ratio: the same of the model alone, without what either does around it"
)
DEVIATION_MEANS: Final = (
    "RMS against the fp32 reference after an affine alignment, in standard deviations of the "
    "reference's depth, over all of the benchmark's frames; the same image at the model's size "
    "goes to all"
)
LIMITS: Final[Mapping[str, str]] = {
    "fp32": "fp32_gflops",
    "fp16": "fp16_gflops",
    "bf16": "bf16_gflops",
    "bf16_mixed": "bf16_gflops",
}
"""The measured matrix product that bounds a precision."""
ON_GPU: Final = ("tensorrt", "cuda")
REQUIRED: Final[Mapping[str, type]] = {
    "complete": bool,
    "settings": dict,
    "model": dict,
    "machine": dict,
    "backends": list,
    "baselines": list,
    "not_loaded": list,
    "stages": dict,
}
"""What every result holds, whenever its run ended."""
Kinds = Mapping[str, type | UnionType]
NUMBER: Final = int | float
PARTS: Final[Mapping[str, Kinds]] = {
    "settings": {"frame": list, "resize_in_model": bool},
    "model": {"name": str, "size": list},
    "machine": {"cpu": str, "gpus": list},
}
"""What is read of these parts; of a run that ended before its model was prepared, it is missing."""
PAIRS: Final = (("settings", "frame"), ("model", "size"))
GPU: Final[Kinds] = {"name": str, "compute_capability": str}
ROW: Final[Kinds] = {
    "name": str,
    "precision": str,
    "deviation": NUMBER | None,
    "within_gate": bool | None,
    **dict.fromkeys(("median_ms", "p95_ms", "p99_ms"), NUMBER),
}
STAGE: Final[Kinds] = dict.fromkeys(("p50_ms", "p95_ms", "p99_ms"), NUMBER)
NOT_LOADED: Final[Kinds] = {"name": str, "reason": str}
RUNS: Final[Mapping[str, Kinds]] = {
    "throughput": {"offered_lines_per_s": NUMBER | None, "stages": dict},
    "paced": {"offered_lines_per_s": NUMBER, "stages": dict},
}


def row_of(contender: Contender, times: Times, deviation: float | None) -> Row:
    """One contender's figures; ratios and shares come with ``relate``."""
    return {
        "name": contender.name,
        "precision": contender.precision,
        "device": contender.device,
        "contains": contender.contains,
        "rounds": len(times.total_ns),
        **percentiles(times.total_ns),
        "model_ms": percentiles(times.model_ns)["median_ms"],
        "deviation": None if deviation is None else float(f"{deviation:.3g}"),
        "samples_ms": in_ms(times.total_ns),
    }


def relate(
    rows: Sequence[Row],
    baselines: Sequence[Row],
    *,
    gflop: float | None,
    limits: Mapping[str, Any],
    tolerance: float | None,
) -> None:
    """Add to each row its ratios to the baselines, its arithmetic rate, and whether it passes.

    Args:
        rows: the engines'.
        baselines: theirs; they get the same keys.
        gflop: of one run of the model, where known.
        limits: as measured.
        tolerance: of the gate; None where deviations mean nothing.
    """
    theirs = {row["name"]: row for row in baselines}
    for row in (*rows, *baselines):
        for key, name in (
            ("ratio_vs_transformers", TRANSFORMERS),
            ("ratio_vs_onnxruntime_fp32", ONNXRUNTIME),
        ):
            row[key] = _ratio(theirs.get(name), row, "median_ms")
            row[f"model_{key}"] = _ratio(theirs.get(name), row, "model_ms")
        ms = row["model_ms"]
        row["gflops"] = round(gflop / ms * 1e3, 1) if gflop is not None and ms > 0.0 else None
        limit = _limit(row, limits)
        row["share_of_limit"] = (
            round(row["gflops"] / limit, 3) if limit and row["gflops"] is not None else None
        )
        judged = tolerance is not None and row["deviation"] is not None
        row["within_gate"] = row["deviation"] <= tolerance if judged else None


def _ratio(theirs: Row | None, ours: Row, key: str) -> float | None:
    """Their time over ours, where both were measured."""
    if theirs is None or not theirs[key] or not ours[key]:
        return None
    return round(float(theirs[key]) / float(ours[key]), 3)


def _limit(row: Row, limits: Mapping[str, Any]) -> float | None:
    """GFLOP/s of the matrix product in the row's precision, on its device."""
    where: Mapping[str, Any] = limits
    if row["name"].partition("-")[0] in ON_GPU or "cuda" in row["device"]:
        where = limits.get("cuda") or {}
    key = LIMITS.get(row["precision"])
    return where.get(key) if key else None


def fastest(rows: Sequence[Row]) -> Row | None:
    """The fastest row whose depth may be used: within the gate, or none where nobody was judged."""
    judged = [row for row in rows if row["within_gate"] is not None]
    usable = [row for row in rows if row["within_gate"] is not False] if judged else list(rows)
    return min(usable, key=lambda row: row["median_ms"], default=None)


def pipeline_part(
    throughput: Mapping[str, Any],
    paced: Mapping[str, Any] | None,
    bare: Sequence[float],
    outside: Mapping[str, float | None],
) -> dict[str, Any]:
    """The pipeline's runs beside the bare engine's rate, in frames per second, around them."""
    mean = statistics.fmean(bare)
    return {
        "bare_engine_frames_per_s": [round(rate, 3) for rate in bare],
        "share_of_bare_engine": round(throughput["frames_per_s"] / mean, 3) if mean else None,
        "outside_model_over_model": dict(outside),
        "throughput": dict(throughput),
        "paced": None if paced is None else dict(paced),
    }


def write_json(results: Results, path: Path) -> None:
    """Write results; raises a ``BenchmarkError`` where that cannot be done."""
    write_text(json.dumps(results, indent=2) + "\n", path)


def write_text(text: str, path: Path) -> None:
    """Write a report; raises a ``BenchmarkError`` where that cannot be done."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BenchmarkError(f"{path}: cannot be written: {error.strerror or error}") from error


def read_json(path: Path) -> Results:
    """Results of an earlier run.

    Raises:
        BenchmarkError: there is no such file, or it holds something else or not all of it.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BenchmarkError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise BenchmarkError(f"{path}: not a JSON file: {error}") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise BenchmarkError(
            f"{path}: not a result of this benchmark ({FORMAT}): give a file that --json wrote"
        )
    missing = next(_missing(data), None)
    if missing is not None:
        raise BenchmarkError(
            f"{path}: incomplete: {missing} is missing or of another kind: measure it again"
        )
    return data


def _missing(data: Results) -> Iterator[str]:
    """Names of what a result lacks of what is read from results."""
    wrong = [key for key, kind in REQUIRED.items() if not isinstance(data.get(key), kind)]
    if wrong:
        yield from wrong
        return
    for part, kinds in PARTS.items():
        yield from _lacks(data[part], kinds, part)
    for part, key in PAIRS:
        pair = data[part].get(key)
        if isinstance(pair, list) and [type(side) for side in pair] != [int, int]:
            yield f"{part}.{key}"
    gpus = data["machine"].get("gpus")
    lists = {"machine.gpus": (gpus if isinstance(gpus, list) else [], GPU)}
    lists |= {key: (data[key], ROW) for key in ("backends", "baselines")}
    lists["not_loaded"] = (data["not_loaded"], NOT_LOADED)
    for where, (entries, kinds) in lists.items():
        for number, entry in enumerate(entries):
            yield from _lacks(entry, kinds, f"{where}[{number}]")
    yield from _lacks_of_runs(data.get("pipeline"))


def _lacks_of_runs(pipeline: object) -> Iterator[str]:
    if pipeline is None:
        return
    if not isinstance(pipeline, dict):
        yield "pipeline"
        return
    for mode, kinds in RUNS.items():
        run = pipeline.get(mode)
        if run is None:
            continue
        where = f"pipeline.{mode}"
        lacks = list(_lacks(run, kinds, where))
        yield from lacks
        for name, stage in run["stages"].items() if not lacks else ():
            if stage is not None:
                yield from _lacks(stage, STAGE, f"{where}.stages.{name}")


def _lacks(given: object, kinds: Kinds, where: str) -> Iterator[str]:
    """Keys that a part lacks, or whose value is of another kind."""
    if not isinstance(given, dict):
        yield where
        return
    for key, kind in kinds.items():
        if key not in given or not isinstance(given[key], kind):
            yield f"{where}.{key}"
