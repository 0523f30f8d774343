"""``linescan calibrate``: corrections for the lines of one camera, heights from depth."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linescan.cli.calibrate_height import height
from linescan.cli.options import ENDLESS, Overrides

if TYPE_CHECKING:
    from linescan.correction.statistics import ColumnStatistics

app = typer.Typer(
    help="Measure what corrects the lines of one camera, or turns depth into height.",
    epilog="Example: linescan calibrate flat-field --white scans/white --dark scans/dark "
    "--out calibration/web-1-flat.npz",
    no_args_is_help=True,
)


app.command("height")(height)


@app.command("flat-field")
def flat_field(
    white: Annotated[
        Path,
        typer.Option(
            help="Lines of a uniform, evenly lit target: a configuration (.yaml) whose source is "
            "read, or what replay takes.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="The new reference file (.npz).", show_default=False)],
    dark: Annotated[
        Path | None,
        typer.Option(
            help="Lines without light, with the same settings, from the same sorts of source.",
            show_default=False,
        ),
    ] = None,
    lines: Annotated[
        int, typer.Option(min=1, max=ENDLESS, metavar="N", help="Lines to take of each.")
    ] = 2000,
    level: Annotated[
        float | None,
        typer.Option(
            min=1,
            max=65535,
            metavar="GRAY",
            help="What white becomes; without it, a pixel at full scale stays at full scale.",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace a file that is there.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Write the file in spite of problems.")
    ] = False,
    overrides: Overrides = None,
) -> None:
    """Measure each column's offset and gain from a dark and a white reference.

    Where the dark reference is a camera and a person sits at the terminal, it waits until the lens
    is covered. Saturation, too little light, unsteady light, too few lines and columns that do not
    answer are refused; columns that look dusty are named.

    Example: [bold]linescan calibrate flat-field --white configs/camera.yaml
    --dark configs/camera.yaml --out calibration/web-1-flat.npz[/]
    """
    from linescan.cli.calibrate_report import report_findings
    from linescan.correction.calibrate import make_flat_field
    from linescan.correction.flat_field import save_flat_field
    from linescan.errors import CalibrationError

    if out.exists() and not overwrite:
        raise CalibrationError(f"{out}: is there already; --overwrite replaces it")
    settings = list(overrides or ())
    bright, about = _measure(white, "white", lines, settings)
    covered, about_dark = (None, "") if dark is None else _measure(dark, "dark", lines, settings)
    reference, findings = make_flat_field(
        bright, covered, level=level, about={"white": about, "dark": about_dark}
    )
    report_findings(findings, force=force)
    if findings.problems and not force:
        raise CalibrationError(f"{out}: not written; put this right, or use it with --force")
    save_flat_field(reference, out)
    typer.echo(f"{out}: {reference.id}, {reference.width} columns of {reference.bits} bits")


def _measure(
    path: Path, what: str, lines: int, overrides: list[str]
) -> tuple[ColumnStatistics, str]:
    """Column statistics of a source, and its name."""
    from linescan.cli.bars import line_bar
    from linescan.cli.sources import source_config
    from linescan.correction.statistics import measure_columns
    from linescan.errors import CalibrationError
    from linescan.sources import open_source

    section = source_config(path, overrides).source
    if section.type == "genicam" and sys.stdin.isatty():
        prompt = {"white": "Show the white target", "dark": "Cover the lens"}[what]
        typer.prompt(f"{prompt}, then press Enter", default="", show_default=False)
    source = open_source(section)
    source.open(lambda _: None)
    try:
        info = source.description
        items = source.items()
        with line_bar(what, lines) as show:
            try:
                measured = measure_columns(items, info.bits, lines, show)
            except CalibrationError as error:
                raise CalibrationError(f"{path}: {error}") from error
        return measured, info.name
    finally:
        source.stop()
        source.close()
