"""Which codes of the catalogue the tests have really provoked.

Every process of a test session, this one and those it starts, writes down the code of
each error that the program makes (``recorder/sitecustomize.py``): not what a test makes
by itself, and not what is only read from a line or a row, which a stand-in may have
written. A session that ran all tests of its kind is then held to it: all codes that it
alone can provoke were. A session of some tests is held to nothing, and one on a machine
that lacks a program not to the codes that the tests skipped for it name.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from smc_tui.model.catalogue import CATALOGUE
from tests.support.recorder import sitecustomize

RECORDER = Path(sitecustomize.__file__).parent
VARIABLE = "SMC_TUI_TEST_CODES"

#: Codes that need a real sshd, or root, to be provoked: held to by those tests' session.
ELSEWHERE = frozenset(
    {
        "HostKey.Changed",
        "HostKey.NotAccepted",
        "Source.AuthRefused",
        "Source.NoPython",
        "Source.NoSudo",
    }
)


def begin(folder: Path) -> None:
    """Record in this process and in all that it starts.

    The package must not be imported yet by those; here it is, and is told so.
    """
    os.environ[VARIABLE] = str(folder)
    path = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(RECORDER), path]))
    sitecustomize.record(sys.modules[sitecustomize.MODULE].SmcError)


def end(folder: Path) -> set[str]:
    """Return the codes that were provoked."""
    return {path.name for path in folder.iterdir()}


def missing(provoked: Iterable[str], *, elsewhere: bool) -> list[str]:
    """Return what a session should have provoked and has not.

    Args:
        provoked: what it has.
        elsewhere: it was the session of the tests that need sshd or root.
    """
    expected = ELSEWHERE if elsewhere else set(CATALOGUE) - ELSEWHERE
    return sorted(expected - set(provoked))


_CODE = re.compile(r"\"([A-Z][A-Za-z]*\.[A-Z][A-Za-z]*)\"")


def named_by(item: pytest.Item) -> set[str]:
    """Return the codes that a test expects: those that its function and its parameters name."""
    assert isinstance(item, pytest.Function)
    callspec = getattr(item, "callspec", None)
    given = callspec.params.values() if callspec else ()
    text = inspect.getsource(item.function)
    named = {*_CODE.findall(text), *(value for value in given if isinstance(value, str))}
    return named & set(CATALOGUE)
