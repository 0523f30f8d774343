"""What a GPU check comes to: one table, and whether what must hold holds.

``scripts/gpu_check.sh`` runs it on the results that ``scripts/bench_latency.py`` wrote.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table

from linescan.benchmark.results import ON_GPU, Results, Row, read_json
from linescan.benchmark.words import NONE, milliseconds, not_measured
from linescan.errors import LinescanError

TARGET_MS: Final = 2.0
HOPPER: Final = 9.0
"""Compute capability from which on the target must be met."""
HOLDS, FAILS, BAD_INPUT = 0, 1, 2
HEADINGS = (
    "engine",
    "precision",
    "frame",
    "p50 ms",
    "p99 ms",
    "deviation",
    "within the gate",
    f"under {TARGET_MS:g} ms",
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was asked for and what was found.

    Attributes:
        failures: what must hold and does not, one sentence each.
        notes: what is worth knowing.
    """

    failures: tuple[str, ...]
    notes: tuple[str, ...]


def judge(timed: Sequence[Results], trained: Results, *, dry_run: bool) -> Verdict:
    """Hold the results against what must hold.

    Args:
        timed: results that give the times; the target is judged on the first one.
        trained: results on trained weights: the gate is judged on them.
        dry_run: the machine has no GPU: engines on the CPU stand in, and no target.
    """
    failures: list[str] = []
    notes: list[str] = []
    first = timed[0]
    wanted = [row for row in first["backends"] if dry_run or is_on_gpu(row)]
    gates = _gates(trained)
    passing = [row for row in wanted if gates.get(row["name"]) is not None and gates[row["name"]]]
    if not wanted:
        what = "no engine ran" if dry_run else "neither tensorrt nor cuda ran"
        reasons = (f"{m['name']}: {m['reason']}" for m in first["not_loaded"])
        failures.append(f"{what}: {'; '.join(reasons) or 'no reason was given'}")
    elif not passing:
        names = ", ".join(row["name"] for row in wanted)
        failures.append(f"no engine is within the gate on trained weights: {names}")
    failures += [
        f"the run on {results['model']['name']} was interrupted"
        for results in (*timed, trained)
        if not results["complete"]
    ]
    if passing and not dry_run:
        best = min(passing, key=lambda row: float(row["median_ms"]))
        said = f"{best['name']}: {best['median_ms']:.2f} ms, target {TARGET_MS:g} ms"
        if best["median_ms"] < TARGET_MS:
            notes.append(f"target met by {said}")
        elif _capability(first) >= HOPPER:
            failures.append(f"target not met by {said}")
        else:
            notes.append(f"target not met by {said}; it is set for Hopper-class GPUs and later")
    if dry_run:
        notes.append("dry run: engines on the CPU stand in for those on a GPU, no target is judged")
    return Verdict(tuple(failures), tuple(notes))


def is_on_gpu(row: Row) -> bool:
    """Whether a row is one of the GPU's engines."""
    return str(row["name"]).partition("-")[0] in ON_GPU


def print_table(timed: Sequence[Results], trained: Results, console: Console) -> None:
    """One row for each engine and frame, then what did not run."""
    table = Table(title=_title(timed[0], trained), title_justify="left", box=box.SIMPLE_HEAD)
    for number, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="right" if 2 < number < 6 else "left", no_wrap=True)
    gates = _gates(trained)
    deviations = {row["name"]: row["deviation"] for row in trained["backends"]}
    for results in timed:
        for row in sorted(results["backends"], key=lambda row: float(row["median_ms"])):
            table.add_row(*_cells(results, row, deviations, gates))
    console.print(table)
    for results in timed:
        for line in not_measured(results):
            console.print(f"did not run: {line}", markup=False, soft_wrap=True)


def _cells(
    results: Results,
    row: Row,
    deviations: Mapping[str, float | None],
    gates: Mapping[str, bool | None],
) -> list[str]:
    rows, columns = results["settings"]["frame"]
    inside = " in the model" if results["settings"]["resize_in_model"] else ""
    off, gate = deviations.get(row["name"]), gates.get(row["name"])
    met = "yes" if row["median_ms"] < TARGET_MS else "no"
    return [
        row["name"].partition("-")[0],
        row["precision"],
        f"{rows}x{columns}{inside}",
        milliseconds(row["median_ms"]),
        milliseconds(row["p99_ms"]),
        NONE if off is None else f"{off:.2g}",
        "not measured" if gate is None else "yes" if gate else "NO",
        met if is_on_gpu(row) else NONE,
    ]


def _title(timed: Results, trained: Results) -> str:
    model, machine = timed["model"], timed["machine"]
    where = ", ".join(gpu["name"] for gpu in machine["gpus"]) or machine["cpu"]
    rows, columns = model["size"]
    return (
        f"{model['name']} at {rows}x{columns}, uint8 frame to float32 depth, on {where}; deviation "
        f"and gate on {trained['model']['name']}"
    )


def _gates(trained: Results) -> dict[str, bool | None]:
    return {row["name"]: row["within_gate"] for row in trained["backends"]}


def _capability(results: Results) -> float:
    """Of the best GPU; 0 where it is not known."""
    found = [0.0]
    for gpu in results["machine"]["gpus"]:
        try:
            found.append(float(gpu["compute_capability"]))
        except ValueError:
            continue
    return max(found)


def main(arguments: Sequence[str]) -> int:
    """Print the table and the verdict; 0 where what must hold holds, else 1, 2 for bad files."""
    parser = argparse.ArgumentParser(description="One table and a verdict from benchmark results.")
    parser.add_argument("timed", nargs="+", type=Path, metavar="TIMED.json")
    parser.add_argument("--trained", type=Path, required=True, metavar="TRAINED.json")
    parser.add_argument("--dry-run", action="store_true")
    given = parser.parse_args(arguments)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    try:
        timed = [read_json(path) for path in given.timed]
        trained = read_json(given.trained)
    except LinescanError as error:
        sys.stderr.write(f"error: {error}\n")
        return BAD_INPUT
    print_table(timed, trained, console)
    verdict = judge(timed, trained, dry_run=given.dry_run)
    for note in verdict.notes:
        console.print(note, soft_wrap=True, markup=False)
    for failure in verdict.failures:
        console.print(f"FAILED: {failure}", soft_wrap=True, markup=False)
    console.print(
        "what must hold holds" if not verdict.failures else "what must hold does not hold"
    )
    return FAILS if verdict.failures else HOLDS


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
