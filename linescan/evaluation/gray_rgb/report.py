"""The report: one page of Markdown, the same as JSON, and a contact sheet."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from linescan.depth import Engine
from linescan.errors import LinescanError
from linescan.evaluation.gray_rgb.compare import Shown
from linescan.evaluation.gray_rgb.engines import EnginePair, is_published_small
from linescan.evaluation.gray_rgb.page import markdown
from linescan.evaluation.gray_rgb.run import Comparison
from linescan.evaluation.gray_rgb.verdict import Verdict, judge, summary
from linescan.pictures.colours import BgrArray, colourise, robust_limits
from linescan.pictures.files import encode_png, write_whole
from linescan.pictures.sheet import SheetRow, render_sheet, render_signed
from linescan.records import Convention
from linescan.version import __version__

SCHEMA: Final = "linescan-gray-rgb/1"
PAGE, FIGURES, SHEET = "report.md", "report.json", "pictures.png"
SIGNED_LIMIT: Final = 0.25
"""Difference, in standard deviations of the RGB depth, that takes the full colour."""
HEADINGS = (
    "RGB",
    "gray (luma)",
    "depth from RGB",
    "depth from gray, aligned",
    f"gray - RGB, full at {SIGNED_LIMIT:g} sigma",
)


@dataclass(frozen=True, slots=True)
class About:
    """What was compared, and what ran it.

    Attributes:
        model: the checkpoint's name.
        source: where it is from: a hub id, or the name of its folder.
        licence: of its weights.
        convention: what larger outputs mean.
        pictures: where the pictures are from.
        simulated: they are no photographs.
        engine: backend and precision.
        device: what it runs on.
        size: rows and columns of the model's input.
        deviations: of both engines from the fp32 reference, gray first.
        published_small: the weights are those of the published small model.
        version: of this software.
    """

    model: str
    source: str
    licence: str
    convention: str
    pictures: str
    simulated: bool
    engine: str
    device: str
    size: tuple[int, int]
    deviations: tuple[float | None, float | None]
    published_small: bool
    version: str = __version__

    @classmethod
    def of(cls, engines: EnginePair, pictures: str, *, simulated: bool) -> About:
        """Describe a pair of engines and where the pictures are from."""
        rgb: Engine = engines.rgb
        return cls(
            model=rgb.card.name,
            source=rgb.card.source,
            licence=rgb.card.licence,
            convention=str(rgb.card.convention),
            pictures=pictures,
            simulated=simulated,
            engine=rgb.name,
            device=rgb.device,
            size=rgb.size,
            deviations=(engines.gray.deviation, rgb.deviation),
            published_small=is_published_small(rgb.card.source),
        )


@contextmanager
def report_folder(folder: Path) -> Iterator[None]:
    """A new or empty folder for the report; nothing is left of a new one if nothing is written.

    Raises:
        LinescanError: it cannot be made, or holds something already.
    """
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise LinescanError(
                f"{folder}: not empty, nothing is overwritten: choose another --out"
            )
    except OSError as error:
        raise LinescanError(f"{folder}: cannot be the report's folder: {error.strerror}") from error
    try:
        yield
    finally:
        if new and not any(folder.iterdir()):
            folder.rmdir()


def write_report(folder: Path, comparison: Comparison, about: About) -> dict[str, Any]:
    """Write all three files; what the JSON file holds.

    Raises:
        LinescanError: nothing was compared, or a file cannot be written.
    """
    if not comparison.scores:
        raise LinescanError(
            f"{about.pictures}: no picture could be compared: {_reasons(comparison)}"
        )
    verdict = judge(comparison.scores)
    figures = as_data(comparison, about, verdict)
    sheet = contact_sheet(comparison.shown, Convention(about.convention))
    write_whole(folder / SHEET, encode_png(sheet))
    write_whole(folder / PAGE, markdown(figures, SHEET).encode())
    write_whole(folder / FIGURES, (json.dumps(figures, indent=2) + "\n").encode())
    return figures


def as_data(comparison: Comparison, about: About, verdict: Verdict) -> dict[str, Any]:
    """All figures as plain data, for JSON."""
    return {
        "schema": SCHEMA,
        "about": asdict(about),
        "verdict": asdict(verdict) | {"enough_pictures": verdict.enough},
        "settled": settled(about, verdict),
        "complete": comparison.complete,
        "wanted": comparison.wanted,
        "summary": summary(comparison.scores),
        "pictures": [asdict(score) for score in comparison.scores],
        "skipped": [asdict(skipped) for skipped in comparison.skipped],
    }


def settled(about: About, verdict: Verdict) -> bool:
    """Whether the figures settle the claim about ``small``: its weights, photographs, enough."""
    return about.published_small and not about.simulated and verdict.enough


def contact_sheet(shown: Sequence[Shown], convention: Convention) -> BgrArray:
    """Each picture, what the model made of it in colour and gray, and the difference.

    Both depths are in the same colours, warm being near.

    Returns:
        (rows, width, 3) uint8.
    """
    return render_sheet(HEADINGS, [_sheet_row(one, convention) for one in shown])


def _sheet_row(one: Shown, convention: Convention) -> SheetRow:
    limits = robust_limits(one.rgb_depth)
    reverse = convention is Convention.DEPTH
    depths = (
        colourise(depth, limits, "turbo", reverse=reverse)
        for depth in (one.rgb_depth, one.gray_depth)
    )
    error = (one.gray_depth - one.rgb_depth) / one.rgb_depth.std(dtype=np.float64)
    score = one.score
    return SheetRow(
        caption=(
            f"{score.name}   deviation {score.gray.deviation:.3f} sigma "
            f"(noise {score.noise.deviation:.3f}, JPEG {score.jpeg.deviation:.3f})   "
            f"rank correlation {score.gray.rank_correlation:.4f}"
        ),
        proportions=score.shape,
        tiles=(
            np.ascontiguousarray(one.rgb[:, :, ::-1]),
            np.repeat(one.gray[:, :, None], 3, axis=2),
            *depths,
            render_signed(error.astype(np.float32), SIGNED_LIMIT),
        ),
    )


def _reasons(comparison: Comparison) -> str:
    shown = [f"{s.name}: {s.reason}" for s in comparison.skipped[:3]]
    more = len(comparison.skipped) - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more else "") or "it was ended early"
