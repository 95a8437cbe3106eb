"""An engine in this process, its workers puppets, its clock in the test's hand."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace

from smc_tui.engine.clock import Clock
from smc_tui.engine.engine import Engine
from smc_tui.engine.worker import Died, Paused
from smc_tui.jobstore import JobStore
from smc_tui.jobstore.writer import JobWriter
from smc_tui.model.lifecycle import Consistency
from tests.engine.fakes import FakeShelf, fake_seams
from tests.model.samples import NOW


class Puppet:
    """A worker that says what the test has it say."""

    def __init__(self, description):
        self.description = description
        self.told = []
        self.left = False
        self.deadline = None
        self.hear = None
        self.ending = asyncio.get_running_loop().create_future()

    @property
    def task_name(self):
        if "run" not in self.description:
            return f"drill of {self.description['job']}"
        return f"run {self.description['run']}"

    def tell(self, command):
        self.told.append(command)

    def leave(self):
        self.left = True

    def end_after(self, seconds):
        self.deadline = seconds

    async def listen(self, hear):
        self.hear = hear
        return await self.ending

    def end(self, ending):
        self.ending.set_result(ending)

    def result(self):
        return {
            "kind": "result",
            "image": {
                "id": self.description["image"],
                "root": "00",
                "consistency": "stopped",
                "disks": self.description["source"]["disks"],
            },
            "bytes_total": 10,
            "bytes_compared": 10,
            "bytes_sent": 3,
        }

    def manifest(self):
        """Return what it has published."""
        source = self.description["source"]
        return SimpleNamespace(
            id=self.description["image"],
            name=self.description["image_name"],
            job_id=self.description["job"],
            run_id=self.description["run"],
            source_id=source["id"],
            created=self.description["created"],
            consistency=Consistency.STOPPED,
            root="00",
            provenance={"source": source["name"]},
            disks=[SimpleNamespace(**disk) for disk in source["disks"]],
        )


class Shelf(FakeShelf):
    """Images in memory."""

    def __init__(self):
        self.kept = {}
        self.bytes = 0  # an empty store is never collected

    def ids(self):
        return sorted(self.kept)

    def manifest(self, image_id):
        return self.kept.get(image_id)

    def remove(self, image_id):
        self.kept.pop(image_id, None)

    def size(self):
        return self.bytes


class Inside:
    """One home and the engines that serve it, one after the other."""

    def __init__(self, home, monkeypatch):
        self.home = home
        self.shelf = Shelf()
        self.puppets = []
        self.time = NOW
        self.writer = JobWriter.open(home)
        self.store = JobStore.open(home)
        self.log = logging.getLogger("inside")

        async def start(command, description, log, patience):
            if "run" in description:  # a drill holds nothing at the destination
                home.job_staging(description["job"]).mkdir(parents=True, exist_ok=True)
            self.puppets.append(Puppet(description))
            return self.puppets[-1]

        for room in ("runs", "drills"):
            monkeypatch.setattr(f"smc_tui.engine.{room}.Worker", SimpleNamespace(start=start))
        self.engine = None

    async def serve(self):
        """Start an engine, as the home's first or after a crash."""
        claim = SimpleNamespace()
        clock = Clock(wall=lambda: self.time, boot=lambda: self.time)
        seams = fake_seams(self.home)
        seams = type(seams)(seams.inventory, self.shelf, seams.commands, seams.patience)
        self.engine = Engine(claim, self.writer, clock, seams, self.log)
        self.context = self.engine._context
        await self.engine.recover()
        await self.settle()

    async def crash(self):
        """End the engine without a word; its workers too."""
        tasks = list(self.context.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.puppets.clear()

    async def settle(self):
        """Let everything happen that happens without a worker's word."""
        while True:
            self.engine._round()
            while busy := self._busy():
                await asyncio.wait(busy, timeout=0.001)
            if not self.context.wakeup.is_set() and not self.writer.new_requests():
                return

    async def wait_a_little(self):
        """Let beside-the-loop work go on, which may be held up."""
        await asyncio.sleep(0.005)

    def _busy(self):
        quiet = {
            puppet.task_name
            for puppet in self.puppets
            if puppet.hear is not None and not puppet.ending.done()
        }
        return [task for task in self.context.tasks if task.get_name() not in quiet]

    @property
    def puppet(self):
        """The one worker at work, or None."""
        found = [puppet for puppet in self.puppets if not puppet.ending.done()]
        assert len(found) <= 1, "two workers are at work for one job"
        return found[0] if found else None

    async def ask(self, verb, target, **args):
        request_id = self.store.submit(verb, target, args, actor="tester")
        await self.settle()
        return self.store.request(request_id)

    def close(self):
        self.store.close()
        self.writer.close()


DIED = Died("as scripted")
PAUSED = Paused({"kind": "paused"})
