"""What a calibration found, for people."""

from __future__ import annotations

from typing import Protocol

import typer


class Findings(Protocol):
    """What the data of a calibration show."""

    @property
    def problems(self) -> tuple[str, ...]:
        """Why they are no use."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is better put right first."""

    @property
    def summary(self) -> tuple[tuple[str, str], ...]:
        """Name and value of what is worth knowing."""


def report_findings(findings: Findings, *, force: bool) -> None:
    """The summary on standard output, what is wrong on standard error."""
    from rich.console import Console

    for name, value in findings.summary:
        typer.echo(f"{name + ':':15}{value}")
    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    for text in findings.warnings:
        console.print(f"warning: {text}", style="yellow")
    for text in findings.problems:
        console.print(f"{'ignored' if force else 'problem'}: {text}", style="red")
