#!/usr/bin/env python3
"""Train ``surface-tiny``, the depth model for line-scan surfaces, on the simulated web."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console

from linescan.errors import ModelError
from linescan.training.console import run_with_bar
from linescan.training.loop import Trainer, TrainingPlan

HELP = """
Train surface-tiny on the simulated web.

The web's height is known exactly, so nothing has to be labelled: frames are drawn from
linescan/simulation/ranges.py as training goes on, each from a seed of its own. The encoder starts
from a pretrained DINOv2 (ViT-S/14), of which the first --layers layers are kept; the head starts
fresh. With --start the whole model goes on from a trained one instead. It learns the height in
model pixels.

With --minutes the run takes that long, however fast the machine is: the learning rate falls to
nothing towards the end of the time.

With --layers 12 the model is surface-small, Depth Anything V2's full Small size: more accurate and
twice as slow, and too large for the package.

A checkpoint is written every --checkpoint-every steps. Stop with Ctrl-C whenever you like, and give
the same command again to go on: the result is the same as without the stop.

The finished model is in OUT/final: a Hugging Face checkpoint, and linescan.json, which says what
its output means. Judge it with linescan evaluate.

Example: python scripts/train_surface.py --encoder weights/dinov2-small --out runs/surface-tiny
"""


def default_encoder() -> Path | None:
    """Return the encoder under ``LINESCAN_WEIGHTS``, if that is set."""
    weights = os.environ.get("LINESCAN_WEIGHTS")
    return Path(weights) / "dinov2-small" if weights else None


def command(plan: TrainingPlan) -> str:
    """Return the command that trains the same model anywhere: no paths of this machine."""
    beginning = (
        f"--encoder {plan.encoder.name}"
        if plan.encoder is not None
        else f"--start {Path(plan.start or '').name}"
    )
    limit = "" if plan.minutes is None else f"--minutes {plan.minutes:g} "
    if plan.teacher is not None:
        limit += f"--teacher {plan.teacher.name} --teacher-weight {plan.teacher_weight:g} "
    rates = f"--encoder-rate {plan.encoder_rate:g} --head-rate {plan.head_rate:g}"
    return (
        f"python scripts/train_surface.py {beginning} --steps {plan.steps} {limit}"
        f"--batch {plan.batch} --size {plan.size} --layers {plan.layers} --seed {plan.seed} "
        f"{rates} "
        f"--{'' if plan.bfloat16 else 'no-'}bfloat16"
    )


def train(plan: TrainingPlan, out: Path, console: Console) -> bool:
    """Run the plan with a progress bar; return whether it reached its last step."""
    trainer = Trainer(plan, out)
    if not run_with_bar(trainer, plan.steps, plan.validate_every, console):
        return False
    trainer.save_final(out / "final", command(plan))
    console.print(f"the trained model is in {out / 'final'}")
    return True


app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=HELP)
def main(
    out: Annotated[Path, typer.Option(help="Folder for the checkpoint and the final model.")],
    encoder: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a DINOv2 checkpoint; without it, dinov2-small in LINESCAN_WEIGHTS."
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            help="Go on from a trained model: surface-tiny, an .onnx file or a checkpoint folder. "
            "No encoder is needed then."
        ),
    ] = None,
    teacher: Annotated[
        Path | None,
        typer.Option(
            help="Folder of Depth Anything V2 Small (or another relative model): its depth of the "
            "same images is learned from besides."
        ),
    ] = None,
    teacher_weight: Annotated[float, typer.Option(min=0, help="Of the teacher's depth.")] = 0.1,
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps.")] = 1500,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.01, help="End after this time; the learning rate falls towards it."),
    ] = None,
    encoder_rate: Annotated[float, typer.Option(help="Peak learning rate, encoder.")] = 5e-5,
    head_rate: Annotated[float, typer.Option(help="Peak learning rate, head.")] = 6e-4,
    batch: Annotated[int, typer.Option(min=1, help="Frames in a step.")] = 8,
    size: Annotated[int, typer.Option(min=56, help="Input size, a multiple of 14.")] = 252,
    layers: Annotated[int, typer.Option(min=4, help="Encoder layers to keep.")] = 6,
    seed: Annotated[int, typer.Option(min=0, help="Of the head and the frames.")] = 0,
    workers: Annotated[int, typer.Option(min=0, help="Processes that draw frames.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the trainer.")] = 2,
    checkpoint_every: Annotated[int, typer.Option(min=1, help="Steps.")] = 100,
    validate_every: Annotated[int, typer.Option(min=1, help="Steps.")] = 100,
    validation_frames: Annotated[int, typer.Option(min=1, max=64, help="Frames.")] = 32,
    bfloat16: Annotated[bool, typer.Option(help="Train in bfloat16 or in float32.")] = True,
) -> None:
    """Check the options and train."""
    console = Console()
    folder = None if start else encoder or default_encoder()
    if folder is None and start is None:
        raise typer.BadParameter("no encoder: give --encoder or --start, or set LINESCAN_WEIGHTS")
    if size % 14:
        raise typer.BadParameter(f"--size must be a multiple of 14, got {size}")
    torch.set_num_threads(threads)
    plan = TrainingPlan(
        encoder=folder,
        start=start,
        teacher=teacher,
        teacher_weight=teacher_weight,
        steps=steps,
        minutes=minutes,
        encoder_rate=encoder_rate,
        head_rate=head_rate,
        batch=batch,
        size=size,
        layers=layers,
        seed=seed,
        bfloat16=bfloat16,
        workers=workers,
        checkpoint_every=checkpoint_every,
        validate_every=validate_every,
        validation_frames=validation_frames,
    )
    try:
        finished = train(plan, out, console)
    except (FileNotFoundError, ValueError, ModelError) as error:
        console.print(f"error: {error}", style="red")
        raise typer.Exit(2) from error
    if not finished:
        raise typer.Exit(130)


if __name__ == "__main__":
    app()
