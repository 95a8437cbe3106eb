"""Links that are lost: the run goes on where it was, and claims nothing unproven."""

from __future__ import annotations

import contextlib
import json
import os
import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from smc_tui.model.errors import SmcError
from smc_tui.model.geometry import BLOCK, SEGMENT, segments_of
from smc_tui.source.client import AGENT, AgentClient
from smc_tui.sync import connection as connections
from smc_tui.sync.connection import Connection
from smc_tui.sync.description import RetryPolicy, RunDescription
from smc_tui.sync.lines import Controls, Speaker
from smc_tui.sync.run import synchronise
from smc_tui.sync.transfer import WINDOW
from tests.support.disks import MIB, change_disk, make_disk
from tests.support.runs import Job, image_equals

SIZE = 4 * SEGMENT + 12345
MIDWAY = 9  # frames: every segment is answered for by then, and some data has come
QUICK = {"attempts": 3, "first": 0.01, "longest": 0.02}
PATIENT = {"attempts": 3, "first": 60, "longest": 60}


@dataclass
class Way:
    """What happens to the links of a run, one after the other.

    Attributes:
        ends: after how many frames of the transfer each link ends; None: it holds.
        between: called when a link has ended.
        hashes: what each agent hashes with.
        refuses: what each connection fails with instead, by its number.
    """

    ends: list[int | None]
    between: list = field(default_factory=list)
    hashes: list[str] = field(default_factory=list)
    refuses: dict[int, SmcError] = field(default_factory=dict)
    made: int = 0

    def client(self, ssh, bell):
        number, self.made = self.made, self.made + 1
        if number in self.refuses:
            raise self.refuses[number]
        return Mortal(self, number, ssh, bell)


class Mortal(AgentClient):
    """An agent whose link ends when its time has come, its process with it."""

    def __init__(self, way, number, ssh, bell):
        super().__init__(ssh, bell)
        self._way = way
        self._number = number
        self._left = way.ends[number] if number < len(way.ends) else None

    def open(self, *, compressing=False, hashing="blake3"):
        known = self._way.hashes
        if self._number < len(known):
            hashing = known[self._number]
        super().open(compressing=compressing, hashing=hashing)

    def read(self, timeout):
        frame = super().read(timeout)
        if frame is not None and frame[0] in b"ad" and self._left is not None:
            self._left -= 1
            if self._left < 0:
                self.link._process.kill()
                if self._number < len(self._way.between):
                    self._way.between[self._number]()
                raise self.link.failure()
        return frame


class Said(Speaker):
    """Keeps what a run says."""

    def __init__(self):
        self.lines = []
        self.heard = threading.Condition()

    def say(self, kind, **facts):
        with self.heard:
            self.lines.append(json.loads(json.dumps({"kind": kind, **facts})))
            self.heard.notify_all()

    def events(self):
        return [line["text"] for line in self.lines if line["kind"] == "event"]

    def until(self, fits):
        with self.heard:
            assert self.heard.wait_for(lambda: any(fits(line) for line in self.lines), 30)


@pytest.fixture
def job(tmp_path):
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return Job(home, [make_disk(tmp_path / "disk", SIZE)])


@pytest.fixture
def go(job, monkeypatch):
    """Do a run of the job in this process and return what it says."""

    def run(way, retry=QUICK, controls=None, said=None, **other):
        monkeypatch.setattr(connections, "AgentClient", way.client)
        description = RunDescription.of(job.description(retry=retry, **other))
        controls = controls or Controls(description.limit_mbit, description.compression)
        said = said or Said()
        with contextlib.closing(Connection(description, controls.bell)) as connection:
            try:
                synchronise(description, connection, controls, said)
            except SmcError as error:
                said.say("error", code=error.code, detail=error.detail, facts=error.facts)
        return said

    return run


def image(job):
    return f"m-{job.count:08x}"


