#!/usr/bin/env python3
"""Fine-tune a depth model on your own images."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from linescan.depth.export.exporter import export
from linescan.errors import LinescanError
from linescan.training.console import run_with_bar
from linescan.training.figures import Figures, judge, picture
from linescan.training.finetune_plan import FineTunePlan
from linescan.training.finetuning import FineTuner
from linescan.training.loading import RegistrationPlan, load_samples
from linescan.training.pairs import SIDES, Sample, hold_out, split
from linescan.training.starts import open_start

HELP = """
Fine-tune a depth model on your own images.

DATA is a folder of gray images NAME_intensity.png and what you know of their height:

NAME_height_um.npy   a profilometer's height map (lines, columns), um, NaN where invalid. It is laid
on the image by the tool: shift, scale and rotation are found and shown in OUT/registration.

NAME_lines.csv   points of a line profiler: line, column (image pixels), height_um.

NAME_flat.png   not zero where you know that the surface is flat (for --target none).

With --target none no height is needed: the model learns to say the same under another light, and to
see planes where you marked them, and is held near the model it started from.

The start is surface-tiny (embedded), a local checkpoint folder, an .onnx file made with --dynamic,
or a hub id. A checkpoint is written as training goes on: stop with Ctrl-C, and the same command
goes on from there. The result is OUT/NAME.onnx, verified: set depth.model to that path.

Example: python scripts/finetune.py my-images --out runs/mine --name mine --target relative
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


def table(rows: dict[str, tuple[Figures, Figures]]) -> Table:
    """Return the figures before and after."""
    grid = Table(title="before -> after")
    grid.add_column("")
    headings = {
        "ratio": "RMSE/σ, aligned",
        "rank": "rank correlation",
        "absolute": "RMSE, um, as it stands",
        "light": "change under light / σ",
        "flat": "residual where flat / σ",
    }
    shown = [k for k in headings if any(getattr(a, k) is not None for a, _ in rows.values())]
    for key in shown:
        grid.add_column(headings[key], justify="right")
    for title, (before, after) in rows.items():
        cells = [
            " -> ".join(
                "-" if (v := getattr(f, key)) is None else f"{v:.3f}" for f in (before, after)
            )
            for key in shown
        ]
        grid.add_row(title, *cells)
    return grid


def advice(before: Figures, after: Figures) -> str:
    """What the held-out figures say against using the new model; empty if nothing."""
    if after.rank is not None and after.rank < 0:
        return "the sign came out wrong: what is high is said to be low. Keep the old model."
    if before.ratio is not None and after.ratio is not None and after.ratio > 0.99 * before.ratio:
        return "nothing was gained on the held-out part: keep the old model."
    return ""


def finetune(
    plan: FineTunePlan,
    samples: list[Sample],
    tested: list[Sample],
    share: float,
    out: Path,
    name: str,
    acknowledge_licence: bool,
    console: Console,
) -> bool:
    """Train, judge, export; return whether it was finished."""
    learned, held = hold_out(samples, share)
    start = open_start(plan.start, acknowledge_licence=acknowledge_licence)
    tuner = FineTuner(plan, out, start, learned, held)
    console.print(
        f"{len(learned)} samples to learn from, {len(held)} held out, {len(tested)} to test; "
        f"crops of {tuner.shape[0]} x {tuner.shape[1]} model pixels"
    )
    parts = {"held out": held, "test": tested} if tested else {"held out": held}
    before = {k: judge(tuner, tuner.reference, part) for k, part in parts.items()}
    if not run_with_bar(tuner, plan.steps, plan.validate_every, console):
        return False
    model = tuner.finish()
    after = {k: judge(tuner, model, part) for k, part in parts.items()}
    rows = {k: (before[k], after[k]) for k in parts}
    console.print(table(rows))
    if warning := advice(before["held out"], after["held out"]):
        console.print(warning, style="yellow")
    for sample in tested or held[:1]:
        picture(tuner, model, sample, out / f"{sample.name}.jpg")
    report = {
        "plan": plan.identity(),
        "steps_done": tuner.progress.step,
        "validation": tuner.progress.validations,
        "figures": {k: {"before": asdict(b), "after": asdict(a)} for k, (b, a) in rows.items()},
    }
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    checkpoint = tuner.save(out / "final", name, report)
    with console.status("exporting"):
        side = (plan.size, plan.size)
        made = export(
            checkpoint,
            out / f"{name}.onnx",
            size=side,
            dynamic=True,
            acknowledge_licence=acknowledge_licence,
        )
    console.print(f"verified: {made.path}; set depth.model to it. Figures: {out / 'report.json'}")
    return True


