"""Random sequences around a drill, its endings and crashes, against a small model.

The model knows three things by heart: where the job is, what its mode is, and whether a
start waits. After every step the engine must agree, and a request is answered once.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from smc_tui.engine.worker import Failed, Result
from smc_tui.jobstore import Home, RequestState
from smc_tui.model.errors import SmcError
from smc_tui.model.units import rfc3339
from tests.engine.inside import DIED, Inside
from tests.model.samples import NOW

SHM = Path("/dev/shm")
AT = rfc3339(NOW)
REST = ("Ready", "DrillException", "InError")


def report(level):
    item = {"area": "source", "name": "X", "level": level, "finding": "x", "threshold": "",
            "advice": ""}  # fmt: skip
    return Result({"report": {"at": AT, "seconds": 1, "items": [item], "estimate": {}}})


ENDINGS = {
    "Passed": report("Passed"),
    "Warning": report("Warning"),
    "Critical": report("Critical"),
    "Offline": Failed(SmcError("SourceServer.Offline")),
    "Died": DIED,
    "Nonsense": Result({"report": []}),
}


class Drilling(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=SHM if SHM.is_dir() else None))
        self.patch = pytest.MonkeyPatch()
        self.runner = asyncio.Runner()
        self.inside = self.runner.run(self._open())
        self.state, self.mode, self.starting = "Ready", "before", False
        self.open = []
        self.passed = False

    async def _open(self):
        inside = Inside(Home(self.folder / "home"), self.patch)
        await inside.serve()
        await inside.ask("source.import", "web01", ssh=None, paths=["/dev/vda"])
        made = await inside.ask("job.create", "web01", name="job-a", interval="7d")
        assert made.state is RequestState.DONE
        return inside

    def teardown(self):
        self.runner.run(self.inside.crash())
        self.inside.close()
        self.runner.close()
        self.patch.undo()
        shutil.rmtree(self.folder)

    def ask(self, verb, allowed, **args):
        """Ask; whether it was allowed must be what the model thinks."""
        request = self.runner.run(self.inside.ask(verb, "job-a", **args))
        assert (request.state is not RequestState.REFUSED) == allowed, (verb, self.state, request)
        return request

    @rule(verb=st.sampled_from(["job.start", "job.retry"]))
    def start(self, verb):
        allowed = self.state in (REST if verb == "job.start" else ("InError",))
        request = self.ask(verb, allowed)
        if not allowed:
            return
        self.open.append(request.id)
        lately = self.passed and self.state == "Ready" and self.mode == "before"
        if self.mode == "off" or lately:
            self.state, self.starting = "Running:Preparing", False
            return
        plain_again = verb == "job.retry" and not self.starting
        self.state, self.starting = "Running:Drilling", self.mode == "before" and not plain_again

    @rule()
    def drill(self):
        allowed = self.state in ("Ready", "DrillException")
        request = self.ask("job.drill", allowed)
        if allowed:
            self.open.append(request.id)
            held_up = self.state == "DrillException" and self.starting
            self.state, self.starting = "Running:Drilling", held_up and self.mode == "before"

    @rule(mode=st.sampled_from(["before", "before", "only", "off"]))
    def choose(self, mode):
        allowed = self.state in REST
        self.ask("job.modify", allowed, drill=mode)
        if allowed:
            self.mode = mode

    @rule(how=st.sampled_from(sorted(ENDINGS)))
    def end(self, how):
        if self.state != "Running:Drilling":
            return
        self.inside.puppet.end(ENDINGS[how])
        self.runner.run(self.inside.settle())
        self.passed = how in ("Passed", "Warning") or (self.passed and how != "Critical")
        if how in ("Passed", "Warning"):
            self.state = "Running:Preparing" if self.starting else "Ready"
            self.starting = False
        elif how == "Critical":
            self.state = "DrillException"
        else:
            self.state = "InError"

    @rule()
    def publish(self):
        if self.state == "Running:Preparing":
            puppet = self.inside.puppet
            self.inside.shelf.kept[puppet.description["image"]] = puppet.manifest()
            puppet.end(Result(puppet.result()))
            self.runner.run(self.inside.settle())
            self.state = "Waiting"

    @rule()
    def crash(self):
        async def again():
            await self.inside.crash()
            await self.inside.serve()

        self.runner.run(again())

    @rule()
    def pause_while_drilling(self):
        if self.state == "Running:Drilling":
            self.ask("job.pause", allowed=False)

    @invariant()
    def the_engine_agrees(self):
        job = self.inside.store.job("job-a")
        assert str(job.state) == self.state
        assert str(job.settings.drill) == self.mode
        assert job.starting == self.starting
        assert bool(self.inside.puppet) == self.state.startswith("Running")
        if self.state == "DrillException":
            assert job.drill_report["result"] == "Critical"

    @invariant()
    def nothing_is_held_before_a_run(self):
        job = self.inside.store.job("job-a")
        held = self.inside.store.resource(job.id)
        assert (held is not None) == (self.state in ("Running:Preparing", "Waiting"))

    @invariant()
    def requests_end_when_nothing_runs(self):
        ended = [self.inside.store.request(each).state.ended for each in self.open]
        if not self.state.startswith("Running"):
            assert all(ended)


TestDrilling = Drilling.TestCase
TestDrilling.settings = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
