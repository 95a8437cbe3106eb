"""One run from connecting to the published image.

    connect     the agent starts while the store is opened here
    recognise   every disk is the imported one, and no smaller
    transfer    one pass; everything received is durable when it ends
    recognise   again: did anything write to the disks while they were read?
    publish     the image's manifest, in one rename

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

from smc_tui.images import ChangeMap, DiskManifest, ImageManifest, ImageStore
from smc_tui.model.errors import SmcError
from smc_tui.source import protocol
from smc_tui.source.client import AgentClient, OpenDisk
from smc_tui.sync.description import RunDescription, SourceDisk
from smc_tui.sync.lines import Controls, Speaker, Stop
from smc_tui.sync.pacing import compression_level
from smc_tui.sync.progress import DiskCount, Progress
from smc_tui.sync.segments import Hash
from smc_tui.sync.transfer import DiskWork, Transfer


def synchronise(
    description: RunDescription, client: AgentClient, controls: Controls, speaker: Speaker
) -> None:
    """Do one run; the last line said is its result, or that it stopped.

    Args:
        description: what is to be done.
        client: the conversation with the source, begun and not yet opened.
        controls: what the engine says meanwhile.
        speaker: what is said to the engine.

    Raises:
        SmcError: the run failed; everything received so far is kept.
    """
    progress = Progress(speaker.say)
    with ExitStack() as held:
        held.enter_context(_alone(description))
        store = ImageStore.open(description.home / "images", description.home / "staging")
        held.callback(store.close)
        ahead = threading.Thread(target=store.expect_lists, args=(description.job,))
        ahead.start()
        held.callback(ahead.join)
        session = held.enter_context(store.session(description.run))
        client.open(compressing=_compressing(description))
        opened = [_open(client, disk) for disk in description.disks]
        disks = [held.enter_context(_work(description, store, client, o)) for o in opened]
        progress.disks = [disk.count for disk in disks]
        progress.enter("Syncing")
        transfer = Transfer(client, store, session, disks, controls, progress, description.link_bps)
        stopped = transfer.run()
        if stopped is not None:
            _say_stopped(speaker, stopped, progress)
            return
        progress.enter("Processing")
        footprint = client.finish()
        progress.wire = client.received + client.sent
        consistency, reason = _consistency(opened, footprint)
        manifest = _manifest(description, client, opened, disks, consistency)
        session.publish(manifest)
    speaker.say(
        "result",
        image=_image_document(manifest, reason),
        change_detection="full comparison",
        hash=client.hash,
        footprint={k: v for k, v in footprint.items() if k != "states"},
        **progress.counts(),
    )


@contextmanager
def _alone(description: RunDescription) -> Iterator[None]:
    """Hold the job's lock; waits while an earlier run of the job is still ending."""
    description.staging.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (description.staging / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _compressing(description: RunDescription) -> bool:
    """Tell whether blocks will be compressed, so that the agent is given zstd."""
    level = compression_level(
        description.compression, description.link_bps, description.limit_mbit, zstd=True
    )
    return level > 0


def _open(client: AgentClient, disk: SourceDisk) -> OpenDisk:
    """Open a disk and make sure that it is the one that was imported.

    Raises:
        SmcError: Disk.NotFound, Disk.ReadFailed, Disk.Shrank, Disk.Replaced.
    """
    found = client.open_disk(disk.index, disk.path)
    if found.size < disk.size:
        detail = f"{disk.path} has {found.size} bytes, at import it had {disk.size}"
        raise SmcError("Disk.Shrank", detail)
    known = {name: fact for name, fact in disk.identity.items() if name in found.identity}
    if known != {name: found.identity[name] for name in known} or (disk.identity and not known):
        raise SmcError("Disk.Replaced", f"{disk.path} is not the disk that was imported")
    return found


@contextmanager
def _work(
    description: RunDescription, store: ImageStore, client: AgentClient, disk: OpenDisk
) -> Iterator[DiskWork]:
    """Open the change map of a disk for the time of the run."""
    path = description.staging / f"disk{disk.index}.map"
    with ChangeMap.open(path, disk.size, Hash(client.hash).map_algorithm) as known:
        yield DiskWork(
            index=disk.index,
            size=disk.size,
            map=known,
            count=DiskCount(disk.index, disk.size),
            suspect=store.segments_to_heal(known),
        )


def _say_stopped(speaker: Speaker, stopped: Stop, progress: Progress) -> None:
    if stopped is Stop.CANCEL:
        speaker.say("cancelled")
    else:
        speaker.say("paused", **progress.counts())


def _consistency(opened: list[OpenDisk], footprint: dict[str, Any]) -> tuple[str, str]:
    """Return (``stopped`` or ``fuzzy``, the reason in words).

    Raises:
        SmcError: Disk.Shrank while it was read; Protocol.Malformed.
    """
    states = footprint.get("states")
    if not isinstance(states, dict):
        raise protocol.malformed("no states of the disks at the end")
    written = []
    for disk in opened:
        now = states.get(str(disk.index))
        if not isinstance(now, list) or not now or not isinstance(now[0], int):
            raise protocol.malformed(f"no state of {disk.path} at the end")
        if now[0] < disk.size:
            raise SmcError("Disk.Shrank", f"{disk.path} shrank while it was read")
        if now != disk.state:
            written.append(disk.path)
    if written:
        return "fuzzy", f"{', '.join(written)} was written to while it was read"
    return "stopped", "nothing wrote to the disks while they were read"


def _manifest(
    description: RunDescription,
    client: AgentClient,
    opened: list[OpenDisk],
    disks: list[DiskWork],
    consistency: str,
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
        for found, disk in zip(opened, disks, strict=True)
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
            "change_detection": "full comparison",
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
