"""``linescan simulate``: a simulated web with known height, as a recording with truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from linescan.cli.options import ENDLESS

if TYPE_CHECKING:
    from linescan.config.genicam import Preset


def simulate(
    out: Annotated[Path, typer.Option(help="Folder of the new recording.", show_default=False)],
    lines: Annotated[
        int, typer.Option(min=1, max=ENDLESS, metavar="N", help="Lines to make.")
    ] = 4096,
    width: Annotated[int, typer.Option(min=64, max=32768, metavar="W", help="Pixels across.")] = (
        2048
    ),
    seed: Annotated[
        int, typer.Option(min=0, metavar="S", help="The same seed gives the same web.")
    ] = 1,
    preset: Annotated[
        str,
        typer.Option(
            help="What lies on the web: mixed (as the embedded model was trained on), parts on a "
            "belt, a surface with defects, or flat print only."
        ),
    ] = "mixed",
    truth_step: Annotated[
        int,
        typer.Option(min=1, max=64, help="Store the mean true height of N x N pixels."),
    ] = 1,
    overwrite: Annotated[bool, typer.Option(help="Replace a recording that is there.")] = False,
) -> None:
    """Make a recording of a simulated web, with its true height, object mask and objects.

    The web has roughness, waviness, dents, scratches, bumps, embossed parts and edges, and flat
    print of the same shapes that is no relief. A line light shows it; noise, column gain and
    offset, flicker and encoder jitter spoil it as a real camera would.

    Example: [bold]linescan simulate --out scans/parts --preset parts --lines 20000 --seed 7[/]
    """
    from linescan.cli.bars import line_bar
    from linescan.config import SimulatedSource
    from linescan.errors import ConfigError
    from linescan.recording import HeightEncoding
    from linescan.simulation import PRESETS
    from linescan.sources.simulated import record_simulated

    if preset not in PRESETS:
        raise ConfigError(f"--preset {preset}: expected one of {', '.join(sorted(PRESETS))}")
    section = SimulatedSource(
        preset=cast("Preset", preset), seed=seed, width=width, lines=lines, rate="max"
    )
    truth = HeightEncoding(step=truth_step, dtype="float32" if truth_step == 1 else "float16")
    with line_bar("simulating", lines) as show:
        record_simulated(
            section, out, camera="simulated", truth=truth, overwrite=overwrite, progress=show
        )
    typer.echo(f"{out}: {lines} lines of {width} pixels, with truth")