@pytest.mark.parametrize("hashing", ["blake3", "blake2b"])
@pytest.mark.parametrize("seed", range(4))
def test_links_that_end_at_any_moment(job, go, hashing, seed):
    """The same run, the same image, nothing sent twice but what was on its way."""
    whole = Job(job.home.parent / "other", job.paths)
    whole.home.mkdir()
    total = whole.result()["bytes_sent"]
    chance = random.Random(seed)
    ends = [chance.choice([0, 1, chance.randrange(9)]) for _ in range(12)]
    said = go(Way(ends, hashes=[hashing] * 13), {**QUICK, "attempts": 12})
    last = said.lines[-1]
    assert last["kind"] == "result", last
    assert last["links"] == len(said.events()) // 2 + 1 > 8
    assert last["hash"] == hashing
    assert last["image"]["consistency"] == "stopped"
    assert image_equals(job, image(job), 0, job.paths[0])
    assert last["bytes_compared"] == last["bytes_total"] == SIZE
    assert last["bytes_sent"] == total, "a frame that came is never asked for again"
    assert last["bytes_sent"] <= last["bytes_changed"]


def test_what_was_compared_is_not_compared_again(job, go):
    """Only what was under way when the link ended is asked for a second time."""
    with job.paths[0].open("r+b") as file:
        file.truncate(120 * SEGMENT)
    ends = [40, 40, 40]
    said = go(Way(ends))
    last = said.lines[-1]
    assert last["links"] == 4
    assert last["scans"] <= segments_of(120 * SEGMENT) + len(ends) * WINDOW
    done = [line["compared"] for line in said.lines if line["kind"] == "progress"]
    assert done == sorted(done)
    assert image_equals(job, image(job), 0, job.paths[0])


def test_a_link_that_stays_away(job, go):
    """All that came is kept; the error is the first one, with what came of the attempts."""
    refused = SmcError("SourceServer.Offline", "nobody there")
    said = go(Way([MIDWAY], refuses=dict.fromkeys((1, 2, 3), refused)))
    last = said.lines[-1]
    assert (last["kind"], last["code"]) == ("error", "Link.Lost")
    assert "3 attempts to get the link back failed" in last["detail"]
    assert "SourceServer.Offline: nobody there" in last["detail"]
    assert last["facts"]["attempts"] == 3
    assert [text.partition("; ")[2] for text in said.events()] == [
        "trying again in 0.01 s (attempt 1 of 3)",
        "trying again in 0.02 s (attempt 2 of 3)",
        "trying again in 0.02 s (attempt 3 of 3)",
    ]
    assert all(text.startswith("link lost (") for text in said.events())
    waits = [line["retry"] for line in said.lines if line.get("retry")]
    assert [(wait["attempt"], wait["of"]) for wait in waits] == [(1, 3), (2, 3), (3, 3)]
    assert [wait["code"] for wait in waits] == ["Link.Lost"] + ["SourceServer.Offline"] * 2
    again = go(Way([])).lines[-1]
    assert again["kind"] == "result"
    assert again["bytes_sent"] < again["bytes_changed"]
    assert image_equals(job, image(job), 0, job.paths[0])


def test_a_source_that_is_not_there_at_first(job, go):
    refused = SmcError("SourceServer.Offline", "nobody there")
    said = go(Way([], refuses={0: refused, 1: refused}))
    assert said.lines[-1]["kind"] == "result"
    assert said.events()[0].startswith("the source was not reached (SourceServer.Offline")
    gone = go(Way([], refuses=dict.fromkeys(range(9), refused))).lines[-1]
    assert gone["code"] == "SourceServer.Offline"
    assert gone["detail"] == "nobody there; 3 attempts to get the link back failed"


def test_progress_gives_the_attempts_back_and_its_absence_does_not(job, go):
    one = {**QUICK, "attempts": 1}
    assert go(Way([7] * 3), one).lines[-1]["kind"] == "result"
    fresh = Job(job.home.parent / "other", job.paths)
    fresh.home.mkdir()
    job.home = fresh.home
    last = go(Way([3, 0]), one).lines[-1]
    assert last["code"] == "Link.Lost"
    assert last["facts"]["attempts"] == 1


@pytest.mark.parametrize(
    ("command", "ending"), [("pause", "paused"), ("cancel", "cancelled"), ("gone", "paused")]
)
def test_who_waits_for_the_link_hears(job, go, command, ending):
    read, write = os.pipe()
    controls, said = Controls(0, 0), Said()
    with os.fdopen(read) as commands, os.fdopen(write, "w") as engine:
        controls.listen_in_background(commands)
        args = (Way([MIDWAY]), PATIENT, controls, said)
        runner = threading.Thread(target=go, args=args, daemon=True)
        runner.start()
        said.until(lambda line: line.get("retry"))
        asked = time.monotonic()
        if command != "gone":
            engine.write('{"do": "limit", "mbit": 5}\n')
            engine.write(json.dumps({"do": command}) + "\n")
        engine.close()
        runner.join(30)
        assert time.monotonic() - asked < 5
    assert said.lines[-1]["kind"] == ending
    assert controls.limit_mbit == (0 if command == "gone" else 5)


