"""What every page, dialog and palette knows of the app that it is shown in."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

from textual.app import App

from smc_tui.console import clipboard
from smc_tui.console.keymap import Keymap
from smc_tui.console.leave import Leave
from smc_tui.console.options import Options
from smc_tui.console.render.glyphs import DRAWN, PLAIN
from smc_tui.console.requests import Desk
from smc_tui.jobstore import JobStore
from smc_tui.jobstore.feed import Feed, Snapshot
from smc_tui.model.actions import ActionId
from smc_tui.model.errors import SmcError
from smc_tui.model.things import Job


class Shell(App[int]):
    """The app as its pages see it: the newest snapshot, the desk, what was chosen.

    Attributes:
        options: what was chosen at its start.
        keymap: how keys are told, and what a person has made of them.
        glyphs: the terminal's signs.
        store: the job store, for what the snapshot leaves out.
        desk: takes requests.
        trouble: why the job store cannot be read now.
        frozen: the snapshot is held for a person to read.
        commands: what was typed on the ``:`` line.
    """

    def __init__(
        self,
        store: JobStore,
        options: Options | None = None,
        start_engine: Callable[[], None] | None = None,
    ) -> None:
        super().__init__()
        self.options = options or Options()
        self.start_engine = start_engine
        self.keymap = Keymap(self.options.keys)
        self.set_keymap(self.keymap.chosen)
        self.glyphs = PLAIN if self.options.ascii else DRAWN
        self.store = store
        self.feed = Feed(store)
        self.desk = Desk(store, self.options.read_only, start_engine and self.action_start_engine)
        self.trouble: SmcError | None = None
        self.frozen = False
        self.commands: list[str] = []

    @property
    def snapshot(self) -> Snapshot:
        """The newest look at the job store."""
        return self.feed.snapshot

    @property
    def leave(self) -> Leave:
        """What may be asked now."""
        return Leave(self.options.read_only, self.snapshot.engine.abilities)

    def complain(self, error: SmcError) -> None:
        """Tell a person what is wrong."""
        self.notify(error.line, severity="error", markup=False)

    def may_ask(self) -> bool:
        """Tell whether this console may ask for anything; where not, say why."""
        try:
            self.desk.check()
        except SmcError as error:
            self.complain(error)
            return False
        return True

    def copy(self, what: str, text: str) -> None:
        """Hand a text to the terminal's clipboard, or leave it in a file; say which."""
        driver, folder = self._driver, self.store.home.path
        try:
            told = clipboard.copy(what, text, driver.write if driver else str, folder)
        except SmcError as error:
            self.complain(error)
        else:
            self.notify(told, markup=False)

    # What the app does for its pages

    @abstractmethod
    def action_start_engine(self) -> object:
        """Start the engine, if this console may and none runs."""

    @abstractmethod
    def show_snapshot(self) -> None:
        """Have the screen on top show the newest snapshot."""

    @abstractmethod
    def action_page(self, name: str) -> None:
        """Open a page, or come back to it; the one that is open stays."""

    @abstractmethod
    def view(self, action: ActionId, job: Job) -> bool:
        """Open the page that shows what an action only shows; False: there is none.

        Raises:
            SmcError: JobStore.*, ReplicationJob.NotFound.
        """

    @abstractmethod
    def order(self) -> list[str]:
        """Return the keys of the Server Migration page's rows as they stand there."""

    @abstractmethod
    def show_row(self, key: str) -> None:
        """Put the cursor of the Server Migration page on a row, now or when there is one."""

    @abstractmethod
    def go_to(self, key: str) -> None:
        """Go to a row of the Server Migration page."""

    @abstractmethod
    def press(self, identity: str) -> object:
        """Do what a key does, by its id, as if it were pressed now."""
