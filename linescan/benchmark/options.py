"""The command line of the latency benchmark."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from linescan.benchmark.errors import BenchmarkError
from linescan.depth.export.random_weights import ARCHITECTURES
from linescan.depth.models import PATCH

ROUNDS, WARM_UP, FRAMES = 30, 3, 60
MOST_ROUNDS = 10_000
LEAST_TOLERANCE = 1e-6
MOST_FRAMES = 100_000
LEAST_SIDE, MOST_SIDE = 28, 4088
LEAST_FRAME, MOST_ROWS, MOST_WIDTH = 64, 16384, 32768

TEXT = """
How long depth takes on this machine, from the uint8 camera frame to float32 depth.

Every engine that loads and two baselines take turns, round by round, so that they meet the same
machine in the same state:
  transformers  the plain way: pipeline("depth-estimation") on the gray frame duplicated to RGB
  onnxruntime   a plain export in ONNX Runtime on the CPU, fp32, default settings
Then the whole pipeline plays a simulated recording to a subscriber in a second process: as fast as
possible (what it sustains), and at 70 % of that (how old a result is when it arrives).

Compare ratios of one run, not milliseconds of two: machines are noisy. Ctrl-C prints what was
measured so far.
"""
EXAMPLES = """
examples:
  the embedded model, nothing to download:
    python scripts/bench_latency.py
  a first look in half a minute:
    python scripts/bench_latency.py --quick
  the time of Depth Anything V2 Small, without its weights, for a report:
    python scripts/bench_latency.py --random-weights small --markdown small.md --plot small.png
  two engines only, on frames of 2048 lines of 4096 pixels:
    python scripts/bench_latency.py --backend openvino-bf16 --backend cpu --frame 2048x4096
  what a change made better or worse:
    python scripts/bench_latency.py --compare before.json
