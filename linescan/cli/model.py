"""``linescan model``: which depth models there are, and how to get one."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from linescan.cli.exits import UNBALANCED
from linescan.cli.quantise import quantise


class Storage(Enum):
    """How weights are stored."""

    FP32 = "fp32"
    FP16 = "fp16"


class Attention(Enum):
    """How attention is written."""

    EAGER = "eager"
    FUSED = "fused"


class FilePrecision(Enum):
    """What a file's encoder computes in."""

    FP32 = "fp32"
    FP16 = "fp16"
    BF16 = "bf16"


app = typer.Typer(
    help="List depth models, export a checkpoint to ONNX, check a model's file, quantise it.",
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
    _console().print(table)


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
    storage: Annotated[
        Storage, typer.Option(help="Weights as fp32, or fp16: half the file.")
    ] = Storage.FP32,
    channels: Annotated[
        int, typer.Option(help="1 for gray images; 3 for RGB, to compare with.", min=1, max=3)
    ] = 1,
    frame: Annotated[
        tuple[int, int] | None,
        typer.Option(
            metavar="ROWS COLS",
            help="Take camera frames of that size and resize them in the graph: for GPUs.",
            show_default=False,
        ),
    ] = None,
    attention: Annotated[
        Attention, typer.Option(help="Attention as its parts, or as one operator (opset 23).")
    ] = Attention.EAGER,
    precision: Annotated[
        FilePrecision,
        typer.Option(
            help="What the file's encoder computes in; with fp32 the engines choose themselves."
        ),
    ] = FilePrecision.FP32,
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
            help="I have read under which licence the weights are: base and large are "
            "CC-BY-NC-4.0, no commercial use; that of their metric variants is unresolved.",
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
    from linescan.depth.record import record_path
    from linescan.errors import ModelError
    from linescan.records import Convention

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
            storage=storage.value,
            channels=channels,
            frame_size=frame,
            attention=attention.value,
            precision=precision.value,
            acknowledge_licence=acknowledge_licence,
            convention=Convention(convention) if convention else None,
            name=name,
            progress=lambda text, share: progress.update(task, description=text, completed=share),
        )
    rows, columns_ = report.form.size
    free = " (any multiples of 14)" if report.form.dynamic else ""
    typer.echo(
        f"{report.path}: {report.name}, {report.nbytes / 1e6:.1f} MB, {rows}x{columns_}{free}"
    )
    typer.echo(f"largest deviation from the original: {report.max_error:.1e} of its range")
    if report.precision_deviation is not None:
        typer.echo(
            f"with the encoder in {report.form.precision}: {report.precision_deviation:.1e} "
            f"standard deviations"
        )
    if report.storage_error is not None:
        typer.echo(f"with {report.form.storage} weights: {report.storage_error:.1e} of its range")
    typer.echo(f"beside it: {record_path(report.path).name}, what was verified")


@app.command(
    epilog="Examples: linescan model check surface-tiny   |   "
    "linescan model check small --checkpoint ./Depth-Anything-V2-Small-hf"
)
def check(
    model: Annotated[
        str,
        typer.Argument(
            help="A name of 'linescan model list', or the path of an exported .onnx file.",
            show_default=False,
        ),
    ],
    checkpoint: Annotated[
        str | None,
        typer.Option(
            help="Compare once more with the checkpoint: a name, a hub id or a local folder.",
            show_default=False,
        ),
    ] = None,
    tolerance: Annotated[
        float,
        typer.Option(
            help="Most deviation of an engine: RMS in standard deviations of the reference.",
            min=0.0,
        ),
    ] = 0.02,
    acknowledge_licence: Annotated[
        bool, typer.Option("--acknowledge-licence", help="As with 'linescan model export'.")
    ] = False,
) -> None:
    """Check that a model's file is the one that was verified, and what runs it on this machine.

    Ends with 0 if the file is right and at least one engine is within the tolerance, with 1 if no
    engine is, and with 2 if the file is damaged, was changed, or lacks its record.
    """
    from linescan.depth import read_card
    from linescan.depth.check import check_engines, check_record

    card = read_card(model)
    record = check_record(card)
    typer.echo(f"{card.path}: {card.name}, whole; SHA-256 {card.sha256}")
    console = _console()
    _print_record(console, record)
    if checkpoint is not None:
        from linescan.depth.export import compare_again

        again = compare_again(card, record, checkpoint, acknowledge_licence=acknowledge_licence)
        worst = max(again, key=lambda each: each.error)
        typer.echo(
            f"compared again with {checkpoint}: largest error {worst.error:.1e} of the range, "
            f"deviation {worst.deviation:.1e}"
        )
    table = Table(box=None)
    for column in ("engine", "loads", "deviation", f"within {tolerance:g}", "ms", ""):
        table.add_column(column, overflow="fold")
    passed = 0
    for each in check_engines(card):
        within = each.within(tolerance)
        passed += within
        table.add_row(
            each.candidate.name,
            "yes" if each.reason is None else "no",
            "" if each.deviation is None else f"{each.deviation:.2g}",
            "yes" if within else "no" if each.reason is None else "",
            "" if each.ms is None else f"{each.ms:.1f}",
            each.reason or "",
        )
    console.print(table)
    if not passed:
        typer.echo(f"no engine of this machine is within {tolerance:g}", err=True)
        raise typer.Exit(UNBALANCED)


app.command(
    "quantise",
    epilog="Examples: linescan model quantise small --frames scans/steel   |   "
    "linescan model quantise surface-tiny --preset mixed",
)(quantise)


def _print_record(console: Console, record: dict[str, Any]) -> None:
    from linescan.errors import ModelError

    versions = ", ".join(f"{k} {v}" for k, v in dict(record.get("versions", {})).items())
    typer.echo(f"verified when it was exported{f' ({versions})' if versions else ''}:")
    table = Table(box=None)
    for column in ("compared", "size", "image", "error / range", "deviation / σ"):
        table.add_column(column)
    parts = {
        "checks": "as exported, fp32",
        "precision_checks": "in half precision",
        "storage_checks": "as stored",
        "quantised_checks": "in int8",
    }
    try:
        for key, what in parts.items():
            for each in record.get(key, []):
                rows, columns = each["size"]
                error, deviation = f"{each['error']:.1e}", f"{each['deviation']:.1e}"
                table.add_row(what, f"{rows}x{columns}", each["image"], error, deviation)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"the record of {record.get('name')} is damaged ({error!r}): copy it or export again"
        ) from error
    console.print(table)


def _console() -> Console:
    console = Console()
    if not console.is_terminal:
        console.width = 200  # one line an entry, for whoever reads the pipe
    return console
