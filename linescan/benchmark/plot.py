"""Results as a picture: who is how fast, where a frame's time goes, how old a result is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from linescan.benchmark.errors import BenchmarkError
from linescan.benchmark.words import (
    Results,
    Row,
    headline,
    is_baseline,
    machine_line,
    milliseconds,
    rows_by_speed,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, QUIET, FAINT = "#1f2933", "#7b8794", "#e4e7eb"
OURS, THEIRS, LATE = "#0f766e", "#9aa5b1", "#c2410c"
STYLE: Final[Any] = {
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": QUIET,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "xtick.color": QUIET,
    "ytick.color": INK,
    "ytick.major.size": 0,
}
WIDE_RANGE: Final = 12.0
"""From the fastest to the slowest, beyond which a linear axis would hide the fast ones."""


def draw(results: Results, path: Path) -> None:
    """Write the picture as PNG.

    Raises:
        BenchmarkError: there is nothing to draw, or the file cannot be written.
    """
    rows = rows_by_speed(results)
    if not rows:
        raise BenchmarkError(f"{path}: nothing was measured that could be drawn")
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    run = _run(results)
    stages = [] if run is None else _stages(run)
    heights = [0.45 * len(rows) + 0.9, *([0.34 * len(stages) + 0.9] if run else [])]
    with matplotlib.rc_context(STYLE):
        figure = pyplot.figure(figsize=(11.5, sum(heights) + 1.9), layout="constrained")
        grid = figure.add_gridspec(len(heights), 2, height_ratios=heights, hspace=0.08)
        _engines(figure.add_subplot(grid[0, :]), results, rows)
        if run is not None:
            _flow(figure.add_subplot(grid[1, 0]), stages)
            _ages(figure.add_subplot(grid[1, 1]), run)
        figure.suptitle(f"{headline(results)}\n", x=0.012, ha="left", weight="bold", size=14)
        figure.supxlabel(machine_line(results), x=0.012, ha="left", size=8.5, color=QUIET)
        try:
            figure.savefig(path, dpi=150, facecolor="white")
        except OSError as error:
            raise BenchmarkError(f"{path}: cannot be written: {error.strerror or error}") from error
        finally:
            pyplot.close(figure)


def _run(results: Results) -> Any:
    """The pipeline's run to draw: paced where there is one."""
    pipeline = results["pipeline"] or {}
    return pipeline.get("paced") or pipeline.get("throughput")


def _stages(run: Any) -> list[tuple[str, Row]]:
    waits = run["offered_lines_per_s"] is not None
    return [
        ("acquire, waiting" if name == "acquire" and waits else name, row)
        for name, row in run["stages"].items()
        if row is not None
    ]


def _engines(axes: Axes, results: Results, rows: Sequence[Row]) -> None:
    """Each run as a dot, the median as a line, p99 as a tick."""
    places = np.arange(len(rows))[::-1]
    random = np.random.default_rng(1)
    slowest = max(row["max_ms"] for row in rows)
    fastest = min(row["min_ms"] for row in rows)
    for place, row in zip(places, rows, strict=True):
        colour = _colour(results, row)
        samples = np.asarray(row["samples_ms"])
        spread = random.uniform(-0.19, 0.19, samples.size)
        axes.scatter(samples, place + spread, s=13, color=colour, alpha=0.35, linewidths=0)
        axes.plot([row["median_ms"]] * 2, [place - 0.31, place + 0.31], color=colour, lw=2.6)
        axes.plot([row["p99_ms"]] * 2, [place - 0.16, place + 0.16], color=colour, lw=1.2)
    if slowest > WIDE_RANGE * fastest:
        _logarithmic(axes, (1.0, 2.0, 5.0))
        axes.set_xlim(fastest / 1.3, slowest * 1.15)
    else:
        axes.set_xlim(0, slowest * 1.03)
    axes.set_yticks(places, [row["name"] for row in rows])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    captions: list[tuple[float, str, Row | None]] = [
        (len(rows) - 0.45, "median   × transformers", None)
    ]
    captions += [(place, _caption(row), row) for place, row in zip(places, rows, strict=True)]
    for place, caption, captioned in captions:
        ours = captioned is not None and not is_baseline(results, captioned)
        axes.annotate(
            caption,
            (1.012, place),
            xycoords=("axes fraction", "data"),
            va="center",
            color=QUIET if captioned is None else _colour(results, captioned),
            annotation_clip=False,
            weight="bold" if ours else "normal",
        )
    axes.grid(axis="x", color=FAINT)
    axes.set_xlabel("ms from the uint8 frame to float32 depth; line: median, tick: p99")
    axes.set_title("Engines and baselines in interleaved rounds")


