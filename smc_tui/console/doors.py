"""What the app itself does when asked by key, palette or command: pages, commands, copies.

Each page is imported when it is first opened: the first picture does not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual import work

from smc_tui.console import command, views
from smc_tui.console.keys import BY_ID
from smc_tui.console.options import THEME_NAMES
from smc_tui.console.shell import Shell
from smc_tui.model.actions import ActionId
from smc_tui.model.errors import SmcError
from smc_tui.model.things import Job

if TYPE_CHECKING:
    from textual.command import Provider

    from smc_tui.console.screens.jobscreen import JobScreen
    from smc_tui.console.screens.migration import MigrationScreen
    from smc_tui.console.widgets.commandbar import CommandBar


#: Pages that have a key of their own.
PAGES = {
    "images": "smc_tui.console.screens.images:ImagesScreen",
    "health": "smc_tui.console.screens.health:HealthScreen",
    "resources": "smc_tui.console.screens.health:ResourcesScreen",
}


def _palette() -> type[Provider]:
    from smc_tui.console.palette import Actions

    return Actions


class Doors(Shell):
    """The doors of the app."""

    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {_palette}

    # Pages

    @property
    def migration(self) -> MigrationScreen:
        """The Server Migration page, which is always there."""
        from smc_tui.console.screens.migration import MigrationScreen

        return next(each for each in self.screen_stack if isinstance(each, MigrationScreen))

    @property
    def _job_page(self) -> JobScreen:
        """The page on top that shows jobs."""
        from smc_tui.console.screens.jobscreen import JobScreen

        return next(each for each in reversed(self.screen_stack) if isinstance(each, JobScreen))

    def view(self, action: ActionId, job: Job) -> bool:
        """Open the page that shows what an action only shows; False: there is none.

        Raises:
            SmcError: JobStore.*, ReplicationJob.NotFound.
        """
        page = views.page(action, job, self)
        if page is not None and not isinstance(self.screen, type(page)):
            self.push_screen(page)
        return page is not None

    def order(self) -> list[str]:
        """Return the keys of the Server Migration page's rows as they stand there."""
        from smc_tui.console.widgets.table import LineTable

        return list(self.migration.query_one(LineTable).keys)

    def show_row(self, key: str) -> None:
        """Put the cursor of the Server Migration page on a row, now or when there is one."""
        self.migration.stand_on(key)

    def go_to(self, key: str) -> None:
        """Go to a row of the Server Migration page."""
        self.back_to_migration().stand_on(key)

    def back_to_migration(self) -> MigrationScreen:
        """Close every page over the Server Migration page and return it."""
        while self.screen is not self.migration:
            self.pop_screen()
        return self.migration

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

    def action_help(self) -> None:
        """Show every key that is understood now; enter on one does it."""
        from smc_tui.console.dialogs.help import Help

        self.push_screen(Help(self.screen, self.keymap), self._run_chosen)

    def _run_chosen(self, chosen: str | None) -> None:
        if chosen is not None:
            self.press(chosen)

    @work
    async def press(self, identity: str) -> None:
        """Do what a key does, by its id, as if it were pressed now."""
        key = BY_ID[identity]
        for node in (self.focused, self.screen, self.migration, self):
            if node is None:
                continue
            known = {binding.id for _, binding in node._bindings}
            if identity in known:
                await self.run_action(key.action, default_namespace=node)
                return

    # Commands

    def action_command_line(self) -> None:
        """Open the ``:`` line."""
        from smc_tui.console.widgets.commandbar import CommandBar

        if not self.screen.query(CommandBar):
            bar = CommandBar(self.commands, lambda line: command.completions(line, self._known))
            bar.back_to = self.focused
            self.screen.mount(bar)

    @property
    def _known(self) -> command.Known:
        snapshot = self.snapshot
        return command.Known(
            [job.name for job in snapshot.jobs.values()],
            [source.name for source in snapshot.sources.values()],
            [column.key for column in self.migration.columns],
            list(THEME_NAMES),
        )

    def on_command_bar_given(self, event: CommandBar.Given) -> None:
        """Carry out a line, or say in the bar what is wrong with it."""
        event.stop()
        program = self.options.back
        try:
            wanted = None if event.line is None else command.parse(event.line, self._known, program)
            if wanted is not None:
                self._perform(wanted)
        except SmcError as error:
            event.bar.say(error.detail)
            return
        self._close(event.bar)

    def _close(self, bar: CommandBar) -> None:
        page = bar.screen
        if page is self.screen and page.focused is bar.field:
            page.set_focus(bar.back_to, scroll_visible=False)
        bar.remove()

    def _perform(self, wanted: command.Wanted) -> None:
        """Do what a command wants.

        Raises:
            SmcError: what is named is not there, or this console may not.
        """
        match wanted:
            case command.Act(action, refs, given):
                jobs = [self._job(ref) for ref in refs] or self._job_page.chosen_jobs
                if not jobs:
                    raise SmcError("InvalidParameter.Missing", "a job; none is chosen here")
                self._job_page.act_on(action, jobs, given)
            case command.OnSource(action, ref):
                self.migration.act_on_source(action, self.store.source(ref))
            case command.NewJob(ref):
                self.migration.open_new_job(self.store.source(ref) if ref else None)
            case command.Page(name):
                self.action_page(name)
            case command.Press(key):
                self.press(key)
            case command.Filter(words):
                self.back_to_migration().filter_by(words)
            case command.Sort(column, descending):
                self.back_to_migration().sort_by(column, descending)
            case command.Theme(name):
                self.theme = THEME_NAMES[name]

    def _job(self, ref: str) -> Job:
        jobs = self.snapshot.jobs
        for job in jobs.values():
            if ref in (job.id, job.name):
                return job
        raise SmcError("ReplicationJob.NotFound", f"there is no job {ref}")
