"""The report's Markdown shows every text as it is, whatever is in it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from smc_tui.model.markdown import escaped, report_page, table
from smc_tui.model.report import Known, report
from smc_tui.model.units import printable
from tests.model.samples import IMAGE, JOB, NOW, RUN, SOURCE

RENDERER = MarkdownIt("commonmark").enable("table").enable("strikethrough")


def shown(text: str) -> list[str]:
    """Return the cells of a rendered table that has this one text."""
    tokens = RENDERER.parse("\n".join(table(("A", "B"), [(text, "end")])))
    inline = [token for token in tokens if token.type == "inline"]
    kinds = {child.type for token in inline for child in token.children or ()}
    assert kinds <= {"text", "text_special"}, kinds
    return ["".join(child.content for child in token.children or ()) for token in inline]


@given(st.text(max_size=40))
def test_a_cell_shows_its_text(text: str) -> None:
    clean = " ".join(printable(text).split()) or "-"
    assert shown(text) == ["A", "B", clean, "end"]


@pytest.mark.parametrize(
    "text",
    ["a|b", r"a\|b", "<script>x</script>", "&lt;", "`code`", "**bold**", "_it_", "[a](http://x)",
     "![i](x)", "~~no~~", "$x$", "http://evil.example", "www.evil.example", "a@b.example",
     "1. one", "# head", "- item", "\x1b[2J", "a\nb", "\\", "|", "\u202ex"],
)  # fmt: skip
def test_hostile_texts_stay_texts(text: str) -> None:
    assert shown(text)[2] == " ".join(printable(text).split())
    # What GitHub makes links and formulas of is broken up too.
    made = escaped(text)
    assert not re.search(r"(?<!\\)[$@]|://|www\.(?<!\\\.)", made)


def test_an_empty_table_says_so_and_an_empty_cell_has_a_dash() -> None:
    assert list(table(("A",), [])) == ["None."]
    assert escaped("") == "-"


def test_the_page_is_markdown_with_its_sections() -> None:
    known = Known(JOB.id, "x | y", JOB)
    text = "\n".join(report_page(report(known, SOURCE, [RUN], [IMAGE], NOW), []))
    heads = [token.content for token in _after(text, "heading_open")]
    assert heads == [
        r"Migration report: web01-1", "Source", "Settings", "Totals", "Runs", "Images",
        "Images removed", "Verifications", "Migration drill", "Events",
    ]  # fmt: skip
    bare = report(Known("j-1", "old", None), None, [], [], NOW)
    text = "\n".join(report_page(bare, []))
    for words in ("The source was removed.", "The settings were not kept.", "None was kept."):
        assert words in text


def _after(text: str, kind: str) -> list:
    tokens = RENDERER.parse(text)
    return [tokens[at + 1] for at, token in enumerate(tokens) if token.type == kind]
