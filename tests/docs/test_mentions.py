"""What the pages mention exists: links, commands, options, configuration keys."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from linescan.cli import app
from linescan.config import Config
from scripts.make_reference import walk
from tests.docs.pages import PAGES, ROOT, blocks, inline_code, name, prose

COMMANDS: dict[str, Any] = dict(walk(get_command(app)))
GROUPS = {command.partition(" ")[0] for command in COMMANDS}
COMMON_OPTIONS = {"--help", "-h", "--version"}
NO_KEYS = {"docs/reference/protocol.md", "docs/reference/recording.md"}
"""Pages about other formats, whose keys look like those of the configuration."""
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
KEY = re.compile(r"([a-z_0-9]+(?:\.[a-z_0-9]+)+)(?:[=:].*)?")


def schema_keys() -> set[str]:
    """All dotted keys that a configuration may hold."""
    schema = Config.model_json_schema()

    def walk_keys(model: dict[str, Any], prefix: str) -> Iterator[str]:
        for key, field in model["properties"].items():
            yield f"{prefix}{key}"
            for choice in (field, *field.get("oneOf", ()), *field.get("anyOf", ())):
                if "$ref" in choice:
                    part = schema["$defs"][choice["$ref"].rpartition("/")[2]]
                    yield from walk_keys(part, f"{prefix}{key}.")

    return set(walk_keys(schema, ""))


def commands(page: Path) -> Iterator[list[str]]:
    """The words of each ``linescan …`` command that a page shows, after ``linescan``."""
    shown = inline_code(page)
    for block in blocks(page):
        lines = block.text.replace("\\\n", " ").splitlines()
        if block.language in ("console", "sh", "text"):
            shown += lines
        elif block.language == "ini":
            shown += [line for line in lines if line.startswith("ExecStart=")]
    for text in shown:
        for found in re.findall(r"(?:^|[$=/(]|\s)linescan ([a-z-][^|;&>#`]*)", text):
            yield _words(found)


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def heading_anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to headings."""
    titles = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    cleaned = (re.sub(r"[^\w\- ]", "", title.lower()) for title in titles)
    return {title.replace(" ", "-") for title in cleaned}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name(page)} links to {link}, which does not exist"
        assert target == ROOT or ROOT in target.parents, f"{name(page)}: {link} leaves the clone"
        if anchor and target.suffix == ".md":
            assert anchor in heading_anchors(target), f"{name(page)}: no heading for {link}"


def test_each_picture_is_shown_and_small() -> None:
    shown = {
        (page.parent / link).resolve()
        for page in PAGES
        for link in LINK.findall(prose(page))
        if "://" not in link
    }
    for picture in (ROOT / "docs" / "images").iterdir():
        assert picture in shown, f"{name(picture)} is shown nowhere"
        assert picture.stat().st_size < 300_000, f"{name(picture)} is too large"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_and_their_options_exist(page: Path) -> None:
    for words in commands(page):
        shown = f"{name(page)}: linescan {' '.join(words)}"
        if words[0].startswith("-"):
            assert words[0] in COMMON_OPTIONS, shown
            continue
        full = next((" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in COMMANDS), None)
        if full is None:
            assert words in [[group] for group in GROUPS], f"{shown}: no such command"
            continue
        known = {flag for p in COMMANDS[full].params for flag in (*p.opts, *p.secondary_opts)}
        given = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        assert given <= known | COMMON_OPTIONS, f"{shown}: unknown {given - known}"


@pytest.mark.parametrize("page", [p for p in PAGES if name(p) not in NO_KEYS], ids=name)
def test_configuration_keys_exist(page: Path) -> None:
    known = schema_keys()
    sections = {key.partition(".")[0] for key in known}
    mentioned = [text.removeprefix("--set ") for text in inline_code(page)]
    for words in commands(page):
        mentioned += [words[at + 1] for at, word in enumerate(words[:-1]) if word == "--set"]
    for text in mentioned:
        found = KEY.fullmatch(text)
        if found and found[1].partition(".")[0] in sections and not _is_other(found[1]):
            assert found[1] in known, f"{name(page)}: no key '{found[1]}' in the configuration"


def _is_other(text: str) -> bool:
    """Topics and files that begin like a section."""
    return text in {"depth.f32", "depth.u16"} or text.endswith((".py", ".yaml", ".onnx"))


def test_the_tests_see_what_the_pages_mention() -> None:
    """The patterns above find commands, links and keys at all."""
    readme = ROOT / "README.md"
    assert any(words[0] == "replay" for words in commands(readme))
    assert LINK.findall(prose(readme))
    assert "segmentation.threshold.k" in schema_keys()
    assert "source.pitch.across_mm" in schema_keys()
    assert "how-to-guides" in heading_anchors(ROOT / "docs" / "index.md")
