"""The generated reference pages are those of the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.make_reference import cli_page, configuration_page, pages
from tests.docs.pages import ROOT, name
from tests.docs.test_mentions import COMMANDS, schema_keys


@pytest.mark.parametrize("path", pages(), ids=name)
def test_a_committed_page_is_what_the_script_makes(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == pages()[path], "run scripts/make_reference.py"


def test_every_key_is_on_the_page_with_a_meaning() -> None:
    from linescan.config import Config

    rows = configuration_page(Config.model_json_schema()).splitlines()
    for key in schema_keys():
        matching = [row for row in rows if row.startswith(f"| `{key}` |")]
        assert matching, key
        assert all(len(row.replace("\\|", "").split("|")[4].strip()) > 5 for row in matching), key


def test_every_command_and_option_is_on_the_page() -> None:
    from typer.main import get_command

    from linescan.cli import app

    page = cli_page(get_command(app))
    for command, found in COMMANDS.items():
        part = page.partition(f"\n## linescan {command}\n")[2].partition("\n## ")[0]
        assert "```text" in part, command
        for parameter in found.params:
            if parameter.param_type_name == "option":
                assert f"`{parameter.opts[0]}`" in part, f"{command} {parameter.opts[0]}"


def test_every_figure_of_an_evaluation_is_on_its_page() -> None:
    from linescan.evaluation.judging.catalogue import FIGURES

    page = (ROOT / "docs" / "reference" / "evaluation.md").read_text(encoding="utf-8")
    table = page.partition("\n## Figures\n")[2].partition("\n## ")[0]
    rows = [row.split("|") for row in table.splitlines() if row.startswith("| `")]
    good = {name.strip("` "): value.strip() for _, name, _, value, *_ in rows}
    shown = {"info": "", "low": "low", "high": "high", "one": "one"}
    assert good == {figure.key: shown[figure.good] for figure in FIGURES}
