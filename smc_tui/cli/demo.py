"""``smc-tui demo``: the whole way of a migration, on a server made for it.

On a terminal the console shows several such servers (``showcase.py``).

Nothing here has a way of its own: each step is a request that any console or command
would write, answered by a real engine in a home folder of the demo's own. Only the
scheduler's clock is special: an hour passes in seconds.
"""

from __future__ import annotations

import shlex
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

import click

from smc_tui.cli import launch, pages
from smc_tui.cli.grammar import Verb
from smc_tui.cli.jobwait import poll, wait_for
from smc_tui.cli.output import Part
from smc_tui.cli.progress import RunWatch, following
from smc_tui.cli.sample import Change, SampleDisk, first_difference
from smc_tui.cli.session import Deadline, Detached, Interrupted, Session
from smc_tui.cli.target import Target
from smc_tui.cli.words import named, size, span
from smc_tui.model.catalogue import ExitCode
from smc_tui.model.documents import Document
from smc_tui.model.errors import SmcError
from smc_tui.model.units import MIB, bytes_text

NAME = "demo-server"

#: An hour of the scheduler in three seconds: time to read a line, not to get bored.
TIME_LAPSE = 1200.0
KEEP = 3
#: A link fast enough not to bore and slow enough for its bars to be seen, Mbit/s.
LINK_TO_WATCH = 400
#: Syncs that the scheduler begins by itself before the last one.
SCHEDULED = 2
#: Sizes of a sample disk: the one that is proven, and each of those in the console.
HEADLESS_MIB, SHOWN_MIB = 384, 128
#: Nothing in the demo takes this long on a machine that works.
PATIENCE = 120.0


@click.command("demo", cls=Verb, short_help="Show it all on sample servers: migrate, sync, prove.")
@click.option("--headless", is_flag=True, help="Plain lines for scripts; exit 0 only if proven.")
@click.option(
    "--size",
    "mebibytes",
    type=click.IntRange(min=16, max=1 << 20),
    metavar="MIB",
    help=f"Size of each sample disk in MiB. [default: {SHOWN_MIB}, headless {HEADLESS_MIB}]",
)
@click.option("--keep", is_flag=True, help="Leave the home folder and the sample disk there.")
@click.pass_obj
def demo(session: Session, headless: bool, mebibytes: int | None, keep: bool) -> int:
    """Show migrations of sample servers that are made for it.

    On a terminal the console opens on sample servers in every state: bars move, intervals
    come round, and all that the console can do can be tried. Leaving it (q) ends the demo.

    With --headless, and without a terminal, the whole way of one server goes by in plain
    lines, in about half a minute: imported, migrated in full, changed, kept in step by
    the scheduler under a time-lapse clock, completed with a last synchronisation, and the
    newest image proven equal to the disk byte for byte. Everything is removed at the
    end, unless --home DIR or --keep is given.
    """
    from smc_tui.cli.console import on_terminal

    keep = keep or session.home_given is not None
    shown = on_terminal() and not (headless or session.out.json)
    with _ending_as_interrupt():
        session.home_given = session.home_given or tempfile.mkdtemp(prefix="smc-tui-demo-")
        home = session.home.path
        try:
            if not shown:
                session.out.plain = headless
                return _play(session, mebibytes or HEADLESS_MIB)
            # Here, because it is a console that costs.
            from smc_tui.cli.showcase import show

            return show(session, mebibytes or SHOWN_MIB, keep)
        except (KeyboardInterrupt, Detached):
            raise Interrupted("the demo was interrupted and is over") from None
        finally:
            session.close()
            if keep:
                quoted = shlex.quote(str(home))
                session.out.talk(f"Kept: {home}. To see it: smc-tui --home {quoted}")
            else:
                shutil.rmtree(home, ignore_errors=True)


