"""The benchmark, step by step; what was measured survives an interruption."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from linescan.benchmark.contender import EngineContender, GrayFrame
from linescan.benchmark.field import Entry, Field, deviations, entries, open_field
from linescan.benchmark.limits import measure_limits
from linescan.benchmark.machine import describe_machine, load_of_others
from linescan.benchmark.material import record_web
from linescan.benchmark.options import Options
from linescan.benchmark.results import (
    DEVIATION_MEANS,
    FORMAT,
    RATIO_MEANS,
    Results,
    fastest,
    pipeline_part,
    relate,
    row_of,
)
from linescan.benchmark.rounds import Race, race
from linescan.benchmark.stream import Stream, outside_over_model, run_stream
from linescan.benchmark.subject import Subject, prepare
from linescan.benchmark.traffic import moved_per_frame, relate_to_copy
from linescan.depth.backends.base import cores
from linescan.depth.cost import cost, tokens
from linescan.errors import LinescanError

PACE: Final = 0.7
"""Of the sustained rate: what a line that is not at its limit offers."""
LIMIT_S, QUICK_LIMIT_S = 2.0, 0.2
BARE_S: Final = 5.0
"""Most time for one measurement of the bare engine's rate."""

Say = Callable[[str, float | None], None]
"""Called with what is being done and the share of it, 0 to 1, that is done, where known."""


