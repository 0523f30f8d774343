"""``linescan calibrate height``: from the model's depth to height in mm or µm."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from linescan.cli.options import Lines, Overrides

if TYPE_CHECKING:
    from collections.abc import Callable

    from linescan.config import Config
    from linescan.depth.calibration.points import Measured

Unit = Literal["um", "mm"]
Place = Annotated[
    tuple[float, float] | None,
    typer.Option(
        metavar="LINE COLUMN",
        help="Web line and column of the upper left corner of the height map; 0 0 where not given.",
        show_default=False,
    ),
]


def height(
    scan: Annotated[
        Path,
        typer.Argument(
            help="The scan of what was measured: a configuration (.yaml) whose source is read, or "
            "what replay takes.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="The new calibration (.json).", show_default=False)],
    height_map: Annotated[
        Path | None,
        typer.Option(
            "--map",
            metavar="NPY",
            help="Heights of a profilometer as a map (.npy, 2-D, NaN where not valid).",
            show_default=False,
        ),
    ] = None,
    profiles: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="Heights along lines: columns line,column,height, in lines and pixels of the "
            "scan.",
            show_default=False,
        ),
    ] = None,
    blocks: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="Flat boxes of known height, such as gauge blocks: columns first_line,line_count,"
            "first_column,column_count,height.",
            show_default=False,
        ),
    ] = None,
    truth: Annotated[
        bool, typer.Option("--truth", help="The recording's own heights (simulated web).")
    ] = False,
    unit: Annotated[
        Unit, typer.Option(help="Unit of the heights given, and of those to come.")
    ] = "um",
    map_at: Place = None,
    map_step: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="LINES COLUMNS",
            help="Camera lines and pixels that one element of the map covers; without it, the map "
            "is as wide as the web and its elements are square.",
            show_default=False,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Take all but the source from this file."),
    ] = None,
    spline: Annotated[
        bool,
        typer.Option("--spline", help="Try a monotone curve; kept only if places left out agree."),
    ] = False,
    across: Annotated[
        bool,
        typer.Option(
            "--across",
            help="Try a correction across the web, for light that falls off; kept only if places "
            "left out agree.",
        ),
    ] = False,
    lines: Lines = None,
    overwrite: Annotated[bool, typer.Option(help="Replace a file that is there.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Write the file in spite of problems.")
    ] = False,
    overrides: Overrides = None,
) -> None:
    """Turn the model's depth into height: fit it to heights that were measured.

    Give the scan, with the settings it will be run with, and one of --map, --profiles, --blocks or
    --truth. Up to 40 % of the measured places may be wrong: a robust line (RANSAC, then least
    squares) leaves them out. Too few or too flat data is refused; uncertainty, and the residual by
    region, are printed and kept in the file. Use it with
    [bold]calibration: {height: FILE}[/] in the configuration.

    Example: [bold]linescan calibrate height scans/steps --config configs/line.yaml
    --profiles profiler.csv --unit um --out calibration/web-1-height.json[/]
    """
    from linescan.cli.bars import line_bar
    from linescan.cli.calibrate_report import report_findings
    from linescan.cli.writable import check_writable
    from linescan.depth.calibration.height import save_height_calibration
    from linescan.depth.calibration.make import make_height_calibration
    from linescan.errors import CalibrationError
    from linescan.pipeline.calibration import scan_points

    if out.exists() and not overwrite:
        raise CalibrationError(f"{out}: is there already; --overwrite replaces it")
    given = {"--map": height_map, "--profiles": profiles, "--blocks": blocks}
    named = [(option, path) for option, path in given.items() if path is not None]
    if len(named) + truth != 1:
        raise CalibrationError("give one of --map, --profiles, --blocks and --truth")
    _check_map(height_map, map_at, map_step)
    check_writable(out, makes_folder=True)
    settings = _settings(scan, config, list(overrides or ()))
    option, path = named[0] if named else ("--truth", scan)
    measured = _measured(option, path, unit, map_at or (0.0, 0.0), map_step, settings)
    with line_bar("depth", lines) as show:
        read = scan_points(settings, measured, lines, show)
    made, findings = make_height_calibration(
        read.points,
        read.card,
        unit,
        read.width,
        read.steps,
        spline=spline,
        across=across,
        reference=read.reference,
        about={"scan": read.name, "measured": path.name, "frames": read.frames},
    )
    report_findings(findings, force=force)
    if findings.problems and not force:
        raise CalibrationError(f"{out}: not written; put this right, or use it with --force")
    save_height_calibration(made, out)
    typer.echo(f"{out}: {made.id}, height in {made.unit} for {made.model} ({made.sha256[:12]}…)")


def _check_map(
    height_map: Path | None, at: tuple[float, float] | None, step: tuple[float, float] | None
) -> None:
    from linescan.errors import CalibrationError

    for option, given in (("--map-at", at), ("--map-step", step)):
        if given is not None and height_map is None:
            raise CalibrationError(f"{option} {given[0]} {given[1]}: belongs to --map")
    if step is not None and not all(0 < side < math.inf for side in step):
        raise CalibrationError(f"--map-step {step[0]} {step[1]}: expected two above 0")
    if at is not None and not all(map(math.isfinite, at)):
        raise CalibrationError(f"--map-at {at[0]} {at[1]}: expected a line and a column")


def _settings(scan: Path, config: Path | None, overrides: list[str]) -> Config:
    from linescan.cli.sources import source_config
    from linescan.config import load
    from linescan.sources import guess_source

    settings = ["overload.policy=block", *overrides]
    if config is None:
        return source_config(scan, settings)
    return load(config, settings, guess_source(scan))


def _measured(
    option: str,
    path: Path,
    unit: Unit,
    at: tuple[float, float],
    step: tuple[float, float] | None,
    config: Config,
) -> Callable[[int], Measured]:
    """The heights that were measured, for a web of so many pixels."""
    from linescan.depth.calibration.points import HeightMap
    from linescan.depth.calibration.read import read_blocks, read_map, read_profiles

    if option == "--map":
        heights = read_map(path)

        def place(width: int) -> HeightMap:
            side = width / heights.shape[1]
            return HeightMap(heights, *at, *(step or (side, side)))

        return place
    found: Measured
    if option == "--profiles":
        found = read_profiles(path)
    elif option == "--blocks":
        found = read_blocks(path)
    else:
        found = _truth(unit, config)
    return lambda _: found


def _truth(unit: Unit, config: Config) -> Measured:
    from linescan.depth.calibration.recorded import RecordedTruth
    from linescan.errors import CalibrationError
    from linescan.recording import Recording

    found = None
    if config.source.type == "recording":
        found = Recording.open(config.source.path).truth
    if found is None:
        raise CalibrationError("--truth: the scan is no recording with known heights")
    return RecordedTruth(found, 1000.0 if unit == "um" else 1.0)
