"""What training scripts share in front of the user: Ctrl-C and the progress bar."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from linescan.training.resumable import Progress, ResumableLoop


class StopOnSignal:
    """Turns the first Ctrl-C (or SIGTERM) into a wish to stop after the step."""

    def __init__(self) -> None:
        self.wanted = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopOnSignal:
        """Take over the signals."""
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __call__(self) -> bool:
        """Return whether to stop."""
        return self.wanted

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        if self.wanted:
            raise KeyboardInterrupt
        self.wanted = True


def run_with_bar(loop: ResumableLoop, steps: int, validate_every: int, console: Console) -> bool:
    """Run a loop with a progress bar until it is finished or Ctrl-C; whether it is finished."""
    if loop.progress.step:
        console.print(f"resuming at step {loop.progress.step} from {loop.checkpoint}")
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    note = TextColumn("{task.fields[note]}")
    with StopOnSignal() as stop, Bar(*columns, note, console=console) as bar:
        task = bar.add_task("", total=steps, completed=loop.progress.step, note="")

        def report(at: Progress) -> None:
            valid = f"  validation {at.validations[-1][1]:.3f}" if at.validations else ""
            bar.update(task, completed=at.step, note=f"loss {at.loss:.3f}{valid}")
            every = validate_every if console.is_terminal else 20
            if at.step % every == 0:
                rate = at.seconds / at.step
                bar.print(f"step {at.step}: loss {at.loss:.4f}{valid}  {rate:.2f} s a step")

        loop.run(report, stop)
    if not loop.finished:
        console.print(f"stopped at step {loop.progress.step}; the same command goes on from it")
    return loop.finished
