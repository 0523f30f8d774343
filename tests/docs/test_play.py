"""The player of pages finds what is wrong with a page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import blocks
from tests.docs.play import play, script, shows

SECOND = "# in a second terminal"


def played(folder: Path, *parts: str) -> None:
    page = folder / "page.md"
    page.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    play(page, folder)


def console(*lines: str) -> str:
    return "\n".join(["```console", *lines, "```"])


def test_commands_run_in_order_in_one_folder(tmp_path: Path) -> None:
    saved = '```python\n# hello.py\nprint("hello", 1 + 1)\n```'
    played(tmp_path, "# Page", saved, console("$ python hello.py > it", "$ cat it", "hello 2"))
    assert (tmp_path / "it").read_text() == "hello 2\n"


def test_a_command_that_fails_fails_the_page(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"exit code 3(.|\n)*page\.md:3"):
        played(tmp_path, "# Page", console("$ exit 3", "$ echo never"))


def test_a_command_before_the_last_one_counts_too(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="exit code 1"):
        played(tmp_path, console("$ false", "$ true"))


def test_output_that_does_not_come_fails_the_page(tmp_path: Path) -> None:
    played(tmp_path, console("$ echo 7 lines lost", "… lines …"))
    with pytest.raises(AssertionError, match="no line '… frames …'"):
        played(tmp_path, console("$ echo 7 lines lost", "… frames …"))


def test_python_that_fails_fails_the_page(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        played(tmp_path, "```python\n1 / 0\n```")


def test_the_second_terminal_runs_beside_the_first(tmp_path: Path) -> None:
    waits = console(SECOND, "$ until [ -e flag ]; do sleep 0.05; done; echo seen", "seen")
    played(tmp_path, waits, console("$ touch flag"))


def test_the_second_terminal_must_end_well(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="exit code 4"):
        played(tmp_path, console(SECOND, "$ exit 4"), console("$ true"))


def test_a_second_terminal_alone_is_refused_and_ended(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no block of the first terminal"):
        played(tmp_path, console(SECOND, "$ sleep 600"))


def test_the_port_alone_is_changed(tmp_path: Path) -> None:
    shown = "```yaml\n# line.yaml\npublish: {data: 'tcp://127.0.0.1:5560'}\n```"
    played(tmp_path, shown, console("$ grep -q '55''60' line.yaml || echo changed", "changed"))


def test_a_block_with_a_reason_is_not_run(tmp_path: Path) -> None:
    played(tmp_path, "<!-- not run: takes minutes -->\n" + console("$ touch ran"))
    assert not (tmp_path / "ran").exists()


def test_blocks_know_where_they_begin_and_why_they_are_not_run(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A\n<!-- not run: takes minutes -->\n```sh\nmake\n```\n```text\nx\n```\n")
    found = [(b.line, b.language, b.text, b.reason) for b in blocks(page)]
    assert found == [(3, "sh", "make\n", "takes minutes"), (6, "text", "x\n", None)]


def test_a_script_goes_on_after_a_backslash() -> None:
    commands, output = script("$ echo a \\\n    b\na b\n\n$ true\n")
    assert commands == "set -euo pipefail\necho a \\\n    b\ntrue\n"
    assert output == ["a b"]


def test_shown_lines_are_whole_lines() -> None:
    assert shows("12 INFO it: done\n", "… INFO it: done")
    assert not shows("12 INFO it: done\n", "INFO it: done")
    assert not shows("a.b\n", "a+b")
