"""What every line passes through on its way to the terminal, whichever widget drew it.

Texts are made printable and fit where they become cells. This is the net below: no
control character of a source's name reaches the terminal, and a terminal that has only
ASCII gets nothing else, borders and scrollbars of Textual's own widgets included.
"""

from __future__ import annotations

from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from smc_tui.model.units import printable

#: A sign of one column -> the nearest that ASCII has.
_NEAREST = str.maketrans(
    {
        **dict.fromkeys("─━═▁▔╌┄⎺⎽", "-"),
        **dict.fromkeys("│┃║▏▎▍▕", "|"),
        **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯╔╗╚╝┏┓┗┛", "+"),
        **dict.fromkeys("█▉▊▋▌▐▀▄▅▆▇▂▃", "#"),
        **dict.fromkeys("…", "~"),
        **dict.fromkeys("–—‐", "-"),
        **dict.fromkeys("·•●", "."),
        **dict.fromkeys("‘’", "'"),
        **dict.fromkeys("“”", '"'),
        **dict.fromkeys("›→▶", ">"),
        **dict.fromkeys("‹←◀", "<"),
        **dict.fromkeys("▲", "^"),
        **dict.fromkeys("▼", "v"),
        "×": "x",
        "✓": "v",
        "\xa0": " ",
    }
)


@lru_cache(4096)
def ascii_text(text: str) -> str:
    """Return a text in ASCII that is as wide: what has no near sign becomes ``?``."""
    nearest = text.translate(_NEAREST)
    return "".join(each if each.isascii() else "?" * cell_len(each) for each in nearest)


class Printable(LineFilter):
    """Replaces what would move a cursor."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the same segments with printable texts."""
        if all(segment.text.isprintable() for segment in segments):
            return segments
        return [Segment(printable(text), style, control) for text, style, control in segments]


class AsciiOnly(LineFilter):
    """Draws with ASCII alone."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the same segments in ASCII."""
        return [
            segment
            if segment.text.isascii()
            else Segment(ascii_text(segment.text), segment.style, segment.control)
            for segment in segments
        ]
