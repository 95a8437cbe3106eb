"""Logs: bounded, so many a job, and never in the way of a run."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from smc_tui.engine.logs import TAIL, forget_gone, make_room, write_log
from smc_tui.engine.worker import Died, Worker


async def written(path, *said, head=100):
    stream = asyncio.StreamReader()
    for part in said:
        stream.feed_data(part)
    stream.feed_eof()
    await write_log(stream, path, head)
    return path.read_bytes() if path.exists() else b""


async def test_what_is_said_is_there(tmp_path):
    assert await written(tmp_path / "j" / "r.log", b"one\n", b"two\n") == b"one\ntwo\n"
    assert (tmp_path / "j").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "j" / "r.log").stat().st_mode & 0o777 == 0o600


async def test_nothing_said_is_an_empty_log(tmp_path):
    assert await written(tmp_path / "r.log") == b""


async def test_head_and_tail_of_what_is_too_much(tmp_path):
    said = b"start" + b"x" * (3 * TAIL) + b"last words"
    log = await written(tmp_path / "r.log", said)
    assert log.startswith(said[:100])
    assert log.endswith(said[-TAIL:])
    assert b"[%d bytes of this log were left out]" % (len(said) - 100 - TAIL) in log
    assert len(log) < 100 + TAIL + 100


async def test_what_earlier_attempts_said_stays_and_counts(tmp_path):
    path = tmp_path / "r.log"
    path.write_bytes(b"a" * 90)
    log = await written(path, b"b" * (TAIL + 50))
    assert log.startswith(b"a" * 90 + b"b" * 10)
    assert b"[40 bytes of this log were left out]" in log


async def test_a_log_that_cannot_be_written_is_no_matter(tmp_path):
    (tmp_path / "j").write_text("no folder")
    assert await written(tmp_path / "j" / "r.log", b"unheard") == b""


async def test_a_program_gone_wild_ends_in_a_small_file(tmp_path):
    code = (
        "import sys\nfor _ in range(400): sys.stderr.write('wild' * 25000)\nsys.stderr.write('END')"
    )
    path = tmp_path / "r.log"
    worker = await Worker.start([sys.executable, "-S", "-c", code], {}, path, 5)
    ending = await asyncio.wait_for(worker.listen(lambda line: None), 30)
    assert isinstance(ending, Died)
    assert (8 << 20) < path.stat().st_size < (9 << 20)
    assert path.read_bytes().endswith(b"wildEND")


async def test_a_child_that_keeps_the_log_open_keeps_nobody_waiting(tmp_path):
    code = "import os, time\nprint('said', file=__import__('sys').stderr, flush=True)\n"
    code += "if os.fork() == 0:\n    os.setsid()\n    os.close(1)\n    time.sleep(8)\n"
    worker = await Worker.start([sys.executable, "-S", "-c", code], {}, tmp_path / "r.log", 5)
    await asyncio.wait_for(worker.listen(lambda line: None), 5)
    assert (tmp_path / "r.log").read_bytes() == b"said\n"


def logs(folder, *names):
    folder.mkdir(exist_ok=True)
    for age, name in enumerate(reversed(names)):
        path = folder / name
        path.mkdir() if "." not in name else path.touch()
        os.utime(path, (1e9 - age, 1e9 - age))


def left(folder):
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("keep", "kept"),
    [
        (1, {"new.log", "notes.txt"}),
        (2, {"new.log", "r3.log", "notes.txt"}),
        (4, {"new.log", "r1.log", "r2.log", "r3.log", "notes.txt"}),
        (9, {"new.log", "r1.log", "r2.log", "r3.log", "notes.txt"}),
    ],
)
def test_the_oldest_logs_make_room(tmp_path, keep, kept):
    logs(tmp_path / "j", "new.log", "r1.log", "r2.log", "r3.log", "notes.txt")
    make_room(tmp_path / "j" / "new.log", keep)
    assert left(tmp_path / "j") == kept


def test_no_folder_needs_no_room(tmp_path):
    make_room(tmp_path / "j" / "new.log", 3)


def test_jobs_that_are_gone_keep_their_logs_for_a_while(tmp_path):
    logs(tmp_path / "logs", "j-old", "j-here", "j-gone", "j-late")
    forget_gone(tmp_path / "logs", {"j-here"}, 2)
    assert left(tmp_path / "logs") == {"j-here", "j-gone", "j-late"}
    forget_gone(tmp_path / "logs", {"j-here"}, 1)
    assert left(tmp_path / "logs") == {"j-here", "j-late"}
