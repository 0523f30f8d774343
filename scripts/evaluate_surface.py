#!/usr/bin/env python3
"""Judge a surface height model on frames of the simulated web that no training has seen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from linescan.errors import ModelError
from linescan.evaluation.surface import (
    SurfaceReport,
    checkpoint_predictor,
    judge,
    onnx_predictor,
)
from linescan.simulation import HELD_OUT_SEEDS
from linescan.training.data import simulated_frame

HELP = """
Judge a surface model on held-out frames of the simulated web.

MODEL is an ONNX file (uint8 grey in) or the folder of a Hugging Face checkpoint. Each frame's
output is aligned to the true height by scale and shift; its RMSE is divided by the deviation of the
truth: 0 is perfect, 1 is no better than calling the web flat. Beside the model stand two baselines:
the flat web, and the image itself, blurred as suits it best, taken for height.

Example: python scripts/evaluate_surface.py runs/surface-tiny/final --json figures.json
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


def held_out(
    seeds: range, size: int, reduction: int, console: Console
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """Yield image and height of each seed's frame."""
    for seed in track(seeds, "drawing frames", console=console):
        frame = simulated_frame(seed, size, reduction)
        yield frame.image, frame.height


def table(report: SurfaceReport, name: str) -> Table:
    """Return the figures as a table."""
    grid = Table(title=f"RMSE / sigma after alignment, {len(report.frames)} held-out frames")
    grid.add_column("")
    for heading in ("mean", "median", "best", "worst"):
        grid.add_column(heading, justify="right")
    rows = {
        name: "model",
        "flat web": "constant",
        f"image, blurred {report.blur_px:g} px": "blurred",
    }
    for title, key in rows.items():
        values = [getattr(f, key) for f in report.frames]
        figures = (np.mean(values), np.median(values), np.min(values), np.max(values))
        grid.add_row(title, *(f"{v:.3f}" for v in figures))
    return grid


@app.command(help=HELP)
def main(
    model: Annotated[Path, typer.Argument(help="ONNX file or checkpoint folder.")],
    frames: Annotated[int, typer.Option(min=1, max=200, help="Held-out frames.")] = 200,
    size: Annotated[int, typer.Option(min=56, help="Input size of the model.")] = 252,
    reduction: Annotated[int, typer.Option(min=1, help="Camera pixels per model pixel.")] = 2,
    output: Annotated[
        Path | None, typer.Option("--json", help="File for all figures, frame by frame.")
    ] = None,
) -> None:
    """Judge, print, write."""
    console = Console()
    if not model.exists():
        raise typer.BadParameter(f"there is no {model}")
    try:
        predict = checkpoint_predictor(model) if model.is_dir() else onnx_predictor(model)
    except ModelError as error:
        raise typer.BadParameter(str(error)) from error
    seeds = HELD_OUT_SEEDS[:frames]
    pairs = held_out(seeds, size, reduction, console)
    report = judge(predict, seeds, pairs, metric=model.is_dir())
    console.print(table(report, model.name))
    console.print(
        f"model over the better baseline: {report.ratio:.3f}   "
        f"frames with the right sign: {report.right_sign:.1%}   "
        f"median scale (1 is right): {report.median('scale'):.3f}"
    )
    if output is not None:
        figures = {
            "model": model.name,
            "size": size,
            "reduction": reduction,
            "summary": report.summary(),
            "frames": [asdict(f) for f in report.frames],
        }
        output.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        console.print(f"figures written to {output}")


if __name__ == "__main__":
    app()
