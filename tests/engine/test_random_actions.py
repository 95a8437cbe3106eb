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
PAUSABLE = RUNNING[:2]
SHM = Path("/dev/shm")
KEEP = 2
CHANGE = {"interval": "2h", "keep": KEEP}

#: What people ask of a job in races: the step of the model, the verb, its arguments.
ASKED = (
    ("go job.start", "job.start", {}),
    ("go job.retry", "job.retry", {}),
    ("go job.sync", "job.sync", {}),
    ("pause", "job.pause", {}),
    ("complete False", "job.complete", {"last_sync": False}),
    ("complete True", "job.complete", {"last_sync": True}),
    ("cancel", "job.cancel", {}),
    ("release", "job.release", {}),
    ("change job.modify", "job.modify", CHANGE),
)


class Lifecycle(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=SHM if SHM.is_dir() else None))
        self.patch = pytest.MonkeyPatch()
        self.runner = asyncio.Runner()
        self.inside = self.do(self._open())
        self.state = "gone"
        self.requests = []
        self.racing = []
        self.in_race = False

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
        """Ask, and return what came of it.

        In a race it was asked a moment ago, together with another: then what came of
        it is looked at when its turn comes, and here is only said that it was this.
        """
        if self.racing:
            request = self.inside.store.request(self.racing.pop(0))
            assert (request.verb, request.args) == (verb, args)
            return request
        request = self.submit(verb, target, **args)
        self.do(self.inside.settle())
        return self.inside.store.request(request)

    def submit(self, verb, target="job-a", **args):
        self.requests.append(self.inside.store.submit(verb, target, args, actor="tester"))
        return self.requests[-1]

    # One step: a rule of its own would be switched off for whole runs by hypothesis
    # (a range this small is drawn evenly; larger ones favour small numbers).

    @rule(choice=st.integers(0, 119), other=st.integers(0, len(ASKED) ** 2 - 1))
    def step(self, choice, other):
        self.other, self.in_race, self.begun_in_race = other, False, False
        steps = [step for step, weight in self.steps().items() for _ in range(weight)]
        self.take(steps[choice % len(steps)])

    def take(self, step):
        name, _, argument = step.partition(" ")
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
            "race": 5,
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
                "race_with_the_end publish": 5,
                "race_with_the_end end": 2,
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
        args = {"name": "job-a", "keep": KEEP, "drill": "off", **({"once": True} if once else {})}
        request = self.ask("job.create", "web01", **args)
        assert request.state is RequestState.DONE
        self.once, self.wish, self.completing, self.next_run = once, "", False, None
        self.interval = DAY
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
            self.expect_accepted(request)
            self.run()

    def run(self):
        self.begun_in_race = self.in_race
        self.state, self.wish, self.next_run, self.held = "Running:Preparing", "", None, True

    def pause(self):
        request = self.ask("job.pause")
        if self.state == "Waiting":
            assert request.state is RequestState.DONE
            self.state, self.next_run = "Stopped", None
        elif self.begun_in_race and request.state is RequestState.DONE:
            self.state, self.wish = "Stopped", ""
        elif self.state in PAUSABLE and self.wish != "cancel":
            self.expect_accepted(request)
            assert self.inside.puppets[-1].told.count({"do": "pause"}) == 1
            self.wish = "pause"
        else:
            self.expect_refusal(request)

    def complete(self, last_sync):
        request = self.ask("job.complete", last_sync=last_sync)
        if self.state != "Waiting" or self.once:
            self.expect_refusal(request)
        elif last_sync:
            self.expect_accepted(request)
            self.run()
            self.completing = True
        else:
            assert request.state is RequestState.DONE
            self.state, self.held = "Finished", False

    def cancel(self):
        request = self.ask("job.cancel")
        if self.state == "gone" and self.in_race and request.state is RequestState.DONE:
            assert request.result["status"] == "Deleting"  # it joined what is going already
        elif self.state == "gone":
            self.expect_refusal(request)
        elif self.begun_in_race and request.state is RequestState.DONE:
            self.state = "gone"  # it came before the worker, and none was started
        elif self.state in RUNNING:
            self.expect_accepted(request)
            assert self.inside.puppets[-1].told.count({"do": "cancel"}) == 1
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
        request = self.ask(verb, **CHANGE)
        if self.state in ("Ready", "Waiting") and not self.once:
            assert request.state is RequestState.DONE
            self.interval = 2 * HOUR
        else:
            self.expect_refusal(request)

    def expect_accepted(self, request):
        """What a run's end answers is accepted now, and in a race has an end by now."""
        assert request.state not in (RequestState.NEW, RequestState.REFUSED), request

    def expect_refusal(self, request):
        assert request.state is RequestState.REFUSED, request
        assert request.error.line
        if request.code.startswith("ReplicationJob.Invalid") and self.wish == "":
            facts = request.error.facts
            told = ":".join(filter(None, [facts["status"], facts["phase"]]))
            states = ["Deleting" if self.state == "gone" else self.state]
            if self.in_race and self.state == "Finished":
                states.append("Running:Cleaning")  # where it was when this was asked
            assert told in states, request

    def ask_for_what_is_gone(self, verb):
        self.expect_refusal(self.ask(verb, **({"name": "job-b"} if "modify" in verb else {})))

    # Races: whatever is asked at once has one outcome each, as if asked one by one

    def race(self):
        """Two command lines ask at once; twice the same is a double press."""
        self.in_race = True
        chosen = [ASKED[self.other // len(ASKED)], ASKED[self.other % len(ASKED)]]
        self.racing = [self.submit(verb, **args) for _, verb, args in chosen]
        self.do(self.inside.settle())
        for step, _, _ in chosen:
            self.take(step)

    def race_with_the_end(self, end):
        """Something is asked in the moment in which a run ends.

        Either may be first; the history tells which was.
        """
        self.in_race = True
        step, verb, args = ASKED[self.other % len(ASKED)]
        puppet, ending = self.inside.puppet, self.other // len(ASKED)
        if end == "publish":
            self.inside.shelf.kept[puppet.description["image"]] = puppet.manifest()
            puppet.end(Result(puppet.result()) if ending % 2 else DIED)
        else:
            puppet.end(Failed(SmcError("Link.Lost", "as scripted")))
        before = len(self.inside.store.events())
        self.racing = [self.submit(verb, **args)]
        self.do(self.inside.settle())
        asked_first = self.inside.store.events()[before].actor == "tester"
        if asked_first:
            self.take(step)
        self._published() if end == "publish" else self._ended("failed")
        if not asked_first:
            self.take(step)
            self.clock_looks()

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
        self._ended(ending)

    def _ended(self, ending):
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
            self.state, self.next_run = "Waiting", self.inside.time + self.interval
        self.wish = ""
        self.clock_looks()

    # What happens to machines

    def time_passes(self, hours):
        self.inside.time += hours * HOUR
        self.do(self.inside.settle())
        self.clock_looks()

    def clock_looks(self):
        """What the clock asks of a job at rest, which may be as soon as it comes to rest."""
        if self.racing:
            return  # the engine looks at what it was asked before it looks at the clock
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
    def every_request_has_one_event(self):
        told = [event for event in self.inside.store.events() if event.actor == "tester"]
        assert len(told) == len(self.requests) + 2  # the import's

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