def test_who_waits_for_an_answer_hears(job, go, monkeypatch):
    """A source that takes the connection and says nothing does not hold up a pause."""
    silent = job.home.parent / "silent.py"
    silent.write_text("import sys\nsys.stdin.buffer.read()\n")
    monkeypatch.setattr("smc_tui.source.client.AGENT", silent)
    job.disks = [{"index": 0, "path": "x", "size": 1, "identity": {}, "role": "system"}]
    controls, said = Controls(0, 0), Said()
    runner = threading.Thread(target=go, args=(Way([]), PATIENT, controls, said), daemon=True)
    runner.start()
    asked = time.monotonic()
    controls.listen(['{"do": "pause"}'])
    runner.join(30)
    assert time.monotonic() - asked < 5
    assert said.lines[-1]["kind"] == "paused"


@pytest.mark.parametrize("code", ["HostKey.Changed", "Source.AuthRefused", "Source.NoPython"])
def test_what_is_no_matter_of_the_link_is_not_tried_again(job, go, code):
    said = go(Way([MIDWAY], refuses={1: SmcError(code)}))
    assert said.lines[-1]["code"] == code
    assert len(said.events()) == 1


def test_a_name_that_the_lost_network_cannot_resolve_is(job, go):
    unknown = SmcError("Source.UnknownHost", "Temporary failure in name resolution")
    assert go(Way([MIDWAY], refuses={1: unknown})).lines[-1]["kind"] == "result"
    assert go(Way([], refuses={0: unknown})).lines[-1]["code"] == "Source.UnknownHost"


def swap(job):
    path = job.paths[0]
    path.rename(path.with_name("away"))
    make_disk(path, SIZE)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda job: job.paths[0].unlink(), "Disk.NotFound"),
        (lambda job: os.truncate(job.paths[0], SIZE - 1), "Disk.Shrank"),
        (swap, "Disk.Replaced"),
    ],
)
def test_another_disk_after_the_gap_is_not_read(job, go, spoil, code):
    job.survey()
    said = go(Way([MIDWAY], [lambda: spoil(job)]))
    assert said.lines[-1]["code"] == code
    assert len(said.events()) == 1


def test_a_disk_that_grew_before_the_run_and_shrank_in_the_gap(job, go):
    job.survey()
    os.truncate(job.paths[0], SIZE + SEGMENT)
    said = go(Way([MIDWAY], [lambda: os.truncate(job.paths[0], SIZE)]))
    assert said.lines[-1]["code"] == "Disk.Shrank"


# What is claimed across a gap


def test_a_write_in_the_gap_makes_the_image_fuzzy(job, go):
    said = go(Way([MIDWAY], [lambda: change_disk(job.paths[0], 1, seed=3)]))
    assert said.lines[-1]["image"]["consistency"] == "fuzzy"
    assert go(Way([MIDWAY])).lines[-1]["image"]["consistency"] == "stopped"


def test_a_server_started_again_in_the_gap_makes_the_image_fuzzy(job, go, monkeypatch, tmp_path):
    """Counts that begin anew may be equal by chance; they prove nothing."""
    start, agent = tmp_path / "boot_id", tmp_path / "agent.py"
    start.write_text("first")
    agent.write_text(AGENT.read_text().replace("/proc/sys/kernel/random/boot_id", str(start)))
    monkeypatch.setattr("smc_tui.source.client.AGENT", agent)
    first = go(Way([MIDWAY], [lambda: start.write_text("second")])).lines[-1]
    assert first["image"]["consistency"] == "fuzzy"
    assert go(Way([MIDWAY])).lines[-1]["image"]["consistency"] == "stopped"
    start.unlink()
    assert go(Way([])).lines[-1]["image"]["consistency"] == "stopped"
    assert go(Way([2])).lines[-1]["image"]["consistency"] == "fuzzy", "it cannot tell"


