"""docs/reference/benchmark.md names every key that results hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from linescan.benchmark.stream import STAGES
from tests.benchmark.samples import results
from tests.docs.pages import inline_code

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "benchmark.md"


def keys(given: Any) -> set[str]:
    """All keys of nested results."""
    if isinstance(given, dict):
        return {*given, *(key for value in given.values() for key in keys(value))}
    if isinstance(given, list):
        return {key for value in given for key in keys(value)}
    return set()


def test_every_key_is_on_the_page() -> None:
    held = keys({k: v for k, v in results().items() if k != "machine"}) | set(results()["machine"])
    assert held <= set(inline_code(PAGE))


def test_every_stage_is_on_the_page_in_order() -> None:
    text = PAGE.read_text(encoding="utf-8").partition("## `stages`")[2]
    places = [text.index(f"`{stage}`") for stage in STAGES]
    assert places == sorted(places)
