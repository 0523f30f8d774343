#!/usr/bin/env python3
"""Compare the depth from colour pictures with the depth from the same pictures in gray."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from linescan.cli.exits import BAD_INPUT, INTERRUPTED, OK
from linescan.errors import LinescanError
from linescan.evaluation.choice import BACKENDS, PRECISIONS, EngineChoice
from linescan.evaluation.gray_rgb.colour import Loader, folder_loaders
from linescan.evaluation.gray_rgb.engines import open_pair
from linescan.evaluation.gray_rgb.page import sentences
from linescan.evaluation.gray_rgb.report import (
    FIGURES,
    PAGE,
    SHEET,
    About,
    report_folder,
    write_report,
)
from linescan.evaluation.gray_rgb.run import Comparison, run
from linescan.evaluation.gray_rgb.web import web_loaders
from linescan.pictures.files import write_whole

HELP = """
Compare the depth from RGB with that from gray, picture by picture.

FOLDER holds colour pictures (PNG, TIFF, BMP, JPEG; folders in it are not looked into). Each goes
through the same weights twice: in colour, and as gray, by BT.601 luma. The model is exported in
both forms into a temporary folder first, which takes about a minute for 'small', and both run on
the same engine.

The report (report.md, report.json, pictures.png) gives, for each picture and for all together:

- the deviation: RMSE over sigma of the RGB depth, after the best scale and shift. 0 is the same, 1
is no better than a constant;

- the rank correlation (Spearman): 1 means that the same pixels are nearer;

- the same sign: near stays near;

- the time of each, measured in turns, and its ratio gray / RGB;

- two controls to judge a size by: RGB with a little noise, and RGB after JPEG 90.

The verdict follows from limits that the report states. It settles what holds for 'small' only with
the weights of 'small' and at least 20 photographs.

Examples:

python scripts/compare_gray_rgb.py photographs --model small --out gray-rgb

python scripts/compare_gray_rgb.py photographs --model ./Depth-Anything-V2-Small-hf --out gray-rgb

python scripts/compare_gray_rgb.py --simulated 20 --model runs/surface-tiny/final --out gray-rgb
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=HELP)
def main(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of colour pictures.", show_default=False)
    ] = None,
    out: Annotated[Path, typer.Option(help="New folder for the report.")] = Path("gray-rgb"),
    model: Annotated[
        str, typer.Option(help="'small', a hub id, or a checkpoint folder (Hugging Face format).")
    ] = "small",
    size: Annotated[
        tuple[int, int] | None,
        typer.Option(
            metavar="ROWS COLS", help="Model input, multiples of 14; its own if not given."
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Compare the first so many pictures.")
    ] = None,
    simulated: Annotated[
        int | None,
        typer.Option(min=1, max=200, help="Instead of FOLDER: simulated webs in colour."),
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option(min=1, max=1000, help="Timed rounds a picture; 30 in all if not given."),
    ] = None,
    backend: Annotated[str, typer.Option(help=f"What runs both: {', '.join(BACKENDS)}.")] = "auto",
    precision: Annotated[
        str,
        typer.Option(help=f"{', '.join(PRECISIONS)}; fp32 adds no rounding to the result."),
    ] = "fp32",
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads; all if not given.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures to this file, too.")
    ] = None,
    acknowledge_licence: Annotated[
        bool,
        typer.Option(
            "--acknowledge-licence",
            help="I have read that base and large are CC-BY-NC-4.0: no commercial use.",
        ),
    ] = False,
) -> None:
    """Compare, print, write."""
    try:
        choice = EngineChoice.of(backend, precision, threads)
        if json_file is not None and not json_file.parent.is_dir():
            raise LinescanError(
                f"{json_file}: cannot be written: there is no folder {json_file.parent}"
            )
        loaders, where = pictures(folder, simulated, limit)
        with (
            report_folder(out),
            progress_bar() as show,
            open_pair(
                model, size, choice, acknowledge_licence=acknowledge_licence, say=show
            ) as engines,
        ):
            about = About.of(engines, where, simulated=simulated is not None)
            comparison = run(loaders, engines, rounds, lambda done: show(*state(done)))
            data = write_report(out, comparison, about)
            if json_file is not None:
                write_whole(json_file, (out / FIGURES).read_bytes())
    except LinescanError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(BAD_INPUT) from error
    console = Console(highlight=False)
    for skipped in comparison.skipped:
        console.print(f"skipped {skipped.name}: {skipped.reason}", markup=False, soft_wrap=True)
    for sentence in sentences(data):
        console.print(f"- {sentence}", markup=False, soft_wrap=True)
    console.print(
        f"report: {out / PAGE}, {out / FIGURES}, {out / SHEET}", markup=False, soft_wrap=True
    )
    raise typer.Exit(OK if comparison.complete else INTERRUPTED)


def pictures(
    folder: Path | None, simulated: int | None, limit: int | None
) -> tuple[list[Loader], str]:
    """What loads the pictures, and where they are from."""
    if (folder is None) == (simulated is None):
        raise LinescanError("give either a folder of colour pictures or --simulated COUNT")
    if folder is not None:
        return folder_loaders(folder)[:limit], folder.resolve().name
    return web_loaders(simulated or 0)[:limit], "simulated webs under coloured print"


def state(done: Comparison) -> tuple[str, float]:
    """What the progress bar says of a comparison under way."""
    count = len(done.scores) + len(done.skipped)
    return f"comparing, {count} of {done.wanted}", count / done.wanted


@contextmanager
def progress_bar() -> Iterator[Callable[[str, float], None]]:
    """A bar on standard error, told what is being done and the share that is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("starting", total=1.0)
        yield lambda text, share: progress.update(task, description=text, completed=share)


if __name__ == "__main__":
    app()
