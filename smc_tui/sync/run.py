"""One run from connecting to the published image.

    connect     the agent starts while the store is opened here
    recognise   every disk is the imported one, and no smaller
    transfer    one pass; everything received is durable when it ends
    recognise   again: did anything write to the disks while they were read?
    publish     the image's manifest, in one rename

A link that is lost on the way is made again (``retrying``), and the pass goes on where
it was. Only where the next agent has another hash is there another pass, over all the
disks: the change maps speak of one hash only.

A crash before the rename leaves no image and a change map that the next run
goes on from; a crash after it leaves an image whose run is not recorded yet,
which the engine adopts by the run's id in the manifest.

Only one run of a job is ever at work: it holds the lock in the staging folder,
and one that comes too early waits for the last one to end.
"""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from smc_tui.images import ChangeMap, DiskManifest, ImageManifest, ImageStore, Session
from smc_tui.model.errors import SmcError
from smc_tui.source.client import AgentClient, Interrupted, OpenDisk
from smc_tui.sync.connection import Connection
from smc_tui.sync.description import RunDescription
from smc_tui.sync.lines import Controls, Speaker, Stop
from smc_tui.sync.patching import Patcher
from smc_tui.sync.progress import DiskCount, Progress
from smc_tui.sync.recognition import Witness
from smc_tui.sync.retrying import Retrying
from smc_tui.sync.segments import Hash
from smc_tui.sync.transfer import Transfer
from smc_tui.sync.watch import Watch
from smc_tui.sync.work import DiskWork


def synchronise(
    description: RunDescription, connection: Connection, controls: Controls, speaker: Speaker
) -> None:
    """Do one run; the last line said is its result, or that it stopped.

    Args:
        description: what is to be done.
        connection: the way to the source, begun and not yet made.
        controls: what the engine says meanwhile.
        speaker: what is said to the engine.

    Raises:
        SmcError: the run failed; everything received so far is kept.
    """
    with ExitStack() as held:
        held.enter_context(_alone(description))
        store = ImageStore.open(description.home / "images", description.home / "staging")
        held.callback(store.close)
        ahead = threading.Thread(target=store.expect_lists, args=(description.job,))
        ahead.start()
        held.callback(ahead.join)
        session = held.enter_context(store.session(description.run))
        run = held.enter_context(_Run(description, connection, controls, speaker, store, session))
        footprint = run.to_the_end()
        if footprint is None:
            run.say_stopped()
            return
        run.publish(footprint)


