"""The verbs that make a job and change its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from smc_tui.engine.context import Context
from smc_tui.engine.drills import Drills
from smc_tui.engine.ledger import Ledger
from smc_tui.engine.runs import Runs
from smc_tui.engine.verbs import flag, known_args, needed
from smc_tui.jobstore.requests import Request
from smc_tui.model import changes, settings
from smc_tui.model.actions import BY_VERB, refusal
from smc_tui.model.errors import SmcError
from smc_tui.model.ids import Kind, new_id
from smc_tui.model.instants import DEFAULT_HOOK_TIMEOUT, Wanted
from smc_tui.model.lifecycle import RunKind, SourceState, Status
from smc_tui.model.things import DrillMode, Job, JobSettings, Source

_CREATED_WITH = (
    "name",
    "description",
    "target",
    "image_name",
    "once",
    "interval",
    "keep",
    "start",
    "limit_mbit",
    "compression",
    "valid",
    "tags",
    "drill",
    "instant",
    "before_freeze",
    "after_thaw",
    "hook_timeout",
)


class SettingsVerbs:
    """job.create, job.modify, job.interval."""

    def __init__(self, context: Context, ledger: Ledger, runs: Runs, drills: Drills) -> None:
        self._store = context.store
        self._clock = context.clock
        self._ledger = ledger
        self._runs = runs
        self._drills = drills

    def verbs(self) -> Mapping[str, Callable[[Request], None]]:
        """Return the verbs by their names."""
        return {
            "job.create": self.create,
            "job.modify": self.modify,
            "job.interval": self.interval,
        }

    # Making a job

    def create(self, request: Request) -> None:
        """Make a job for a source, and start it if that is wanted."""
        args = known_args(request, *_CREATED_WITH)
        source = self._store.source(request.target)
        job = self._new_job(source, args)
        self._free_source(source)
        if args.get("start") == "now":
            self._drills.start_job(job, RunKind.FULL, request.actor, request, create=True)
            return
        with self._store.transaction():
            self._ledger.create(job, request)
            self._ledger.accept(request, {"job": job.id})

    def _free_source(self, source: Source) -> None:
        """Make sure that a source can have a job.

        Raises:
            SmcError: SourceServerState.Invalid.
        """
        if source.state is not SourceState.AVAILABLE:
            raise SmcError(
                "SourceServerState.Invalid",
                f"source {source.name} is {source.state}; allowed: {SourceState.AVAILABLE}",
                status=str(source.state),
            )
        job = self._store.unfinished_job(source.id)
        if job is not None:
            raise SmcError(
                "SourceServerState.Invalid",
                f"source {source.name} is {SourceState.IN_USE} by job {job.name} ({job.id}),"
                f" which is {job.state}; a source has one unfinished job",
                status=str(SourceState.IN_USE),
                job=job.id,
            )

    def _new_job(self, source: Source, args: dict[str, Any]) -> Job:
        now = self._clock.now()
        name = settings.name(args["name"]) if "name" in args else self._default_name(source)
        self._free_name(name)
        chosen = self._settings(name, args, now)
        return Job(
            id=new_id(Kind.JOB),
            name=name,
            source_id=source.id,
            source_name=source.name,
            settings=chosen,
            status=Status.READY,
            phase=None,
            created=now,
            description=settings.description(args.get("description", "")),
            next_run=chosen.start_at,
            tags=settings.tags(args.get("tags", [])),
        )

    def _settings(self, name: str, args: dict[str, Any], now: float) -> JobSettings:
        once = flag(args, "once")
        if once and "interval" in args:
            raise SmcError("InvalidParameter.Combination", "a job that runs once has no interval")
        start = args.get("start", "later")
        return JobSettings(
            image_name=settings.name(args.get("image_name", name)),
            interval=0
            if once
            else settings.interval(args.get("interval", settings.DEFAULT_INTERVAL)),
            keep=settings.keep(args.get("keep", settings.DEFAULT_KEEP)),
            valid_until=now + settings.valid(args.get("valid", settings.DEFAULT_VALID)),
            target=settings.target(args.get("target", settings.TARGETS[0])),
            start_at=None if start in ("now", "later") else settings.start_at(start, now),
            limit_mbit=settings.limit(args.get("limit_mbit", 0)),
            compression=settings.compression(args.get("compression", settings.AUTO)),
            drill=settings.drill(args.get("drill", DrillMode.BEFORE)),
            instant=settings.one_instant(args.get("instant", Wanted.AUTO)),
            before_freeze=settings.hook(args.get("before_freeze", "")),
            after_thaw=settings.hook(args.get("after_thaw", "")),
            hook_timeout=settings.hook_timeout(args.get("hook_timeout", DEFAULT_HOOK_TIMEOUT)),
        )

    def _default_name(self, source: Source) -> str:
        taken = {job.name for job in self._store.jobs()}
        stem = source.name[:120]
        return next(
            name for number in range(1, len(taken) + 2) if (name := f"{stem}-{number}") not in taken
        )

    def _free_name(self, name: str, but: str = "") -> None:
        for job in self._store.jobs():
            if job.name == name and job.id != but:
                raise SmcError(
                    "ReplicationJobName.Duplicate", f"job {job.id} is named {name}", job=job.id
                )

    # Changing one

    def interval(self, request: Request) -> None:
        """Set the automatic incremental synchronisation; effective after the next run."""
        args = known_args(request, "interval", "keep")
        if "keep" not in args:
            needed(args, "interval")
        job = self._store.job(request.target)
        error = refusal(BY_VERB[request.verb], job)
        if error is not None:
            raise error
        self._change(job, args, request)

    def modify(self, request: Request) -> None:
        """Change what may be changed in the job's present status."""
        args = known_args(request, *changes.CHANGEABLE)
        if not args:
            raise SmcError(
                "InvalidParameter.Missing", f"one of {', '.join(changes.CHANGEABLE)} is needed"
            )
        self._change(self._store.job(request.target), args, request)

    def _change(self, job: Job, args: dict[str, Any], request: Request) -> None:
        for setting in args:
            error = changes.refusal(setting, job)
            if error is not None:
                raise error
        changed = self._changed(job, args)
        with self._store.transaction():
            self._store.put_job(changed)
            self._ledger.event(request.actor, request.verb, "changed", changed, changes=args)
            self._ledger.accept(request, {"job": job.id})
        self._runs.adopt(job.settings, changed)

    def _changed(self, job: Job, args: dict[str, Any]) -> Job:
        chosen: dict[str, Any] = {}
        checks: dict[str, Callable[[Any], Any]] = {
            "image_name": settings.name,
            "interval": settings.interval,
            "keep": settings.keep,
            "limit_mbit": settings.limit,
            "compression": settings.compression,
            "drill": settings.drill,
            "instant": settings.one_instant,
            "before_freeze": settings.hook,
            "after_thaw": settings.hook,
            "hook_timeout": settings.hook_timeout,
        }
        for setting, check in checks.items():
            if setting in args:
                chosen[setting] = check(args[setting])
        if "valid" in args:
            chosen["valid_until"] = self._valid_until(job, args["valid"])
        name = job.name
        if "name" in args:
            name = settings.name(args["name"])
            self._free_name(name, but=job.id)
        description = settings.description(args.get("description", job.description))
        return replace(
            job, name=name, description=description, settings=replace(job.settings, **chosen)
        )

    def _valid_until(self, job: Job, value: Any) -> float:
        """Return the end of a valid time, which counts from the job's creation.

        Raises:
            SmcError: InvalidParameter.ValidTime: out of its limits, or passed already.
        """
        until = job.created + settings.valid(value)
        if until <= self._clock.now():
            raise SmcError(
                "InvalidParameter.ValidTime", "counted from the job's creation it has passed"
            )
        return until
