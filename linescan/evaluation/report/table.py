"""The figures on the terminal: one table a data set, one column a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.table import Table
from rich.text import Text

from linescan.evaluation.figures.objects import HEIGHTS, SIZES, Rate
from linescan.evaluation.judging.catalogue import FIGURES, Absent
from linescan.evaluation.judging.verdict import Verdict
from linescan.evaluation.report.document import over_best_baseline
from linescan.evaluation.report.words import NONE, figure_text, missing, unit_text


def to_tables(verdicts: Sequence[Verdict]) -> Iterator[Table | Text]:
    """Tables, and under each how outputs were aligned and what is missing for which reason."""
    for name, group in groupby(verdicts, key=lambda verdict: verdict.data_set):
        here = list(group)
        yield _figures(name, here, verdicts)
        if any(rate.wanted or rate.found for v in here for rate in v.tally.by_size):
            yield _objects(here)
        yield Text("\n".join(_notes(here)) + "\n", style="dim")


def _figures(name: str, here: list[Verdict], verdicts: Sequence[Verdict]) -> Table:
    first = here[0]
    table = Table(
        title=f"{name}: {first.data_set_about}; {len(first.frames)} frames, {first.lines} lines",
        box=None,
        title_justify="left",
    )
    table.add_column("")
    for verdict in here:
        table.add_column(f"{verdict.model.name} ({verdict.alignment['mode']})", justify="right")
    table.add_column("")
    for figure in FIGURES:
        values = [verdict.value(figure.key) for verdict in here]
        if all(isinstance(value, Absent) for value in values):
            continue
        unit = unit_text(figure, first.unit)
        title = f"{figure.title}, {unit}" if unit else figure.title
        says = {"low": "lower is better", "high": "higher is better", "one": "1 is best"}
        good = says.get(figure.good, "")
        table.add_row(title, *map(figure_text, values), Text(good, style="dim"))
        if figure.key == "rmse_over_sigma":
            for row in ("median", "min", "max"):
                spreads = [verdict.spread(figure.key).get(row) for verdict in here]
                cells = [NONE if s is None else figure_text(s) for s in spreads]
                table.add_row(f"  {row}", *cells, "")
            _add_baseline(table, here, verdicts)
    return table


def _add_baseline(table: Table, here: list[Verdict], verdicts: Sequence[Verdict]) -> None:
    ratios = [over_best_baseline(verdict, verdicts) for verdict in here]
    if any(ratio is not None for ratio in ratios):
        cells = [NONE if ratio is None else figure_text(ratio) for ratio in ratios]
        table.add_row("  over the best baseline", *cells, "")


def _objects(here: list[Verdict]) -> Table:
    table = Table(title="objects: precision / recall (true ones)", box=None, title_justify="left")
    table.add_column("")
    for verdict in here:
        table.add_column(verdict.model.name, justify="right")
    for title, edges, kind in (("size", SIZES, "by_size"), ("height", HEIGHTS, "by_height")):
        for number, low in enumerate(edges):
            rates = [getattr(verdict.tally, kind)[number] for verdict in here]
            end = f" to {edges[number + 1]:g}" if number + 1 < len(edges) else " and more"
            table.add_row(f"{title} {low:g}{end} px", *map(_rate, rates))
    return table


def _rate(rate: Rate) -> str:
    parts = [NONE if each is None else f"{each:.2f}" for each in (rate.precision, rate.recall)]
    return f"{parts[0]} / {parts[1]} ({rate.wanted})"


def _notes(here: list[Verdict]) -> Iterator[str]:
    for text in dict.fromkeys(verdict.alignment["text"] for verdict in here):
        yield f"alignment: {text}"
    for sentence in missing(here):
        yield f"no {sentence}"
    if not here[0].complete:
        yield "ended early: these are the figures of the frames that were judged"
