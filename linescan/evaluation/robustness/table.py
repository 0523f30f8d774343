"""The outcomes as a table, for terminals and for Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table

from linescan.evaluation.datasets.factors import FACTORS
from linescan.evaluation.judging.catalogue import BY_KEY
from linescan.evaluation.report.words import NONE, figure_text
from linescan.evaluation.robustness.suite import KEYS, Outcome, change

HEADINGS = ("factor", "level", *(BY_KEY[key].title for key in KEYS), "RMSE / σ from nominal")


def rows(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, ...]]:
    """One row a condition, as ``HEADINGS``; the first outcome is the nominal one."""
    before: str | None = ""
    for outcome in outcomes:
        key = outcome.condition.factor
        factor = FACTORS[key] if key else None
        title = "nominal" if factor is None else factor.title
        level = "" if factor is None else f"{outcome.condition.level} {factor.unit}".rstrip()
        values = (outcome.value(each) for each in KEYS)
        moved = change(outcome, outcomes[0]) if factor else None
        yield (
            title if key != before else "",
            level,
            *(NONE if value is None else figure_text(value) for value in values),
            "" if moved is None else f"{moved[0]:+.3f} ± {moved[1]:.3f}",
        )
        before = key


def to_table(outcomes: Sequence[Outcome]) -> Table:
    """For a terminal."""
    first = outcomes[0].verdict
    table = Table(
        title=f"{first.model.name}, {len(first.frames)} frames each, "
        f"aligned: {first.alignment['mode']}",
        box=None,
        title_justify="left",
    )
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading in HEADINGS[:2] else "right")
    for row in rows(outcomes):
        table.add_row(*row)
    return table


def to_markdown(outcomes: Sequence[Outcome]) -> str:
    """For a page."""
    lines = [HEADINGS, ("---", "---", *["--:" for _ in HEADINGS[2:]]), *rows(outcomes)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
