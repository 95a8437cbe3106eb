"""Packs are merged before they are many, and not copied again and again."""

from __future__ import annotations

import random

from smc_tui.images.compact import crowded
from smc_tui.images.index import Use
from smc_tui.images.packs import PACK_MAX, RECORDS_MAX
from smc_tui.model.units import KIB, MIB
from tests.images.world import World, block


def test_many_small_packs_in_full_use_are_merged(world: World) -> None:
    disk = {}
    images = [f"m-{number:08x}" for number in range(40)]
    for number, image in enumerate(images):
        disk[number] = block(3 * number + 1)  # none can be compressed: all packs of one class
        world.synchronise(image, disk)
    before = world.store.stats()
    assert before.packs == len(images)
    done = world.store.collect()
    after = world.store.stats()
    assert done.packs_rewritten == len(images)
    assert after.packs == 1
    assert (after.blocks, after.lists) == (before.blocks, before.lists)
    for number, image in enumerate(images):
        assert world.read(image) == {n: disk[n] for n in range(number + 1)}
    assert world.store.check().ok
    assert world.store.collect().packs_rewritten == 0


def test_few_small_packs_are_left_alone(world: World) -> None:
    for number in range(15):
        world.synchronise(f"m-{number:08x}", {n: block(n) for n in range(number + 1)})
    assert world.store.collect().packs_rewritten == 0


def test_full_packs_and_those_with_damaged_records_are_left_alone() -> None:
    full = {n: Use(1000, PACK_MAX // 8) for n in range(40)}
    many_records = {n: Use(RECORDS_MAX // 8, 10 * MIB) for n in range(40)}
    damaged = {n: Use(10, MIB, 1) for n in range(40)}
    empty = dict.fromkeys(range(40), Use())
    for packs in (full, many_records, damaged, empty):
        assert crowded(packs) == set()


def merged(uses: list[Use]) -> list[Use]:
    """Return packs that hold what some packs hold, filled one after the other."""
    made = [Use()]
    for use in uses:
        last = made[-1]
        if last.bytes + use.bytes > PACK_MAX or last.rows + use.rows > RECORDS_MAX:
            made.append(last := Use())
        made[-1] = Use(last.rows + use.rows, last.bytes + use.bytes)
    return made


def test_years_of_hourly_synchronisations_whose_blocks_all_stay() -> None:
    """The number of small packs stays bounded, and so does how often a byte is copied."""
    chance = random.Random(5)
    for rows, size in ((2, 9 * KIB), (300, 20 * MIB), (3000, 2 * MIB)):
        packs: dict[int, Use] = {}
        written = copied = most = 0
        for hour in range(3 * 8760):
            part = chance.uniform(0.1, 1.9)
            packs[hour] = Use(max(1, int(rows * part)), int(size * part))
            written += packs[hour].bytes
            if hour % 24 == 23:
                going = [packs.pop(pack) for pack in crowded(packs)]
                copied += sum(use.bytes for use in going)
                if going:
                    packs.update({-hour * 1000 - n: use for n, use in enumerate(merged(going))})
            small = [u for u in packs.values() if u.bytes < PACK_MAX / 8]
            most = max(most, sum(use.rows < RECORDS_MAX / 8 for use in small))
        assert most < 6 * 16 + 24
        assert copied <= 6 * written
