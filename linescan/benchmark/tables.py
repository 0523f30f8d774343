"""Results on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from linescan.benchmark.words import (
    ENGINE_HEADINGS,
    STAGE_HEADINGS,
    Results,
    engine_cells,
    headline,
    is_baseline,
    limit_lines,
    machine_line,
    not_measured,
    notes,
    pipeline_lines,
    rows_by_speed,
    stage_cells,
)


def print_results(results: Results, console: Console) -> None:
    """Everything that was measured, as far as it was."""
    if not results["model"]:
        console.print("nothing was measured")
        return
    console.print(f"\n[bold]{headline(results)}[/]")
    console.print(machine_line(results), style="dim")
    for line in limit_lines(results):
        console.print(line, style="dim")
    if results["backends"] or results["baselines"]:
        console.print(_engines(results))
    for row in (*results["backends"], *results["baselines"]):
        console.print(f"[dim]{row['name']}: {row['contains']}[/]", soft_wrap=True)
    for line in not_measured(results):
        text = f"not measured: {line}"
        console.print(text, style="yellow", markup=False, soft_wrap=True)
    _print_stages(results, console)
    for line in (*pipeline_lines(results), *notes(results)):
        console.print(line, markup=False, soft_wrap=True)


def _engines(results: Results) -> Table:
    rounds = results["settings"]["rounds"]
    table = Table(
        title=f"From the uint8 frame to float32 depth, up to {rounds} interleaved rounds",
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    _add_columns(table, ENGINE_HEADINGS)
    for row in rows_by_speed(results):
        style = "dim" if is_baseline(results, row) else "bold" if row["within_gate"] else ""
        table.add_row(*engine_cells(results, row), style=style)
    return table


def _print_stages(results: Results, console: Console) -> None:
    pipeline: Mapping[str, Any] = results["pipeline"] or {}
    for mode, title in (
        ("throughput", "The pipeline at full speed (queues are full: times since acquisition are)"),
        ("paced", "The pipeline at 70 % of that: latency as a line has it"),
    ):
        run = pipeline.get(mode)
        if run is None:
            continue
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
        _add_columns(table, STAGE_HEADINGS)
        for name, row in run["stages"].items():
            style = "dim" if row is None else "bold" if name == "end_to_end" else ""
            table.add_row(*stage_cells(name, row), style=style)
        console.print(table)


def _add_columns(table: Table, headings: tuple[str, ...]) -> None:
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=not number)
