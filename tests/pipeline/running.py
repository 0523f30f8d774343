"""Small pipelines that account for every line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from linescan.config import OverloadSection
from linescan.ledger import Ledger
from linescan.pipeline.runner import Outcome, Pipeline
from linescan.records import Frame
from linescan.sources.base import Source
from linescan.stages import Stage
from linescan.stitching import Stitch
from tests.pipeline.helpers import Settle, Through


def pipeline(
    source: Source,
    act: Callable[[Frame], Iterable[Frame]] = lambda f: (f,),
    on_result: Callable[[object], None] = lambda _: None,
    **overload: object,
) -> Pipeline:
    ledger = Ledger()
    source.open(ledger.capture)
    stages: list[Stage[Any, Any]] = [Stitch(20, 4), Through(act), Settle(ledger)]
    section = OverloadSection.model_validate({"drain_s": 5, **overload})
    return Pipeline(source, stages, ledger, section, on_result)


def run(source: Source, act: Callable[[Frame], Iterable[Frame]] = lambda f: (f,)) -> Outcome:
    return pipeline(source, act).run()