def _caption(row: Row) -> str:
    ratio = row["ratio_vs_transformers"]
    return f"{milliseconds(row['median_ms'])} ms" + ("" if ratio is None else f"   {ratio:.2f}×")


def _colour(results: Results, row: Row) -> str:
    if is_baseline(results, row):
        return THEIRS
    return LATE if row["within_gate"] is False else OURS


def _logarithmic(axes: Axes, subs: tuple[float, ...]) -> None:
    """A logarithmic axis with figures that people read."""
    from matplotlib import ticker

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=subs, numticks=20))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_locator(ticker.NullLocator())


def _flow(axes: Axes, stages: Sequence[tuple[str, Row]]) -> None:
    """p50 as a bar, and the way to p99 and to the largest."""
    places = np.arange(len(stages))[::-1]
    for place, (name, row) in zip(places, stages, strict=True):
        colour = INK if name == "end_to_end" else OURS
        p50, p99, most = (max(row[key], 1e-3) for key in ("p50_ms", "p99_ms", "max_ms"))
        axes.barh(place, p50, height=0.55, color=colour, left=0)
        axes.plot([p50, p99], [place, place], color=colour, lw=1.4, alpha=0.7)
        axes.plot([p99] * 2, [place - 0.16, place + 0.16], color=colour, lw=1.4, alpha=0.7)
        axes.plot(most, place, "o", ms=3, color=colour, alpha=0.5)
    _logarithmic(axes, (1.0,))
    low = min(max(row["p50_ms"], 1e-3) for _, row in stages)
    axes.set_xlim(10 ** np.floor(np.log10(low)) / 2, None)
    axes.set_yticks(places, [name.replace("_", " ") for name, _ in stages])
    axes.grid(axis="x", color=FAINT)
    axes.set_xlabel("ms, logarithmic; bar: p50, line: to p99, dot: largest")
    axes.set_title("Where a frame's time goes", pad=20)


def _ages(axes: Axes, run: Any) -> None:
    """Share of frames that are in the subscriber's hands after so long."""
    ages = np.sort(np.asarray(run["end_to_end_samples_ms"]))
    share = np.arange(1, ages.size + 1) / ages.size
    axes.ecdf(ages, color=OURS, lw=2)
    axes.fill_between(ages, share, step="post", color=OURS, alpha=0.08, linewidth=0)
    end = run["stages"]["end_to_end"]
    for key in ("p50_ms", "p99_ms"):
        axes.axvline(end[key], color=QUIET, lw=1, ls=(0, (4, 3)))
        axes.annotate(
            f"{key[:3]} {milliseconds(end[key])} ms",
            (end[key], 1.01),
            xycoords=("data", "axes fraction"),
            ha="right" if key == "p50_ms" else "left",
            size=9,
            color=QUIET,
        )
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_xlim(0, ages[-1] * 1.05)
    axes.grid(color=FAINT)
    offered = run["offered_lines_per_s"]
    pace = "full speed" if offered is None else f"{offered:,.0f} lines/s"
    axes.set_xlabel("ms from the frame's last line to the subscriber's hands")
    axes.set_title(f"How old a result is, at {pace}", pad=20)
