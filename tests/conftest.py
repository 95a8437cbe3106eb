"""What holds for a whole session of tests: every code of the catalogue is provoked."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

import smc_tui.model.errors  # noqa: F401, before anything is recorded
from tests.support import codes
from tests.support.records import SOURCES, forget

#: What is run as a whole (``pyproject.toml``, ``.ci/run``), and whether others run beside it.
DEFAULT = "not root and not sshd and not vm and not benchmark and not pty and not soak"
KINDS = {DEFAULT: False, "sshd or root": True}
FOLDER = pytest.StashKey[tempfile.TemporaryDirectory[str]]()
LACKING = pytest.StashKey[list[str]]()
EXCUSED = pytest.StashKey[list[str]]()
#: Codes that skipped tests name, each with why those were.
SKIPPED = pytest.StashKey[dict[str, set[str]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SKIPPED] = {}
    config.stash[FOLDER] = tempfile.TemporaryDirectory(prefix="smc-tui-codes-")
    codes.begin(Path(config.stash[FOLDER].name))


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[FOLDER].cleanup()
    os.environ.pop(codes.VARIABLE, None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple):
        for code in codes.named_by(item):
            reasons = item.config.stash[SKIPPED].setdefault(code, set())
            reasons.add(str(report.longrepr[2]).removeprefix("Skipped: "))
    return report


@pytest.fixture(autouse=True)
def no_records() -> Iterator[None]:
    """Leave no record of writes in the kernel: each would cost every later write here."""
    yield
    for source in list(SOURCES):
        forget(source)


def is_whole(config: pytest.Config) -> bool:
    """Tell whether all tests of a kind were to run."""
    option = config.option
    part = (
        getattr(option, "lf", False)
        or option.keyword
        or option.collectonly
        or option.ignore
        or option.deselect
    )
    everything = config.args_source is not pytest.Config.ArgsSource.ARGS
    return everything and not part and option.markexpr in KINDS


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    config = session.config
    provoked = codes.end(Path(config.stash[FOLDER].name))
    if record := os.environ.get("SMC_TUI_CODES_TO"):
        Path(record).write_text("".join(f"{code}\n" for code in sorted(provoked)))
    if exitstatus != pytest.ExitCode.OK or not is_whole(config):
        return
    missing = codes.missing(provoked, elsewhere=KINDS[config.option.markexpr])
    skipped = config.stash[SKIPPED]
    config.stash[EXCUSED] = [
        f"{code}: {'; '.join(sorted(skipped[code]))}" for code in missing if code in skipped
    ]
    lacking = [code for code in missing if code not in skipped]
    if lacking:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        config.stash[LACKING] = lacking


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    excused = config.stash.get(EXCUSED, [])
    if excused:
        terminalreporter.section("codes not provoked, their tests were skipped", yellow=True)
        for line in excused:
            terminalreporter.line(line)
    lacking = config.stash.get(LACKING, [])
    if lacking:
        terminalreporter.section("codes that no test has provoked", red=True)
        terminalreporter.line(", ".join(lacking))
