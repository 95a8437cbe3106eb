"""Round trips: what goes in comes out, once, and stays when it should."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from smc_tui.images import (
    BLOCK,
    LIST,
    NAME,
    SEGMENT,
    ZERO_BLOCK,
    ZERO_LIST,
    ZERO_NAMES,
    ImageStore,
    name_of,
)
from smc_tui.images.blocks import Kind, PayloadError, plain, split
from smc_tui.images.files import Files
from smc_tui.images.packs import HEADER, PACK_MAX
from smc_tui.model.errors import SmcError
from tests.images.world import World, block, image_of, names_of, packed, put, sample

A, B, C = "m-0000000a", "m-0000000b", "m-0000000c"


def test_an_image_reads_back_byte_for_byte(world: World) -> None:
    disk = sample(2, *range(1, 30))
    manifest = world.synchronise(A, disk)

    assert world.store.images() == [A]
    assert world.store.manifest(A) == manifest
    assert world.read(A) == disk


def test_reads_at_any_offset_and_length(world: World) -> None:
    disk = sample(2, *range(1, 30)) | {0: block(100), 1: block(101)}
    world.synchronise(A, disk)
    whole = world.bytes_of(disk)
    with world.store.disk(A, 0) as reader:
        for offset, length in (
            (0, 1),
            (BLOCK - 1, 2),
            (SEGMENT - 10, 20),
            (world.size - 5, 100),
            (world.size, 1),
            (world.size + BLOCK, 7),
            (3, 3 * BLOCK),
            (5, 0),
        ):
            assert reader.read(offset, length) == whole[offset : offset + length]
        with pytest.raises(ValueError, match="negative"):
            reader.read(-1, 5)
        with pytest.raises(ValueError, match="segment"):
            reader.names(2)


def test_extents_cover_the_disk(world: World) -> None:
    disk = {0: block(1), 1: block(2), 300: block(4)}
    world.synchronise(A, disk)
    with world.store.disk(A, 0) as reader:
        extents = list(reader.extents())
    assert [(e.offset, e.length, e.zero) for e in extents] == [
        (0, 2 * BLOCK, False),
        (2 * BLOCK, 298 * BLOCK, True),
        (300 * BLOCK, BLOCK, False),
        (301 * BLOCK, world.size - 301 * BLOCK, True),
    ]


def test_a_disk_of_zeros_stores_nothing(world: World) -> None:
    world.synchronise(A, {})
    assert world.read(A) == {}
    assert world.store.stats().packs == 0
    with world.store.disk(A, 0) as reader:
        assert reader.names(0) == ZERO_NAMES
        assert [e.zero for e in reader.extents()] == [True]


def test_equal_blocks_and_images_are_stored_once(world: World) -> None:
    disk = {number: block(number % 4) for number in range(40)}
    first = world.synchronise(A, disk)
    before = world.store.stats()
    world.forget_map()
    second = world.synchronise(B, disk)
    after = world.store.stats()

    assert before.blocks == 4
    assert after.bytes_on_disk == before.bytes_on_disk
    assert first.root == second.root


def test_the_root_tells_any_difference(world: World) -> None:
    disk = sample(2, 1, 2, 3)
    roots = {world.synchronise(A, disk).root}
    roots.add(world.synchronise(B, disk | {7: block(9)}).root)
    grown = image_of(C, [(world.size + 512, world.store.manifest(A).disks[0].segments)])
    roots.add(grown.root)
    assert len(roots) == 3


def test_have_knows_what_is_put_flushed_and_indexed(world: World) -> None:
    texts = [block(seed) for seed in range(300)]
    names = [name_of(text) for text in texts]
    with world.store.session("r") as session:
        assert session.have(names) == set()
        put(session, texts[:100])
        assert session.have(names) == set(names[:100])
        session.checkpoint()
        put(session, texts[100:])
        assert session.have([*names, ZERO_BLOCK]) == {*names, ZERO_BLOCK}
    with world.store.session("r") as session:
        assert session.have(names) == set(names)
        assert session.have([]) == set()


def test_put_passes_over_zeros_and_repetitions(world: World) -> None:
    text = block(1)
    row = (name_of(text), 0, memoryview(text))
    zeros = (ZERO_BLOCK, 0, memoryview(bytes(BLOCK)))
    with world.store.session("r") as session:
        assert session.put([row, zeros, row]) == HEADER + BLOCK
        assert session.put([row]) == 0
        assert session.put_list(ZERO_NAMES) == ZERO_LIST
        session.checkpoint()
    assert world.store.stats().blocks == 1


def test_one_put_is_one_write(home: Path) -> None:
    class Counting(Files):
        writes = 0

        def before(self, call: str, path: Path) -> None:
            if call == "write" and path.suffix == ".pack":
                self.writes += 1

    files = Counting()
    world = World(home, files)
    texts = [block(seed) for seed in range(1, 65)]
    with world.store.session("r") as session:
        session.put([(name_of(text), 0, memoryview(text)) for text in texts])
        assert files.writes == 1
    world.close()


@pytest.mark.parametrize("count", [511, 512, 513, 1025])
def test_more_buffers_than_one_call_takes(world: World, count: int) -> None:
    texts = [number.to_bytes(4, "big") * (BLOCK // 4) for number in range(1, count + 1)]
    with world.store.session("r") as session:
        session.put([(name_of(text), 1, packed(text, 1)) for text in texts])
    assert world.store.check().records == count
    for text in texts[:: count // 7]:
        assert world.store.block(name_of(text)) == text


def test_a_payload_too_long_is_refused(world: World) -> None:
    with world.store.session("r") as session:
        with pytest.raises(ValueError, match="payload"):
            session.put([(name_of(b"x"), 0, bytes(BLOCK * 2))])
        with pytest.raises(ValueError, match="list"):
            session.put_list(bytes(LIST - NAME))


def test_a_list_with_an_unknown_block_is_refused(world: World) -> None:
    with world.store.session("r") as session:
        with pytest.raises(SmcError) as caught:
            session.put_list(names_of({3: block(1)}, 0))
        assert caught.value.code == "Image.Incomplete"


def test_an_image_with_an_unknown_list_is_not_published(world: World) -> None:
    with world.store.session("r") as session, pytest.raises(SmcError) as caught:
        session.publish(image_of(A, [(world.size, ZERO_LIST + name_of(b"?"))]))
    assert caught.value.code == "Image.Incomplete"
    assert world.store.images() == []


def test_an_image_is_published_once(world: World) -> None:
    manifest = world.synchronise(A, sample(2, 1, 2))
    with world.store.session("r") as session, pytest.raises(SmcError) as caught:
        session.publish(manifest)
    assert caught.value.code == "Image.Exists"


def test_two_disks_in_one_image(world: World) -> None:
    disks = [sample(2, 1, 2, 3), sample(2, 3, 4, 5)]
    with world.store.session("r") as session:
        roots = []
        for disk in disks:
            put(session, list(disk.values()))
            lists = b"".join(session.put_list(names_of(disk, number)) for number in range(2))
            roots.append((world.size, lists))
        session.publish(image_of(A, roots))
    for index, disk in enumerate(disks):
        with world.store.disk(A, index) as reader:
            assert reader.read(0, world.size) == world.bytes_of(disk)
    with pytest.raises(SmcError) as caught:
        world.store.disk(A, 2)
    assert caught.value.code == "Image.NotFound"


@pytest.mark.parametrize("image", ["m-ffffffff", "../../etc", "s-0000000a", ""])
def test_what_is_no_image_is_not_found(world: World, image: str) -> None:
    for call in (world.store.manifest, world.store.remove, world.store.verify):
        with pytest.raises(SmcError) as caught:
            call(image)
        assert caught.value.code == "Image.NotFound"


def test_removing_frees_what_nothing_else_needs(world: World) -> None:
    first, second = sample(2, *range(1, 20)), sample(2, *range(10, 30))
    world.synchronise(A, first)
    world.synchronise(B, second)
    world.store.remove(A)
    assert world.store.images() == [B]

    world.store.collect()

    stats = world.store.stats()
    assert stats.blocks == world.blocks_on(second)
    assert stats.bytes_dead <= stats.bytes_on_disk / 5
    assert world.read(B) == second
    assert world.store.check().ok


def test_a_change_map_keeps_what_it_names(world: World) -> None:
    disk = sample(2, 1, 2, 3, 4)
    world.synchronise(A, disk)
    world.store.remove(A)
    world.store.collect()
    assert world.store.stats().blocks == world.blocks_on(disk)

    world.forget_map()
    world.store.collect()
    assert world.store.stats().blocks == 0
    assert world.store.stats().packs == 0


def test_a_store_of_a_newer_version_is_left_alone(world: World) -> None:
    (world.home / "images" / "FORMAT").write_text("smc-tui images 2\n")
    with pytest.raises(SmcError) as caught:
        ImageStore.open(world.home / "images", world.home / "staging")
    assert caught.value.code == "Store.Newer"


def test_an_index_of_a_newer_version_is_left_alone(world: World) -> None:
    db = sqlite3.connect(world.home / "images" / "index.db")
    db.execute("PRAGMA user_version = 2")
    db.close()
    with pytest.raises(SmcError) as caught:
        world.store.stats()
    assert caught.value.code == "Store.Newer"


def test_a_garbled_format_is_named(world: World) -> None:
    (world.home / "images" / "FORMAT").write_bytes(b"\xff\0" * 300)
    with pytest.raises(SmcError) as caught:
        ImageStore.open(world.home / "images", world.home / "staging")
    assert caught.value.code == "Store.Damaged"


def test_the_folders_of_a_new_store_are_durable(home: Path) -> None:
    """Or a power cut takes the folder, and all that was synced in it."""
    calls: list[str] = []

    class Telling(Files):
        def before(self, call: str, path: Path) -> None:
            calls.append(f"{call} {path.name}")

    World(home, Telling()).close()
    for folder, above in (("home", home.parent.name), ("images", "home"), ("packs", "images")):
        at = calls.index(f"mkdir {folder}")
        assert calls[at + 1] == f"fsync_dir {above}"


def test_no_store_is_made_when_none_is_wanted(home: Path) -> None:
    with pytest.raises(SmcError) as caught:
        ImageStore.open(home / "images", home / "staging", create=False)
    assert caught.value.code == "Store.NotFound"
    assert not home.exists()


def test_two_may_make_the_store_at_once(home: Path) -> None:
    failures: list[BaseException] = []

    def make() -> None:
        try:
            ImageStore.open(home / "images", home / "staging").close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_put_goes_on_while_a_checkpoint_is_made(home: Path) -> None:
    in_fsync, go_on = threading.Event(), threading.Event()

    class Slow(Files):
        def before(self, call: str, path: Path) -> None:
            if call == "fsync" and path.suffix == ".pack" and not in_fsync.is_set():
                in_fsync.set()
                assert go_on.wait(10)

    world = World(home, Slow())
    first, second = block(1), block(2)
    with world.store.session("r") as session:
        put(session, [first])
        flusher = threading.Thread(target=session.checkpoint)
        flusher.start()
        assert in_fsync.wait(10)
        put(session, [second])
        assert session.have([name_of(first), name_of(second)]) == {name_of(first), name_of(second)}
        go_on.set()
        flusher.join()
        # The checkpoint covers what was put before it, not what came meanwhile.
        with world.store.session("other") as other:
            assert other.have([name_of(first), name_of(second)]) == {name_of(first)}
    world.close()


def test_threads_putting_and_checkpointing_lose_nothing(world: World) -> None:
    texts = [block(seed) for seed in range(1, 400)]
    with world.store.session("r") as session, ThreadPoolExecutor(3) as pool:
        flushes = []
        for at in range(0, len(texts), 4):
            put(session, texts[at : at + 4])
            flushes.append(pool.submit(session.checkpoint))
            names = [name_of(text) for text in texts[: at + 4]]
            assert session.have(names) == set(names)
        for flush in flushes:
            flush.result()
    assert world.store.check().records == len(texts)


def test_a_pack_is_full_some_day(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smc_tui.images.packs.PACK_MAX", 10 * BLOCK)
    disk = {number: block(3 * number + 1) for number in range(50)}
    world.synchronise(A, disk)
    assert world.store.stats().packs >= 5
    assert max(p.stat().st_size for p in world.store.paths.packs.iterdir()) <= 11 * BLOCK
    assert world.read(A) == disk
    assert PACK_MAX == 512 * 1024 * 1024


def test_memory_of_waiting_names_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smc_tui.images.session._MAX_PENDING", 8)
    with world.store.session("r") as session:
        for seed in range(1, 30):
            put(session, [block(seed)])
        with world.store.session("other") as other:
            assert len(other.have([name_of(block(seed)) for seed in range(1, 30)])) >= 16


def test_what_a_session_left_is_kept_without_an_image(world: World) -> None:
    texts = [block(seed) for seed in range(1, 10)]

    def run() -> None:
        with world.store.session("r") as session:
            put(session, texts)
            raise RuntimeError("the link broke")

    with pytest.raises(RuntimeError, match="broke"):
        run()
    with world.store.session("r") as session:
        assert len(session.have([name_of(text) for text in texts])) == len(texts)


def test_single_objects(world: World) -> None:
    disk = sample(2, 1, 2, 3)
    manifest = world.synchronise(A, disk)
    for segment, digest in enumerate(manifest.disks[0].lists()):
        assert world.store.names_list(digest) == names_of(disk, segment)
    for text in disk.values():
        assert world.store.block(name_of(text)) == text
    assert world.store.block(ZERO_BLOCK) == bytes(BLOCK)
    assert world.store.names_list(ZERO_LIST) == ZERO_NAMES
    with pytest.raises(SmcError) as caught:
        world.store.block(name_of(b"nowhere"))
    assert caught.value.code == "Image.BlockDamaged"


@pytest.mark.parametrize("encoding", [0, 1, 2])
def test_payloads_are_exactly_a_block(encoding: int) -> None:
    text = block(3)
    assert plain(encoding, memoryview(packed(text, encoding))) == text
    for wrong in (text[:-1], text + b"x", b"", text * 100):
        with pytest.raises(PayloadError):
            plain(encoding, packed(wrong, encoding))
    for cut in (0, 1, len(packed(text, encoding)) - 1):
        with pytest.raises(PayloadError):
            plain(encoding, packed(text, encoding)[:cut])
    with pytest.raises(PayloadError):
        plain(encoding, packed(text, encoding) + b"surplus")
    with pytest.raises(PayloadError):
        plain(3, text)


def test_the_index_made_anew_is_the_same(world: World) -> None:
    world.synchronise(A, sample(2, *range(1, 40)))
    world.synchronise(B, sample(2, *range(20, 60)))
    world.store.remove(A)
    world.store.collect()
    rows = _rows(world)

    assert world.store.rebuild_index() == len(rows)

    assert _rows(world) == rows
    assert world.store.check().ok


def test_a_lost_index_is_made_anew(world: World) -> None:
    disk = sample(2, *range(1, 40))
    world.synchronise(A, disk)
    rows = _rows(world)
    world.close()
    for path in world.home.glob("images/index.db*"):
        path.unlink()

    again = World(world.home)
    assert again.read(A) == disk
    assert _rows(again) == rows
    again.close()


def test_a_reader_outlives_a_new_index_and_moved_packs(world: World) -> None:
    first, second = sample(2, *range(1, 20)), sample(2, *range(15, 30))
    world.synchronise(A, first)
    world.synchronise(B, second)
    with world.store.disk(B, 0) as reader:
        world.store.rebuild_index()
        world.store.remove(A)
        world.store.collect()
        assert reader.read(0, world.size) == world.bytes_of(second)


def test_the_index_is_not_replaced_under_a_session(world: World) -> None:
    with world.store.session("r"):
        with pytest.raises(SmcError) as caught:
            world.store.rebuild_index()
        assert caught.value.code == "Store.Busy"
    world.store.rebuild_index()


def test_a_collection_and_a_check_exclude_each_other(world: World) -> None:
    codes = []

    def progress(_doing: str, _done: int, _total: int) -> None:
        with pytest.raises(SmcError) as caught:
            world.store.check()
        codes.append(caught.value.code)

    world.synchronise(A, sample(2, 1, 2))
    world.store.collect(progress)
    assert set(codes) == {"Store.Busy"}


def test_images_of_a_huge_sparse_disk_are_small(home: Path) -> None:
    world = World(home, segments=1 << 16)  # 1 TiB
    disk = {5: block(1), (1 << 24) - 300: block(2)}
    root = [ZERO_LIST] * world.segments
    with world.store.session("r") as session:
        put(session, list(disk.values()))
        for number in disk:
            root[number // 256] = session.put_list(names_of(disk, number // 256))
        manifest = image_of(A, [(world.size, b"".join(root))])
        session.publish(manifest)
    assert world.store.manifest(A) == manifest
    assert world.store.paths.manifest(A).stat().st_size < (2 << 20) + 4096
    assert world.read(A) == disk
    done = world.store.verify(A)
    assert (done.ok, done.bytes, done.stored) == (True, world.size, 2 * BLOCK)
    world.close()


def _rows(world: World) -> list[tuple[object, ...]]:
    with sqlite3.connect(f"file:{world.store.paths.index}?mode=ro", uri=True) as db:
        rows = db.execute("SELECT * FROM blocks ORDER BY name").fetchall()
    db.close()
    return rows


def test_lists_and_blocks_are_told_apart(world: World) -> None:
    manifest = world.synchronise(A, sample(2, 1, 2))
    digest = next(manifest.disks[0].lists())
    with pytest.raises(SmcError) as caught:
        world.store.block(digest)
    assert caught.value.facts["harm"] == "misplaced"
    assert Kind.LIST.size == LIST
    assert len(split(ZERO_NAMES)) == 256


def test_a_store_that_cannot_be_read(home: Path) -> None:
    World(home).close()
    line = home / "images" / "FORMAT"
    line.unlink()
    line.mkdir()
    with pytest.raises(SmcError) as caught:
        World(home)
    assert caught.value.code == "Store.Unreadable"
    assert str(line) in caught.value.detail