def _play(session: Session, mebibytes: int) -> int:
    """Go the whole way of one server in lines, and prove it; return the exit status.

    Raises:
        SmcError: Demo.NotEqual, and why it cannot go on.
    """
    with _engine(session):
        workspace = Path(tempfile.mkdtemp(prefix="demo-", dir=session.home.path))
        receipt = Demo(session, SampleDisk(workspace / "server.img", mebibytes * MIB)).play()
    if session.out.json:
        session.out.document(receipt)
    if not receipt["equal"]:
        raise SmcError("Demo.NotEqual", f"they differ at byte {receipt['first_difference']}")
    return ExitCode.OK


@contextmanager
def _ending_as_interrupt() -> Iterator[None]:
    """Let a terminate or hangup signal end the demo as ^C does: with nothing left behind."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    before = [(each, signal.signal(each, interrupt)) for each in (signal.SIGTERM, signal.SIGHUP)]
    try:
        yield
    finally:
        for each, handler in before:
            signal.signal(each, handler)


@contextmanager
def _engine(session: Session) -> Iterator[None]:
    """Run an engine with a fast clock for the time of the demo."""
    if not launch.start(session.home, TIME_LAPSE, options=session.engine_options):
        raise SmcError("Engine.AlreadyRunning", "the demo needs an engine with a clock of its own")

    def stop() -> None:
        with suppress(SmcError):
            session.store.wait(session.store.submit("engine.stop"), timeout=PATIENCE)

    try:
        yield
    finally:
        launch.end(session.home, stop, PATIENCE)


class Demo:
    """One demo, step by step."""

    def __init__(self, session: Session, disk: SampleDisk) -> None:
        self._session = session
        self._disk = disk
        self._began = time.monotonic()
        self._step = 0
        self._changes: list[Change] = []

    def play(self) -> Document:
        """Go the whole way; return the receipt."""
        self._make()
        source = self._import()
        job_id = self._migrate(source)
        for _ in range(SCHEDULED):
            self._change()
            self._scheduled(job_id)
        self._change()
        self._complete(job_id)
        return self._prove(job_id)

    # Steps

    def _make(self) -> None:
        disk = self._disk
        disk.make()
        self._say(
            f"A sample server disk of {bytes_text(disk.size)}: {bytes_text(disk.text)} text, "
            f"{bytes_text(disk.random)} random, the rest holes."
        )

    def _import(self) -> Document:
        taken = {source.name for source in self._session.store.sources()}
        names = (NAME if not number else f"{NAME}-{number}" for number in range(len(taken) + 1))
        name = next(name for name in names if name not in taken)
        args = {"ssh": None, "paths": [str(self._disk.path)], "accept_key": None}
        ended = self._do("source.import", name, args)
        source = self._session.store.source_document(ended["source"])
        self._say(f"Imported as source {named(source)}.")
        return source

    def _migrate(self, source: Document) -> str:
        self._say(f"Full migration, then a synchronisation every hour, {KEEP} images kept:")
        limit = 0 if self._session.out.plain else LINK_TO_WATCH
        if limit:
            self._tell(f"    (held to {limit} Mbit/s, so that there is something to see)")
        args = {"start": "now", "interval": "1h", "keep": KEEP, "limit_mbit": limit}
        request = self._session.ask("job.create", source["id"], args, Deadline(PATIENCE))
        job_id = str(request.result["job"])
        with following(self._session.out, RunWatch(self._session.store, job_id)) as follower:
            self._session.finish(request, "the demo", Deadline(PATIENCE), follower)
        self._say_run(job_id)
        return job_id

    def _change(self) -> None:
        change = self._disk.change()
        self._changes.append(change)
        self._say(
            f"The server works: {bytes_text(change.written)} written in {change.places} places, "
            f"{bytes_text(change.zeroed)} deleted."
        )

    def _scheduled(self, job_id: str) -> None:
        """Wait until the scheduler has run a synchronisation by itself."""
        before = len(self._ended(job_id))

        def done() -> bool | None:
            resting = self._session.store.job(job_id).phase is None
            return True if resting and len(self._ended(job_id)) > before else None

        with following(self._session.out, RunWatch(self._session.store, job_id)) as follower:
            poll(self._session, Deadline(PATIENCE), done, follower)
        self._say_run(job_id)

    def _complete(self, job_id: str) -> None:
        self._say("Cutover: complete the job with one last synchronisation.")
        with following(self._session.out, RunWatch(self._session.store, job_id)) as follower:
            request = self._ask_when_waiting(job_id)
            self._session.finish(request, "the demo", Deadline(PATIENCE), follower)
        self._say_run(job_id)

    def _ask_when_waiting(self, job_id: str) -> Any:
        """Ask for completion; the scheduler may have begun a run in this very moment."""
        deadline = Deadline(PATIENCE)
        while True:
            wait_for(self._session, job_id, Target.of(("Waiting",)), deadline)
            try:
                return self._session.ask("job.complete", job_id, {"last_sync": True}, deadline)
            except SmcError as error:
                if error.facts.get("status") != "Running":
                    raise

    def _prove(self, job_id: str) -> Document:
        """Export the newest image and compare it with the disk, byte for byte."""
        job = self._session.store.job_document(job_id)
        newest = job["images"][-1]
        file = self._disk.path.with_name("exported.img")
        self._do("image.export", newest["id"], {"path": str(file), "disk": 0, "format": "raw"})
        stats = self._do("store.stats", "", {})
        difference = first_difference(self._disk.path, file)
        receipt = {
            "equal": difference is None,
            "first_difference": difference,
            "bytes_proven": self._disk.size if difference is None else difference,
            "image": newest,
            "job": {name: job[name] for name in ("id", "name", "status")},
            "runs": job["runs"],
            "changes": [asdict(change) for change in self._changes],
            "images": [image["id"] for image in job["images"]],
            "store": stats,
            "seconds": round(time.monotonic() - self._began, 1),
        }
        if not self._session.out.json:
            self._session.out.page(receipt_page(receipt))
        return receipt

    # Means

    def _do(self, verb: str, target: str, args: dict[str, Any]) -> dict[str, Any]:
        deadline = Deadline(PATIENCE)
        return self._session.do(verb, target, args, what="the demo", deadline=deadline).result

    def _ended(self, job_id: str) -> Sequence[Document]:
        runs = self._session.store.job_document(job_id)["runs"]
        return [run for run in runs if run["ended"] is not None]

    def _say(self, text: str) -> None:
        self._step += 1
        self._tell(f"{self._step:2}  {text}")

    def _say_run(self, job_id: str) -> None:
        self._tell(f"    {pages.run_line(self._ended(job_id)[-1])}.")

    def _tell(self, text: str) -> None:
        say: Callable[[str], None] = self._session.out.line
        if self._session.out.json:
            say = self._session.out.talk
        say(text)


def receipt_page(receipt: Document) -> Iterator[Part]:
    """Yield what was compared, changed, sent and stored, and the proof."""
    runs, stats = receipt["runs"], receipt["store"]
    total = {
        name: sum(run[f"bytes_{name}"] for run in runs) for name in ("compared", "sent", "wire")
    }
    yield ""
    yield pages.run_table(runs)
    yield ""
    yield (
        f"{len(runs)} runs compared {size(total['compared'])} and sent {size(total['sent'])} "
        f"({size(total['wire'])} on the wire). The store holds {len(receipt['images'])} full "
        f"images of {size(receipt['image']['bytes'])} in {size(stats.get('bytes_on_disk'))}."
    )
    if receipt["equal"]:
        yield (
            f"PROVEN: the newest image equals the server's disk, all "
            f"{receipt['bytes_proven']:,} bytes. Root digest {receipt['image']['root']}."
        )
    else:
        yield f"NOT EQUAL: image and disk differ at byte {receipt['first_difference']}."
    yield f"The demo took {span(receipt['seconds'])}."
