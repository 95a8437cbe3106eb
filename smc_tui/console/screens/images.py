"""The kept images: pin, verify, export, delete, and what retention takes next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType

from smc_tui.console.dialogs.fields import Field
from smc_tui.console.dialogs.question import Ask, Question
from smc_tui.console.keymap import bindings
from smc_tui.console.keys import IMAGE_KEYS, Key
from smc_tui.console.render import images
from smc_tui.console.render.cells import Cell, Line, Tone
from smc_tui.console.screens.page import Page
from smc_tui.console.screens.text import TextPage
from smc_tui.console.widgets.lines import Lines
from smc_tui.console.widgets.table import LineTable
from smc_tui.jobstore.requests import Request
from smc_tui.model import settings
from smc_tui.model.actions import ACTIONS, ActionId, Friction, image_refusal
from smc_tui.model.consequences import of_image
from smc_tui.model.errors import SmcError
from smc_tui.model.lifecycle import Status
from smc_tui.model.things import Image, Job
from smc_tui.model.units import bytes_text

#: What is said of an image when something was done with it.
_DONE: Mapping[str, str] = MappingProxyType(
    {
        "image.pin": "is pinned: retention passes over it",
        "image.unpin": "is no longer pinned",
        "image.verify": "is verified: every block is as it was written",
        "image.export": "is exported",
        "image.delete": "is deleted; f frees its room",
    }
)

#: The formats of an exported disk, each with what it means.
_FORMATS = {"raw": "a sparse file, as big as the disk", "qcow2": "for QEMU, only what is used"}


class ImagesScreen(Page):
    """The images of a job, or all.

    Args:
        job: whose; None: all.
    """

    KEYS: ClassVar[tuple[Key, ...]] = IMAGE_KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(IMAGE_KEYS)

    def __init__(self, job: Job | None = None) -> None:
        super().__init__()
        self._job = job
        self._works: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        """The title, the images, what is to be known, what is under way, the keys."""
        yield Lines(id="title")
        yield LineTable(images.COLUMNS, glyphs=self.console.glyphs)
        yield Lines(id="preview", least=2)
        yield Lines(id="works", least=0)
        yield Lines(id="hints")

    def on_mount(self) -> None:
        """Take the keys."""
        self.query_one(LineTable).focus()

    def name_shown(self) -> str:
        """Return the page's title."""
        return "Images" if self._job is None else f"Images: {self._job.name}"

    # Showing

    def show_snapshot(self) -> None:
        """Show the newest snapshot, the newest image first."""
        super().show_snapshot()
        snapshot = self.console.snapshot
        everything = list(snapshot.images.values())
        gone = images.going(everything, snapshot.jobs)
        next_ones = {image.id for found in gone.values() for image in found}
        ahead = snapshot.engine.ahead
        rows = [
            images.row(image, image.id in next_ones, ahead)
            for image in reversed(everything)
            if self._job is None or image.job_id == self._job.id
        ]
        self.query_one(LineTable).apply(rows)
        self._preview()
        self.query_one("#works", Lines).show(self._under_way())

    @on(LineTable.Moved)
    def _preview(self) -> None:
        image, snapshot = self._image, self.console.snapshot
        lines = images.preview(None, None, (), 0)
        if image is not None:
            job, own = snapshot.jobs.get(image.job_id), snapshot.images_of(image.job_id)
            gone = images.going(own, {job.id: job}).get(job.id, []) if job else []
            lines = images.preview(image, job, gone, len(own))
        self.query_one("#preview", Lines).show(lines)

    def _under_way(self) -> list[Line]:
        lines: list[Line] = []
        for request_id, what in self._works.items():
            told = self.console.store.request(request_id).progress
            total, done = (float(told.get(name) or 0) for name in ("total", "done"))
            far = f"{int(100 * done / total)} % of {bytes_text(total)}" if total else "begun"
            lines.append((Cell(f" {what}: {far}", Tone.BUSY),))
        return lines

    @property
    def _image(self) -> Image | None:
        cursor = self.query_one(LineTable).cursor
        return self.console.snapshot.images.get(cursor or "")

    def action_all(self) -> None:
        """Show those of the job under the cursor alone, or all."""
        image = self._image
        jobs = self.console.snapshot.jobs
        if self._job is not None:
            self._job = None
        elif image is not None and image.job_id in jobs:
            self._job = jobs[image.job_id]
        self.show_snapshot()

    @on(LineTable.Opened)
    def _opened(self) -> None:
        image, ahead = self._image, self.console.snapshot.engine.ahead
        if image is not None:
            title = f"Image: {image.name}"
            self.app.push_screen(
                TextPage(title, lambda columns: images.image_lines(image, columns, ahead))
            )

    def action_copy_id(self) -> None:
        """Hand the image's id to the terminal's clipboard."""
        image = self._image
        if image is not None:
            self.console.copy(f"the id of {image.name}", image.id)

    # Acting

    def action_pin(self) -> None:
        """Pin the image, or unpin it."""
        image = self._image
        if image is not None:
            self.action_image(ActionId.IMAGE_UNPIN if image.pinned else ActionId.IMAGE_PIN)

    def action_collect(self) -> None:
        """Free what no image needs."""
        self._submit("smc-tui store collect", "store.collect", "", {}, "the store")

    @work
    async def action_image(self, chosen: str) -> None:
        """Carry out a row of the action table on the image under the cursor."""
        row, image = ACTIONS[ActionId(chosen)], self._image
        if image is None or not self.console.may_ask():
            return
        siblings = self.console.snapshot.images_of(image.job_id)
        job = self.console.snapshot.jobs.get(image.job_id)
        unfinished = job is not None and job.status is not Status.FINISHED
        error = image_refusal(row, image, siblings, unfinished)
        if error is not None:
            self.notify(error.line, severity="warning", markup=False)
            return
        asked = question(row.id, image, siblings)
        answers: Mapping[str, Any] | None = {}
        if asked is not None:
            answers = await self.app.push_screen_wait(Ask(asked))
        if answers is not None:
            what = f"smc-tui image {row.verb.partition('.')[2]} {image.name}"
            self._submit(what, row.verb, image.id, arguments(answers), image.name)

    def _submit(self, what: str, verb: str, target: str, args: dict[str, Any], name: str) -> None:
        def tell(request: Request, error: SmcError | None) -> None:
            self._told(request, error, verb, name)

        try:
            identity = self.console.desk.ask(what, verb, target, args, tell)
        except SmcError as error:
            self.notify(error.line, severity="error", markup=False)
        else:
            self._works[identity] = what.removeprefix("smc-tui ")
            self.show_snapshot()

    def _told(self, request: Request, error: SmcError | None, verb: str, name: str) -> None:
        if error is None and not request.state.ended:
            return
        self._works.pop(request.id, None)
        if self.is_attached:
            self.show_snapshot()
        # By the app: the page may be closed when the answer comes.
        if error is not None:
            self.console.notify(error.line, title=name, severity="error", markup=False)
            return
        freed = request.result.get("bytes_freed")
        said = f"{bytes_text(freed)} are freed" if freed is not None else _DONE.get(verb, "done")
        self.console.notify(f"{name} {said}" if verb in _DONE else said, markup=False)


