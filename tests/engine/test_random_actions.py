"""Random sequences of requests, worker endings, hours and crashes against a small model.

The model knows the lifecycle by heart, in strings, and nothing of the tables under
test. After every step the engine must be where the model says, every request must
have at most one end, and nothing may be held by nobody.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from smc_tui.engine.worker import Cancelled, Failed, Result
from smc_tui.jobstore import Home, RequestState
from smc_tui.model.errors import SmcError
from smc_tui.model.lifecycle import ImageState
from smc_tui.model.units import DAY, HOUR
from tests.engine.inside import DIED, PAUSED, Inside

RUNNING = ("Running:Preparing", "Running:Syncing", "Running:Processing")
SHM = Path("/dev/shm")
KEEP = 2


class Lifecycle(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=SHM if SHM.is_dir() else None))
        self.patch = pytest.MonkeyPatch()
        self.runner = asyncio.Runner()
        self.inside = self.do(self._open())
        self.state = "gone"
        self.requests = []

    async def _open(self):
        inside = Inside(Home(self.folder / "home"), self.patch)
        await inside.serve()
        await inside.ask("source.import", "web01", ssh=None, paths=["/dev/vda"])
        return inside

    def do(self, work):
        return self.runner.run(work)

    def teardown(self):
        self.do(self.inside.crash())
        self.inside.close()
        self.runner.close()
        self.patch.undo()
        shutil.rmtree(self.folder)

    def ask(self, verb, target="job-a", **args):
        request = self.do(self.inside.ask(verb, target, **args))
        self.requests.append(request.id)
        return request

    # One step: a rule of its own would be switched off for whole runs by hypothesis
    # (a range this small is drawn evenly; larger ones favour small numbers).

    @rule(choice=st.integers(0, 119))
    def step(self, choice):
        steps = [step for step, weight in self.steps().items() for _ in range(weight)]
        name, _, argument = steps[choice % len(steps)].partition(" ")
        act = getattr(self, name)
        if not argument:
            act()
        elif argument in ("True", "False"):
            act(argument == "True")
        else:
            act(int(argument) if argument.isdigit() else argument)

    def steps(self):
        """Return what may happen now, with weights: the way on is taken often."""
        if self.state == "gone":
            return {
                "create False": 8,
                "create True": 4,
                "ask_for_what_is_gone job.cancel": 1,
                "ask_for_what_is_gone job.modify": 1,
                "crash False": 1,
            }
        always = {
            "go job.start": 2,
            "go job.retry": 2,
            "go job.sync": 2,
            "pause": 3,
            "complete False": 1,
            "complete True": 2,
            "cancel": 1,
            "release": 2,
            "change job.interval": 1,
            "change job.modify": 1,
            "crash False": 2,
            "time_passes 1": 2,
            "time_passes 3": 2,
            "time_passes 30": 3,
        }
        if self.state in RUNNING:
            return {
                **always,
                "cancel": 3,
                "pause": 6,
                "advance Preparing": 1,
                "advance Syncing": 8,
                "advance Processing": 2,
                "end failed": 2,
                "end died": 2,
                "end paused": 4,
                "end cancelled": 2,
                "publish True": 8,
                "publish False": 2,
                "crash True": 2,
                "time_passes 744": 1,
            }
        ended = self.state in ("Finished", "Expired")
        return {
            **always,
            "go_on": 15,
            "cancel": 8 if ended else 1,
            "time_passes 192": 2,
            "time_passes 744": 1,
        }

    # What people ask

    @initialize(once=st.sampled_from([False, False, True]))
    def first(self, once):
        self._create(once)

    def create(self, once):
        if self.state == "Finished":
            self.ask("job.cancel")
        self._create(once)

    def _create(self, once):
        request = self.ask(
            "job.create", "web01", name="job-a", keep=KEEP, **({"once": True} if once else {})
        )
        assert request.state is RequestState.DONE
        self.once, self.wish, self.completing, self.next_run = once, "", False, None
        self.images, self.state, self.job_id = 0, "Ready", request.result["job"]
        self.valid_until, self.expired, self.held = self.inside.time + 30 * DAY, None, False

    def go(self, verb):
        allowed = {
            "job.start": ("Ready", "Stopped", "InError"),
            "job.retry": ("Stopped", "InError"),
            "job.sync": () if self.once else ("Waiting",),
        }[verb]
        request = self.ask(verb)
        if self.state not in allowed:
            self.expect_refusal(request)
        else:
            assert request.state is RequestState.ACCEPTED
            self.run()

    def run(self):
        self.state, self.wish, self.next_run, self.held = "Running:Preparing", "", None, True

    def pause(self):
        request = self.ask("job.pause")
        if self.state == "Waiting":
            assert request.state is RequestState.DONE
            self.state, self.next_run = "Stopped", None
        elif self.state == "Running:Syncing" and self.wish != "cancel":
            assert request.state is RequestState.ACCEPTED
            assert self.inside.puppet.told.count({"do": "pause"}) == 1
            self.wish = "pause"
        else:
            self.expect_refusal(request)

    def complete(self, last_sync):
        request = self.ask("job.complete", last_sync=last_sync)
        if self.state != "Waiting" or self.once:
            self.expect_refusal(request)
        elif last_sync:
            assert request.state is RequestState.ACCEPTED
            self.run()
            self.completing = True
        else:
            assert request.state is RequestState.DONE
            self.state, self.held = "Finished", False

    def cancel(self):
        request = self.ask("job.cancel")
        if self.state == "gone":
            self.expect_refusal(request)
        elif self.state in RUNNING:
            assert request.state is RequestState.ACCEPTED
            assert self.inside.puppet.told.count({"do": "cancel"}) == 1
            self.wish = "cancel"
        else:
            assert request.state is RequestState.DONE
            self.state = "gone"

    def release(self):
        request = self.ask("job.release")
        if self.state in ("Stopped", "InError"):
            assert request.state is RequestState.DONE
            self.held = False
        else:
            self.expect_refusal(request)

    def change(self, verb):
        request = self.ask(verb, interval="2h", keep=KEEP)
        if self.state in ("Ready", "Waiting") and not self.once:
            assert request.state is RequestState.DONE
        else:
            self.expect_refusal(request)

    def expect_refusal(self, request):
        assert request.state is RequestState.REFUSED, request
        words = str(self.state) if self.state != "gone" else "job-a"
        assert request.error.line
        if request.code.startswith("ReplicationJob.Invalid") and self.wish == "":
            assert words in request.detail

    def ask_for_what_is_gone(self, verb):
        self.expect_refusal(self.ask(verb, **({"name": "job-b"} if "modify" in verb else {})))

    # What workers do

    def go_on(self):
        """The way on from wherever it is, so that far states are often reached."""
        if self.state in ("Ready", "Stopped", "InError"):
            self.go("job.start")
        elif self.state in RUNNING:
            self.publish(heard=True)
        elif self.state == "Waiting" and not self.once:
            self.go("job.sync")
            self.speak_of("Syncing")

    def speak(self, phase):
        self.inside.puppet.hear(
            {"kind": "progress", "phase": phase, "total": 10, "compared": 5, "sent": 1}
        )
        self.do(self.inside.settle())

    def advance(self, phase):
        self.speak_of(phase)

    def speak_of(self, phase):
        self.speak(phase)
        order = ["Preparing", "Syncing", "Processing"]
        now = self.state.removeprefix("Running:")
        self.state = f"Running:{max(now, phase, key=order.index)}"

    def end(self, ending):
        error = SmcError("Link.Lost", "as scripted")
        endings = {
            "failed": Failed(error),
            "died": DIED,
            "paused": PAUSED,
            "cancelled": Cancelled(),
        }
        self.inside.puppet.end(endings[ending])
        self.do(self.inside.settle())
        if self.wish == "cancel":
            self.state = "gone"
        elif self.wish == "pause" and ending != "failed":
            self.state, self.wish = "Stopped", ""
        else:
            self.state, self.wish = "InError", ""
            code = "Link.Lost" if ending == "failed" else "Sync.Died"
            assert self.inside.store.job("job-a").fault.code == code
        self.clock_looks()

    def publish(self, heard):
        """The image is published; the worker says so, or dies before it can."""
        puppet = self.inside.puppet
        self.inside.shelf.kept[puppet.description["image"]] = puppet.manifest()
        puppet.end(Result(puppet.result()) if heard else DIED)
        self.do(self.inside.settle())
        self._published()

    def _published(self):
        self.images += 1
        if self.wish == "cancel":
            self.state = "gone"
        elif self.once or self.completing:
            self.state, self.held = "Finished", False
        elif self.wish == "pause":
            self.state = "Stopped"
        else:
            self.state, self.next_run = "Waiting", self.inside.time + self.interval()
        self.wish = ""
        self.clock_looks()

    def interval(self):
        return self.inside.store.job("job-a").settings.interval

    # What happens to machines

    def time_passes(self, hours):
        self.inside.time += hours * HOUR
        self.do(self.inside.settle())
        self.clock_looks()

    def clock_looks(self):
        """What the clock asks of a job at rest, which may be as soon as it comes to rest."""
        now = self.inside.time
        idle = ("Ready", "Stopped", "InError", "Waiting")
        if self.state in idle and now >= self.valid_until:
            self.state, self.expired, self.held = "Expired", now, False
        elif self.state == "Waiting" and now >= self.next_run:
            self.run()
        elif self.state == "Expired" and now >= self.expired + 7 * DAY:
            self.state = "gone"

    def crash(self, published):
        """The engine and its worker are killed, perhaps just after it published."""
        puppet = self.inside.puppet
        published = published and puppet is not None
        if published:
            self.inside.shelf.kept[puppet.description["image"]] = puppet.manifest()
        self.do(self.inside.crash())
        self.do(self.inside.serve())
        if published:
            self._published()
        elif self.state in RUNNING:
            if self.wish == "cancel":
                self.state = "gone"
            elif self.wish == "pause":
                self.state, self.wish = "Stopped", ""
            else:
                self.state = "Running:Preparing"
        self.clock_looks()

    # What is always so

    @invariant()
    def the_engine_is_where_the_model_is(self):
        jobs = {job.name: job for job in self.inside.store.jobs()}
        if self.state == "gone":
            assert jobs == {}
            return
        job = jobs["job-a"]
        assert str(job.state) == self.state
        assert str(job.wish) == self.wish
        assert job.next_run == (self.next_run if self.state == "Waiting" else None)
        assert (self.inside.puppet is not None) == (self.state in RUNNING)

    @invariant()
    def images_are_kept_and_recorded(self):
        good = [image for image in self.inside.store.images() if image.state == "Available"]
        assert {image.id for image in good} == set(self.inside.shelf.kept)
        assert not any(i.state is ImageState.DELETING for i in self.inside.store.images())
        mine = [image for image in good if image.job_id == self.job_id]
        assert len(mine) == min(self.images, KEEP)
        runs = self.inside.store.runs(self.job_id)
        assert sum(run.published for run in runs) == self.images
        kinds = [str(run.kind) for run in runs]
        first = next((n for n, run in enumerate(runs) if run.published), len(runs) - 1)
        assert kinds[: first + 1] == ["Full"] * len(kinds[: first + 1])
        assert "Full" not in kinds[first + 1 :]

    @invariant()
    def nothing_is_held_by_nobody(self):
        held = self.inside.writer.resources_held()
        expected = self.held and self.state != "gone"
        assert [resource.job_id for resource in held] == [self.job_id] * expected
        open_runs = self.inside.writer.open_runs()
        if self.state in RUNNING:
            assert [run.id for run in open_runs] == [self.inside.store.job("job-a").run_id]
        elif self.state != "Stopped":
            assert open_runs == []

    @invariant()
    def requests_wait_only_for_what_will_come(self):
        waiting = self.inside.writer.accepted_requests()
        assert not waiting or self.state in RUNNING
        job_id = self.job_id if self.state != "gone" else ""
        run_id = self.inside.store.job("job-a").run_id if job_id else ""
        known = {f"run:{run_id}", f"stop:{run_id}", f"gone:{job_id}"}
        assert {request.awaits for request in waiting} <= known


Lifecycle.TestCase.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestRandomActions = Lifecycle.TestCase
