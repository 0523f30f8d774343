"""The command line: ``linescan --help``. One file a group of commands.

Only typer and rich are imported at start; each command imports what it needs when it runs, so that
``linescan subscribe`` works where the pipeline is not installed.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from linescan.cli import (
    calibrate,
    camera,
    config,
    cost,
    evaluate,
    forward,
    image,
    journal,
    keys,
    model,
    record,
    replay,
    run,
    simulate,
    subscribe,
    verify,
)
from linescan.cli.exits import BAD_INPUT, INTERRUPTED
from linescan.errors import LinescanError, install_hint
from linescan.version import __version__

EXTRAS = {
    "cv2": "cpu",
    "harvesters": "cpu",
    "mcap": "journal",
    "nkeys": "nats",
    "pyarrow": "journal",
    "pydantic": "cpu",
    "scipy": "cpu",
    "yaml": "cpu",
    "onnx": "export",
    "onnxscript": "export",
    "safetensors": "export",
    "torch": "export",
    "transformers": "export",
}
"""Which extra brings a module that a command may lack."""


class _Commands(TyperGroup):
    """All commands. Typer itself would end Ctrl-C without a word, and a closed pipe with 1."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Read the arguments."""
        with _ends_clearly():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        with _ends_clearly():
            return super().invoke(ctx)


@contextmanager
def _ends_clearly() -> Iterator[None]:
    """What ends a command early becomes one sentence and an exit code, not a traceback."""
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    with _interrupts() as interrupted:
        try:
            yield
        except KeyboardInterrupt:
            errors.print("interrupted")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # The reader of a pipe has left. What it did not read must not fail at exit, too.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(INTERRUPTED) from None
        except (LinescanError, ImportError) as error:
            if _is_import(error) and interrupted():
                errors.print("interrupted")
                raise typer.Exit(INTERRUPTED) from None
            errors.print(f"[bold red]error:[/] {_escape(_explain(error))}")
            raise typer.Exit(BAD_INPUT) from None


@contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """Tells whether Ctrl-C came, also where the code that it met made another error of it."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)

    def came() -> bool:
        try:
            return signal.SIGINT in os.read(reader, 4096)
        except BlockingIOError:
            return False

    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield came
    finally:
        signal.set_wakeup_fd(before)
        os.close(reader)
        os.close(writer)


def _is_import(error: Exception) -> bool:
    return isinstance(error, ImportError) or isinstance(error.__cause__, ImportError)


def _explain(error: Exception) -> str:
    """The error's sentence; an import that is nobody's missing package is raised again."""
    if isinstance(error, LinescanError):
        return str(error)
    extra = EXTRAS.get((getattr(error, "name", None) or "").partition(".")[0])
    if extra is None or not isinstance(error, ModuleNotFoundError):
        raise error
    return f"this needs the package '{error.name}'; {install_hint(extra)}"


app = typer.Typer(
    name="linescan",
    cls=_Commands,
    help="Line-scan camera pipeline: lines in, depth maps, masks and objects out over ZeroMQ.",
    epilog="Start with: linescan replay sim_data/parts   and, in a second terminal: "
    "linescan subscribe tcp://127.0.0.1:5560",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"linescan {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    pass


app.command("run")(run.run)
app.command("replay")(replay.replay)
app.command("record")(record.record)
app.command("simulate")(simulate.simulate)
app.command("image")(image.image)
app.command("cost")(cost.cost)
app.command("evaluate")(evaluate.evaluate)
app.command("subscribe")(subscribe.subscribe)
app.command("forward")(forward.forward)
app.command("verify")(verify.verify)
app.add_typer(calibrate.app, name="calibrate")
app.add_typer(camera.app, name="camera")
app.add_typer(journal.app, name="journal")
app.add_typer(keys.app, name="keys")
app.add_typer(model.app, name="model")
app.add_typer(config.app, name="config")


def main() -> None:
    """Run the command line."""
    app()


def _escape(text: str) -> str:
    return text.replace("[", "\\[")
