"""What fine-tuning came to, in front of the user: a table, and a word of warning."""

from __future__ import annotations

from rich.table import Table

from linescan.training.figures import Figures

LEAST_KEPT = 0.8
"""Share of the starting model's relief; with less, what is low may drown."""


def table(rows: dict[str, tuple[Figures, Figures]]) -> Table:
    """Return the figures before and after."""
    grid = Table(title="before -> after")
    grid.add_column("")
    headings = {
        "ratio": "RMSE/σ, aligned",
        "rank": "rank correlation",
        "absolute": "RMSE, um, as it stands",
        "light": "change under light / σ",
        "flat": "residual where flat / σ",
        "kept": "relief kept",
    }
    shown = [k for k in headings if any(getattr(a, k) is not None for a, _ in rows.values())]
    for key in shown:
        grid.add_column(headings[key], justify="right")
    for title, (before, after) in rows.items():
        cells = [
            " -> ".join(
                "-" if (v := getattr(f, key)) is None else f"{v:.3f}" for f in (before, after)
            )
            for key in shown
        ]
        grid.add_row(title, *cells)
    return grid


def advice(before: Figures, after: Figures) -> str:
    """What the held-out figures say against using the new model; empty if nothing."""
    if after.rank is not None and after.rank < 0:
        return "the sign came out wrong: what is high is said to be low. Keep the old model."
    if before.ratio is not None and after.ratio is not None and after.ratio > 0.99 * before.ratio:
        return "nothing was gained on the held-out part: keep the old model."
    if after.kept is not None and after.kept < LEAST_KEPT:
        return (
            f"only {after.kept:.0%} of the start's relief are left on the held-out part: raise "
            "--hold, mark less as flat, or keep the old model."
        )
    if before.ratio is None and after.light > 0.99 * before.light:
        return "nothing was gained on the held-out part: keep the old model."
    return ""
