"""A session: one writer of the store, and what it promises when.

Durability order, and what a crash leaves after each step

    1  records are appended to a pack of this session's own
         crash: a tail beyond the acknowledged length. ``recover`` reads it once
         the flock is free, keeps each record whose bytes hash to its name and
         cuts off the rest. Nothing refers to the tail, so nothing depends on it
    2  checkpoint: fsync of the packs, and of their folder if one is new
         crash: as after 1, only that the whole tail is there
    3  checkpoint: one transaction enters the records and the packs' new lengths
         crash: SQLite has all of it or nothing; nothing is as after 2, all is
         unreferenced records, which the collection frees if no retry uses them
    4  change map records that name these blocks (changemap.py), only after 3
         crash: a torn record fails its checksum and is unknown
    5  publish: the segment lists went the way of 1 to 3 like any object; every
         list is looked up; the manifest is written under a temporary name,
         fsync, rename, fsync of the folder
         crash before the rename: no image, a stray temporary file; after it: an
         image all of whose parts were durable before it had a name
    6  the caller notes the image in its own books
         crash: an image that the books miss; its manifest names the run

So a manifest never names what a crash can take away, whatever the moment.

After a failed fsync the kernel may have dropped the dirty pages and called
them clean, so what was written since the last good one is in doubt for ever:
the session is broken, cuts its pack back to the acknowledged length, and every
further call raises. Blocks are sent again rather than believed.

Threads. ``put`` and ``checkpoint`` may run in two threads. ``_lock`` guards the
names that are put and not yet indexed and the packs in use; put holds it while
it writes, checkpoint only to exchange the collected rows for an empty table and
to see which packs they lie in. What was exchanged was written before, so the
fsync that follows covers it, and puts go on meanwhile into rows of the next
checkpoint. A name is in ``_pending``, then in ``_flushing``, then in the index;
``have`` looks in this order, so it misses none that moves on while it looks.
``_flush_lock`` lets one checkpoint run at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress

from smc_tui.images import manifest as manifests
from smc_tui.images.blocks import (
    LIST,
    MAX_STORED,
    ZERO_BLOCK,
    ZERO_LIST,
    ZERO_NAMES,
    Bytes,
    Kind,
    name_of,
    split,
)
from smc_tui.images.files import Files
from smc_tui.images.index import NAMES_A_STATEMENT, Index, Row, State
from smc_tui.images.manifest import ImageManifest
from smc_tui.images.packs import HEADER, PackWriter, encode_header
from smc_tui.images.paths import Paths
from smc_tui.images.recover import recover
from smc_tui.images.registry import Registration
from smc_tui.model.errors import SmcError
from smc_tui.model.geometry import Encoding

_MAX_PENDING = 1 << 16  # rows kept in memory, some 20 MB; a put beyond makes a checkpoint itself
_ZEROS = frozenset((ZERO_BLOCK, ZERO_LIST))


class Session:
    """One open writer. Several may write at once, in one process or in many.

    Made by ``ImageStore.session``; a context manager. A name may go into a
    list if ``have`` said that it is there, if it was ``put``, or if it stood in
    the list of the same segment in the disk's change map or in an image: the
    collection (collect.py) keeps exactly these while the session is open.
    """

    def __init__(self, paths: Paths, files: Files, owner: str) -> None:
        self._paths = paths
        self._files = files
        self._lock = threading.Lock()
        self._flush_lock = threading.Lock()
        self._pending: dict[bytes, Row] = {}
        self._flushing: dict[bytes, Row] = {}
        self._writer: PackWriter | None = None
        self._full: list[PackWriter] = []
        self._new_pack = False
        self._acknowledged: dict[int, int] = {}
        self._broken: SmcError | None = None
        self._registration = Registration.enter(paths, files, owner)
        try:
            recover(paths, files, self._registration.index)
            self._reader = Index(paths.index, files)
        except BaseException:
            self._registration.leave()
            raise

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(keep=kind is None or issubclass(kind, Exception), quiet=kind is not None)

    # What is there ---------------------------------------------------------

    def have(self, names: Sequence[bytes]) -> set[bytes]:
        """Return those of the names that are stored and good, zeros included.

        They stay stored at least until the session ends: a condemned one is
        resurrected, durably, before it is returned. One SQL statement per 256.

        Raises:
            SmcError: Destination.Full, Destination.IoError, Store.IndexDamaged.
        """
        with self._lock:
            self._raise_if_broken()
            known = {name for name in names if name in _ZEROS or self._is_waiting(name)}
        condemned = []
        unknown = [name for name in names if name not in known]
        for name, state in self._reader.states(unknown):
            if state == State.GOOD:
                known.add(name)
            elif state == State.CONDEMNED:
                condemned.append(name)
        for start in range(0, len(condemned), NAMES_A_STATEMENT):
            part = condemned[start : start + NAMES_A_STATEMENT]
            known |= self._registration.index.resurrect(part)
        return known

    def _is_waiting(self, name: bytes) -> bool:
        return name in self._pending or name in self._flushing

    # Putting ---------------------------------------------------------------

    def put(self, blocks: Sequence[tuple[bytes, int, Bytes]]) -> int:
        """Append blocks as they came over the wire, in one writev; return the bytes appended.

        Args:
            blocks: (name, encoding, payload). The caller has proven that the
                plain text hashes to the name. Payloads are not copied. A name
                put before in this session, and zeros, are passed over.

        Raises:
            SmcError: Destination.Full, Destination.IoError; nothing of this call counts.
        """
        return self._append(Kind.BLOCK, blocks)

    def put_list(self, names_list: bytes) -> bytes:
        """Store one segment's list of names; see ``put_lists``."""
        return self.put_lists([(names_list, ZERO_NAMES)])[0]

    def put_lists(self, lists: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
        """Store segments' lists of names unless they are there; return their digests.

        Args:
            lists: (256 names, 8192 bytes; a list that stands already in a
                change map or image, or ZERO_NAMES). Every block of the first
                that is not in the second is looked up: a list that named a
                block which is not stored would be a hole in an image.

        Raises:
            SmcError: Image.Incomplete (a block is not there, or damaged); as ``put``.
        """
        for names_list, _ in lists:
            if len(names_list) != LIST:
                raise ValueError(f"a list has {LIST} bytes, not {len(names_list)}")
        unproven = {
            name
            for names_list, standing in lists
            for name in set(split(names_list)).difference(split(standing))
        }
        missing = unproven - self.have(list(unproven))
        if missing:
            detail = f"a list names {len(missing)} blocks that are not stored or damaged"
            raise SmcError("Image.Incomplete", detail, names=[name.hex() for name in missing])
        digests = [name_of(names_list) for names_list, _ in lists]
        wanted = {digest: row[0] for digest, row in zip(digests, lists, strict=True)}
        for digest in self.have(list(wanted)):
            del wanted[digest]
        self._append(Kind.LIST, [(name, Encoding.RAW, row) for name, row in wanted.items()])
        return digests

    def _append(self, kind: Kind, objects: Sequence[tuple[bytes, int, Bytes]]) -> int:
        if len(self._pending) >= _MAX_PENDING:
            self.checkpoint()
        with self._lock:
            self._raise_if_broken()
            fresh = {
                name: (encoding, payload)
                for name, encoding, payload in objects
                if name not in _ZEROS and not self._is_waiting(name)
            }
            if not fresh:
                return 0
            size = sum(HEADER + len(payload) for _, payload in fresh.values())
            pack = self._pack_for(size)
            position = pack.position
            buffers: list[Bytes] = []
            rows: dict[bytes, Row] = {}
            for name, (encoding, payload) in fresh.items():
                length = len(payload)
                if length > MAX_STORED:
                    raise ValueError(f"a payload of {length} bytes")
                rows[name] = Row(name, pack.id, position, length, encoding, kind)
                buffers.append(encode_header(kind, encoding, length, name))
                buffers.append(payload)
                position += HEADER + length
            self._write(pack, buffers, size)
            self._pending.update(rows)
            return size

    def _write(self, pack: PackWriter, buffers: list[Bytes], size: int) -> None:
        end = pack.position
        try:
            pack.append(buffers, size)
        except SmcError as error:
            # Cut back to where it was, the pack is as if this call had not been.
            try:
                self._files.truncate(pack.fd, end, pack.path)
            except SmcError:
                self._broken = error
            raise

    def _pack_for(self, size: int) -> PackWriter:
        if self._writer is not None and not self._writer.has_room(size):
            self._full.append(self._writer)
            self._writer = None
        if self._writer is None:
            self._writer = PackWriter.create(self._files, self._paths.packs)
            self._new_pack = True
        return self._writer

    def _raise_if_broken(self) -> None:
        if self._broken is not None:
            raise SmcError(self._broken.code, self._broken.detail, **self._broken.facts)

    # Making durable --------------------------------------------------------

    def checkpoint(self) -> None:
        """Make durable and index everything put before the call.

        May be called from another thread than ``put``, which goes on meanwhile.

        Raises:
            SmcError: Destination.Full, Destination.IoError. The session is
                broken then: what was put since the last checkpoint is in doubt
                and is to be sent again by the next session.
        """
        with self._flush_lock:
            with self._lock:
                self._raise_if_broken()
                if not self._pending:
                    return
                rows, self._pending = self._pending, {}
                self._flushing = rows
                full, self._full = self._full, []
                packs = [*full, *([self._writer] if self._writer is not None else [])]
                lengths = {pack.id: pack.position for pack in packs}
                new_pack, self._new_pack = self._new_pack, False
            try:
                self._sync(packs, lengths, new_pack=new_pack)
                self._registration.index.add(rows.values(), lengths)
                self._acknowledged.update(lengths)
            except SmcError as error:
                with self._lock:
                    self._broken = error
                raise
            finally:
                for pack in full:
                    pack.close()
            with self._lock:
                self._flushing = {}

    def _sync(
        self, packs: Sequence[PackWriter], lengths: Mapping[int, int], *, new_pack: bool
    ) -> None:
        try:
            for pack in packs:
                if lengths[pack.id] > self._acknowledged.get(pack.id, 0):
                    self._files.fsync(pack.fd, pack.path)
                    pack.leave_cache(lengths[pack.id])
            if new_pack:
                self._files.fsync_dir(self._paths.packs)
        except SmcError as error:
            with self._lock:
                self._broken = error  # first, so that no put is under way below
            for pack in packs:
                with suppress(SmcError):
                    self._files.truncate(pack.fd, self._acknowledged.get(pack.id, 0), pack.path)
            raise

    def publish(self, manifest: ImageManifest) -> None:
        """Give the store an image, all of whose parts are durable first.

        Raises:
            SmcError: Image.Exists; Image.Incomplete (a segment list is not
                stored or damaged: nothing is published); Destination.Full,
                Destination.IoError (the image is there whole or not at all).
        """
        parts = manifests.encode(manifest)
        self.checkpoint()
        for disk in manifest.disks:
            self._require_lists(manifest.id, disk)
        path = self._paths.manifest(manifest.id)
        if path.exists() or self._paths.removed_manifest(manifest.id).exists():
            raise SmcError("Image.Exists", f"{manifest.id} is published already", image=manifest.id)
        self._files.replace(path, parts)

    def _require_lists(self, image: str, disk: manifests.DiskManifest) -> None:
        batch: list[bytes] = []
        for number, digest in enumerate(disk.lists(), 1):
            batch.append(digest)
            if len(batch) == NAMES_A_STATEMENT or number * len(digest) == len(disk.segments):
                missing = set(batch) - self.have(batch)
                if missing:
                    raise SmcError(
                        "Image.Incomplete",
                        f"{image}: disk {disk.index} names {len(missing)} segment lists that are"
                        " not stored or damaged",
                        image=image,
                        disk=disk.index,
                    )
                batch = []

    # Ending ----------------------------------------------------------------

    def close(self, *, keep: bool = True, quiet: bool = False) -> None:
        """End the session; what was put is kept for a later one.

        Args:
            keep: make a last checkpoint, so that the next session need not
                recover the tail.
            quiet: do not raise if that fails; the tail stays for ``recover``.
        """
        with ExitStack() as ending:  # runs upwards, each step whatever the others did
            ending.callback(self._registration.leave)
            ending.callback(self._reader.close)
            ending.callback(self._close_packs)
            if keep and self._broken is None and self._pending:
                try:
                    self.checkpoint()
                except SmcError:
                    if not quiet:
                        raise
            writer = self._writer
            if keep and writer is not None and writer.position == 0:
                with suppress(SmcError):
                    self._files.unlink(writer.path)

    def _close_packs(self) -> None:
        packs = [*self._full, *([self._writer] if self._writer is not None else [])]
        self._full, self._writer = [], None
        for pack in packs:
            pack.close()
