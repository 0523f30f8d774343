"""The journal's section: where it lies, and what is said of values that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from linescan.config import load, parse
from linescan.errors import ConfigError

SOURCE = "source: {type: simulated}\n"


def test_it_is_off_by_default() -> None:
    assert not parse(SOURCE, "x.yaml").journal.enabled


def test_the_folder_is_relative_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(f"{SOURCE}journal: {{folder: kept}}\n")
    assert load(path).journal.folder == tmp_path / "kept"
    assert load(path, ["journal.folder=elsewhere"]).journal.folder == Path("elsewhere")


@pytest.mark.parametrize(
    ("journal", "said"),
    [
        ("keep_for: ['a b']", "'journal.keep_for': expected names of subscribers"),
        ("keep_for: qc", "'journal.keep_for': expected a list"),
        ("max_gb: 0", "'journal.max_gb': expected a value above 0"),
        ("max_gb: 0.5", "max_gb: 0.5 has no room for 4 segments of 256 MB"),
        ("segment_mb: 20000", "'journal.segment_mb': expected at most 16384"),
        ("sync_ms: 0", "'journal.sync_ms': expected at least 1"),
        ("max_age_h: never", "'journal.max_age_h': expected a number"),
    ],
)
def test_what_cannot_be(journal: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(f"{SOURCE}journal: {{{journal}}}\n", "x.yaml")
    assert said in str(caught.value)
    assert str(caught.value).startswith("x.yaml:2: ")
