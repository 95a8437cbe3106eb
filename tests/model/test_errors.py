"""Every code that the program can raise is in the catalogue, and worth reading there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import smc_tui
from smc_tui.model.catalogue import CATALOGUE, ExitCode
from smc_tui.model.errors import SmcError

PACKAGE = Path(smc_tui.__file__).parent
CODE = re.compile(r"[A-Z][A-Za-z]+\.[A-Z][A-Za-z]+")


def codes_in(path):
    """Return the texts in a file that have a code's form and with which an error is made.

    Not those in its words, and not those that an error's code is only compared with.
    """
    tree = ast.parse(path.read_text())
    passed_over = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare | ast.MatchValue) or is_words(node)
        for part in ast.walk(node)
    }
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in passed_over
        and CODE.fullmatch(node.value)
    }


def is_words(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


SOURCES = [path for path in PACKAGE.rglob("*.py") if path.name != "catalogue.py"]


def test_every_code_used_is_in_the_catalogue_and_no_other():
    used = set().union(*(codes_in(path) for path in SOURCES))
    assert used - set(CATALOGUE) == set()
    assert set(CATALOGUE) - used == set()


@pytest.mark.parametrize("code", CATALOGUE)
def test_an_entry_is_worth_reading(code):
    entry = CATALOGUE[code]
    assert CODE.fullmatch(code)
    for text in (entry.cause, entry.next_step, entry.safe):
        assert text
        assert text.isprintable()
        assert not text.endswith(".")
        assert not text[0].isupper() or text.split()[0].isupper() or "SSH" in text
    assert isinstance(entry.exit_code, ExitCode)


def test_an_error_is_one_printable_line():
    error = SmcError("Link.Lost", "first\nsecond \x1b[31m", segment=3)
    assert error.line.isprintable()
    assert error.line.startswith("Link.Lost: first")
    assert "Next: " in error.line
    assert error.document()["segment"] == 3
    assert error.document()["code"] == "Link.Lost"
    assert SmcError("Link.Lost").detail == CATALOGUE["Link.Lost"].cause


def test_a_code_out_of_nowhere_is_a_mistake():
    with pytest.raises(KeyError):
        SmcError("Made.Up")
