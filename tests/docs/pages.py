"""Markdown pages of this repository and the fenced blocks in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
"""Every page that is under version control or should be."""
GUIDES = sorted(
    [
        ROOT / "README.md",
        *(ROOT / "docs" / "tutorials").glob("*.md"),
        *(ROOT / "docs" / "how-to").glob("*.md"),
    ]
)
"""Pages whose commands are run."""
REASONS = (
    "needs the network",
    "needs a camera",
    "needs a GPU",
    "needs administrator rights",
    "takes minutes",
)
"""Why a block may be left unrun: ``<!-- not run: REASON -->`` in the line above it."""

_FENCE = re.compile(r"^(```+)\s*([\w-]*)\s*$")
_NOT_RUN = re.compile(r"^<!-- not run: (.*) -->$")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and where it begins."""

    page: Path
    line: int
    language: str
    text: str
    reason: str | None
    """Why it is not run, as the comment above it says."""

    def __str__(self) -> str:
        return (
            f"{self.page.relative_to(ROOT) if ROOT in self.page.parents else self.page}:{self.line}"
        )


def name(page: Path) -> str:
    """A page's path from the root, for test names."""
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    start: tuple[int, str, str] | None = None
    for number, line in enumerate(lines):
        fence = _FENCE.match(line)
        if start is None and fence:
            start = number, fence[1], fence[2]
        elif start is not None and line.rstrip() == start[1]:
            first, _, language = start
            comment = _NOT_RUN.match(lines[first - 1]) if first else None
            text = "\n".join(lines[first + 1 : number]) + "\n"
            yield Block(page, first + 1, language, text, comment[1] if comment else None)
            start = None
    assert start is None, f"{page}:{start[0] + 1 if start else 0}: the block has no end"


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    text = page.read_text(encoding="utf-8")
    return re.sub(r"^(```+)[^\n]*\n.*?^\1\s*$", "", text, flags=re.MULTILINE | re.DOTALL)


def inline_code(page: Path) -> list[str]:
    """What stands between single backticks in the prose, line breaks as blanks."""
    found = re.findall(r"(?<!`)`([^`]+)`(?!`)", prose(page))
    return [" ".join(code.split()) for code in found]