def test_a_disk_seen_in_another_state_stays_written_to(job, go):
    """Whatever it is found in at the end: what was read before the gap was another disk's."""
    path = job.paths[0]
    found = path.stat()

    def write():
        change_disk(path, 1, seed=3)

    def put_times_back():
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))

    last = go(Way([6, 4], [write, put_times_back])).lines[-1]
    assert last["image"]["consistency"] == "fuzzy"


@pytest.mark.parametrize("hashing", ["blake3", "blake2b"])
@pytest.mark.parametrize("seed", range(4))
def test_a_disk_that_changes_to_and_fro_in_the_gaps(job, go, hashing, seed):
    """The change map never says of a block what is not so: the next image is equal."""
    go(Way([], hashes=[hashing]))
    path, chance = job.paths[0], random.Random(seed)
    before = path.read_bytes()
    change_disk(path, 400, seed=seed)

    def change():
        with path.open("r+b") as file:
            for block in chance.sample(range(SIZE // BLOCK), 200):
                file.seek(block * BLOCK)
                old = before[block * BLOCK : (block + 1) * BLOCK]
                file.write(chance.choice([old, bytes(BLOCK), chance.randbytes(BLOCK)]))

    ends = [chance.randrange(2, 8) for _ in range(6)]
    said = go(Way(ends, [change] * 6, hashes=[hashing] * 7), {**QUICK, "attempts": 6})
    assert said.lines[-1]["image"]["consistency"] == "fuzzy"
    again = go(Way([], hashes=[hashing])).lines[-1]
    assert again["image"]["consistency"] == "stopped"
    assert image_equals(job, image(job), 0, path)
    with job.store() as store:
        assert store.check().found == 0


@pytest.mark.parametrize("first", [0, MIDWAY])
def test_a_source_that_comes_back_with_another_hash(job, go, first):
    said = go(Way([first, None], hashes=["blake3", "blake2b"]))
    last = said.lines[-1]
    assert last["kind"] == "result"
    assert last["hash"] == "blake2b"
    assert last["bytes_compared"] == SIZE
    assert any("everything is compared anew" in text for text in said.events())
    assert image_equals(job, image(job), 0, job.paths[0])
    again = go(Way([], hashes=["blake2b"])).lines[-1]
    assert again["bytes_changed"] == again["bytes_sent"] == 0


def test_an_agent_is_asked_for_the_hash_that_the_run_began_with(job, go):
    said = go(Way([MIDWAY, None], hashes=["blake2b"]))
    assert said.lines[-1]["hash"] == "blake2b"
    assert said.lines[-1]["links"] == 2


def test_damaged_names_met_after_a_gap(job, go):
    """What was known of a segment is damaged: it is compared anew, once, by this link too."""
    go(Way([]))
    for pack in (job.home / "images" / "packs").glob("*.pack"):
        content = bytearray(pack.read_bytes())
        for step in range(4096, len(content), 8000):
            content[step] ^= 0xFF
        pack.write_bytes(content)
    with job.paths[0].open("r+b") as file:
        for at in range(0, SIZE, MIB):
            file.seek(at)
            file.write(b"changed")
    go(Way([]))
    with job.store() as store:
        store.check()
    last = go(Way([2, 3, 4])).lines[-1]
    assert last["kind"] == "result"
    with job.store() as store:
        assert store.verify(image(job)).ok
    assert image_equals(job, image(job), 0, job.paths[0])


# The policy


def test_pauses_double_up_to_the_longest():
    policy = RetryPolicy.of({"attempts": 100, "first": 2, "longest": 60})
    assert [policy.pause(number) for number in range(1, 8)] == [2, 4, 8, 16, 32, 60, 60]
    assert policy.pause(100) == 60
    assert RetryPolicy.of({"attempts": 3, "first": 0, "longest": 60}).pause(3) == 0
    usual = RetryPolicy.of(None)
    assert (usual.attempts, usual.first, usual.longest) == (6, 2, 60)


def test_no_attempt_is_the_error_itself(job, go):
    said = go(Way([MIDWAY]), {**QUICK, "attempts": 0})
    assert said.lines[-1]["code"] == "Link.Lost"
    assert said.lines[-1]["facts"] == {}
    assert said.events() == []


def test_no_descriptor_and_no_process_is_left(job, go):
    before = set(Path("/proc/self/fd").iterdir())
    go(Way([5, 5, 5]))
    left = {path for path in Path("/proc/self/fd").iterdir() if path.exists()} - before
    assert len(left) <= 1, "the bell, which is the process's own"
