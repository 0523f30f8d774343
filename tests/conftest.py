"""What all tests share: real data where it is, and no silently skipped tests in CI."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journal.left_behind import spools_of

# Started in the background, a shell has us ignore Ctrl-C, and our children with us.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


MAY_BE_SKIPPED = ("LINESCAN_REAL_DATA", "LINESCAN_WEIGHTS", "needs /dev/full")
"""A test may be skipped in CI only if its reason names one of these."""


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real line-scan images; skips the test where there is none."""
    given = os.environ.get("LINESCAN_REAL_DATA")
    if not given or not Path(given).is_dir():
        pytest.skip("LINESCAN_REAL_DATA does not name the folder of real line-scan images")
    return Path(given)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Built engines and remembered choices go into a folder of this session, not the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LINESCAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_memory_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Journals that were killed and never opened again leave nothing in shared memory."""
    yield
    for path in spools_of(tmp_path_factory.getbasetemp()):
        path.unlink(missing_ok=True)


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """What a command of one test has set up does not log to its closed streams in the next."""
    loggers = [logging.getLogger(), logging.getLogger("linescan")]
    before = [(logger, logger.level, logger.handlers[:]) for logger in loggers]
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = [handler for handler in logger.handlers if handler in handlers]


class SkipGuard:
    """Fails the session where a test was skipped for a reason that is not on the list."""

    def __init__(self) -> None:
        self.unlisted: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note skipped tests."""
        if report.skipped and not hasattr(report, "wasxfail"):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else "?"
            if not any(words in reason for words in MAY_BE_SKIPPED):
                self.unlisted.append(f"{report.nodeid}: {reason}")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note skipped files."""
        if report.skipped:
            self.unlisted.append(f"{report.nodeid}: {report.longrepr}")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail where something was skipped that must not be."""
        if self.unlisted and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say which."""
        for line in self.unlisted:
            terminalreporter.write_line(f"skipped, and not on the list of those that may: {line}")


def pytest_configure(config: pytest.Config) -> None:
    """Share the cores among workers; in CI, guard against skipped tests."""
    if hasattr(config, "workerinput"):
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported
    elif os.environ.get("CI"):
        config.pluginmanager.register(SkipGuard())
