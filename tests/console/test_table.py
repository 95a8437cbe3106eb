"""The table sends only what changed, and its cursor stays with its row."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult
from textual.geometry import Region

from smc_tui.console.render.cells import Cell, Tone, columns_of, fit, width
from smc_tui.console.render.columns import GAP, GUTTER, Column, Row, place
from smc_tui.console.widgets.table import LineTable

COLUMNS = (
    Column("name", "Name", 8),
    Column("state", "State", 6),
    Column("speed", "Speed", 6, 1, right=True),
)


def row(key: str, state: str = "ok", speed: str = "1", name: str = "") -> Row:
    return Row(key, (Cell(name or key), Cell(state), Cell(speed)))


def rows(count: int) -> list[Row]:
    return [row(f"r{number:02}") for number in range(count)]


class Bench(App[None]):
    """A table alone; what it asks to be repainted is noted."""

    def __init__(self, marking: bool = True) -> None:
        super().__init__()
        self.moves: list[str | None] = []
        self.marked: list[frozenset[str]] = []
        self.opened: list[str] = []
        self.regions: list[Region] = []
        self.whole = 0
        self.made = LineTable(COLUMNS, marking=marking)

    def compose(self) -> ComposeResult:
        yield self.made

    def on_mount(self) -> None:
        plain = self.made.refresh

        def refresh(*regions: Region, **options: bool) -> LineTable:
            self.regions += regions
            self.whole += not regions and not options.get("layout")
            return plain(*regions, **options)

        self.made.refresh = refresh  # type: ignore[method-assign]
        self.made.focus()

    def forget(self) -> None:
        self.regions.clear()
        self.whole = 0

    def on_line_table_moved(self, event: LineTable.Moved) -> None:
        self.moves.append(event.key)

    def on_line_table_marked(self, event: LineTable.Marked) -> None:
        self.marked.append(event.keys)

    def on_line_table_opened(self, event: LineTable.Opened) -> None:
        self.opened.append(event.key)

    @property
    def lines(self) -> list[str]:
        return [strip.text.rstrip() for strip in self.screen._compositor.render_strips()]


async def test_what_did_not_change_is_not_sent():
    app = Bench()
    async with app.run_test(size=(40, 10)) as pilot:
        app.made.apply(rows(5))
        await pilot.pause()
        app.forget()
        app.made.apply(rows(5))
        await pilot.pause()
        assert (app.regions, app.whole) == ([], 0)


@pytest.mark.parametrize(
    ("changed", "reach"),
    [
        (row("r02", speed="99"), GUTTER + 8 + GAP + 6 + GAP + 6),
        (row("r02", state="bad"), GUTTER + 8 + GAP + 6),
        (row("r02", name="other"), GUTTER + 8),
    ],
)
async def test_a_line_is_sent_up_to_its_last_changed_cell(changed, reach):
    app = Bench()
    async with app.run_test(size=(40, 10)) as pilot:
        app.made.apply(rows(5))
        await pilot.pause()
        app.forget()
        new = rows(5)
        new[2] = changed
        app.made.apply(new)
        await pilot.pause()
        assert (app.regions, app.whole) == ([Region(0, 3, reach, 1)], 0)


async def test_a_change_out_of_sight_is_not_sent_and_is_there_later():
    app = Bench()
    async with app.run_test(size=(40, 6)) as pilot:
        app.made.apply(rows(20))
        await pilot.pause()
        app.forget()
        new = rows(20)
        new[15] = row("r15", state="bad")
        app.made.apply(new)
        await pilot.pause()
        assert (app.regions, app.whole) == ([], 0)
        await pilot.press("G")
        await pilot.pause()
        assert any("bad" in line for line in app.lines)


async def test_the_cursor_stays_with_its_row():
    app = Bench()
    async with app.run_test(size=(40, 10)) as pilot:
        app.made.apply(rows(5))
        await pilot.press("j", "j")
        assert app.made.cursor == "r02"
        app.made.apply(list(reversed(rows(5))))
        assert app.made.cursor == "r02"
        app.made.apply(rows(5))
        app.made.apply([each for each in rows(5) if each.key != "r02"])
        assert app.made.cursor == "r03", "the next one down"
        app.made.apply([row("r00"), row("r01")])
        assert app.made.cursor == "r01", "the last one that is left above"
        app.made.apply([])
        assert app.made.cursor is None
        app.made.apply(rows(2))
        assert app.made.cursor == "r00"
        await pilot.pause()
        assert app.moves[-1] == "r00"


@pytest.mark.parametrize(
    ("keys", "cursor"),
    [
        ("j", "r01"),
        ("down down up", "r01"),
        ("k", "r00"),
        ("G", "r29"),
        ("end", "r29"),
        ("G home", "r00"),
        ("G g", "r00"),
        ("G j", "r29"),
        ("pagedown", "r09"),
        ("ctrl+f ctrl+b", "r00"),
        ("ctrl+d", "r04"),
        ("ctrl+d ctrl+u", "r00"),
    ],
)
async def test_keys_move_the_cursor_and_it_stays_in_sight(keys, cursor):
    app = Bench()
    async with app.run_test(size=(40, 10)) as pilot:
        app.made.apply(rows(30))
        await pilot.press(*keys.split())
        await pilot.pause()
        assert app.made.cursor == cursor
        assert any(line.startswith(f"›{cursor}") for line in app.lines), app.lines


async def test_no_rows_and_every_key():
    app = Bench()
    async with app.run_test(size=(40, 10)) as pilot:
        for keys in ("j", "k", "G", "g", "pagedown", "enter", "space", "asterisk"):
            await pilot.press(keys)
        app.made.apply([])
        await pilot.press("G", "space", "enter")
        assert app.made.cursor is None
        assert app.opened == []
        assert app.made.marks == frozenset()


async def test_marks_stay_with_their_rows():
    app = Bench()
    async with app.run_test(size=(40, 10)) as pilot:
        app.made.apply(rows(5))
        await pilot.press("space", "space")
        assert app.made.marks == {"r00", "r01"}
        assert app.made.cursor == "r02"
        await pilot.pause()
        assert [line[0] for line in app.lines[1:4]] == ["*", "*", "›"]
        app.made.apply(list(reversed(rows(5))))
        assert app.made.marks == {"r00", "r01"}
        app.made.apply([row("r04")])
        assert app.made.marks == frozenset(), "what is not shown is not acted on"
        app.made.apply(rows(5))
        await pilot.press("asterisk")
        assert len(app.made.marks) == 5
        await pilot.press("asterisk")
        assert app.made.marks == frozenset()
        await pilot.press("space", "ctrl+backslash")
        assert app.made.marks == frozenset()


async def test_a_marked_row_shows_the_cursor_too():
    app = Bench()
    async with app.run_test(size=(40, 10)) as pilot:
        app.made.apply(rows(1))
        await pilot.press("space")
        await pilot.pause()
        assert app.made.cursor == "r00"
        assert app.lines[1].startswith("*r00")


async def test_enter_opens():
    app = Bench()
    async with app.run_test(size=(40, 10)) as pilot:
        app.made.apply(rows(3))
        await pilot.press("j", "enter")
        await pilot.pause()
        assert app.opened == ["r01"]


@pytest.mark.parametrize("size", [(60, 20), (20, 4), (9, 2), (3, 1), (1, 1), (100, 30)])
async def test_resizing_keeps_the_cursor_in_sight_and_crashes_nowhere(size):
    app = Bench()
    async with app.run_test(size=(40, 10)) as pilot:
        app.made.apply(rows(30))
        await pilot.press("G", "k")
        await pilot.resize_terminal(*size)
        await pilot.pause()
        assert app.made.cursor == "r28"
        if size[1] > 1:
            assert any(line[:1] == "›" for line in app.lines), app.lines
        app.made.apply(rows(31))
        await pilot.resize_terminal(40, 10)
        await pilot.pause()
        assert any(line.startswith("›r28") for line in app.lines), app.lines


async def test_fewer_rows_scroll_back():
    app = Bench()
    async with app.run_test(size=(40, 6)) as pilot:
        app.made.apply(rows(30))
        await pilot.press("G")
        app.made.apply(rows(4))
        await pilot.pause()
        assert [line.strip("› ")[:3] for line in app.lines[1:5]] == ["r00", "r01", "r02", "r03"]


# Where the columns go


def placed(room: int) -> list[tuple[str, int, int]]:
    return [(each.column.key, each.at, each.width) for each in place(COLUMNS, room)]


def test_columns_have_their_places():
    assert placed(40) == [("name", 1, 8), ("state", 10, 6), ("speed", 17, 6)]
    assert placed(22) == [("name", 1, 8), ("state", 10, 6)], "the ranked one goes first"
    assert placed(12) == [("name", 1, 8), ("state", 10, 2)], "what stays is cut"
    assert placed(5) == [("name", 1, 4)]
    assert placed(0) == []


def test_the_highest_rank_goes_first_and_what_grows_takes_the_rest():
    columns = (Column("a", "A", 5, grows=True), Column("b", "B", 5, 2), Column("c", "C", 5, 1))
    assert [each.column.key for each in place(columns, 18)] == ["a", "b", "c"]
    assert [each.column.key for each in place(columns, 17)] == ["a", "c"]
    assert [each.column.key for each in place(columns, 10)] == ["a"]
    assert [each.width for each in place(columns, 40)] == [27, 5, 5]
    both = (Column("a", "A", 2, grows=True), Column("b", "B", 2, grows=True))
    assert [each.width for each in place(both, 11)] == [5, 4]


@pytest.mark.parametrize("columns", [0, 1, 2, 5, 8, 12])
@pytest.mark.parametrize(
    "text",
    ["", "abc", "abcdefghij", "naïve", "日本語のサーバ", "a日", "e\u0301t\u0301e", "\x1b[31mx"],
)
@pytest.mark.parametrize("right", [False, True])
@pytest.mark.parametrize("more", ["…", "~", "..."])
def test_a_fitted_text_has_exactly_its_columns(text, columns, right, more):
    found = fit(text, columns, right=right, more=more)
    assert columns_of(found) == columns
    assert found.isprintable()


def test_a_cut_is_shown():
    assert fit("abcdefghij", 5) == "abcd…"
    assert fit("日本語", 4) == "日 …"
    assert fit("abc", 5, right=True) == "  abc"
    assert width((Cell("日本"), Cell("ab", Tone.BAD))) == 6
