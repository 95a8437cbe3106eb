"""What the app itself does when asked by key, palette or command: pages and copies.

Each page is imported when it is first opened: the first picture does not wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.app import App

from smc_tui.console import clipboard
from smc_tui.model.errors import SmcError

if TYPE_CHECKING:
    from smc_tui.console.app import ConsoleApp


#: Pages that have a key of their own.
PAGES = {
    "images": "smc_tui.console.screens.images:ImagesScreen",
    "health": "smc_tui.console.screens.health:HealthScreen",
    "resources": "smc_tui.console.screens.health:ResourcesScreen",
}


class Doors(App[int]):
    """The doors of the app; ``ConsoleApp`` has the rooms."""

    @property
    def _console(self) -> ConsoleApp:
        return cast("ConsoleApp", self)

    def action_page(self, name: str) -> None:
        """Open a page, or come back to it; the one that is open stays."""
        from importlib import import_module

        from textual.screen import ModalScreen

        module, _, kind = PAGES[name].partition(":")
        page = getattr(import_module(module), kind)
        while len(self.screen_stack) > 2 and not isinstance(self.screen, page):
            if isinstance(self.screen, ModalScreen):
                return
            self.pop_screen()
        if not isinstance(self.screen, page):
            self.push_screen(page())

    def copy(self, what: str, text: str) -> None:
        """Hand a text to the terminal's clipboard, or leave it in a file; say which."""
        driver, folder = self._driver, self._console.store.home.path
        try:
            told = clipboard.copy(what, text, driver.write if driver else str, folder)
        except SmcError as error:
            self.notify(error.line, severity="error", markup=False)
        else:
            self.notify(told, markup=False)
