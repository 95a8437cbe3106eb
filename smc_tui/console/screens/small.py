"""What a terminal too small for any page shows."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Static

#: Columns and rows that the console needs.
LEAST = (40, 10)


class TooSmall(Screen[None]):
    """Asks for room; goes by itself when there is."""

    DEFAULT_CSS = """
    TooSmall { align: center middle; }
    TooSmall Static { width: auto; text-align: center; }
    """

    def compose(self) -> ComposeResult:
        """What is needed and what there is."""
        yield Static(id="room", markup=False)

    def on_mount(self) -> None:
        """Tell it at once."""
        self.on_resize()

    def on_resize(self) -> None:
        """Tell it anew."""
        has = self.app.size
        text = f"needs {LEAST[0]}x{LEAST[1]}\nhas {has.width}x{has.height}\nq detaches"
        self.query_one(Static).update(text)


def too_small(columns: int, rows: int) -> bool:
    """Tell whether no page fits."""
    return columns < LEAST[0] or rows < LEAST[1]