class Benchmark:
    """One run; ``results`` is filled as it goes on.

    Args:
        options: what to measure.
        folder: for exports, recordings and sockets; temporary, on a local disk.
        say: see ``Say``.

    Attributes:
        results: as in docs/reference/benchmark.md.
    """

    def __init__(self, options: Options, folder: Path, say: Say = lambda _what, _share: None):
        self._options = options
        self._folder = folder
        self._say = say
        self._threads = min(options.threads or cores(), cores())
        self._race = Race()
        self._found: Field | None = None
        self._deviations: dict[str, float | None] = {}
        self._seconds = QUICK_LIMIT_S if options.quick else LIMIT_S
        self._gflop: float | None = None
        self.results: Results = {
            "format": FORMAT,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "complete": False,
            "ratio_means": RATIO_MEANS,
            "deviation_means": DEVIATION_MEANS,
            "settings": self._settings(),
            "model": {},
            "machine": describe_machine(),
            "load_of_others": {"before": load_of_others(self._seconds), "after": None},
            "limits": {},
            "backends": [],
            "baselines": [],
            "not_loaded": [],
            "stages": {},
            "pipeline": None,
        }

    def run(self) -> None:
        """Measure everything; after an interruption, ``results`` holds what is there.

        Raises:
            LinescanError: the model or an option is wrong.
        """
        try:
            self._run()
            self.results["load_of_others"]["after"] = load_of_others(self._seconds)
            self.results["complete"] = True
        finally:
            self._write_down_the_rounds()
            if self._found is not None:
                self._found.close()

    def _run(self) -> None:
        self._say("preparing the model", None)
        subject = prepare(self._options, self._folder, self._say)
        wanted = entries(subject, self._options.backends)
        self._describe(subject)
        self._say("drawing a web", None)
        frames = record_web(self._options.frame, self._folder / "web")
        self._say("measuring the machine's limits", None)
        self.results["limits"] = measure_limits(self._threads, self._seconds)
        found = open_field(
            subject,
            wanted,
            self._folder,
            self._threads,
            lambda what: self._say(what, None),
            with_baselines=self._options.baselines,
            onnxruntime_threads=self._threads if self._options.threads else None,
        )
        self._found = found
        self._say("comparing with the fp32 reference", None)
        self._deviations = deviations(found, frames)
        self._rounds(found, frames)
        self._write_down_the_rounds()
        if self._options.frames:
            self._pipeline(subject, wanted, found, frames)

    def _settings(self) -> dict[str, Any]:
        """What must agree for two results to be compared."""
        options = self._options
        return {
            "frame": list(options.frame),
            "resize_in_model": options.resize_in_model,
            "rounds": options.rounds,
            "warm_up": options.warm_up,
            "frames": options.frames,
            "threads": self._threads,
            "tolerance": options.tolerance,
        }

    def _describe(self, subject: Subject) -> None:
        with suppress(LinescanError):  # of another export than ours it is not known
            self._gflop = round(cost(subject.card, subject.size).gflop, 2)
        self.results["model"] = {
            "name": subject.card.name,
            "sha256": subject.card.sha256,
            "weights": "trained" if subject.trained else "random",
            "size": list(subject.size),
            "tokens": tokens(subject.size),
            "gflop": self._gflop,
        }

    def _rounds(self, found: Field, frames: list[GrayFrame]) -> None:
        options = self._options
        total = options.warm_up + options.rounds
        race(
            self._race,
            found.all(),
            frames,
            rounds=options.rounds,
            warm_up=options.warm_up,
            progress=lambda done: self._say(f"round {done} of {total}", done / total),
        )

    def _write_down_the_rounds(self) -> None:
        """Make rows of what was raced so far."""
        found = self._found
        if found is None:
            return
        times, results = self._race.times, self.results
        for key, contenders in (("backends", found.engines), ("baselines", found.baselines)):
            results[key] = [
                row_of(c, times[c.name], self._deviations.get(c.name))
                for c in contenders
                if c.name in times and c.name not in self._race.failed
            ]
        trained = results["model"]["weights"] == "trained"
        relate(
            results["backends"],
            results["baselines"],
            gflop=self._gflop,
            limits=results["limits"],
            tolerance=self._options.tolerance if trained else None,
        )
        reasons = {**found.not_loaded, **self._race.failed}
        results["not_loaded"] = [
            {"name": name, "reason": self._without_folders(reason)}
            for name, reason in reasons.items()
        ]

    def _without_folders(self, reason: str) -> str:
        """A message without the folders of this machine: results are passed on."""
        for folder in (self._folder, Path.cwd(), Path.home()):
            reason = reason.replace(f"{folder}/", "")
        return reason

    def _pipeline(
        self, subject: Subject, wanted: list[Entry], found: Field, frames: list[GrayFrame]
    ) -> None:
        """The engine alone, the pipeline at full speed and paced, the engine alone again."""
        best = fastest([row for row in self.results["backends"] if "int8" not in row["precision"]])
        entry = next((e for e in wanted if best is not None and e.name == best["name"]), None)
        engine = next(
            (e for e in found.engines if entry is not None and e.name == entry.name), None
        )
        if entry is None or engine is None:
            self.results["pipeline"] = {"missing": "no engine to run it with"}
            return
        stream = Stream(
            recording=self._folder / "web",
            model=entry.card.path,
            candidate=entry.candidate,
            size=subject.size,
            image=entry.card.frame_size or subject.size,
            tolerance=self._options.tolerance if subject.trained else 1.0,
            threads=self._threads,
            rows=self._options.frame[0],
            folder=self._folder,
        )
        found.close(but=engine)
        try:
            self._run_pipeline(stream, engine, frames)
        except LinescanError as error:
            self.results["pipeline"] = {"missing": self._without_folders(str(error))}

    def _run_pipeline(
        self, stream: Stream, engine: EngineContender, frames: list[GrayFrame]
    ) -> None:
        count = self._options.frames

        def say(what: str) -> Callable[[int], None]:
            return lambda done: self._say(f"{what}, frame {done} of {count}", done / count)

        def run(what: str, rate: float | None) -> dict[str, Any]:
            self._say(f"{what}: loading", None)
            done = run_stream(stream, count, rate, progress=say(what))
            moved = moved_per_frame(self._options.frame, stream.image, done["message_bytes"])
            relate_to_copy(done["stages"], moved, self.results["limits"]["copy_gb_s"])
            return done

        self._say("the bare engine", None)
        bare = [_bare_rate(engine, frames, count)]
        throughput = run("the pipeline at full speed", None)
        outside = {"throughput": outside_over_model(throughput["stages"]), "paced": None}
        self.results["stages"] = throughput["stages"]
        self.results["pipeline"] = pipeline_part(throughput, None, bare, outside)
        paced = None
        if throughput["lines_per_s"] > 0.0:
            paced = run("the paced pipeline", PACE * throughput["lines_per_s"])
            outside["paced"] = outside_over_model(paced["stages"], waits=("acquire",))
            self.results["stages"] = paced["stages"]
        bare.append(_bare_rate(engine, frames, count))
        self.results["pipeline"] = pipeline_part(throughput, paced, bare, outside)


def _bare_rate(engine: EngineContender, frames: list[GrayFrame], count: int) -> float:
    """Frames per second of the engine alone, on images that are ready."""
    images = [engine.ready(frame) for frame in frames]
    began = time.perf_counter()
    done = 0
    while done < max(count, 3) and (done < 3 or time.perf_counter() - began < BARE_S):
        engine.depth_of(images[done % len(images)])
        done += 1
    return done / (time.perf_counter() - began)
