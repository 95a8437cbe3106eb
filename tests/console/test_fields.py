"""Fields of dialogs and wizards."""

from __future__ import annotations

from textual.app import App, ComposeResult

from smc_tui.console.dialogs.fields import Field, FieldRow


class Form(App[None]):
    """A form of one check box."""

    def compose(self) -> ComposeResult:
        yield FieldRow(Field("last_sync", "Perform One Last Synchronization", True))


def drawn(app: Form) -> str:
    """Return the first line of the screen, without its colours."""
    return "".join(segment.text for segment in app.screen._compositor.render_strips()[0]).strip()


async def test_a_check_box_is_told_by_its_mark_and_not_by_colour_alone() -> None:
    app = Form()
    async with app.run_test() as pilot:
        app.query_one(FieldRow).take_focus()
        await pilot.pause()
        assert drawn(app) == "[X] Perform One Last Synchronization"
        await pilot.press("space")
        assert drawn(app) == "[ ] Perform One Last Synchronization"
        assert app.query_one(FieldRow).value is False
