#!/usr/bin/env python3
"""Judge a surface height model on frames of the simulated web that no training has seen."""

from __future__ import annotations

import json
import math
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

from linescan.depth import open_engine
from linescan.errors import ModelError
from linescan.evaluation.choice import BACKENDS, PRECISIONS, EngineChoice
from linescan.evaluation.shape_from_shading import LightDirection
from linescan.evaluation.surface import Predictor, SurfaceReport, checkpoint_predictor, judge
from linescan.simulation import HELD_OUT_SEEDS, Scene, sample_scene
from linescan.simulation.ranges import Ranges
from linescan.training.data import simulated_frame

HELP = """
Judge a surface model on held-out frames of the simulated web.

MODEL is a name of 'linescan model list', an exported .onnx file, or the folder of a Hugging Face
checkpoint, which torch runs in fp32. An exported one runs on the engine that --backend and
--precision name, however far that is from the reference: its figures show it.

Each frame's output is aligned to the true height by scale and shift; its RMSE is divided by the
deviation of the truth: 0 is perfect, 1 is no better than calling the web flat. Beside the model
stand three baselines: the flat web; the image itself, blurred as suits it best, taken for height;
and shape from shading, told where the light comes from and regularised as suits it best.

Examples:

python scripts/evaluate_surface.py runs/surface-tiny/final --json figures.json

python scripts/evaluate_surface.py surface-tiny --backend openvino --precision bf16
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


def held_out(
    seeds: range, size: int, reduction: int, ranges: Ranges, console: Console
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """Yield image and height of each seed's frame."""
    for seed in track(seeds, "drawing frames", console=console):
        frame = simulated_frame(seed, size, reduction, ranges)
        yield frame.image, frame.height


def light_of(scene: Scene) -> LightDirection:
    """Return the mean direction of a scene's light."""
    light = scene.light
    return LightDirection(light.azimuth_deg, light.elevation_deg, light.ambient)


def exported(model: str, size: int, choice: EngineChoice) -> Predictor:
    """Return the predictor of an exported model."""
    return open_engine(
        model, choice.backend, choice.precision, (size, size), tolerance=math.inf
    ).infer


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
        "shape from shading": "shading",
    }
    for title, key in rows.items():
        values = [getattr(f, key) for f in report.frames]
        figures = (np.mean(values), np.median(values), np.min(values), np.max(values))
        grid.add_row(title, *(f"{v:.3f}" for v in figures))
    return grid


@app.command(help=HELP)
def main(
    model: Annotated[str, typer.Argument(help="Name, .onnx file or checkpoint folder.")],
    frames: Annotated[int, typer.Option(min=1, max=200, help="Held-out frames.")] = 200,
    size: Annotated[int, typer.Option(min=56, help="Input size of the model.")] = 252,
    reduction: Annotated[int, typer.Option(min=1, help="Camera pixels per model pixel.")] = 2,
    narrow: Annotated[
        bool, typer.Option("--narrow", help="Draw from the first, narrow ranges of the generator.")
    ] = False,
    backend: Annotated[
        str, typer.Option(help=f"What runs an exported model: {', '.join(BACKENDS)}.")
    ] = "cpu",
    precision: Annotated[str, typer.Option(help=f"{', '.join(PRECISIONS)}.")] = "fp32",
    output: Annotated[
        Path | None, typer.Option("--json", help="File for all figures, frame by frame.")
    ] = None,
) -> None:
    """Judge, print, write."""
    console = Console()
    checkpoint = Path(model).is_dir()
    try:
        choice = EngineChoice.of(backend, precision)
        predict = checkpoint_predictor(Path(model)) if checkpoint else exported(model, size, choice)
    except ModelError as error:
        raise typer.BadParameter(str(error)) from error
    seeds = HELD_OUT_SEEDS[:frames]
    ranges: Ranges = "narrow" if narrow else "wide"
    pairs = held_out(seeds, size, reduction, ranges, console)
    lights = [light_of(sample_scene(seed, size * reduction, ranges)) for seed in seeds]
    report = judge(predict, seeds, pairs, metric=checkpoint, lights=lights)
    name = Path(model).name
    console.print(table(report, name))
    console.print(
        f"model over the best baseline: {report.ratio:.3f}   "
        f"frames with the right sign: {report.right_sign:.1%}   "
        f"median scale (1 is right): {report.median('scale'):.3f}"
    )
    if output is not None:
        figures = {
            "model": name,
            "size": size,
            "reduction": reduction,
            "ranges": ranges,
            "summary": report.summary(),
            "frames": [asdict(f) for f in report.frames],
        }
        output.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        console.print(f"figures written to {output}")


if __name__ == "__main__":
    app()
