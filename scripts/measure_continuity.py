#!/usr/bin/env python3
"""Measure how continuous depth is along a simulated web, as the model gives it and aligned."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from linescan.config import AlignmentSection, DepthSection
from linescan.depth import depth_stages, read_card
from linescan.depth.alignment import Align
from linescan.evaluation.continuity import Continuity, ContinuityMeter
from linescan.pipeline.chain import set_up, through
from linescan.records import Convention, Frame, Inspection
from linescan.simulation import SimulatedWeb
from linescan.simulation.scene import Albedo, FeatureMix, Scene, preset

HELP = """
Measure steps at frame borders, drift and flicker over a run of frames of a simulated web.

Two webs are run: one with relief and print, one bare. Each frame's depth is taken as the model
gives it, and as if the model were a relative one that is free to choose scale and shift: the same
output, disturbed at random frame by frame. Both are measured before and after alignment.

Example: python scripts/measure_continuity.py --frames 200 --json continuity.json
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


def bare(scene: Scene) -> Scene:
    """The same web without relief, waves and print: its texture is left."""
    albedo: Albedo = replace(scene.albedo, print_mix=FeatureMix())
    return replace(scene, relief=FeatureMix(), waviness=0.0, albedo=albedo)


def inspections(
    scene: Scene, frames: int, lines: int, overlap: int, model: str, backend: str, console: Console
) -> Iterator[tuple[Inspection, NDArray[np.float32]]]:
    """The model's depth of each frame, and the true height at the same places."""
    web, card = SimulatedWeb(scene), read_card(model)
    section = DepthSection.model_validate({"model": model, "backend": backend})
    stages = depth_stages(section, card, (lines, scene.width), bits=scene.camera.bit_depth)
    rows, columns = stages[0].canvas
    if lines % rows or scene.width % columns:
        raise typer.BadParameter(f"lines and width must be multiples of {rows} and {columns}")
    with set_up(stages):
        for k in track(range(frames), "frames", console=console):
            taken = web.lines(k * (lines - overlap), lines)
            whole = np.ones(lines, np.bool_)
            frame = Frame(taken.pixels, taken.first_line, whole, overlap if k else 0, 0)
            (inspection,) = through(stages, frame)
            blocks = taken.height.reshape(rows, lines // rows, columns, scene.width // columns)
            yield inspection, blocks.mean((1, 3))


def disturbed(item: Inspection, scale: float, shift: float) -> Inspection:
    """The same frame by a relative model that chose another scale and shift."""
    assert item.depth is not None  # noqa: S101 - depth is always on here
    values = np.asarray(item.depth.values * scale + shift, np.float32)
    depth = replace(item.depth, values=values, convention=Convention.DISPARITY, unit="relative")
    return replace(item, depth=depth)


def measure(
    pairs: Iterator[tuple[Inspection, NDArray[np.float32]]], sigma: float, seed: int
) -> dict[str, Continuity]:
    """Figures of the model's depth and of the disturbed one, before and after alignment."""
    rng = np.random.default_rng(seed)
    stages = {"model": Align(AlignmentSection()), "relative": Align(AlignmentSection())}
    meters = {f"{kind}, {how}": ContinuityMeter() for kind in stages for how in ("raw", "aligned")}
    for item, truth in pairs:
        assert item.depth is not None  # noqa: S101 - depth is always on here
        shift = float(rng.normal(0.0, sigma) * item.depth.values.std())
        given = {
            "model": item,
            "relative": disturbed(item, float(np.exp(rng.normal(0, sigma))), shift),
        }
        for kind, stage in stages.items():
            (aligned,) = stage.process(given[kind])
            assert isinstance(aligned, Inspection)  # noqa: S101 - alignment loses nothing
            for how, result in (("raw", given[kind]), ("aligned", aligned)):
                assert result.depth is not None  # noqa: S101 - depth is always on here
                meters[f"{kind}, {how}"].add(result.depth, truth)
    return {name: meter.result() for name, meter in meters.items()}


def table(title: str, figures: dict[str, Continuity]) -> Table:
    """The figures as a table."""
    grid = Table(title=title)
    headings = ("", "step", "± ", "same places", "drift", "flicker / σ", "scale drift", "scale σ")
    for heading in headings:
        grid.add_column(heading, justify="left" if not heading else "right")
    for name, f in figures.items():
        scale = ["-" if v is None else f"{v:+.3f}" for v in (f.scale_drift, f.scale_sigma)]
        grid.add_row(
            name,
            f"{f.step:.3f}",
            f"{f.step_error:.3f}",
            f"{f.paired_step:.3f}",
            f"{f.drift:.3%}",
            f"{f.flicker:.3f}",
            *scale,
        )
    return grid


@app.command(help=HELP)
def main(
    frames: Annotated[int, typer.Option(min=3, help="Frames of each web.")] = 200,
    model: Annotated[str, typer.Option(help="Name or .onnx file.")] = "surface-tiny",
    backend: Annotated[str, typer.Option(help="What runs the model.")] = "cpu",
    seed: Annotated[int, typer.Option(min=0, help="Of the webs and of the disturbance.")] = 7,
    width: Annotated[int, typer.Option(min=252, help="Camera pixels across.")] = 504,
    overlap: Annotated[int, typer.Option(min=0, help="Rows that frames share.")] = 32,
    sigma: Annotated[
        float,
        typer.Option(
            min=0.0,
            help="Disturbance: deviation of the logarithm of scale, and of "
            "the shift in deviations of a frame.",
        ),
    ] = 0.2,
    output: Annotated[Path | None, typer.Option("--json", help="File for all figures.")] = None,
) -> None:
    """Run, measure, print, write."""
    console = Console(width=110)
    scene = preset("mixed", seed=seed, width=width)
    found = {}
    for name, web in (("relief", scene), ("bare", bare(scene))):
        pairs = inspections(web, frames, width, overlap, model, backend, console)
        figures = measure(pairs, sigma, seed)
        console.print(table(f"{name} web, {frames} frames, {model}", figures))
        found[name] = {key: asdict(value) for key, value in figures.items()}
    if output is not None:
        output.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        console.print(f"figures written to {output}")


if __name__ == "__main__":
    app()
