"""``linescan camera``: which cameras there are, what can be set, and what one sees."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linescan.cli.options import Overrides

if TYPE_CHECKING:
    from linescan.config import GenicamSource
    from linescan.records import LineBlock
    from linescan.sources.base import Source

app = typer.Typer(no_args_is_help=True, help="List cameras, their features, and take a picture.")

Which = Annotated[
    Path,
    typer.Argument(
        help="A GenTL producer (.cti), or a configuration (.yaml) with a camera.",
        show_default=False,
    ),
]


@app.command("list")
def list_cameras(which: Which, overrides: Overrides = None) -> None:
    """List the cameras that a producer finds, with what [bold]source.device[/] takes.

    Example: [bold]linescan camera list /opt/vendor/producer.cti[/]
    """
    from rich.console import Console
    from rich.table import Table

    section = _section(which, overrides)
    with _loaded(section) as harvester:
        from linescan.sources.genicam.browse import list_devices

        devices = list_devices(harvester, section.producer)
    table = Table("index", "vendor", "model", "serial", "user_name", "access", box=None)
    for number, device in enumerate(devices):
        table.add_row(str(number), *device)
    Console(width=None if typer.get_text_stream("stdout").isatty() else 160).print(table)


@app.command()
def features(
    which: Which,
    search: Annotated[
        str | None, typer.Option(help="Only features with this in their name or description.")
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Show a camera's features: value, unit, what they take, and whether they can be set now.

    Example: [bold]linescan camera features configs/camera.yaml --search rate[/]
    """
    from linescan.errors import SourceError
    from linescan.sources.genicam.browse import list_features
    from linescan.sources.genicam.device import take_device

    section = _section(which, overrides)
    with _loaded(section) as harvester:
        acquirer, name = take_device(harvester, section)
        try:
            found = list_features(acquirer.remote_device.node_map, search)
        finally:
            acquirer.destroy()
    if not found:
        raise SourceError(f"{name} has no feature with {search!r} in its name or description")
    for feature in found:
        unit = f" {feature.unit}" if feature.unit else ""
        typer.echo(f"{feature.name} = {feature.value}{unit}  [{feature.access}, {feature.kind}]")
        if feature.takes:
            typer.echo(f"    takes {feature.takes}")
        if feature.about:
            typer.echo(f"    {feature.about}")


@app.command()
def snapshot(
    which: Which,
    out: Annotated[Path, typer.Option(help="The picture's file.")] = Path("snapshot.png"),
    lines: Annotated[int, typer.Option(min=1, max=65536, help="Lines of the picture.")] = 1024,
    overrides: Overrides = None,
) -> None:
    """Set the camera up as a run would, take some lines, and save them as a picture.

    Example: [bold]linescan camera snapshot configs/camera.yaml --out now.png[/]
    """
    import cv2
    import numpy as np
    from rich.console import Console

    from linescan.cli.logs import set_up_logging
    from linescan.errors import SourceError
    from linescan.pipeline.limits import LimitedSource
    from linescan.records import Loss
    from linescan.sources import open_source

    set_up_logging(Console(stderr=True), verbose=False)
    source: Source = LimitedSource(open_source(_section(which, overrides)), lines)
    source.open(lambda _: None)
    rows: list[Any] = []
    lost = 0
    try:
        info = source.description
        for item in source.items():
            if isinstance(item, Loss):
                lost += item.count
            else:
                rows.append(_rows(item, info.bits))
    finally:
        source.close()
    if not rows:
        raise SourceError(f"{info.name}: no line came")
    picture = np.concatenate(rows)
    if not cv2.imwrite(str(out), picture):
        raise SourceError(f"{out}: the picture cannot be written")
    height, width = picture.shape
    typer.echo(f"{out}: {height} lines of {width} pixels from {info.name}, {lost} lost")


def _rows(block: LineBlock, bits: int) -> Any:
    """The valid rows, as bright as their bit depth allows."""
    rows = block.pixels[: block.valid_rows]
    return rows.copy() if bits == 8 else rows << (16 - bits)


def _section(which: Path, overrides: list[str] | None) -> GenicamSource:
    """The camera that a producer file or a configuration names; the first where it says none.

    Raises:
        LinescanError: the configuration is wrong, or its source is no camera.
    """
    from linescan.config import GenicamSource, load, parse
    from linescan.errors import ConfigError

    given = list(overrides or ())
    if which.suffix in {".yaml", ".yml"}:
        source = load(which, given).source
    else:
        source = parse("", "command line", given, source=GenicamSource(producer=which)).source
    if not isinstance(source, GenicamSource):
        raise ConfigError(f"{which}: its source is {source.type}, not a camera (type: genicam)")
    return source


@contextmanager
def _loaded(section: GenicamSource) -> Iterator[Any]:
    """The producer with its cameras listed; the virtual camera's with its world."""
    import logging

    from linescan.sources.genicam.device import load_producer

    logging.getLogger("harvesters").setLevel(logging.CRITICAL)
    with _world(section):
        harvester = load_producer(section.producer)
        try:
            yield harvester
        finally:
            harvester.reset()


@contextmanager
def _world(section: GenicamSource) -> Iterator[None]:
    if section.virtual is None:
        yield
        return
    from linescan.sources.virtual import visible

    with visible(section):
        yield
