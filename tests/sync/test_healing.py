"""A damaged block is found, named, and healed by the next run of a source that has it."""

from __future__ import annotations

import random

import pytest

from tests.support.disks import MIB, make_disk
from tests.support.runs import Job, image_equals


@pytest.fixture
def job(tmp_path):
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return Job(home, [make_disk(tmp_path / "disk", 40 * MIB)])


def flip_a_bit(job: Job, seed: int) -> None:
    """Flip one bit somewhere in the packs."""
    chance = random.Random(seed)
    packs = sorted((job.home / "images" / "packs").glob("*.pack"))
    pack = chance.choice([path for path in packs if path.stat().st_size])
    with pack.open("r+b") as file:
        file.seek(chance.randrange(pack.stat().st_size))
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1 << chance.randrange(8)]))


@pytest.mark.parametrize("seed", range(6))
def test_a_flipped_bit_is_found_and_healed(job, seed):
    job.result()
    flip_a_bit(job, seed)
    with job.store() as store:
        report = store.check()
        damaged = store.verify("m-00000001")
    assert report.found or damaged.damaged
    assert job.result()["bytes_sent"] <= 65536 * 256
    with job.store() as store:
        assert store.check().found == 0
        assert store.verify("m-00000001").ok
        assert store.verify("m-00000002").ok
    assert image_equals(job, "m-00000001", 0, job.paths[0])


def test_damage_met_only_while_comparing_is_healed_in_the_same_run(job):
    """Nobody has checked: it is found when the old names are needed."""
    job.result()
    for pack in (job.home / "images" / "packs").glob("*.pack"):
        content = bytearray(pack.read_bytes())
        for step in range(4096, len(content), 8000):
            content[step] ^= 0xFF
        pack.write_bytes(content)
    with job.paths[0].open("r+b") as file:
        for at in range(0, 40 * MIB, MIB):
            file.seek(at)
            file.write(b"changed")
    job.result()
    with job.store() as store:
        assert store.check().found
    job.result()
    with job.store() as store:
        assert store.verify("m-00000003").ok
    assert image_equals(job, "m-00000003", 0, job.paths[0])
