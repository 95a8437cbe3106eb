"""The signs a terminal can show: drawn ones, or ASCII where it asks for that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One set of signs.

    Attributes:
        eighths: a bar's last, partly filled cell, from nearly empty to nearly full.
        heights: a graph's cell, from empty to full.
    """

    full: str
    empty: str
    eighths: str
    heights: str
    more: str
    rule: str
    cursor: str
    mark: str
    arrow: str
    up: str
    down: str
    kept: str
    used: str
    pinned: str
    pruned: str
    building: str
    failed: str
    step: str
    dot: str


DRAWN = Glyphs(
    full="█", empty="─", eighths="▏▎▍▌▋▊▉", heights=" ▁▂▃▄▅▆▇█", more="…", rule="─", cursor="›",
    mark="*", arrow="→", up="▲", down="▼", kept="●", used="◆", pinned="■", pruned="○",
    building="◌", failed="x", step="›", dot="·",
)  # fmt: skip

PLAIN = Glyphs(
    full="#", empty="-", eighths="", heights=" .:-=+*%#", more="~", rule="-", cursor=">",
    mark="*", arrow="->", up="^", down="v", kept="o", used="U", pinned="P", pruned=".",
    building="?", failed="x", step=">", dot="|",
)  # fmt: skip


def bar(share: float, columns: int, glyphs: Glyphs) -> tuple[str, str]:
    """Return the filled and the empty part of a bar.

    Full only when all is done, begun as soon as anything is: a bar that is full at
    99.6 % or empty at 0.4 % tells a lie.
    """
    share = min(1.0, max(0.0, share))
    steps = len(glyphs.eighths) + 1
    done = int(share * columns * steps)
    if share > 0:
        done = max(1, done)
    if share < 1:
        done = min(done, columns * steps - 1)
    whole, part = divmod(done, steps)
    filled = glyphs.full * whole + (glyphs.eighths[part - 1] if part else "")
    return filled, glyphs.empty * (columns - len(filled))


def graph(values: Sequence[float], columns: int, rows: int, glyphs: Glyphs) -> list[str]:
    """Return a graph of the newest values as lines, the highest value filling it.

    One colour and no axis of its own: colours are most of what a graph costs to send.
    """
    shown = list(values)[-columns:]
    top = max(shown, default=0.0) or 1.0
    levels = len(glyphs.heights) - 1
    heights = [round(max(0.0, value) / top * rows * levels) for value in shown]
    heights = [0] * (columns - len(heights)) + heights
    lines = []
    for row in range(rows - 1, -1, -1):
        cells = (min(levels, max(0, height - row * levels)) for height in heights)
        lines.append("".join(glyphs.heights[cell] for cell in cells))
    return lines
