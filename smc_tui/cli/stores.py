"""``smc-tui store``: the image store as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from smc_tui.cli.grammar import Noun, staying
from smc_tui.cli.output import Part
from smc_tui.cli.pages import field
from smc_tui.cli.progress import WorkWatch, following
from smc_tui.cli.session import Deadline, Session
from smc_tui.cli.words import local, size
from smc_tui.model.errors import SmcError

#: Problems said one by one; --json has more of them.
MOST = 20

noun = Noun("store", help="The image store: check it, free room, see what it holds.")


@noun.command("check", short_help="Read every record of the store and name what is damaged.")
@staying
@click.pass_obj
def check(session: Session, timeout: float | None) -> None:
    """Read and hash every record of the store, and see that all images are complete.

    Exit status 8 when something is damaged; the next synchronisation of a source
    that still has a damaged block heals it. It always stays to the end.
    """
    result = _work(session, "check", "Checking the image store", timeout)
    session.out.present(result, check_page(result))


@noun.command("collect", short_help="Free what no image and no job needs any more.")
@staying
@click.pass_obj
def collect(session: Session, timeout: float | None) -> None:
    """Free what no image and no job needs any more; running jobs are not in its way.

    What running synchronisations might still use is freed by the next collection. The
    engine makes one by itself when it is worth it.
    """
    result = _work(session, "collect", "Collecting", timeout)
    session.out.present(result, collect_page(result))


@noun.command("stats", short_help="Tell what the store holds.")
@staying
@click.pass_obj
def stats(session: Session, timeout: float | None) -> None:
    """Tell what the store holds."""
    result = _work(session, "stats", "Counting", timeout)
    session.out.present(result, stats_page(result))


def _work(session: Session, verb: str, title: str, timeout: float | None) -> dict[str, Any]:
    """Let the engine do something with the store, to the end.

    Raises:
        SmcError: Store.*, Engine.*, Request.TimedOut. Problems that a check found
            are said before.
    """
    try:
        with following(session.out, WorkWatch(title)) as follower:
            deadline = Deadline(timeout)
            ended = session.do(f"store.{verb}", what=title, deadline=deadline, look=follower)
    except SmcError as error:
        for problem in error.facts.get("problems", [])[:MOST]:
            session.out.talk(problem_line(problem))
        raise
    return ended.result


def problem_line(problem: dict[str, Any]) -> str:
    """Return one thing that is damaged in one line."""
    image = f", needed by image {problem['image']}" if problem["image"] else ""
    return f"  {problem['kind']} {problem['name']}: {problem['detail']}{image}"


def check_page(report: dict[str, Any]) -> Iterator[Part]:
    """Yield a check that found nothing damaged."""
    yield "The image store is whole: every record fits its name, every image is complete."
    yield field("Read", f"{report['records']} records, {size(report['bytes'])}")
    yield field("Packs", str(report["packs"]))
    yield field("Images", str(report["images"]))
    if report["restored"]:
        yield field("Restored", f"{report['restored']} records that had been put aside are good")
    if report["index_rebuilt"]:
        yield field("Index", "it was made anew from the packs")
    for note in report["notes"]:
        yield field("Note", note)


def collect_page(report: dict[str, Any]) -> Iterator[Part]:
    """Yield what a collection freed."""
    yield f"Freed {size(report['bytes_freed'])}."
    yield field("Deleted", f"{report['swept']} records")
    yield field(
        "Packs", f"{report['packs_removed']} removed, {report['packs_rewritten']} written anew"
    )
    if report["condemned"]:
        yield field("Condemned", f"{report['condemned']} records, deleted by the next collection")
    if report["waiting"]:
        yield field("Waiting", "for the end of synchronisations that may still use them")
    if report["held"]:
        yield field("Held", str(report["held"]))


def stats_page(stats: dict[str, Any]) -> Iterator[Part]:
    """Yield what the store holds."""
    yield f"{stats['images']} images in {size(stats['bytes_on_disk'])}."
    yield field("Blocks", f"{stats['blocks']}, {size(stats['bytes_plain'])} uncompressed")
    yield field("Packs", str(stats["packs"]))
    yield field("Can be freed", f"{size(stats['bytes_dead'])}, {stats['condemned']} condemned")
    if collected := stats["collected"]:
        freed = f"{local(collected['at'])} by {collected['by']}, freed "
        yield field("Collected", freed + size(collected["bytes_freed"]))
    if stats["damaged"]:
        yield field("Damaged", f"{stats['damaged']} records: smc-tui store check names them")
