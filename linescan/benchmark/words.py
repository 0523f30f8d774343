"""Figures as people read them; shared by the tables, the report and the plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Results = Mapping[str, Any]
Row = Mapping[str, Any]

ENGINE_HEADINGS = (
    "engine",
    "p50 ms",
    "p95",
    "p99",
    "max",
    "model ms",
    "deviation",
    "x transformers",
    "model",
    "x onnxruntime",
    "model",
    "GFLOP/s",
    "of limit",
)
STAGE_HEADINGS = (
    "stage",
    "p50 ms",
    "p95",
    "p99",
    "max",
    "items",
    "ms a frame",
    "MB a frame",
    "GB/s",
    "of copy",
)
NONE = "–"
BUSY = 0.1
"""Share of the cores that other programs may use without disturbing the measurement."""


def milliseconds(value: float | None) -> str:
    """Three digits or so."""
    if value is None:
        return NONE
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def times(value: float | None) -> str:
    """A ratio."""
    return NONE if value is None else f"{value:.2f}"


def percent(value: float | None) -> str:
    """A share."""
    return NONE if value is None else f"{value:.1%}"


def rows_by_speed(results: Results) -> list[Row]:
    """Engines and baselines, the fastest first."""
    rows: list[Row] = [*results["backends"], *results["baselines"]]
    return sorted(rows, key=lambda row: row["median_ms"])


def is_baseline(results: Results, row: Row) -> bool:
    """Whether a row is one of the baselines."""
    return any(row["name"] == other["name"] for other in results["baselines"])


def deviation(results: Results, row: Row) -> str:
    """The deviation, and whether it passes."""
    value = row["deviation"]
    if value is None:
        return NONE
    if results["model"]["weights"] == "random":
        return f"({value:.2g})"
    return f"{value:.2g}" if row["within_gate"] else f"{value:.2g} TOO MUCH"


def engine_cells(results: Results, row: Row) -> list[str]:
    """A row under ``ENGINE_HEADINGS``."""
    rate = row["gflops"]
    return [
        row["name"],
        *(milliseconds(row[key]) for key in ("median_ms", "p95_ms", "p99_ms", "max_ms")),
        milliseconds(row["model_ms"]),
        deviation(results, row),
        times(row["ratio_vs_transformers"]),
        times(row["model_ratio_vs_transformers"]),
        times(row["ratio_vs_onnxruntime_fp32"]),
        times(row["model_ratio_vs_onnxruntime_fp32"]),
        NONE if rate is None else f"{rate:.0f}",
        percent(row["share_of_limit"]),
    ]


def stage_cells(name: str, row: Row | None) -> list[str]:
    """A row under ``STAGE_HEADINGS``; a stage that this pipeline has not says so."""
    title = name.replace("_", " ")
    if row is None:
        return [title, *[NONE] * (len(STAGE_HEADINGS) - 2), "not in this pipeline"]
    figures = [milliseconds(row[key]) for key in ("p50_ms", "p95_ms", "p99_ms", "max_ms")]
    moved, rate = row["bytes_per_frame"], row["gb_s"]
    return [
        title,
        *figures,
        str(row["items"]),
        milliseconds(row["ms_per_frame"]),
        NONE if moved is None else f"{moved / 1e6:.3g}",
        NONE if rate is None else f"{rate:.3g}",
        percent(row["share_of_copy"]),
    ]


def headline(results: Results) -> str:
    """What was measured."""
    model, settings = results["model"], results["settings"]
    rows, columns = settings["frame"]
    weights = ", random weights" if model["weights"] == "random" else ""
    return (
        f"{model['name']}{weights} at {model['size'][0]}x{model['size'][1]}, frames of "
        f"{rows}x{columns}, {settings['threads']} threads"
    )


def machine_line(results: Results) -> str:
    """On what."""
    machine = results["machine"]
    gpus = ", ".join(gpu["name"] for gpu in machine["gpus"]) or "no NVIDIA GPU"
    flags = " ".join(f for f in machine["flags"] if "bf16" in f or "vnni" in f)
    cpu = f"{machine['cpu']}, {machine['cores']} cores{f' ({flags})' if flags else ''}"
    return f"{cpu}, {machine['memory_gb']:.0f} GB, {gpus}; {machine['system']}"


def limit_lines(results: Results) -> list[str]:
    """What the machine could do."""
    limits = results["limits"]
    if not limits:
        return []
    lines = [_limit("CPU", limits, ("fp32", "bf16"))]
    if limits["cuda"]:
        lines.append(_limit("GPU", limits["cuda"], ("fp32", "fp16", "bf16")))
    return [*lines, *(f"({note})" for note in limits["notes"])]


def _limit(where: str, limits: Mapping[str, Any], precisions: Sequence[str]) -> str:
    products = [
        f"{name} {limits[f'{name}_gflops']:,.0f} GFLOP/s"
        for name in precisions
        if limits[f"{name}_gflops"] is not None
    ]
    return f"{where}: matrix product {', '.join(products)}; copy {limits['copy_gb_s']:.1f} GB/s"


def pipeline_lines(results: Results) -> list[str]:
    """What the whole pipeline did, in sentences."""
    pipeline = results["pipeline"]
    if pipeline is None:
        return []
    if "missing" in pipeline:
        return [f"The pipeline was not measured: {pipeline['missing']}"]
    fast, paced = pipeline["throughput"], pipeline["paced"]
    bare = pipeline["bare_engine_frames_per_s"]
    outside = pipeline["outside_model_over_model"]
    lines = [
        f"At full speed, {fast['frames']} frames on {fast['engine']}: {fast['frames_per_s']:.2f} "
        f"frames/s, {fast['lines_per_s']:,.0f} lines/s; the bare engine gives "
        f"{' and '.join(f'{rate:.2f}' for rate in bare)} frames/s around it, so the pipeline "
        f"reaches {percent(pipeline['share_of_bare_engine'])} of it.",
        f"Stages outside the model, acquire to send, over the model's time: "
        f"{percent(outside['throughput'])} at full speed, {percent(outside['paced'])} paced "
        f"(without acquire, which waits for lines there).",
        f"Memory after the first frame, a tenth of them and the last: "
        f"{_memory(fast['memory_mb'])} of the pipeline, {_memory(fast['subscriber_memory_mb'])} of "
        f"the subscriber. Lines lost: {fast['lost_lines']}; messages missed: "
        f"{fast['missed_messages']}.",
    ]
    if paced is not None:
        end = paced["stages"]["end_to_end"]
        lines.append(
            f"Paced at {paced['offered_lines_per_s']:,.0f} lines/s: a result is "
            f"{milliseconds(end['p50_ms'])} ms old in the subscriber's hands (p99 "
            f"{milliseconds(end['p99_ms'])} ms), from the frame's last line; lines lost: "
            f"{paced['lost_lines']}."
        )
    return lines


def _memory(mb: Mapping[str, float]) -> str:
    figures = (mb.get(key) for key in ("after_first", "after_tenth", "at_end"))
    return f"{', '.join(NONE if f is None else f'{f:.0f}' for f in figures)} MB"


def not_measured(results: Results) -> list[str]:
    """Who did not run, and why; those of the same reason together."""
    names: dict[str, list[str]] = {}
    for missing in results["not_loaded"]:
        names.setdefault(missing["reason"], []).append(missing["name"])
    return [f"{', '.join(those)}: {reason}" for reason, those in names.items()]


def notes(results: Results) -> list[str]:
    """How to read the tables."""
    found = [
        f"Ratio: {results['ratio_means']} (columns 'model').",
        f"Deviation: {results['deviation_means']}.",
    ]
    if (results["pipeline"] or {}).get("throughput") is not None:
        found.append(
            "MB a frame: bytes read plus bytes written, in 10⁶; 'of copy' is their rate over the "
            "machine's memory copy with all threads. send hands over by reference; delivery "
            "holds the copies into and out of the kernel, and waiting."
        )
    if results["model"].get("weights") == "random":
        found.append("The weights are random: deviations, in brackets, mean nothing.")
    loads = [load for load in results["load_of_others"].values() if load is not None]
    if loads and max(loads) > BUSY:
        found.append(
            f"Other programs kept {max(loads):.0%} of the cores busy: neither milliseconds nor "
            f"ratios can be trusted, thread pools that spin lose most. Repeat it "
            f"on an idle machine."
        )
    if not results["complete"]:
        found.append("The run was interrupted: this is what was measured until then.")
    return found
