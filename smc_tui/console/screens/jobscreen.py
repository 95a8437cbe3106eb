"""What the pages that show jobs have in common: acting on those chosen."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, cast

from textual import work
from textual.screen import Screen

from smc_tui.console import acts, several
from smc_tui.console.dialogs.menu import ActionMenu
from smc_tui.console.dialogs.question import Ask
from smc_tui.console.render.cells import Line
from smc_tui.console.widgets.lines import Lines
from smc_tui.model.actions import ACTIONS, ActionId, Friction
from smc_tui.model.consequences import Facts
from smc_tui.model.errors import SmcError
from smc_tui.model.things import Job, Source

if TYPE_CHECKING:
    from smc_tui.console.shell import Shell
    from smc_tui.jobstore.requests import Request


class JobScreen(Screen[None]):
    """A page on which jobs are chosen and acted on, by keys, menu, palette or command."""

    @property
    def console(self) -> Shell:
        """The app, by its own name."""
        return cast("Shell", self.app)

    @property
    def current_job(self) -> Job | None:
        """The job that the page is about, or that the cursor stands on."""
        raise NotImplementedError

    @property
    def chosen_jobs(self) -> Sequence[Job]:
        """The marked jobs, else the current one."""
        job = self.current_job
        return () if job is None else (job,)

    def acted(self) -> None:
        """Hear that the chosen jobs were acted on, several at once."""

    def on_screen_resume(self) -> None:
        """Show what has come while another page was on top."""
        self.show_snapshot()

    def _lines(self, where: str, lines: Sequence[Line]) -> None:
        self.query_one(where, Lines).show(lines)

    # Copies, the view

    def copy_id(self, name: str, identity: str) -> None:
        """Hand an id to the terminal's clipboard."""
        self.console.copy(f"the id of {name}", identity)

    def copy_document(self, name: str, document: Callable[[], Mapping[str, Any]]) -> None:
        """Hand a document of the command line to the terminal's clipboard."""
        try:
            text = json.dumps(document(), indent=2, ensure_ascii=False)
        except SmcError as error:
            self._say(error.line, "error")
        else:
            self.console.copy(f"{name} as JSON", text)

    def action_freeze(self) -> None:
        """Stop and go on looking; the engine does not notice."""
        self.console.frozen = not self.console.frozen
        self.show_snapshot()

    def show_snapshot(self) -> None:
        """Show the newest snapshot."""
        raise NotImplementedError

    def view(self, action: ActionId, job: Job) -> None:
        """Show what an action that only shows something shows."""
        if not self.console.view(action, job):
            command = acts.viewing(action, job, self.console.options.back)
            self._say(f"in a shell: {command}", "information")

    def action_images(self) -> None:
        """Open the images of the current job."""
        from smc_tui.console.screens.images import ImagesScreen

        self.app.push_screen(ImagesScreen(self.current_job))

    def action_back(self) -> None:
        """Go back to the page before."""
        self.app.pop_screen()

    # Acting

    @work
    async def action_actions(self) -> None:
        """Open the action menu of the chosen jobs."""
        jobs, current = list(self.chosen_jobs), self.current_job
        if current in jobs:
            jobs.remove(current)
            jobs.insert(0, current)
        if not jobs:
            return
        console = self.console
        menu = ActionMenu(jobs, console.keymap, console.leave)
        chosen = await self.app.push_screen_wait(menu)
        if chosen is not None:
            await self._act(chosen, self.chosen_jobs)

    @work
    async def action_act(self, action: str) -> None:
        """Carry out an action on the chosen jobs, if it is offered."""
        await self._act(ActionId(action), self.chosen_jobs)

    def act_on(self, action: ActionId, jobs: Sequence[Job], given: Mapping[str, Any]) -> None:
        """Carry out an action on these jobs, with some or all answers given beforehand."""
        self.run_worker(self._act(action, jobs, given))

    async def _act(
        self,
        action: ActionId,
        jobs: Sequence[Job],
        given: Mapping[str, Any] = acts.NOTHING_GIVEN,
    ) -> None:
        try:
            if ACTIONS[action].verb:
                self.console.desk.check()
            if len(jobs) > 1 and ACTIONS[action].verb:
                await self._several(several.group(action, jobs, self.console.leave), given)
            elif jobs:
                await self._one(action, self.current_job or jobs[0], jobs, given)
        except SmcError as error:
            self._say(error.line, "error")

    async def _one(
        self, action: ActionId, current: Job, jobs: Sequence[Job], given: Mapping[str, Any]
    ) -> None:
        # Of several marked jobs one can be shown: that under the cursor.
        job = jobs[0] if len(jobs) == 1 else current
        error = self.console.leave.refusal(ACTIONS[action], job)
        if error is not None:
            self._say(error.line, "warning")
            return
        if not ACTIONS[action].verb:
            self.view(action, job)
            return
        facts = self._facts(job)
        asked = acts.question(action, facts, given)
        answers: Mapping[str, Any] | None = given
        if asked is not None:
            answers = await self.app.push_screen_wait(acts.AskAction(action, facts, asked))
            answers = None if answers is None else {**given, **answers}
        wanted = None if answers is None else acts.step(action, job, answers)
        if wanted is not None:
            self.console.desk.ask(wanted.command, wanted.verb, wanted.target, wanted.args)

    async def _several(self, chosen: several.Group, given: Mapping[str, Any]) -> None:
        if not chosen.jobs:
            _, error = chosen.refused[0]
            count = len(chosen.refused)
            self._say(f"possible for none of the {count} marked. {error.line}", "warning")
            return
        facts = [self._facts(job) for job in chosen.jobs]
        asked = several.question(chosen, facts, given)
        answers = await self.app.push_screen_wait(several.AskSeveral(chosen, facts, asked))
        if answers is None:
            return
        steps = several.steps(chosen, {**given, **answers})
        names = {job.id: job.name for job in chosen.jobs}
        batch = several.Batch(asked.title, [names[step.target] for step in steps])
        for step in steps:
            name = names[step.target]
            tell = partial(self._answered, batch, name)
            try:
                self.console.desk.ask(step.command, step.verb, step.target, step.args, tell)
            except SmcError as error:
                self._take(batch, name, error)
        self.acted()

    def _answered(
        self, batch: several.Batch, name: str, _request: Request, error: SmcError | None
    ) -> None:
        self._take(batch, name, error)

    def _take(self, batch: several.Batch, name: str, error: SmcError | None) -> None:
        if batch.take(name, error):
            text, well = batch.summary()
            severity: Literal["information", "error"] = "information" if well else "error"
            # By the app: the page may be closed when the last answer comes.
            self.console.notify(text, title=batch.title, severity=severity, markup=False)

    def act_on_source(self, action: ActionId, source: Source) -> None:
        """Check or remove a source; removing asks first."""
        self.run_worker(self._on_source(action, source))

    async def _on_source(self, action: ActionId, source: Source) -> None:
        if not self.console.may_ask():
            return
        row = ACTIONS[action]
        if row.friction is not Friction.NONE:
            images = self.console.snapshot.images.values()
            made = [image for image in images if image.source_id == source.id]
            answers = await self.app.push_screen_wait(Ask(acts.source_question(row, source, made)))
            if answers is None:
                return
        try:
            self.console.desk.ask(acts.source_command(row, source), row.verb, source.id)
        except SmcError as error:
            self._say(error.line, "error")

    def _facts(self, job: Job) -> Facts:
        snapshot = self.console.snapshot
        return Facts(
            job,
            snapshot.images_of(job.id),
            self.console.store.runs(job.id),
            snapshot.resources.get(job.id),
            time.time() + snapshot.engine.ahead,
            self.console.options.config,
        )

    def _say(self, text: str, severity: Literal["information", "warning", "error"]) -> None:
        self.notify(text, severity=severity, markup=False)
