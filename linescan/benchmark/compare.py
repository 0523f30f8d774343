"""Two results side by side: ratios of new to old."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Console
from rich.table import Table

from linescan.benchmark.words import Results, times

HEADINGS = ("p50", "p95", "p99")
MACHINE_KEYS = ("cpu", "cores", "flags", "memory_gb", "gpus", "system", "python", "packages")
MODEL_KEYS = ("name", "sha256", "weights", "size")
PACED = "paced"
TITLES = {"throughput": "full speed", PACED: "paced"}


def differences(new: Results, old: Results) -> list[str]:
    """What the two runs do not have in common, one sentence each."""
    return [
        f"{where}.{key} differs: {there!r} before, {here!r} now"
        for where, keys in (
            ("settings", tuple(new["settings"])),
            ("model", MODEL_KEYS),
            ("machine", MACHINE_KEYS),
        )
        for key in keys
        for here, there in [(new[where].get(key), old[where].get(key))]
        if here != there
    ]


def ratios(new: Results, old: Results) -> dict[str, dict[str, float | None]]:
    """New over old for each backend, baseline and stage in either result: 0.5 is half the time.

    Stages at full speed are held against those at full speed, paced ones against paced ones. None
    where one of the two has no figure.
    """
    now, before = _figures(new), _figures(old)
    return {
        name: {
            key: _ratio(now.get(name, {}).get(key), before.get(name, {}).get(key))
            for key in HEADINGS
        }
        for name in dict.fromkeys([*now, *before])
    }


def print_comparison(new: Results, old: Results, console: Console) -> None:
    """Ratios as a table, after what should be known before they are believed."""
    table = Table(
        title="New over old: below 1 is faster", title_justify="left", box=box.SIMPLE_HEAD
    )
    table.add_column("", no_wrap=True)
    for heading in HEADINGS:
        table.add_column(heading, justify="right")
    for name, row in ratios(new, old).items():
        table.add_row(name, *(times(row[key]) for key in HEADINGS))
    console.print(table)
    found = [*differences(new, old), *_loads(new, old)]
    for line in found:
        console.print(f"note: {line}", style="yellow", markup=False, soft_wrap=True)
    if any(line.startswith("machine") for line in found):
        console.print(
            "The machines differ: compare ratio_vs_transformers and ratio_vs_onnxruntime_fp32.",
            style="yellow",
        )


def _figures(results: Results) -> dict[str, dict[str, float]]:
    return dict(_rows(results))


def _rows(results: Results) -> Iterator[tuple[str, dict[str, float]]]:
    for row in (*results["backends"], *results["baselines"]):
        yield row["name"], {"p50": row["median_ms"], "p95": row["p95_ms"], "p99": row["p99_ms"]}
    for mode, title in TITLES.items():
        run = (results["pipeline"] or {}).get(mode)
        for name, stage in run["stages"].items() if run is not None else ():
            if stage is not None:
                yield f"{title}: {name}", {key: stage[f"{key}_ms"] for key in HEADINGS}


def _loads(new: Results, old: Results) -> Iterator[str]:
    """Under which load the paced runs were: each is paced by what its own pipeline sustained."""
    here, there = ((results["pipeline"] or {}).get(PACED) for results in (new, old))
    if here is not None and there is not None:
        yield (
            f"paced stages are under loads of {there['offered_lines_per_s']:,.0f} lines/s before "
            f"and {here['offered_lines_per_s']:,.0f} now"
        )


def _ratio(new: float | None, old: float | None) -> float | None:
    return round(new / old, 3) if new is not None and old else None