"""


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure, and where to write it.

    Attributes:
        model: a registry name, an .onnx file or a checkpoint's folder; None for random weights.
        random_weights: the architecture to run with random weights.
        size: rows and columns of the model; its own where None.
        frame: rows and columns of the camera frame.
        resize_in_model: export the model so that it resizes the frame itself.
        rounds: timed rounds.
        warm_up: rounds before them.
        frames: of each run of the pipeline; 0 leaves it out.
        threads: CPU threads; all cores where None.
        backends: engines or backends to measure; all where empty.
        baselines: measure them, too.
        int8: quantised files of the model to measure, beside the one found next to it.
        tolerance: deviation that the gate lets pass.
        quick: shorten what is not said otherwise.
    """

    model: str | None = None
    random_weights: str | None = None
    size: tuple[int, int] | None = None
    frame: tuple[int, int] = (2048, 2048)
    resize_in_model: bool = False
    rounds: int = ROUNDS
    warm_up: int = WARM_UP
    frames: int = FRAMES
    threads: int | None = None
    backends: tuple[str, ...] = ()
    baselines: bool = True
    int8: tuple[Path, ...] = ()
    tolerance: float = 0.02
    quick: bool = False
    json: Path | None = None
    markdown: Path | None = None
    plot: Path | None = None
    compare: Path | None = None


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Options from a command line; ``sys.argv`` where None.

    Raises:
        SystemExit: with 2 where an option is not right, with 0 after ``--help``.
        BenchmarkError: options that are right by themselves do not go together.
    """
    given = _parser().parse_args(arguments)
    random = given.random_weights
    if random == "":
        random = given.model or "small"
        if random not in ARCHITECTURES:
            raise BenchmarkError(
                f"--random-weights knows the architectures {', '.join(ARCHITECTURES)}, not "
                f"'{random}'"
            )
    elif random is not None and given.model not in (None, random):
        raise BenchmarkError(
            f"--model {given.model} and --random-weights {random} name two models: give one"
        )
    for path in (given.json, given.markdown, given.plot):
        if path is not None and not path.parent.is_dir():
            raise BenchmarkError(f"{path}: cannot be written: there is no folder {path.parent}")
        if path is not None and path.is_dir():
            raise BenchmarkError(f"{path}: cannot be written: it is a folder: name a file in it")
    quick: bool = given.quick
    return Options(
        model=None if random else given.model or "surface-tiny",
        random_weights=random,
        size=given.size,
        frame=given.frame,
        resize_in_model=given.resize_in_model,
        rounds=given.rounds or (3 if quick else ROUNDS),
        warm_up=given.warm_up or (1 if quick else WARM_UP),
        frames=(6 if quick else FRAMES) if given.frames is None else given.frames,
        threads=given.threads,
        backends=tuple(dict.fromkeys(given.backend)),
        baselines=not given.no_baselines,
        int8=tuple(given.int8),
        tolerance=given.tolerance,
        quick=quick,
        json=given.json,
        markdown=given.markdown,
        plot=given.plot,
        compare=given.compare,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=TEXT, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_argument_group("what to measure")
    what.add_argument(
        "--model",
        metavar="NAME_OR_PATH",
        help="a name of 'linescan model list', an .onnx file, or a checkpoint's folder, which is "
        "exported first (default: surface-tiny, the embedded one)",
    )
    what.add_argument(
        "--random-weights",
        nargs="?",
        const="",
        choices=("", *ARCHITECTURES),
        metavar="small|base|large",
        help="the architecture with random weights: right for times, without a download; "
        "deviations mean nothing then (default: that of --model, else small)",
    )
    what.add_argument(
        "--size",
        type=_size,
        metavar="N|HxW",
        help="rows and columns of the model, multiples of 14 (default: the model's own)",
    )
    what.add_argument(
        "--frame",
        type=_frame,
        default=(2048, 2048),
        metavar="HxW",
        help="rows and columns of the camera frame (default: 2048x2048)",
    )
    what.add_argument(
        "--resize-in-model",
        action="store_true",
        help="export a model that resizes the frame itself, so that only uint8 travels to a GPU; "
        "for checkpoints and --random-weights",
    )
    what.add_argument(
        "--backend",
        action="append",
        default=[],
        metavar="NAME",
        help="an engine (openvino-bf16, cuda-fp16) or a backend with all its precisions "
        "(tensorrt, cuda, openvino, cpu); repeatable (default: all that load)",
    )
    what.add_argument(
        "--no-baselines",
        action="store_true",
        help="leave transformers and plain ONNX Runtime out; ratios to them are missing then",
    )
    what.add_argument(
        "--int8",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="a quantised file of the model, see 'linescan model quantise'; repeatable; "
        "NAME-int8.onnx beside the model is found by itself",
    )
    what.add_argument(
        "--tolerance",
        type=_number(float, LEAST_TOLERANCE, 1.0),
        default=0.02,
        metavar="X",
        help="deviation that the numeric gate lets pass (default: 0.02)",
    )
    how = parser.add_argument_group("how long")
    how.add_argument(
        "--rounds",
        type=_number(int, 1, MOST_ROUNDS),
        metavar="N",
        help="timed rounds, one run of everybody each (default: 30)",
    )
    how.add_argument(
        "--warm-up",
        type=_number(int, 1, MOST_ROUNDS),
        metavar="N",
        help="rounds before them (default: 3)",
    )
    how.add_argument(
        "--frames",
        type=_number(int, 0, MOST_FRAMES),
        metavar="N",
        help="frames of each run of the pipeline; 0 leaves it out (default: 60)",
    )
    how.add_argument(
        "--threads",
        type=_number(int, 1, 1024),
        metavar="N",
        help="CPU threads of engines and baselines (default: all cores)",
    )
    how.add_argument(
        "--quick", action="store_true", help="3 rounds, 6 frames: does it work? no figures to keep"
    )
    where = parser.add_argument_group("results, beside the tables")
    for kind, what_for in {
        "json": "all figures",
        "markdown": "a report",
        "plot": "a picture (PNG) of the distributions",
    }.items():
        where.add_argument(f"--{kind}", type=Path, metavar="FILE", help=f"write {what_for} to FILE")
    where.add_argument(
        "--compare", type=Path, metavar="OLD.json", help="print ratios to an earlier --json file"
    )
    return parser


def _number(kind: type[int] | type[float], low: float, high: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            whole = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"'{text}': expected {whole} from {low:g} to {high:g}")
        return value

    return number


def _pair(text: str) -> tuple[int, int] | None:
    found = re.fullmatch(r"(\d{1,6})x(\d{1,6})", text.lower().replace("×", "x"))
    return (int(found[1]), int(found[2])) if found else None


def _size(text: str) -> tuple[int, int]:
    size = _pair(text) or _pair(f"{text}x{text}")
    if size is None or any(n % PATCH or not LEAST_SIDE <= n <= MOST_SIDE for n in size):
        raise argparse.ArgumentTypeError(
            f"'{text}': expected a side such as 518, or rows and columns such as 392x518: "
            f"multiples of {PATCH} from {LEAST_SIDE} to {MOST_SIDE}"
        )
    return size


def _frame(text: str) -> tuple[int, int]:
    frame = _pair(text)
    rows, columns = frame or (0, 0)
    if not (LEAST_FRAME <= rows <= MOST_ROWS and LEAST_FRAME <= columns <= MOST_WIDTH):
        raise argparse.ArgumentTypeError(
            f"'{text}': expected rows and columns such as 2048x4096: {LEAST_FRAME} to {MOST_ROWS} "
            f"rows, {LEAST_FRAME} to {MOST_WIDTH} columns"
        )
    return rows, columns
