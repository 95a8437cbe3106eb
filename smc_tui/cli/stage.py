"""The demo's stage: sample servers in every state, whose disks go on changing.

``python -m smc_tui.cli.stage HOME MIB [--keep]``, started by ``smc-tui demo`` for the console.
Whoever starts it holds the other end of its standard input: when that closes, for whatever
reason, a killed console or a lost terminal among them, it ends the engine and removes
the home. Standard output says one JSON line: ``{"ready": true}`` when the first server is
being migrated, or ``{"error": {...}}``.
"""

from __future__ import annotations

import json
import select
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from smc_tui.cli import launch
from smc_tui.cli.jobwait import LOOK
from smc_tui.cli.sample import SampleDisk
from smc_tui.cli.session import Deadline, Session
from smc_tui.cli.target import Target
from smc_tui.model.errors import SmcError
from smc_tui.model.lifecycle import Status
from smc_tui.model.units import MIB

#: An hour of the scheduler in half a minute: between two runs there is time to look.
TIME_LAPSE = 120.0
#: Seconds between two rounds of work of the sample servers.
WORK_EVERY = 10.0
#: Nothing takes this long on a machine that works.
PATIENCE = 120.0
#: Seconds until even a sluggish engine has stopped.
STOPPED_WITHIN = 30.0

#: The first server's link, Mbit/s: half of its disk takes about a minute.
SLOW_LINK = 8
#: Others are done in some seconds.
LINK = 80


class Over(Exception):
    """The console was left."""


class Stage:
    """The sample servers of one home."""

    def __init__(self, home: Path, mebibytes: int) -> None:
        self._session = Session()
        self._session.home_given = str(home)
        self._session.may_start = False
        self._folder = home / "sample-servers"
        self._size = mebibytes * MIB
        self._disks: dict[str, SampleDisk] = {}
        self._trouble = home / "sample-servers.log"

    def open(self) -> None:
        """Start the engine and the first server's migration.

        Raises:
            SmcError: Engine.AlreadyRunning, or why it cannot be.
        """
        if not launch.start(self._session.home, TIME_LAPSE):
            raise SmcError(
                "Engine.AlreadyRunning", "the demo needs an engine with a clock of its own"
            )
        self._folder.mkdir(exist_ok=True)
        # Uncompressed, or half of the disk would take no time at all.
        self._job("web01", start="now", limit_mbit=SLOW_LINK, compression="0")

    def play(self) -> None:
        """Bring the others into their states, then let all servers work.

        Raises:
            Over: the console was left.
        """
        for act in (self._waiting, self._unstarted, self._broken, self._completed, self._paused):
            # What a person does meanwhile may be in the way: the others come all the same.
            self._tried(act)
        while True:
            self._pause(WORK_EVERY)
            self._tried(self._work)

    def close(self, keep: bool) -> None:
        """End the engine; remove the home unless it is kept."""
        home = self._session.home
        launch.end(home, self._stop, STOPPED_WITHIN)
        self._session.close()
        if not keep:
            _removed(home.path)

    def _stop(self) -> None:
        with suppress(SmcError):
            self._session.store.submit("engine.stop")

    # The servers

    def _waiting(self) -> None:
        self._job("db01", start="now", limit_mbit=LINK)
        self._job("mail01", start="now", limit_mbit=LINK)

    def _paused(self) -> None:
        job = self._job("files01", start="now", limit_mbit=SLOW_LINK, compression="0")
        self._until(lambda: self._store.job(job).progress >= 20 or self._rests(job))
        self._ask("job.pause", job)

    def _completed(self) -> None:
        job = self._job("shop01", start="now")
        self._until(lambda: self._rests(job))
        self._ask("job.complete", job, last_sync=True)

    def _broken(self) -> None:
        """A disk is away while the server is migrated, and there again for a retry."""
        # A drill would find it missing before the run does.
        job = self._job("erp01", drill="off")
        disk = self._disks["erp01"].path
        away = disk.with_suffix(".away")
        disk.rename(away)
        try:
            self._ask("job.start", job)
            self._until(lambda: self._rests(job))
        finally:
            away.rename(disk)

    def _unstarted(self) -> None:
        self._job("build01")
        self._source("ldap01")

    def _work(self) -> None:
        """Let each server write whose disk is not being read: its images are all good ones."""
        still = {job.source_name for job in self._store.jobs() if job.status is Status.WAITING}
        for name in self._disks.keys() & still:
            self._disks[name].change()

    # Means

    @property
    def _store(self) -> Any:
        return self._session.store

    def _source(self, name: str) -> str:
        # Each with blocks of its own: what the store has already would not be sent.
        disk = SampleDisk(self._folder / f"{name}.img", self._size, seed=len(self._disks))
        disk.make()
        self._disks[name] = disk
        args = {"ssh": None, "paths": [str(disk.path)], "accept_key": None}
        request = self._session.ask("source.import", name, args, Deadline(PATIENCE))
        self._until(lambda: self._store.request(request.id).state.ended)
        return str(self._store.request(request.id).checked().result["source"])

    def _job(self, name: str, **args: Any) -> str:
        source = self._source(name)
        given = {"start": "later", "interval": "1h", "keep": 3, **args}
        return str(self._ask("job.create", source, **given)["job"])

    def _ask(self, verb: str, target: str, **args: Any) -> dict[str, Any]:
        """Have the engine take a request; return what it says."""
        return self._session.ask(verb, target, args, Deadline(PATIENCE)).result

    def _rests(self, job: str) -> bool:
        return Target.of(()).reached(self._store.job(job))

    def _tried(self, act: Callable[[], None]) -> None:
        try:
            act()
        except (SmcError, OSError) as error:
            with suppress(OSError), self._trouble.open("a") as log:
                print(error, file=log)

    def _until(self, found: Callable[[], bool]) -> None:
        while not found():
            self._pause(LOOK)

    def _pause(self, seconds: float) -> None:
        """Wait, unless the console is left."""
        left, _, _ = select.select([sys.stdin], [], [], seconds)
        if left:
            raise Over


def _removed(folder: Path) -> None:
    """Remove a folder, again where a worker on its way out has made a file meanwhile."""
    limit = time.monotonic() + STOPPED_WITHIN
    while folder.exists() and time.monotonic() < limit:
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            time.sleep(LOOK)


def _ended(*_: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Over


def main() -> None:
    """Play until standard input is closed, then leave nothing."""
    # ^C and a hangup are for the console: this is a session of its own.
    signal.signal(signal.SIGTERM, _ended)
    home, size, *keep = sys.argv[1:]
    stage = Stage(Path(home), int(size))
    try:
        stage.open()
        print(json.dumps({"ready": True}), flush=True)
        stage.play()
    except SmcError as error:
        print(json.dumps({"error": {"code": error.code, "detail": error.detail}}), flush=True)
        if error.code == "Engine.AlreadyRunning":
            return
    except Over:
        pass
    stage.close(keep=bool(keep))


if __name__ == "__main__":
    main()
