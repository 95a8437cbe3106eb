"""Real processes on one store, killed at any moment; and the worker that the engine starts."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from smc_tui.images import SEGMENT, ZERO_LIST, name_of
from smc_tui.images.packs import HEADER
from tests.images.churn import disk_of
from tests.images.world import World, block, image_of, sample

A = "m-0000000a"
ROUNDS = 12
LINES = 6
"""How many lines a process tells before it may be killed."""


@contextmanager
def _churn(home: Path, what: str, number: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.images.churn", str(home), what, str(number)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_kill_9_of_writers_and_collectors(home: Path) -> None:
    """Two writers and a collector; one of them is killed and another begins, again and again."""
    World(home).close()
    chance = random.Random("kill")
    published: set[str] = set()
    removing: set[str] = set()
    swept = 0
    for number in range(ROUNDS):
        with (
            _churn(home, "write", 2 * number) as first,
            _churn(home, "write", 2 * number + 1) as second,
            _churn(home, "collect", 0) as collector,
        ):
            told = []
            victims = [first, second, collector]
            chance.shuffle(victims)
            for victim in victims:
                assert victim.stdout is not None
                told += [victim.stdout.readline() for _ in range(chance.randint(1, LINES))]
                victim.kill()  # at whatever it is doing now
            for victim in victims:
                told += victim.communicate()[0].splitlines()
        for line in told:
            match line.split():
                case ["published", image]:
                    published.add(image)
                case ["removing", image]:
                    removing.add(image)
                case ["collected", count]:
                    swept += int(count)
        _examine(home, published, removing)
    assert len(published) > ROUNDS
    assert swept > 0
    _expect_nothing_left(home)


def _examine(home: Path, published: set[str], removing: set[str]) -> None:
    world = World(home)
    listed = set(world.store.images())
    assert published - removing <= listed
    for image in listed:
        assert world.read(image) == disk_of(image)
    world.close()


def _expect_nothing_left(home: Path) -> None:
    world = World(home)
    report = world.store.check()
    assert report.ok, report
    assert not report.index_rebuilt
    for image in world.store.images():
        world.store.remove(image)
    for path in home.glob("staging/*/*.map"):
        path.unlink()
    world.store.collect()
    stats = world.store.stats()
    assert (stats.blocks, stats.packs, stats.sessions, stats.removed) == (0, 0, 0, 0)
    assert list(world.store.paths.sessions.iterdir()) == []
    world.close()


# The worker ----------------------------------------------------------------


def _work(home: Path, *lines: dict[str, Any], **wanted: Any) -> tuple[int, list[dict[str, Any]]]:
    """Run the worker to its end; return its exit status and what it said."""
    with subprocess.Popen(
        [sys.executable, "-m", "smc_tui.images"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for line in ({"home": str(home), **wanted}, *lines):
            process.stdin.write(json.dumps(line) + "\n")
        process.stdin.flush()
        said = [json.loads(line) for line in process.stdout]
    return process.returncode, said


@pytest.fixture
def home_with_image(home: Path) -> Path:
    world = World(home)
    world.synchronise(A, sample(2, 1, 2, 3))
    world.close()
    return home


def test_the_worker_verifies(home_with_image: Path) -> None:
    status, said = _work(home_with_image, do="verify", image=A)
    assert status == 0
    assert said[-1]["kind"] == "result"
    assert (said[-1]["image"], said[-1]["damaged"]) == (A, 0)
    assert all(line["kind"] == "progress" for line in said[:-1])
    assert {"phase", "done", "total"} <= said[0].keys()


def test_the_worker_exports(home_with_image: Path, tmp_path: Path) -> None:
    file = tmp_path / "a b.raw"
    status, said = _work(home_with_image, do="export", image=A, disk=0, file=str(file))
    assert status == 0
    assert said[-1]["path"] == str(file)
    assert said[-1]["format"] == "raw"
    assert file.stat().st_size == said[-1]["bytes"]


@pytest.mark.parametrize("do", ["check", "collect", "stats"])
def test_the_worker_cares_for_the_store(home_with_image: Path, do: str) -> None:
    status, said = _work(home_with_image, do=do)
    assert (status, said[-1]["kind"]) == (0, "result")


@pytest.mark.parametrize("do", ["check", "verify"])
def test_the_worker_names_damage(home_with_image: Path, do: str) -> None:
    name = name_of(block(1))
    world = World(home_with_image)
    pack, offset = world.store._index().places([name])[name][:2]
    path = world.store.paths.packs / f"{pack:016x}.pack"
    world.close()
    with path.open("r+b") as file:
        file.seek(offset + HEADER)
        file.write(b"rotten")
    status, said = _work(home_with_image, do=do, image=A)
    assert (status, said[-1]["kind"]) == (1, "error")
    assert said[-1]["code"] == ("Store.Damaged" if do == "check" else "Image.BlockDamaged")
    named = said[-1]["facts"]["problems" if do == "check" else "damage"]
    assert [(line["name"], line["image"]) for line in named] == [(name.hex(), A)]


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"do": "verify", "image": "m-ffffffff"}, "Image.NotFound"),
        ({"do": "export", "image": A, "disk": 7, "file": "/nowhere"}, "Image.NotFound"),
        ({"do": "export", "image": A, "disk": 0, "file": "/dev/null"}, "Export.TargetExists"),
        ({"do": "something"}, "Images.Failed"),
        ({"do": "verify"}, "Images.Failed"),
        ({"do": "stats", "home": "/nowhere"}, "Store.NotFound"),
    ],
)
def test_the_worker_says_what_is_wrong(
    home_with_image: Path, wanted: dict[str, Any], code: str
) -> None:
    status, said = _work(wanted.pop("home", home_with_image), **wanted)
    assert (status, said[-1]["kind"], said[-1]["code"]) == (1, "error", code)
    assert said[-1]["detail"]


@pytest.fixture
def home_with_much(home: Path) -> Path:
    """16 TiB of zeros: nothing to store, and long enough to go through."""
    world = World(home)
    with world.store.session("r") as session:
        session.publish(image_of(A, [(SEGMENT << 20, ZERO_LIST * (1 << 20))]))
    world.close()
    return home


@pytest.mark.parametrize(("word", "kind"), [("cancel", "cancelled"), ("pause", "paused")])
def test_the_worker_stops_when_told(
    home_with_much: Path, tmp_path: Path, word: str, kind: str
) -> None:
    file = tmp_path / "file"
    lines = ({"no": "command"}, {"do": word})
    status, said = _work(home_with_much, *lines, do="export", image=A, file=str(file))
    assert status == 0
    assert said[-1]["kind"] == kind
    assert list(tmp_path.iterdir()) == []


def test_the_worker_stops_when_the_engine_is_gone(home_with_much: Path, tmp_path: Path) -> None:
    file = str(tmp_path / "file")
    wanted = {"home": str(home_with_much), "do": "export", "image": A, "file": file}
    done = subprocess.run(
        [sys.executable, "-m", "smc_tui.images"],
        input=json.dumps(wanted) + "\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1])["kind"] == "cancelled"
    assert list(tmp_path.iterdir()) == []
