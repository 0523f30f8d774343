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

from linescan.cli.writable import check_writable
from linescan.depth.export.description import NAME
from linescan.depth.export.exporter import export
from linescan.errors import LinescanError
from linescan.training.console import run_with_bar
from linescan.training.figures import judge, picture
from linescan.training.finetune_plan import FineTunePlan
from linescan.training.finetuning import FineTuner
from linescan.training.loading import RegistrationPlan, load_samples
from linescan.training.outcome import advice, table
from linescan.training.pairs import SIDES, PairsError, Sample, hold_out, split
from linescan.training.starts import Start, open_start

HELP = """
Fine-tune a depth model on your own images.

DATA is a folder of gray images NAME_intensity.png and what you know of their height:

NAME_height_um.npy   a profilometer's height map (lines, columns), um, NaN where invalid. It is laid
on the image by the tool: shift, scale and rotation are found and shown in OUT/registration.

NAME_lines.csv   points of a line profiler: line, column (image pixels), height_um; an empty height
is not known.

NAME_flat.png   not zero where you know that the surface is flat (for --target none).

With --target none no height is needed: the model learns to say the same under another light, and to
see planes where you marked them, and is held near the model it started from.

The start is surface-tiny (embedded), a local checkpoint folder, an .onnx file made with --dynamic,
or a hub id. A checkpoint is written as training goes on: stop with Ctrl-C, and the same command
goes on from there. The result is OUT/NAME.onnx, verified: set depth.model to that path.

Example: python scripts/finetune.py my-images --out runs/mine --name mine --target relative
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


BELONGS: dict[str, tuple[str, tuple[str, ...]]] = {
    "loss": ("target", ("metric",)),
    "hold": ("target", ("none",)),
    "rank": ("mode", ("lora",)),
    "encoder_rate": ("mode", ("lora", "full")),
    "register_scale": ("target", ("relative", "metric")),
    "register_rotation": ("target", ("relative", "metric")),
    "form": ("target", ("relative", "metric")),
}
"""Options that mean something with some choices only: what must be chosen for each."""


def finetune(
    plan: FineTunePlan,
    start: Start,
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
    context: typer.Context,
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
    _check_given(context)
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
        if not NAME.fullmatch(name):
            raise PairsError(f"--name {name}: expected letters, digits, '.', '_' and '-'")
        check_writable(out / f"{name}.onnx", makes_folder=True)
        opened = open_start(start, acknowledge_licence=acknowledge_licence)
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
            plan, opened, samples, tested, held_out, out, name, acknowledge_licence, console
        )
    except (LinescanError, OSError, ValueError) as error:
        console.print(f"error: {error}", style="red", markup=False)
        raise typer.Exit(2) from error
    if not finished:
        raise typer.Exit(130)


def _check_given(context: typer.Context) -> None:
    """Refuse what was given and would mean nothing: it would be taken for granted."""
    chosen = context.params
    for option, (other, needed) in BELONGS.items():
        source = context.get_parameter_source(option)
        if source is not None and source.name == "COMMANDLINE" and chosen[other] not in needed:
            name = option.replace("_", "-")
            raise typer.BadParameter(f"--{name} belongs to --{other} {' or '.join(needed)}")
    if chosen["register_scale"] is not None and not chosen["register"]:
        raise typer.BadParameter("--register-scale does not go with --no-register")
    if chosen["target"] == "none" and not chosen["relight"]:
        raise typer.BadParameter("--no-relight: --target none learns from nothing but other light")


def _check(option: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise typer.BadParameter(f"{option} {given}: expected one of {', '.join(known)}")


if __name__ == "__main__":
    app()