def question(action: ActionId, image: Image, siblings: Sequence[Image]) -> Question | None:
    """Return what is asked before an action on an image, None where nothing is."""
    row = ACTIONS[action]
    command = f"smc-tui image {row.verb.partition('.')[2]} {image.name}"
    if action is ActionId.IMAGE_EXPORT:
        return Question(
            title=f"{row.label}: {image.name}",
            lines=("Exporting: a disk is written to a file of this host, every block verified.",),
            act="Export",
            keep="Leave it",
            fields=export_fields(image),
            command=f"{command} FILE",
        )
    if row.friction is Friction.NONE:
        return None
    return Question(
        title=f"{row.label}: {image.name}",
        lines=of_image(image, siblings).lines,
        act="Delete the image",
        keep="Keep the image",
        name=image.name,
        command=command,
    )


def export_fields(image: Image) -> list[Field]:
    """Return what is chosen about an export."""
    disks = {
        str(disk["index"]): f"{disk.get('path')}, {bytes_text(int(disk['size']))}"
        for disk in image.disks
    }
    fields = [Field("path", "File", "", _file, "from / on")]
    if len(disks) > 1:
        fields.append(Field("disk", "Disk", next(iter(disks)), choices=disks))
    return [*fields, Field("format", "Format", "raw", choices=_FORMATS)]


def _file(text: str) -> str:
    return settings.absolute(str(Path(text).expanduser()))


def arguments(answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request's arguments from the answers of its question."""
    args = dict(answers)
    if "path" in args:
        args["path"] = _file(args["path"])
    if "disk" in args:
        args["disk"] = int(args["disk"])
    return args
