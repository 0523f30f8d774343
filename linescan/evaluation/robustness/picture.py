"""The outcomes as a picture: one panel a factor, its levels along, the figures upwards."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from linescan.evaluation.datasets.factors import FACTORS
from linescan.evaluation.judging.catalogue import BY_KEY
from linescan.evaluation.robustness.suite import KEYS, Outcome, RobustnessError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS: Final = dict(
    zip(KEYS, ("#c2410c", "#0f766e", "#2563eb", "#9333ea", "#9aa5b1"), strict=True)
)
STYLE: Final[Any] = {
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
}
COLUMNS: Final = 4


FORMATS: Final = (".png", ".svg", ".pdf")


def check_format(path: Path | None) -> None:
    """Make sure that a picture can be written in the format of a file's name.

    Raises:
        RobustnessError: there is no such format.
    """
    if path is not None and path.suffix.lower() not in FORMATS:
        raise RobustnessError(f"{path}: expected a name that ends in {', '.join(FORMATS)}")


def draw(outcomes: Sequence[Outcome], path: Path) -> None:
    """Write the picture, in the format of the file's name; dashed lines are the nominal scene's.

    Raises:
        RobustnessError: no factor was judged, or the file cannot be written.
    """
    groups = {
        key: list(group)
        for key, group in groupby(outcomes[1:], lambda each: each.condition.factor)
        if key is not None
    }
    if not groups:
        raise RobustnessError(f"{path}: no factor was judged: there is nothing to draw")
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    columns = min(COLUMNS, len(groups))
    lines = -(-len(groups) // columns)
    with matplotlib.rc_context(STYLE):
        figure, grid = pyplot.subplots(
            lines, columns, figsize=(3.1 * columns, 2.3 * lines + 0.5), squeeze=False, sharey=True,
            layout="constrained",
        )  # fmt: skip
        for axes in grid.flat[len(groups) :]:
            axes.set_axis_off()
        for axes, (key, group) in zip(grid.flat, groups.items(), strict=False):
            _panel(axes, key, group, outcomes[0])
        handles, labels = grid.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=len(KEYS), frameon=False)
        try:
            figure.savefig(path, dpi=110, facecolor="white")
        except (OSError, ValueError) as error:
            raise RobustnessError(f"{path}: the picture cannot be written: {error}") from error
        finally:
            pyplot.close(figure)


def _panel(axes: Axes, key: str, group: Sequence[Outcome], nominal: Outcome) -> None:
    factor = FACTORS[key]
    style = "o" if factor.names else "o-"  # names have no order that a line could follow
    axes.set_title(factor.title)
    axes.set_xticks(range(len(group)), [each.condition.level for each in group])
    axes.set_xlabel(factor.unit)
    axes.set_ylim(0, 1.1)
    for name, colour in COLOURS.items():
        values = [value if (value := each.value(name)) is not None else float("nan")
                  for each in group]  # fmt: skip
        axes.plot(
            values,
            style,
            color=colour,
            markersize=3.5,
            label=BY_KEY[name].title,
        )
        level = nominal.value(name)
        if level is not None:
            axes.axhline(level, color=colour, linewidth=0.8, linestyle="--", alpha=0.6)