@app.command(help=HELP)
def main(
    data: Annotated[Path, typer.Argument(help="Folder of images and heights.")],
    out: Annotated[Path, typer.Option(help="Folder for the checkpoint and the results.")],
    name: Annotated[str, typer.Option(help="Of the new model.")] = "fine-tuned",
    start: Annotated[
        str, typer.Option(help="Model, folder or hub id to start from.")
    ] = "surface-tiny",
    only: Annotated[
        list[str] | None, typer.Option(help="Use this sample alone; may be repeated.")
    ] = None,
    target: Annotated[
        str, typer.Option(help="relative, metric (um), or none (no height needed).")
    ] = "relative",
    mode: Annotated[
        str, typer.Option(help="Encoder: frozen, lora (low-rank changes) or full.")
    ] = "lora",
    loss: Annotated[str, typer.Option(help="For metric targets: l1 or silog.")] = "l1",
    reduction: Annotated[
        float | None,
        typer.Option(
            min=0.25,
            help="Image pixels in a model pixel; without it, the image's width over --size, as "
            "'linescan run' resizes whole frames.",
        ),
    ] = None,
    size: Annotated[int, typer.Option(min=56, help="Of crops, a multiple of 14.")] = 252,
    steps: Annotated[int, typer.Option(min=1, help="Most optimiser steps.")] = 400,
    batch: Annotated[int, typer.Option(min=1, help="Crops in a step.")] = 4,
    rank: Annotated[int, typer.Option(min=1, help="Of low-rank changes.")] = 8,
    encoder_rate: Annotated[
        float, typer.Option(min=0, help="Learning rate of the encoder (ten times it for lora).")
    ] = 2e-5,
    head_rate: Annotated[float, typer.Option(min=0, help="Learning rate of the head.")] = 1e-4,
    hold: Annotated[float, typer.Option(min=0, help="Pull to the start, for --target none.")] = 0.5,
    held_out: Annotated[
        float, typer.Option(min=0.05, max=0.5, help="Share held out to stop by.")
    ] = 0.2,
    test_side: Annotated[
        str | None,
        typer.Option(help="Keep this half of each image for the test: left, right, top, bottom."),
    ] = None,
    patience: Annotated[
        int, typer.Option(min=1, help="Validations without improvement before the end.")
    ] = 6,
    relight: Annotated[bool, typer.Option(help="Vary the light of the images.")] = True,
    mirror: Annotated[
        bool, typer.Option(help="Mirror images across the web: not with light from one side.")
    ] = False,
    register: Annotated[bool, typer.Option(help="Lay height maps on their images.")] = True,
    register_scale: Annotated[
        float | None, typer.Option(help="Image pixels in a height map's pixel, about.")
    ] = None,
    register_rotation: Annotated[
        float, typer.Option(min=0, max=45, help="Degrees to search, to either side.")
    ] = 6.0,
    form: Annotated[
        int,
        typer.Option(min=1, max=2, help="Taken off height maps: 1 a plane, 2 a paraboloid."),
    ] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Of crops and light.")] = 0,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the trainer.")] = 2,
    checkpoint_every: Annotated[int, typer.Option(min=1, help="Steps.")] = 50,
    validate_every: Annotated[int, typer.Option(min=1, help="Steps.")] = 20,
    acknowledge_licence: Annotated[
        bool, typer.Option("--acknowledge-licence", help="As for 'linescan model export'.")
    ] = False,
) -> None:
    """Check the options, train and export."""
    console = Console()
    _check("--target", target, ("relative", "metric", "none"))
    _check("--mode", mode, ("frozen", "lora", "full"))
    _check("--loss", loss, ("l1", "silog"))
    if test_side is not None:
        _check("--test-side", test_side, SIDES)
    if size % 14:
        raise typer.BadParameter(f"--size must be a multiple of 14, got {size}")
    torch.set_num_threads(threads)
    values: dict[str, Any] = {"mode": mode, "target": target}
    plan = FineTunePlan(
        start=start,
        silog=loss == "silog",
        steps=steps,
        batch=batch,
        size=size,
        seed=seed,
        rank=rank,
        encoder_rate=encoder_rate,
        head_rate=head_rate,
        hold=hold,
        relight=relight,
        mirror=mirror,
        patience=patience,
        checkpoint_every=checkpoint_every,
        validate_every=validate_every,
        **values,
    )
    laying = RegistrationPlan(
        register, register_scale, register_rotation, form, out / "registration"
    )
    try:
        loaded = load_samples(
            data,
            only,
            reduction,
            size,
            target != "none",
            laying,
            lambda names: track(names, "reading", console=console),
            console.print,
        )
        samples, tested = loaded, []
        if test_side is not None:
            parts = [split(each, test_side, 0.5) for each in loaded]  # type: ignore[arg-type]
            samples, tested = [rest for rest, _ in parts], [part for _, part in parts]
        finished = finetune(
            plan, samples, tested, held_out, out, name, acknowledge_licence, console
        )
    except (LinescanError, ValueError) as error:
        console.print(f"error: {error}", style="red", markup=False)
        raise typer.Exit(2) from error
    if not finished:
        raise typer.Exit(130)


def _check(option: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise typer.BadParameter(f"{option} {given}: expected one of {', '.join(known)}")


if __name__ == "__main__":
    app()
