"""A table drawn line by line, of which only what changed is sent.

A DataTable sends its whole face for one changed cell: 13 KB a tick over ssh. Here
``apply`` compares the new rows with those on show and has the compositor repaint,
of each line that differs, the part up to its last changed cell: some 100 bytes.
The compositor sends a line from the widget's left edge on, so what changes often
stands left of what is long.

The cursor and the marks stay with their rows whatever order the rows come in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from smc_tui.console.keymap import bindings
from smc_tui.console.keys import TABLE_KEYS
from smc_tui.console.render.cells import Tone, fit
from smc_tui.console.render.columns import GAP, GUTTER, Column, Placed, Row, place
from smc_tui.console.render.glyphs import DRAWN, Glyphs


class LineTable(ScrollView, can_focus=True):
    """A table of rows with a cursor and marks."""

    DEFAULT_CSS = """
    LineTable {
        height: 1fr;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
    }
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--header",
        "table--cursor",
        *(f"table--{tone}" for tone in Tone),
    }

    BINDINGS: ClassVar[list[BindingType]] = bindings(TABLE_KEYS)

    @dataclass
    class Moved(Message):
        """The cursor stands on another row, or on none."""

        table: LineTable
        key: str | None

        @property
        def control(self) -> LineTable:
            """The table."""
            return self.table

        def can_replace(self, message: Message) -> bool:
            """Only the newest place of a cursor is news."""
            return isinstance(message, LineTable.Moved) and message.table is self.table

    @dataclass
    class Opened(Message):
        """Enter was pressed on a row."""

        table: LineTable
        key: str

        @property
        def control(self) -> LineTable:
            """The table."""
            return self.table

    @dataclass
    class Marked(Message):
        """The marks have changed."""

        table: LineTable
        keys: frozenset[str]

        @property
        def control(self) -> LineTable:
            """The table."""
            return self.table

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        glyphs: Glyphs = DRAWN,
        marking: bool = False,
        header: bool = True,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self.glyphs = glyphs
        self._columns = tuple(columns)
        self._marking = marking
        self._head = 1 if header else 0
        self._rows: tuple[Row, ...] = ()
        self._places: dict[str, int] = {}
        self._cursor: str | None = None
        self._marks: set[str] = set()
        self._anchor: str | None = None
        self._layout: tuple[Placed, ...] = ()
        self._sorted: tuple[str, bool] | None = None
        self._styles: dict[tuple[Tone, bool], Style] = {}

    # What it shows

    @property
    def cursor(self) -> str | None:
        """The key of the row under the cursor."""
        return self._cursor

    @property
    def marks(self) -> frozenset[str]:
        """The keys of the marked rows that are there."""
        return frozenset(self._marks & self._places.keys())

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the rows, in their order."""
        return tuple(row.key for row in self._rows)

    def show_columns(self, columns: Sequence[Column]) -> None:
        """Take another set of columns; rows for them are to be applied next."""
        self._columns = tuple(columns)
        self._rows = ()
        self._arrange()

    def show_order(self, key: str | None, descending: bool = False) -> None:
        """Say in the header which column the rows are sorted by."""
        order = None if key is None else (key, descending)
        if order != self._sorted:
            self._sorted = order
            self.refresh(Region(0, 0, self.size.width, 1))

    def apply(self, rows: Sequence[Row]) -> None:
        """Show these rows; what did not change is not sent again."""
        before, self._rows = self._rows, tuple(rows)
        self._places = {row.key: at for at, row in enumerate(self._rows)}
        was = self._cursor
        if self._cursor not in self._places:
            self._cursor = self._nearest(before)
        if len(before) != len(self._rows):
            self.virtual_size = Size(self.size.width, len(self._rows) + self._head)
            self.refresh()
        else:
            for at in self._shown():
                if before[at] is not self._rows[at] and before[at] != self._rows[at]:
                    self._refresh_row(at, self._reach(before[at], self._rows[at]))
        if was != self._cursor:
            self.post_message(self.Moved(self, self._cursor))

    def _nearest(self, before: Sequence[Row]) -> str | None:
        """Return the row that takes the cursor when its own is gone: the next one down."""
        if not self._rows:
            return None
        keys = [row.key for row in before]
        start = keys.index(self._cursor) if self._cursor in keys else 0
        for key in (*keys[start:], *reversed(keys[:start])):
            if key in self._places:
                return key
        return self._rows[0].key

    def _reach(self, old: Row, new: Row) -> int:
        """Return the column of the terminal up to which two rows differ."""
        if old.key != new.key:
            return self.size.width
        ends = (
            each.at + each.width
            for each in self._layout
            if old.cells[each.index] != new.cells[each.index]
        )
        return max(ends, default=0)

    def _shown(self) -> range:
        first = self.scroll_offset.y
        return range(first, min(len(self._rows), first + max(0, self.size.height - self._head)))

    def _refresh_row(self, at: int, columns: int | None = None) -> None:
        y = at - self.scroll_offset.y + self._head
        wide = self.size.width if columns is None else columns
        if wide and self._head <= y < self.size.height:
            self.refresh(Region(0, y, wide, 1))

    # Drawing

    def _on_resize(self, event: events.Resize) -> None:
        self._arrange()

    def _arrange(self) -> None:
        self._layout = place(self._columns, self.size.width)
        self.virtual_size = Size(self.size.width, len(self._rows) + self._head)
        self.refresh()
        self._keep_in_sight()

    def watch_virtual_size(self, size: Size) -> None:
        """See to the cursor once the new size is in force: scrolling is limited by it."""
        self.call_after_refresh(self._keep_in_sight)

    def notify_style_update(self) -> None:
        """Forget what was drawn with the old theme."""
        super().notify_style_update()
        self._styles.clear()

    def render_line(self, y: int) -> Strip:
        """Draw one line: the header, a row, or nothing."""
        if y < self._head:
            return self._strip(self._header())
        at = self.scroll_offset.y + y - self._head
        if at >= len(self._rows):
            return Strip.blank(self.size.width, self._style(Tone.PLAIN, False))
        return self._strip(self._line(self._rows[at]))

    def _strip(self, segments: Iterator[Segment]) -> Strip:
        strip = Strip(segments).simplify()
        return strip.adjust_cell_length(self.size.width, strip._segments[-1].style)

    def _header(self) -> Iterator[Segment]:
        style = self.get_component_rich_style("table--header")
        yield Segment(" " * GUTTER, style)
        for each in self._layout:
            title = each.column.title
            if self._sorted and self._sorted[0] == each.column.key:
                title = f"{title} {self.glyphs.down if self._sorted[1] else self.glyphs.up}"
            text = fit(title, each.width, right=each.column.right, more=self.glyphs.more)
            yield Segment(text + " " * GAP, style)

    def _line(self, row: Row) -> Iterator[Segment]:
        here = row.key == self._cursor
        plain = self._style(Tone.PLAIN, here)
        sign = self.glyphs.cursor if here else " "
        yield Segment(self.glyphs.mark if row.key in self._marks else sign, plain)
        for each in self._layout:
            cell = row.cells[each.index]
            text = fit(cell.text, each.width, right=each.column.right, more=self.glyphs.more)
            # The gap in the cell's own colour: each change of colour costs 40 bytes.
            yield Segment(text + " " * GAP, self._style(cell.tone, here))

    def _style(self, tone: Tone, here: bool) -> Style:
        found = self._styles.get((tone, here))
        if found is None:
            found = self.get_component_rich_style(f"table--{tone}")
            if here:
                cursor = self.get_component_rich_style("table--cursor")
                # The row's background, the cell's own colour: a red word stays red. A
                # row that is told by reversing it has no second colour.
                found = cursor if cursor.reverse else cursor + Style(color=found.color)
            self._styles[tone, here] = found
        return found

    # The cursor

    def move_to(self, key: str) -> None:
        """Put the cursor on a row, if it is there."""
        if key not in self._places or key == self._cursor:
            return
        for at in (self._places.get(self._cursor or ""), self._places[key]):
            if at is not None:
                self._refresh_row(at)
        self._cursor = key
        self._keep_in_sight()
        self.post_message(self.Moved(self, key))

    def _keep_in_sight(self) -> None:
        at = self._places.get(self._cursor or "")
        room = self.size.height - self._head
        if at is None or room <= 0:
            return
        first = self.scroll_offset.y
        wanted = min(max(first, at - room + 1), at)
        if wanted != first:
            # By force: the scrollbar that would allow it may come with the next layout only.
            self.scroll_to(y=wanted, animate=False, immediate=True, force=True)

    def action_move(self, by: int) -> None:
        """Move the cursor by rows."""
        at = self._places.get(self._cursor or "", 0) + by
        if self._rows:
            self.move_to(self._rows[min(max(0, at), len(self._rows) - 1)].key)

    def action_go(self, at: int) -> None:
        """Move the cursor to a row counted from the beginning, or from the end."""
        if self._rows:
            self.move_to(self._rows[at].key)

    def action_page(self, pages: float) -> None:
        """Move the cursor by pages."""
        self.action_move(int(pages * max(1, self.size.height - self._head)))

    def action_open(self) -> None:
        """Open the row under the cursor."""
        if self._cursor is not None:
            self.post_message(self.Opened(self, self._cursor))

    # Marks

    def action_mark(self) -> None:
        """Mark or unmark the row under the cursor and go on to the next."""
        if not self._marking or self._cursor is None:
            return
        self._marks ^= {self._cursor}
        self._anchor = self._cursor
        self._refresh_row(self._places[self._cursor])
        self.action_move(1)
        self._marks_changed()

    def action_mark_range(self) -> None:
        """Mark from the row that was marked last to the one under the cursor."""
        if not self._marking or self._cursor is None:
            return
        here = self._places[self._cursor]
        there = self._places.get(self._anchor or "", here)
        self._marks |= {row.key for row in self._rows[min(here, there) : max(here, there) + 1]}
        self._anchor = self._cursor
        self.refresh()
        self._marks_changed()

    def action_mark_all(self) -> None:
        """Mark every row that is shown, or none when all are."""
        if self._marking:
            shown = set(self._places)
            self._marks = self._marks - shown if shown <= self._marks else self._marks | shown
            self.refresh()
            self._marks_changed()

    def action_unmark(self) -> None:
        """Drop all marks."""
        if self._marks:
            self._marks.clear()
            self.refresh()
            self._marks_changed()

    def _marks_changed(self) -> None:
        self.post_message(self.Marked(self, self.marks))

    # The mouse

    async def _on_click(self, event: events.Click) -> None:
        at = self.scroll_offset.y + event.y - self._head
        if event.y >= self._head and at < len(self._rows):
            key = self._rows[at].key
            if key == self._cursor:
                self.action_open()
            self.move_to(key)
