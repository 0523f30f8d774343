"""``linescan model``: which depth models there are, and how to get one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(
    help="List depth models, export a checkpoint to ONNX.",
    epilog="Example: linescan model export small",
    no_args_is_help=True,
)


@app.command("list", epilog="Example: linescan model list")
def list_() -> None:
    """List the known depth models: licence, size, and whether they are here."""
    from linescan.depth import list_models

    table = Table(box=None)
    for column in ("model", "licence", "input", "larger is", "here", "note"):
        table.add_column(column, overflow="fold")
    for listing in list_models():
        model = listing.model
        here = f"{listing.nbytes / 1e6:.1f} MB" if listing.nbytes else "no"
        rows, columns = model.input_size if model else ("", "")
        table.add_row(
            listing.name,
            model.licence if model else "",
            f"{rows}x{columns}" if model else "",
            str(model.convention) if model else "",
            here,
            model.note if model else str(listing.path),
        )
    console = Console()
    if not console.is_terminal:
        console.width = 200  # one line a model, for whoever reads the pipe
    console.print(table)


@app.command(
    epilog="Examples: linescan model export small   |   "
    "linescan model export ./my-finetuned --convention height --name my-steel"
)
def export(
    checkpoint: Annotated[
        str,
        typer.Argument(
            help="A name of 'linescan model list', a hub id, or a local checkpoint folder.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="The .onnx file; the model folder where not given.", show_default=False),
    ] = None,
    size: Annotated[
        tuple[int, int] | None,
        typer.Option(metavar="ROWS COLS", help="Model input, multiples of 14.", show_default=False),
    ] = None,
    dynamic: Annotated[
        bool, typer.Option("--dynamic", help="Leave rows and columns free: a little slower.")
    ] = False,
    storage: Annotated[str, typer.Option(help="Weights as fp32, or fp16: half the file.")] = "fp32",
    convention: Annotated[
        str | None,
        typer.Option(
            help="What larger outputs mean, where the checkpoint does not say: disparity, depth "
            "or height.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="The model's name.", show_default=False)] = None,
    acknowledge_licence: Annotated[
        bool,
        typer.Option(
            "--acknowledge-licence",
            help="I have read that base and large are CC-BY-NC-4.0: no commercial use.",
        ),
    ] = False,
) -> None:
    """Export a Depth Anything checkpoint to ONNX, and prove that it computes the same.

    The file takes gray uint8 images: duplication to three channels and normalisation are folded
    into the first convolution, exactly. It is checked against the original on random images; a
    file that deviates is not kept.
    """
    from rich.progress import BarColumn, Progress, TextColumn

    from linescan.depth.export import export as export_model
    from linescan.errors import ModelError
    from linescan.records import Convention

    if storage not in ("fp32", "fp16"):
        raise ModelError(f"--storage {storage}: expected fp32 or fp16")
    conventions = [str(c) for c in Convention]
    if convention is not None and convention not in conventions:
        raise ModelError(f"--convention {convention}: expected {', '.join(conventions)}")
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("exporting", total=1.0)
        report = export_model(
            checkpoint,
            out,
            size=size,
            dynamic=dynamic,
            storage="fp16" if storage == "fp16" else "fp32",
            acknowledge_licence=acknowledge_licence,
            convention=Convention(convention) if convention else None,
            name=name,
            progress=lambda text, share: progress.update(task, description=text, completed=share),
        )
    rows, columns_ = report.size
    free = " (any multiples of 14)" if report.dynamic else ""
    typer.echo(
        f"{report.path}: {report.name}, {report.nbytes / 1e6:.1f} MB, {rows}x{columns_}{free}"
    )
    typer.echo(f"largest deviation from the original: {report.max_error:.1e} of its range")
    if report.storage_error is not None:
        typer.echo(f"with {report.storage} weights: {report.storage_error:.1e} of its range")