@contextmanager
def _alone(description: RunDescription) -> Iterator[None]:
    """Hold the job's lock; waits while an earlier run of the job is still ending."""
    description.staging.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (description.staging / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class _Pass:
    """All disks compared with one hash, from the first segment to the last."""

    def __init__(self, hashing: Hash, disks: list[OpenDisk]) -> None:
        self.hashing = hashing
        self.witness = Witness(disks)
        self.works: list[DiskWork] = []
        self.transfer: Transfer
        self.patcher: Patcher
        self._held = ExitStack()

    def begin(self, run: _Run) -> None:
        """Open the change maps; they are open until the end of the pass."""
        with ExitStack() as held:
            for disk in self.witness.disks:
                path = run.description.staging / f"disk{disk.index}.map"
                algorithm = self.hashing.map_algorithm
                known = held.enter_context(ChangeMap.open(path, disk.size, algorithm))
                count = DiskCount(disk.index, disk.size)
                suspect = run.store.segments_to_heal(known)
                self.works.append(DiskWork(disk.index, disk.size, known, count, suspect))
            run.progress.disks = [work.count for work in self.works]
            self.transfer = Transfer(
                self.hashing,
                run.store,
                run.session,
                self.works,
                run.controls,
                run.progress,
                run.description.link_bps,
                lambda: run.connection.wire,
            )
            held.callback(self.transfer.close)
            self.patcher = Patcher(
                run.store, run.session, self.works, self.transfer.checkpoints, run.progress
            )
            self._held = held.pop_all()

    def end(self) -> None:
        """Close what is open."""
        self._held.close()


class _Run:
    """One run: its pass, and every connection that it takes."""

    def __init__(
        self,
        description: RunDescription,
        connection: Connection,
        controls: Controls,
        speaker: Speaker,
        store: ImageStore,
        session: Session,
    ) -> None:
        self.description = description
        self.connection = connection
        self.controls = controls
        self.store = store
        self.session = session
        self.progress = Progress(speaker.say)
        self._speaker = speaker
        self._retrying = Retrying(description.retry, controls, self.progress, speaker.say)
        self._pass: _Pass | None = None
        self._watch: Watch
        self._client: AgentClient

    def __enter__(self) -> _Run:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pass is not None:
            self._pass.end()

    def to_the_end(self) -> dict[str, Any] | None:
        """Compare and transfer everything, over one link after the other if need be.

        Returns:
            The last agent's footprint, or None when the run was stopped.

        Raises:
            SmcError: the source or the destination failed, or the link stayed away.
        """
        try:
            while True:
                try:
                    return self._over_one_link()
                except SmcError as error:
                    if not self.connection.broke(error):
                        raise
                    self._link_lost(error)
        except Interrupted:
            return None
        finally:
            self.progress.wire = self.connection.wire

    def _over_one_link(self) -> dict[str, Any] | None:
        self._client, disks = self.connection.ready()
        self._retrying.linked()
        work = self._pass_over(disks)
        if self.progress.phase == "Preparing":
            self.progress.enter("Syncing")
        if work.transfer.go_on(self._client) is not None or not self._watch.to_an_instant():
            return None
        self._keep()
        self.progress.enter("Processing")
        return self._client.finish()

    def _pass_over(self, disks: list[OpenDisk]) -> _Pass:
        """Return the pass that goes on with these disks, or a new one."""
        work = self._pass
        if work is not None and work.hashing.name == self.connection.hash:
            work.witness.see_again(disks)
            return work
        if work is not None:
            self._speaker.say("event", text=_another_hash(work.hashing.name, self.connection.hash))
            work.end()
        self._pass = _Pass(Hash(self.connection.hash), disks)
        self._pass.begin(self)
        self._watch = Watch(
            self.description,
            self._client,
            disks,
            self._pass.works,
            self._pass.transfer,
            self._pass.patcher,
            self.controls,
            self._speaker.say,
        )
        self._watch.begin()
        return self._pass

    def _link_lost(self, error: SmcError) -> None:
        """Wait until it is time to try another link.

        Raises:
            SmcError: it is not to be tried again.
            Interrupted: the run is to stop.
        """
        self.connection.drop()
        self.progress.wire = self.connection.wire
        mark: tuple[int, ...] = ()
        if self._pass is not None:
            self._pass.transfer.link_lost()
            mark = self._pass.transfer.mark
            if self._watch.watching:
                # The marks of this connection went with it.
                self._pass.end()
                self._pass = None
        self._retrying.wait(error, mark, linked=self.connection.count > 0)

    def _keep(self) -> None:
        if self._pass is not None:
            self._pass.transfer.keep()

    def say_stopped(self) -> None:
        """Say that the run has stopped as it was told to, all it has being durable."""
        if self.controls.stop is Stop.CANCEL:
            self._speaker.say("cancelled")
            return
        self._keep()
        self._speaker.say("paused", **self.progress.counts())

    def publish(self, footprint: dict[str, Any]) -> None:
        """Publish the image that the change maps now describe, and say so."""
        work = self._pass
        assert work is not None
        consistency, reason = self._watch.verdict(work.witness.verdict(footprint))
        detection = self._watch.finding.detection
        manifest = _manifest(self.description, self._client, work, consistency, detection)
        self.session.publish(manifest)
        self._remember(manifest, footprint["states"])
        finding = self._watch.finding
        self._speaker.say(
            "result",
            image=_image_document(manifest, reason),
            change_detection=finding.detection,
            change_reason=finding.reason,
            instant=finding.document(),
            states={
                disk.path: footprint["states"].get(str(disk.index)) for disk in work.witness.disks
            },
            hash=work.hashing.name,
            footprint={k: v for k, v in footprint.items() if k != "states"},
            links=self.connection.count,
            scans=work.transfer.scans,
            **self.progress.counts(),
        )

    def _remember(self, manifest: ImageManifest, states: dict[str, Any]) -> None:
        """Let the next run know what this one found; without it that one compares all."""
        try:
            self._watch.settle(manifest.id, manifest.consistency, states)
        except SmcError as error:
            self._speaker.say("event", text=f"the next run will compare everything: {error}")


def _another_hash(old: str, new: str) -> str:
    return f"the source now hashes with {new}, not {old}: everything is compared anew"


def _manifest(
    description: RunDescription,
    client: AgentClient,
    work: _Pass,
    consistency: str,
    detection: str,
) -> ImageManifest:
    """Return the image that the change maps now describe."""
    roles = {disk.index: disk.role for disk in description.disks}
    parts = tuple(
        DiskManifest(
            index=disk.index,
            path=found.path,
            size=found.size,
            sector_size=found.sector_size,
            role=roles[disk.index],
            segments=b"".join(_lists(disk)),
        )
        for found, disk in zip(work.witness.disks, work.works, strict=True)
    )
    return ImageManifest(
        id=description.image,
        name=description.image_name,
        job_id=description.job,
        run_id=description.run,
        source_id=description.source_id,
        created=description.created,
        consistency=consistency,
        provenance={
            "source": description.source_name,
            "kind": description.kind,
            "hash": client.hash,
            "change_detection": detection,
            "python": client.hello.get("python"),
        },
        disks=parts,
    )


def _lists(disk: DiskWork) -> Iterator[bytes]:
    for number in range(disk.segments):
        record = disk.map.get(number)
        if record is None:
            raise SmcError("Store.Damaged", f"the change map forgot segment {number}")
        yield record[1]


def _image_document(manifest: ImageManifest, reason: str) -> dict[str, Any]:
    disks = [
        {"index": disk.index, "path": disk.path, "size": disk.size, "role": disk.role}
        for disk in manifest.disks
    ]
    return {
        "id": manifest.id,
        "root": manifest.root,
        "consistency": manifest.consistency,
        "reason": reason,
        "bytes": sum(disk.size for disk in manifest.disks),
        "disks": disks,
    }
