"""README, tutorials and how-to guides do what they say: their commands are run for real."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from linescan.config import Config
from tests.docs.pages import GUIDES, REASONS, ROOT, blocks, name
from tests.docs.play import play

COPIED = ("configs", "docs/examples", "sim_data")
"""What the commands of the pages use of the clone."""
IGNORED = {"text", "json", "ini", "yaml", "python", "console"}


@pytest.mark.slow
@pytest.mark.parametrize("page", GUIDES, ids=name)
def test_the_commands_of_a_page_do_what_it_says(page: Path, tmp_path: Path) -> None:
    for folder in COPIED:
        shutil.copytree(ROOT / folder, tmp_path / folder)
    play(page, tmp_path)


@pytest.mark.parametrize("page", GUIDES, ids=name)
def test_each_block_is_run_or_says_why_not(page: Path) -> None:
    for block in blocks(page):
        assert block.reason is None or block.reason in REASONS, f"{block}: reason {block.reason!r}"
        runs = block.language in IGNORED
        assert runs or block.reason, f"{block}: {block.language or 'no language'} without a reason"


@pytest.mark.parametrize("page", GUIDES, ids=name)
def test_each_shown_part_of_a_configuration_is_right(page: Path) -> None:
    for block in blocks(page):
        if block.language == "yaml":
            shown = yaml.safe_load(block.text)
            assert Config.model_validate({"source": {"type": "simulated"}} | shown), str(block)
