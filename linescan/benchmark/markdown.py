"""Results as a Markdown report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from linescan.benchmark.words import (
    ENGINE_HEADINGS,
    STAGE_HEADINGS,
    Results,
    engine_cells,
    headline,
    limit_lines,
    machine_line,
    not_measured,
    notes,
    pipeline_lines,
    rows_by_speed,
    stage_cells,
)


def report(results: Results) -> str:
    """The whole report."""
    return "\n".join(_lines(results)) + "\n"


def _lines(results: Results) -> Iterator[str]:
    yield "# Latency"
    yield ""
    if not results["model"]:
        yield "Nothing was measured."
        return
    yield f"{headline(results)}."
    yield ""
    yield f"- {machine_line(results)}"
    yield from (f"- {line}" for line in limit_lines(results))
    versions = ", ".join(f"{name} {v}" for name, v in results["machine"]["packages"].items())
    machine = results["machine"]
    yield f"- linescan {machine['linescan']}, Python {machine['python']}, {versions}"
    yield f"- measured {results['made']}"
    yield ""
    yield "## From the uint8 frame to float32 depth"
    yield ""
    yield from table(
        ENGINE_HEADINGS, (engine_cells(results, row) for row in rows_by_speed(results))
    )
    yield ""
    for row in (*results["backends"], *results["baselines"]):
        yield f"- `{row['name']}` ({row['device']}): {row['contains']}"
    yield from (f"- not measured: {line}" for line in not_measured(results))
    yield ""
    yield from _pipeline(results)
    yield "## How to read it"
    yield ""
    yield from (f"- {line}" for line in notes(results))


def _pipeline(results: Results) -> Iterator[str]:
    pipeline = results["pipeline"]
    if pipeline is None:
        return
    yield "## The whole pipeline"
    yield ""
    yield from (f"- {line}" for line in pipeline_lines(results))
    yield ""
    for mode, title in (("paced", "Paced"), ("throughput", "At full speed")):
        run = pipeline.get(mode)
        if run is not None:
            yield f"### {title}"
            yield ""
            cells = (stage_cells(name, row) for name, row in run["stages"].items())
            yield from table(STAGE_HEADINGS, cells)
            yield ""


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A Markdown table; figures to the right."""
    yield f"| {' | '.join(headings)} |"
    yield f"|---|{'---:|' * (len(headings) - 1)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
