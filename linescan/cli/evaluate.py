"""``linescan evaluate``: models on data with known height; table, JSON, page with pictures."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress, TaskID

from linescan.cli.exits import INTERRUPTED
from linescan.cli.options import Overrides
from linescan.errors import LinescanError

if TYPE_CHECKING:
    from linescan.config import Config
    from linescan.evaluation.judging.verdict import Verdict

ALIGNMENTS = ("none", "scale-shift", "calibrated")


def evaluate(
    data_sets: Annotated[
        list[str],
        typer.Argument(
            metavar="DATASET...",
            help="The folder of a recording with truth, a folder of pairs NAME_intensity.png and "
            "NAME_height_um.npy, simulated:NAME (held-out, validation, nominal, print, continuous, "
            "flat; simulated:nominal+gloss=0.5 changes one factor), or lit:NAME_height_UNIT.npy, "
            "a height map that the simulator lights.",
            show_default=False,
        ),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="M",
            help="A name of 'linescan model list', an .onnx file, the folder of a checkpoint, or "
            "baseline:flat, baseline:blur, baseline:shading (light known); repeatable. "
            "That of --config, or surface-tiny, where not given.",
            show_default=False,
        ),
    ] = None,
    align: Annotated[
        str,
        typer.Option(
            metavar="|".join(ALIGNMENTS),
            help="How outputs become heights: not at all; each frame fitted to its own truth; or "
            "one scale and shift for the data set, fitted on a part that is not judged.",
        ),
    ] = "scale-shift",
    calibration: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="For calibrated: a height calibration instead of a fit, as calibration.height.",
            show_default=False,
        ),
    ] = None,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write all figures.", show_default=False),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a page with pictures.", show_default=False),
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Judge the first N frames.", show_default=False),
    ] = None,
    pitch: Annotated[
        float | None,
        typer.Option(
            min=1e-6,
            max=1e6,
            metavar="MM",
            help="Size of a pixel, for measured heights that do not say.",
            show_default=False,
        ),
    ] = None,
    level: Annotated[
        bool, typer.Option("--level", help="Take the best plane off measured heights.")
    ] = False,
    backend: Annotated[
        str | None,
        typer.Option(help="What runs the model, as depth.backend.", show_default=False),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            help="Of the arithmetic, as depth.precision; fp32 where neither this nor --set says.",
            show_default=False,
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(metavar="ROWSxCOLS", help="Model input, multiples of 14.", show_default=False),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", help="Take frame, depth and segmentation settings from this file."
        ),
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Judge depth against known height: error, edges, flatness, seams, objects, false alarms.

    Figures depend on how outputs are aligned with the truth, so that is stated with them. What a
    data set cannot tell is left out, with the reason.

    Example: [bold]linescan evaluate simulated:held-out -m surface-tiny -m baseline:blur --html
    report.html[/]
    """
    from linescan.cli.logs import set_up_logging
    from linescan.cli.writable import check_writable
    from linescan.evaluation.datasets import open_data_set, takes_measured
    from linescan.evaluation.judging.run import Question, judge

    errors = Console(stderr=True)
    set_up_logging(errors, verbose=False)
    if align not in ALIGNMENTS:
        raise LinescanError(f"--align {align}: expected {', '.join(ALIGNMENTS)}")
    if calibration is not None and align != "calibrated":
        raise LinescanError("--calibration belongs to --align calibrated")
    if calibration is not None and not calibration.is_file():
        raise LinescanError(f"--calibration {calibration}: no such file")
    for file in (json_file, html):
        check_writable(file)
    given = list(overrides or ())
    if calibration is not None:
        given.append(f"calibration.height={calibration}")
    settings = _settings(config, given, backend, precision, size)
    question = Question(
        models=tuple(dict.fromkeys(model or [settings.depth.model])),
        config=settings,
        mode=align,  # type: ignore[arg-type]
        calibration=calibration,
        frames=frames,
        pictures=html is not None,
    )
    opened = [
        open_data_set(name, settings, levelled=level, pitch_mm=pitch)
        for name in dict.fromkeys(data_sets)
    ]
    if (level or pitch is not None) and not any(takes_measured(each) for each in opened):
        option = "--level" if level else "--pitch"
        raise LinescanError(f"{option}: belongs to folders of pairs and lit: height maps")
    verdicts: list[Verdict] = []
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as progress:
        for data_set in opened:
            task = progress.add_task(f"judging {data_set.name}")
            show = partial(_show, progress, task)
            try:
                verdicts += judge(data_set, question, show)
            except KeyboardInterrupt:
                if not verdicts:
                    raise
                break
            if not verdicts[-1].complete:
                break
    _report(verdicts, json_file, html)
    if len({v.data_set for v in verdicts}) < len(opened) or not verdicts[-1].complete:
        errors.print("interrupted: the figures are those of the frames judged by then")
        raise typer.Exit(INTERRUPTED)


def _show(progress: Progress, task: TaskID, done: int, total: int) -> None:
    progress.update(task, completed=done, total=total)


def _settings(
    config: Path | None,
    overrides: list[str],
    backend: str | None,
    precision: str | None,
    size: str | None,
) -> Config:
    from linescan.config import SimulatedSource, load, parse

    # First, so that --set comes before it: another precision would be taken for the model's doing.
    overrides = ["depth.precision=fp32", *overrides]
    if backend is not None:
        overrides = [*overrides, f"depth.backend={backend}"]
    if precision is not None:
        overrides = [*overrides, f"depth.precision={precision}"]
    if size is not None:
        rows, by, columns = size.partition("x")
        if not (by and rows.isdecimal() and columns.isdecimal()):
            raise LinescanError(f"--size {size}: expected two sides, such as 252x252")
        overrides = [*overrides, f"depth.size=[{rows}, {columns}]"]
    if config is not None:
        return load(config, overrides, source=SimulatedSource())
    return parse("", "evaluate", overrides, source=SimulatedSource())


def _report(verdicts: list[Verdict], json_file: Path | None, html: Path | None) -> None:
    from linescan.evaluation.report import to_document, to_page, to_tables

    console = Console()
    if not console.is_terminal:
        console.width = 160
    for part in to_tables(verdicts):
        console.print(part)
    if json_file is not None:
        text = json.dumps(to_document(verdicts), indent=2, allow_nan=False)
        _write(json_file, text + "\n")
        console.print(f"figures: {json_file}", soft_wrap=True)
    if html is not None:
        _write(html, to_page(verdicts))
        console.print(f"page: {html}", soft_wrap=True)


def _write(file: Path, text: str) -> None:
    part = file.with_name(file.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(file)
    except OSError as error:
        raise LinescanError(f"{file}: cannot be written: {error.strerror or error}") from error
