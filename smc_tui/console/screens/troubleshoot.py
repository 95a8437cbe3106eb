"""Troubleshoot Errors: what went wrong with a job, and what helps, a key each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll

from smc_tui.console.dialogs.fields import Field
from smc_tui.console.dialogs.question import Ask, Question
from smc_tui.console.keymap import bindings
from smc_tui.console.keys import JOB_KEYS, TROUBLE_KEYS
from smc_tui.console.render import story, troubles
from smc_tui.console.render.cells import Cell, Line, Tone
from smc_tui.console.screens.jobscreen import JobScreen
from smc_tui.console.screens.page import hint_line
from smc_tui.console.widgets.lines import Lines
from smc_tui.console.widgets.table import LineTable
from smc_tui.jobstore.logs import last_lines, log_of
from smc_tui.jobstore.requests import Request
from smc_tui.model.actions import ActionId
from smc_tui.model.errors import SmcError
from smc_tui.model.things import Job, Source
from smc_tui.model.troubles import Remedy, failed_run, fingerprint

#: Rows of the page that are not text: title, the fixes' heading, the keys.
_AROUND = 3
#: Rows that the text keeps, however many fixes there are.
_TEXT = 4


#: What is said when it went well.
_WELL = {
    "source.check": "the source answers and has the disks that were imported: retry",
    "store.collect": "what nothing needs is freed: retry",
}


class TroubleshootScreen(JobScreen):
    """The error of one job; the keys of jobs act on it."""

    DEFAULT_CSS = """
    TroubleshootScreen VerticalScroll { height: 1fr; scrollbar-size-vertical: 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings((*TROUBLE_KEYS, *JOB_KEYS.values()))

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job

    @property
    def current_job(self) -> Job | None:
        """The job, unless it is gone."""
        return self.console.snapshot.jobs.get(self._job.id)

    @property
    def _source(self) -> Source | None:
        return self.console.snapshot.sources.get(self._job.source_id)

    def compose(self) -> ComposeResult:
        """The title, what is known, what helps, the keys."""
        yield Lines(id="title")
        with VerticalScroll():
            yield Lines(id="error")
        yield Lines(id="todo")
        yield LineTable(troubles.FIXES, glyphs=self.console.glyphs, header=False)
        yield Lines(id="hints")

    def on_mount(self) -> None:
        """Take the keys."""
        self.query_one(LineTable).focus()

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.show_snapshot()

    def show_snapshot(self) -> None:
        """Show the newest snapshot."""
        app, columns = self.console, self.size.width
        self._job = self.current_job or self._job
        title = story.title(f"Troubleshoot Errors: {self._job.name}", app.snapshot, columns)
        trouble: Line = (Cell(f" {app.trouble.line}", Tone.BAD),) if app.trouble else title
        rows = troubles.fixes(self._job, self._source, app.keymap, app.options.read_only)
        self._show("#title", trouble)
        self._show("#error", *self._error(columns - 1))
        heading = "What helps, the likeliest first; enter does it" if rows else ""
        self._show("#todo", (Cell(f" {heading}", Tone.STRONG),))
        table = self.query_one(LineTable)
        table.styles.height = min(len(rows), max(1, self.size.height - _AROUND - _TEXT))
        table.apply(rows)
        self._show("#hints", hint_line(app, TROUBLE_KEYS, columns))

    def _show(self, where: str, *lines: Line) -> None:
        self.query_one(where, Lines).show(lines)

    def _error(self, columns: int) -> list[Line]:
        facts = self._facts(self._job)
        home = self.console.store.home
        run = failed_run(self._job, facts.runs)
        log = log_of(home, self._job.id, run)
        return troubles.lines(
            facts, self._source, str(log or ""), last_lines(log) if log else [], columns
        )

    # What helps

    @on(LineTable.Opened)
    def _opened(self, event: LineTable.Opened) -> None:
        self.action_remedy(event.key)

    def action_remedy(self, chosen: str) -> None:
        """Do one of the things that help."""
        remedy = Remedy(chosen)
        acts: Mapping[Remedy, Callable[[], object]] = {
            Remedy.CHECK_SOURCE: self._check,
            Remedy.ACCEPT_KEY: self._accept_key,
            Remedy.IMAGES: self.action_images,
            Remedy.COLLECT: lambda: self._ask("smc-tui store collect", "store.collect", "", {}),
            Remedy.STORE: lambda: self.console.action_page("health"),
            Remedy.IMPORT: self.action_import_source,
        }
        if remedy in acts:
            acts[remedy]()
            return
        action = ActionId(troubles.KEYS[remedy].partition(".")[2])
        self.act_on(action, self.chosen_jobs, {})

    def _check(self) -> None:
        source = self._source
        if source is not None:
            self._ask(f"smc-tui source check {source.name}", "source.check", source.id, {})

    @work
    async def _accept_key(self) -> None:
        """Ask for the host key that was compared, and check the source with it."""
        source = self._source
        if source is None or source.ssh is None or not self.console.may_ask():
            return
        answers = await self.app.push_screen_wait(Ask(key_question(self._job, source)))
        if answers is not None:
            key = str(answers["accept_key"]).strip()
            what = f"smc-tui source check {source.name} --accept-key {key}"
            self._ask(what, "source.check", source.id, {"accept_key": key})

    def _ask(self, what: str, verb: str, target: str, args: dict[str, Any]) -> None:
        def tell(request: Request, error: SmcError | None) -> None:
            # By the app: the page may be closed when the answer comes.
            if error is not None:
                self.console.notify(error.line, title=what, severity="error", markup=False)
            elif request.state.ended:
                self.console.notify(_WELL[verb], title=what, markup=False)

        try:
            self.console.desk.ask(what, verb, target, args, tell)
        except SmcError as error:
            self._say(error.line, "error")
        else:
            self._say(f"{what} …", "information")

    def action_import_source(self) -> None:
        """Open the wizard that imports a source."""
        from smc_tui.console.screens.import_source import ImportSource

        if self.console.may_ask():
            self.app.push_screen(ImportSource())


def key_question(job: Job, source: Source) -> Question:
    """Return what is asked before another host key is accepted."""
    before = (source.host_key or {}).get("fingerprint", "none")
    found = fingerprint(job, source)
    shown = found or "not known yet: read it on the server, or check the source"
    return Question(
        title=f"Accept another host key: {source.name}",
        lines=(
            "A changed key means a reinstalled server, or someone in between.",
            f"  Accepted: {before}",
            f"  Shown: {shown}",
            "  Compare: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub, on the server itself",
        ),
        act="Accept this key",
        keep="Do not accept it",
        name=source.name,
        fields=(Field("accept_key", "Fingerprint", found, _checked, "SHA256:…"),),
        command=f"smc-tui source check {source.name} --accept-key {found or 'FINGERPRINT'}",
    )


def _checked(text: str) -> str:
    if not text.strip().startswith("SHA256:"):
        raise SmcError("InvalidParameter.Missing", "a fingerprint begins with SHA256:")
    return text
