"""Pages and tables as text: aligned, in words, nothing that moves a cursor."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from smc_tui.cli import pages, words
from smc_tui.cli.output import Output, Part
from smc_tui.cli.tables import Hanging, Table, fitted, plain_lines
from smc_tui.model.documents import image_document, job_document, run_document, source_document
from smc_tui.model.instants import ChangeDetection, Instant, Method, Reading, Wanted
from smc_tui.model.lifecycle import (
    CONSISTENCY_MEANS,
    Consistency,
    ImageState,
    Phase,
    RunKind,
    SourceState,
    Status,
)
from smc_tui.model.things import (
    Counters,
    Disk,
    Fault,
    Image,
    Job,
    JobSettings,
    Resource,
    ResourceState,
    Run,
    Source,
    Ssh,
    Wish,
)
from smc_tui.model.units import GIB, HOUR, MIB

AT = 1_800_000_000.0
HOSTILE = "\x1b[2J\x1b]0;owned\x07\r\n"

SOURCE = Source(
    "s-00000001",
    "web01",
    SourceState.AVAILABLE,
    Ssh("root@10.0.0.5", 2222),
    (
        Disk(
            0,
            "/dev/vda",
            40 * GIB,
            role="system",
            filesystems=[{"type": "ext4", "mount_point": "/", "used": 12 * GIB}],
        ),
    ),
    AT,
    AT,
    host_key={"fingerprint": "SHA256:abc", "type": "ssh-ed25519"},
    inventory={"hostname": "web01" + HOSTILE, "os": "Debian 12", "used_bytes": 12 * GIB, "cpus": 4},
    link_bps=100e6,
)
SETTINGS = JobSettings("web01", 6 * HOUR, 3, AT + 30 * 24 * HOUR, limit_mbit=80)
JOB = Job(
    "j-00000001", "mig", "s-00000001", "web01", SETTINGS, Status.WAITING, None, AT,
    progress=100.0, next_run=AT + HOUR,
)  # fmt: skip
RUN = Run(
    "r-00000001", "j-00000001", RunKind.FULL, "m-00000001", "web01_1", AT, AT + 100, seconds=99.6,
    counters=Counters(40 * GIB, 40 * GIB, 12 * GIB, 12 * GIB, 6 * GIB, 6 * GIB), published=True,
)  # fmt: skip
IMAGE = Image(
    "m-00000001", "web01_1", "j-00000001", "mig", "r-00000001", "s-00000001", "web01", AT,
    ImageState.AVAILABLE, Consistency.FUZZY, "ab" * 32,
    ({"index": 0, "path": "/dev/vda", "size": 40 * GIB},),
    reason="mounted" + HOSTILE, holds=("pin",),
)  # fmt: skip
FAULT = Fault("Link.Lost", "the connection broke", AT)


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def text(page: Any, capsys: pytest.CaptureFixture[str], *, ascii_only: bool = False) -> str:
    """Return a page as it is printed."""
    out = Output()
    out.ascii = ascii_only
    out.page(page)
    return capsys.readouterr().out


def document(job: Job = JOB, *runs: Run) -> dict[str, Any]:
    held = Resource(
        "t-1", "No_Delete_SMC_Transition_Instance", job.id, ResourceState.HELD, AT, 5 * MIB
    )
    return job_document(job, runs, [IMAGE], held)


def test_a_table_is_aligned_and_numbers_stand_right() -> None:
    table = Table(("NAME", "SIZE", "ID"), [("a", "9 B", "x"), ("longer", "10.0 KiB", "y")],
                  right=frozenset({"SIZE"}))  # fmt: skip
    assert plain_lines(table) == [
        "NAME        SIZE  ID",
        "a            9 B  x",
        "longer  10.0 KiB  y",
    ]


WIDE = Table(
    ("NAME", "WHEN", "WORDS", "ID"),
    [("web01-1_20261122T224919Z", "2026-11-22 22:49:19", "some words of a text", "m-1")],
    spare=("ID",),
)


def test_a_table_that_fits_is_left_alone() -> None:
    assert fitted(WIDE, 80) == (WIDE, [24, 19, 20, 3])


def test_a_narrow_terminal_first_lacks_what_is_spare() -> None:
    table, widths = fitted(WIDE, 70)
    assert (table.columns, widths) == (("NAME", "WHEN", "WORDS"), [24, 19, 20])


def test_then_texts_are_folded_between_words_and_names_stay_whole() -> None:
    _, widths = fitted(WIDE, 55)
    assert widths == [24, 19, 8], "neither the name nor the instant is cut"


def test_and_what_fits_in_no_other_way_is_cut() -> None:
    _, widths = fitted(WIDE, 30)
    assert sum(widths) + 4 == 30
    assert min(widths) >= 1


def test_a_value_goes_on_below_itself() -> None:
    line = Hanging("  Next          check the host, then retry", 16)
    assert line.folded(line, 80) == [line]
    assert line.folded(line, 38) == ["  Next          check the host, then", " " * 16 + "retry"]
    assert line.folded(line, 30) == [line], "too narrow: the terminal folds it"


def test_what_is_to_be_copied_stays_whole() -> None:
    long = Hanging("  Digest  " + "f" * 90, 10)
    assert long.folded(long, 80) == [long]


def test_a_source_shows_how_it_is_reached_and_what_it_has(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = text(pages.source_page(source_document(SOURCE)), capsys)
    for part in (
        "web01 (s-00000001): Available",
        "root@10.0.0.5:2222",
        "SHA256:abc (ssh-ed25519)",
        "95.4 MiB/s measured",
        "first migration about 4m 46s (comparison 4m 46s, transfer 2m 9s)",
        "ext4 on / (12.0 GiB used)",
        "2027-01-15 17:00:00",
    ):
        assert part in shown
    assert "web01" in text(pages.source_table([source_document(SOURCE)]), capsys)


def test_what_comes_from_elsewhere_moves_no_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    job = replace(JOB, status=Status.IN_ERROR, fault=replace(FAULT, detail="x" + HOSTILE))
    pages_of_all: list[list[Part]] = [
        list(pages.source_page(source_document(SOURCE))),
        list(pages.image_page(image_document(IMAGE))),
        list(pages.job_page(document(job, RUN))),
    ]
    for page in pages_of_all:
        shown = text(page, capsys)
        assert "\x1b" not in shown
        assert "\x07" not in shown
        assert "\r" not in shown
        assert text(page, capsys, ascii_only=True).isascii()


def test_a_job_shows_words_times_runs_and_images(capsys: pytest.CaptureFixture[str]) -> None:
    shown = text(pages.job_page(document(JOB, RUN), "sync, pause"), capsys)
    for part in (
        "mig (j-00000001): Waiting, 100 %",
        "every 6h, keeps 3 images; next 2027-01-15 18:00:00",
        "80 Mbit/s; compression auto",
        "No_Delete_SMC_Transition_Instance, 5.00 MiB since 2027-01-15 17:00:00",
        "sync, pause",
        "1m 40s  40.0 GiB  12.0 GiB  12.0 GiB  6.00 GiB  6.00 GiB  m-00000001",
        "fuzzy",
        "pin",
    ):
        assert part in shown


@pytest.mark.parametrize("word", Consistency)
def test_an_image_says_what_its_consistency_means(
    word: Consistency, capsys: pytest.CaptureFixture[str]
) -> None:
    image = replace(IMAGE, consistency=word, reason="")
    shown = text(pages.image_page(image_document(image)), capsys)
    assert f"{word} ({CONSISTENCY_MEANS[word]})" in shown
    finished = replace(JOB, status=Status.FINISHED)
    told = pages.summary(job_document(finished, [RUN], [image], None))
    newest = "none" if word is Consistency.FUZZY else IMAGE.name
    assert told.endswith(f"the newest image of one instant is {newest}")


def test_a_failed_job_says_what_is_safe_and_what_next(capsys: pytest.CaptureFixture[str]) -> None:
    job = replace(JOB, status=Status.IN_ERROR, fault=FAULT, next_run=None, progress=41.0)
    failed = replace(RUN, published=False, fault=FAULT)
    shown = text(pages.job_page(document(job, failed)), capsys)
    assert "InError (Link.Lost), 41 %" in shown
    assert "the connection broke (Link.Lost, 2027-01-15 17:00:00)" in shown
    assert "all images and everything transferred so far" in shown
    assert "already stored are not sent again" in shown
    assert shown.splitlines()[0] not in text(pages.job_page(document()), capsys)


@pytest.mark.parametrize(
    ("job", "word"),
    [
        (replace(JOB, status=Status.READY), "Not Started"),
        (replace(JOB, status=Status.STOPPED), "Paused"),
        (replace(JOB, status=Status.FINISHED), "Completed"),
        (replace(JOB, status=Status.RUNNING, phase=Phase.SYNCING), "Syncing"),
        (
            replace(JOB, status=Status.RUNNING, phase=Phase.SYNCING, wish=Wish.CANCEL),
            "Syncing, cancel pending",
        ),
    ],
)
def test_statuses_are_said_in_the_consoles_words(job: Job, word: str) -> None:
    assert words.job_status(document(job)) == word


def test_a_run_in_one_line() -> None:
    assert pages.run_line(run_document(RUN)) == (
        "Full run in 1m 40s: compared 40.0 GiB, changed 12.0 GiB, "
        "sent 12.0 GiB (6.00 GiB on the wire), stored 6.00 GiB"
    )


READ = Reading(ChangeDetection.TRACE, "", Instant(Method.FREEZE, "", 0.0891, 3, 9, 40))


def test_a_run_says_how_it_read_its_disks(capsys: pytest.CaptureFixture[str]) -> None:
    read = replace(RUN, reading=READ)
    assert pages.run_line(run_document(read)).endswith("; changes found by trace, frozen 0.09 s")
    none = replace(RUN, reading=replace(READ, instant=Instant(Method.NONE, "no root")))
    assert pages.run_line(run_document(none)).endswith("found by trace, not frozen")
    shown = text(pages.job_page(document(JOB, RUN, read)), capsys)
    assert "found by trace" in shown
    assert "frozen 0.09 s; 9 written pages in 3 rounds, 40 events recorded" in shown
    assert "FOUND BY  FROZEN  RESULT" in shown
    assert "trace     0.09 s  m-00000001" in shown
    assert "FROZEN" not in text(pages.job_page(document(JOB, RUN)), capsys)


def test_a_job_says_how_its_images_come_to_be_of_one_instant(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "auto: the best that the source allows\n" in text(pages.job_page(document()), capsys)
    hooks = {"before_freeze": ("pg", "of web01"), "after_thaw": ("pg", "--end")}
    chosen = replace(SETTINGS, instant=Wanted.FREEZE, **hooks)
    shown = " ".join(text(pages.job_page(document(replace(JOB, settings=chosen))), capsys).split())
    assert (
        "freeze: by a short freeze if written to; before the freeze pg 'of web01';"
        " after it pg --end; at most 10 s each"
    ) in shown


def test_an_engine_that_died_is_told_from_one_that_was_stopped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    engine = {"status": "stopped", "stopped": "2027-01-15T08:00:00.000Z", "home": "/h"}
    assert "No engine runs since 2027-01-15 17:00:00\n" in text(pages.engine_page(engine), capsys)
    engine = {"status": "died", "stopped": None, "home": "/h"}
    assert "unexpectedly" in text(pages.engine_page(engine), capsys)
    engine = {
        "status": "running", "pid": 7, "version": "1", "home": "/h", "time_lapse": 60.0,
        "started": "2027-01-15T08:00:00.000Z", "stopped": None,
    }  # fmt: skip
    assert "60 times as fast" in text(pages.engine_page(engine), capsys)
