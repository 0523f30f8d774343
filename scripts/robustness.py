#!/usr/bin/env python3
"""Measure how depth and objects hold up when light, shadow, occlusion, camera or surface change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from linescan.cli.exits import BAD_INPUT, INTERRUPTED
from linescan.cli.writable import check_writable
from linescan.config import SimulatedSource, parse
from linescan.errors import LinescanError
from linescan.evaluation.datasets.factors import FACTORS
from linescan.evaluation.judging.run import Question
from linescan.evaluation.robustness import picture, suite, table

HELP = f"""
Judge a model on the nominal simulated web, then on the same webs with one thing changed.

Factors: {", ".join(FACTORS)}. Each is taken alone, at a few levels; the seeds are
the first held-out ones. Every condition is a data set of its own, which 'linescan evaluate' takes
as well, with pictures: simulated:nominal+gloss=0.5.

Example: python scripts/robustness.py --factor elevation --factor gloss --frames 20 --json out.json
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=HELP)
def main(
    model: Annotated[
        str, typer.Option("--model", "-m", help="Name or .onnx file.")
    ] = "surface-tiny",
    factor: Annotated[
        list[str] | None, typer.Option(help="Of these factors only; repeatable.")
    ] = None,
    frames: Annotated[int, typer.Option(min=1, max=200, help="Of each condition.")] = 20,
    backend: Annotated[str, typer.Option(help="What runs the model.")] = "cpu",
    output: Annotated[Path | None, typer.Option("--json", help="File for all figures.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="File for the table.")] = None,
    drawn: Annotated[Path | None, typer.Option("--picture", help="File for curves, PNG.")] = None,
) -> None:
    """Run, print, write."""
    errors = Console(stderr=True)
    try:
        for file in (output, markdown, drawn):
            check_writable(file)
        picture.check_format(drawn)
        outcomes, complete = _run(model, suite.conditions(factor or ()), frames, backend, errors)
        _report(outcomes, output, markdown, drawn, complete=complete)
    except (LinescanError, OSError) as error:
        errors.print(f"error: {error}", style="red", highlight=False, soft_wrap=True)
        raise typer.Exit(BAD_INPUT) from None
    if not complete:
        errors.print("interrupted: the figures are those of the conditions judged by then")
        raise typer.Exit(INTERRUPTED)


def _run(
    model: str, asked: list[suite.Condition], frames: int, backend: str, errors: Console
) -> tuple[list[suite.Outcome], bool]:
    """Outcomes, and whether all conditions were judged."""
    settings = [f"depth.backend={backend}", "depth.precision=fp32"]
    config = parse("", "robustness", settings, source=SimulatedSource())
    outcomes: list[suite.Outcome] = []
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as progress:
        task = progress.add_task("judging")

        def tell(name: str, done: int, total: int) -> None:
            progress.update(task, description=name, completed=done, total=total)

        question = Question((model,), config, "scale-shift")
        try:
            for outcome in suite.run(question, asked, frames, tell):
                outcomes.append(outcome)  # noqa: PERF402 - kept one by one, for Ctrl-C
        except KeyboardInterrupt:
            if not outcomes:
                raise
            return outcomes, False
    return outcomes, True


def _report(
    outcomes: list[suite.Outcome],
    output: Path | None,
    markdown: Path | None,
    drawn: Path | None,
    *,
    complete: bool,
) -> None:
    console = Console()
    if not console.is_terminal:
        console.width = 160
    console.print(table.to_table(outcomes))
    if output is not None:
        document = suite.to_document(outcomes, complete=complete)
        text = json.dumps(document, indent=2, allow_nan=False)
        output.write_text(text + "\n", encoding="utf-8")
    if markdown is not None:
        markdown.write_text(table.to_markdown(outcomes), encoding="utf-8")
    if drawn is not None:
        picture.draw(outcomes, drawn)
    for file in filter(None, (output, markdown, drawn)):
        console.print(f"written: {file}", soft_wrap=True)


if __name__ == "__main__":
    app()
