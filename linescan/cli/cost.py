"""``linescan cost``: what the depth of a frame costs at several sizes, measured on this machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from linescan.cli.options import Overrides
from linescan.errors import LinescanError

if TYPE_CHECKING:
    from linescan.config import DepthSection
    from linescan.depth import ModelCard
    from linescan.depth.warm_up import FrameCost

SHARES: Final = (0.5, 0.75, 1.0, 1.5)
"""Sizes that are measured where none are given, in shares of the model's own sides."""
_SIZE = re.compile(r"(\d{1,6})x(\d{1,6})")


def cost(
    model: Annotated[
        str | None,
        typer.Argument(
            help="A name of 'linescan model list', or an .onnx file; that of --config, or "
            "surface-tiny, where not given.",
            show_default=False,
        ),
    ] = None,
    size: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROWSxCOLS",
            help="Model input, multiples of 14; repeatable. Some about the model's own where not "
            "given.",
            show_default=False,
        ),
    ] = None,
    frame: Annotated[
        str, typer.Option(metavar="LINESxPIXELS", help="Lines and pixels across of a frame.")
    ] = "2048x2048",
    overlap: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Lines that a frame shares with the one before; a sixteenth where not given.",
            show_default=False,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Take the other depth settings from this file."),
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Measure what the depth of a frame costs: tokens, GFLOP, time, and lines per second.

    Each size is opened as a pipeline would open it and timed on a picture of that size, with
    nothing else running: a pipeline's other stages share the machine.

    Example: [bold]linescan cost small --frame 2048x16384 --set depth.mode=tile[/]
    """
    from linescan.cli.logs import set_up_logging
    from linescan.depth import read_card

    errors = Console(stderr=True)
    set_up_logging(errors, verbose=False)
    rows, columns = _size(frame, "--frame")
    shared = rows // 16 if overlap is None else overlap
    if shared >= rows:
        raise LinescanError(f"--overlap {shared}: a frame has {rows} lines")
    chosen = [] if model is None else [f"depth.model={model}"]
    settings = [*(overrides or ()), *chosen]
    section = _section(config, settings)
    card = read_card(section.model)
    sizes = [_size(text, "--size") for text in size or ()] or _sizes(section, card)
    sections = [_section(config, [*settings, f"depth.size=[{r}, {c}]"]) for r, c in sizes]
    table = Table(
        title=f"{card.name}, frames of {rows}x{columns}, {section.mode}",
        box=None,
        title_justify="left",
    )
    names = ["input", "passes", "tokens", "GFLOP", "ms", "frames/s", "lines/s"]
    if section.mode == "tile":
        names.insert(names.index("ms") + 1, "of it align")
    for name in names:
        table.add_column(name, justify="right")
    table.add_column("engine")
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as progress:
        task = progress.add_task("measuring", total=len(sizes))
        for each, settled in zip(sizes, sections, strict=True):
            progress.update(task, description=f"measuring {each[0]}x{each[1]}")
            found = _measure(settled, card, (rows, columns))
            row = _row(each, found, rows - shared)
            table.add_row(*(row[name] for name in (*names, "engine")))
            progress.advance(task)
    console = Console()
    if not console.is_terminal:
        console.width = 120
    console.print(table)


def _section(config: Path | None, overrides: list[str]) -> DepthSection:
    from linescan.config import SimulatedSource, load, parse

    if config is not None:
        return load(config, overrides).depth
    return parse("", "cost", overrides, source=SimulatedSource()).depth


def _sizes(section: DepthSection, card: ModelCard) -> list[tuple[int, int]]:
    from linescan.depth.models import PATCH

    if section.size != "auto":
        return [section.size]
    if not card.dynamic:
        return [card.input_size]
    rows, columns = card.input_size
    sides = [
        [max(2, round(n * share / PATCH)) * PATCH for n in (rows, columns)] for share in SHARES
    ]
    return list(dict.fromkeys((side[0], side[1]) for side in sides))


def _measure(section: DepthSection, card: ModelCard, frame: tuple[int, int]) -> FrameCost:
    from linescan.depth import depth_stages
    from linescan.pipeline.chain import set_up

    found: list[FrameCost] = []
    stages = depth_stages(section, card, frame, report=found.append)
    with set_up(stages):
        return found[0]


def _row(size: tuple[int, int], found: FrameCost, new_lines: int) -> dict[str, str]:
    """The cells of a row, by column."""
    return {
        "input": f"{size[0]}x{size[1]}",
        "passes": str(len(found.passes)),
        "tokens": str(found.tokens),
        "GFLOP": "?" if found.gflop is None else f"{found.gflop:.3g}",
        "ms": f"{found.ms:.3g}",
        "of it align": f"{found.align_ms:.3g}",
        "frames/s": f"{1e3 / found.ms:.3g}",
        "lines/s": f"{new_lines / (found.ms / 1e3):.0f}",
        "engine": found.engine,
    }


def _size(text: str, option: str) -> tuple[int, int]:
    found = _SIZE.fullmatch(text)
    if found is None or not (int(found[1]) and int(found[2])):
        raise LinescanError(f"{option} {text}: expected two sides, such as 2048x4096")
    return int(found[1]), int(found[2])
