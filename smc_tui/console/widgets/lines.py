"""Lines of cells that are sent only where they differ: titles, strips, logs, hints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from smc_tui.console.render.cells import Line, Tone


class Lines(Widget):
    """A fixed number of lines of cells."""

    DEFAULT_CSS = "Lines { height: auto; width: 1fr; }"

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"lines--{tone}" for tone in Tone}

    def __init__(
        self,
        lines: Sequence[Line] = (),
        *,
        least: int = 1,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._least = least
        self._lines = tuple(lines)
        self._styles: dict[Tone, Style] = {}

    @property
    def text(self) -> str:
        """What stands there, as plain text."""
        return "\n".join("".join(cell.text for cell in line) for line in self._lines)

    def show(self, lines: Sequence[Line]) -> None:
        """Show these lines; those that are as they were are not sent again."""
        before, self._lines = self._lines, tuple(lines)
        if max(len(before), self._least) != max(len(self._lines), self._least):
            self.refresh(layout=True)
            return
        for at in range(max(len(before), len(self._lines))):
            if self._at(before, at) != self._at(self._lines, at):
                self.refresh(Region(0, at, self.size.width, 1))

    @staticmethod
    def _at(lines: tuple[Line, ...], at: int) -> Line:
        return lines[at] if at < len(lines) else ()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As high as there are lines."""
        return max(self._least, len(self._lines))

    def notify_style_update(self) -> None:
        """Forget what was drawn with the old theme."""
        super().notify_style_update()
        self._styles.clear()

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        segments = [Segment(cell.text, self._style(cell.tone)) for cell in self._at(self._lines, y)]
        strip = Strip(segments).simplify()
        return strip.adjust_cell_length(self.size.width, self._style(Tone.PLAIN))

    def _style(self, tone: Tone) -> Style:
        if tone not in self._styles:
            self._styles[tone] = self.get_component_rich_style(f"lines--{tone}")
        return self._styles[tone]
