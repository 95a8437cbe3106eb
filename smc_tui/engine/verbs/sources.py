"""The verbs of sources: import, check, remove."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

from smc_tui.engine.answers import WORK
from smc_tui.engine.context import Closing, Context, in_thread
from smc_tui.engine.ledger import Ledger
from smc_tui.engine.verbs import known_args, needed
from smc_tui.jobstore.requests import Request
from smc_tui.model import settings
from smc_tui.model.documents import source_document
from smc_tui.model.errors import SmcError
from smc_tui.model.ids import Kind, new_id
from smc_tui.model.lifecycle import SourceState, Status
from smc_tui.model.things import Disk, Fault, Source, Ssh

_DISK = ("index", "path", "size", "sector_size", "role", "identity", "filesystems", "mounted")


class SourceVerbs:
    """What may be asked of a source. Looking at one takes seconds: a thread does it."""

    def __init__(self, context: Context, ledger: Ledger) -> None:
        self._context = context
        self._store = context.store
        self._ledger = ledger
        self._importing: set[str] = set()

    def verbs(self) -> Mapping[str, Callable[[Request], None]]:
        """Return the verbs by their names."""
        return {
            "source.import": self.take_in,
            "source.check": self.check,
            "source.remove": self.remove,
        }

    # Import

    def take_in(self, request: Request) -> None:
        """Import a source: look at it, then keep what was found."""
        args = known_args(request, "ssh", "paths", "accept_key", "description", "tags")
        name = settings.name(request.target)
        if name in self._importing or any(name == each.name for each in self._store.sources()):
            raise SmcError("SourceServerName.Duplicate", f"there is a source {name} already")
        ssh = _ssh(args.get("ssh"))
        paths = _paths(args.get("paths", []))
        if ssh is None and not paths:
            raise SmcError("InvalidParameter.Missing", "a local source needs the path of a disk")
        description = settings.description(args.get("description", ""))
        tags = settings.tags(args.get("tags", []))
        with self._store.transaction():
            self._ledger.event(request.actor, request.verb, "started", name=name)
            self._ledger.accept(request, {}, WORK)
        self._importing.add(name)
        now = self._context.clock.now()
        source = Source(
            new_id(Kind.SOURCE),
            name,
            SourceState.AVAILABLE,
            ssh,
            (),
            created=now,
            checked=now,
            description=description,
            tags=tags,
        )
        self._context.spawn(
            self._import(request, source, paths, args.get("accept_key")), f"import of {name}"
        )

    async def _import(
        self, request: Request, source: Source, paths: list[str], accept_key: str | None
    ) -> None:
        try:
            found = await self._look(source, paths, accept_key)
            if isinstance(found, SmcError):
                await self._fail(request, found, None)
                return
            disks = tuple(_disk(disk) for disk in found["disks"])
            known = _refreshed(replace(source, disks=disks), found, self._context.clock.now())
            await self._keep(request, known, "imported")
        finally:
            self._importing.discard(source.name)

    # Check

    def check(self, request: Request) -> None:
        """Look at a source again: can it be reached, is it still the same."""
        args = known_args(request, "accept_key")
        source = self._store.source(request.target)
        with self._store.transaction():
            self._ledger.event(request.actor, request.verb, "started", source_id=source.id)
            self._ledger.accept(request, {"source": source.id}, WORK)
        self._context.spawn(
            self._check(request, source, args.get("accept_key")), f"check of {source.name}"
        )

    async def _check(self, request: Request, source: Source, accept_key: str | None) -> None:
        found = await self._look(source, [disk.path for disk in source.disks], accept_key)
        if not isinstance(found, SmcError):
            found = _changed_disk(source, found["disks"]) or found
        if isinstance(found, SmcError):
            now = self._context.clock.now()
            fault = Fault(found.code, found.detail, now, dict(found.facts))
            lost = replace(source, state=SourceState.UNAVAILABLE, checked=now, fault=fault)
            await self._fail(request, found, lost)
            return
        await self._keep(request, _refreshed(source, found, self._context.clock.now()), "checked")

    # Both

    async def _look(
        self, source: Source, paths: list[str], accept_key: str | None
    ) -> dict[str, Any] | SmcError:
        target = {
            "ssh": None if source.ssh is None else asdict(source.ssh),
            "disks": paths,
            "known_hosts": str(self._context.home.known_hosts),
            "alias": source.id,
            "accept_key": accept_key,
        }
        try:
            look = in_thread(self._context.seams.inventory, target)
            return await self._context.unless_closing(look)
        except Closing:
            raise
        except SmcError as error:
            return error
        except Exception as error:
            self._context.log.exception("inventory of %s", source.name)
            return SmcError("Engine.Internal", f"{type(error).__name__}: {error}")

    async def _keep(self, request: Request, source: Source, word: str) -> None:
        def settle() -> None:
            known = self._latest(source)
            if known is None and request.verb == "source.check":
                error = SmcError("SourceServer.NotFound", f"{source.name} was removed meanwhile")
                self._settle_badly(request, error, None)
                return
            with self._store.transaction():
                self._store.put_source(known or source)
                self._ledger.event(request.actor, request.verb, word, source_id=source.id)
                job = self._store.unfinished_job(source.id)
                result = {"source": source.id, "document": source_document(known or source, job)}
                self._store.finish(request, self._context.clock.now(), result)

        await self._context.persist(settle)

    async def _fail(self, request: Request, error: SmcError, source: Source | None) -> None:
        await self._context.persist(lambda: self._settle_badly(request, error, source))

    def _settle_badly(self, request: Request, error: SmcError, source: Source | None) -> None:
        known = self._latest(source) if source is not None else None
        with self._store.transaction():
            if known is not None:
                self._store.put_source(known)
            self._ledger.event(
                request.actor,
                request.verb,
                error.code,
                source_id=source.id if source else "",
                detail=error.detail,
            )
            self._store.fail(request, self._context.clock.now(), error)

    def _latest(self, source: Source) -> Source | None:
        """Return what a look has found of a source, with what was set during the look.

        None for a source that is not there, or no longer.
        """
        now = next((each for each in self._store.sources() if each.id == source.id), None)
        return None if now is None else replace(source, tags=now.tags)

    # Remove

    def remove(self, request: Request) -> None:
        """Forget a source that no unfinished job uses; its images stay."""
        known_args(request)
        source = self._store.source(request.target)
        job = self._store.unfinished_job(source.id)
        if job is not None:
            running = job.status is Status.RUNNING
            raise SmcError(
                "SourceServer.WithRunningReplicationJob" if running else "ReplicationJob.Related",
                f"job {job.name} ({job.id}) of source {source.name} is {job.state}",
                job=job.id,
            )
        with self._store.transaction():
            self._store.delete_source(source.id)
            self._ledger.event(
                request.actor, request.verb, "removed", source_id=source.id, name=source.name
            )
            self._ledger.accept(request, {"source": source.id})


def _ssh(value: Any) -> Ssh | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise SmcError("Source.BadAddress", "ssh is an object with target, port and config")
    config = value.get("config")
    return Ssh(
        target=settings.ssh_target(needed(value, "target")),
        port=settings.port(value.get("port")),
        config=None if config is None else settings.absolute(config),
    )


def _paths(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        raise SmcError("InvalidParameter.Missing", "paths is a list of disks' paths")
    if len(set(value)) != len(value):
        raise SmcError("DataDisk.DuplicateIndex", "the same disk is named twice")
    return [settings.absolute(path) for path in value]


def _disk(found: dict[str, Any]) -> Disk:
    return Disk(**{name: found[name] for name in _DISK if name in found})


def _refreshed(source: Source, found: dict[str, Any], now: float) -> Source:
    """Return a source with what a look at it has found."""
    return replace(
        source,
        state=SourceState.AVAILABLE,
        checked=now,
        host_key=found.get("host_key"),
        inventory={name: fact for name, fact in found.items() if name != "host_key"},
        link_bps=found.get("link_bps"),
        fault=None,
    )


def _changed_disk(source: Source, found: list[dict[str, Any]]) -> SmcError | None:
    """Return why a disk found is not the one imported, by what both tell of themselves."""
    for disk, now in zip(source.disks, found, strict=False):
        identity = now.get("identity", {})
        both = disk.identity.keys() & identity.keys()
        if any(disk.identity[name] != identity[name] for name in both):
            return SmcError("Disk.Replaced", f"{disk.path} is not the disk that was imported")
        if now["size"] < disk.size:
            return SmcError("Disk.Shrank", f"{disk.path} has {now['size']} bytes, not {disk.size}")
    return None
