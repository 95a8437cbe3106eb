"""``smc-tui config``: what is configured, where each value comes from, what is wrong in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from smc_tui import config
from smc_tui.cli.grammar import Noun
from smc_tui.cli.output import Part
from smc_tui.cli.pages import field
from smc_tui.cli.session import Session
from smc_tui.cli.tables import Table
from smc_tui.config import papers
from smc_tui.model.catalogue import ExitCode
from smc_tui.model.documents import Document
from smc_tui.model.errors import SmcError
from smc_tui.model.options import OPTIONS, changed

noun = Noun("config", help="The configuration: every option, and where its value comes from.")


@noun.command("show", short_help="Show every option, its value and where that comes from.")
@click.pass_obj
def show(session: Session) -> int:
    """Show every option: its value, where that comes from, what it means.

    Weakest first: the default, the file, the environment, --set. A running engine keeps
    what it was started with; what of it is different is said below the options.
    """
    reading = config.read(session.flags, session.config_given, located=True)
    running = _of_engine(session, reading)
    for fault in reading.faults:
        session.out.talk(fault.line)
    document = _document(reading, session.home_of(reading.usable()).path, running)
    session.out.present(document, show_page(document))
    return ExitCode.USAGE if reading.faults else ExitCode.OK


def _document(reading: config.Reading, home: Path, running: dict[str, Any] | None) -> Document:
    mine = changed(reading.usable())
    different = set() if running is None else {
        key for key in (*mine, *running)
        if _BY_KEY[key].of_engine and mine.get(key) != running.get(key)
    }  # fmt: skip
    return {
        "file": str(reading.path),
        "exists": reading.exists,
        "home": str(home),
        "options": [
            {
                "key": each.option.key,
                "value": each.value,
                "shown": str(each.option.shown(each.value)),
                "from": each.origin,
                "default": each.option.default,
                "environment": each.option.environment,
                "meaning": each.option.text,
                "engine": (running or {}).get(each.option.key, each.option.default)
                if each.option.key in different
                else None,
            }
            for each in reading.values
        ],
        "faults": [fault.document() for fault in reading.faults],
    }


def _of_engine(session: Session, reading: config.Reading) -> dict[str, Any] | None:
    """Return what the running engine was configured with; None when none runs.

    Nothing is made or started for it, and a home that cannot be read is no matter here.
    """
    try:
        home = session.home_of(reading.usable())
        if not home.jobs_db.is_file():
            return None
        store = session.store_of(home)
        return store.engine_config() if store.engine_alive() else None
    except SmcError:
        return None


def show_page(document: Document) -> Iterator[Part]:
    """Yield ``config show``."""
    there = "" if document["exists"] else " (there is none)"
    yield field("File", document["file"] + there)
    yield field("Home", document["home"])
    yield ""
    yield Table(
        ("OPTION", "VALUE", "FROM", "MEANING"),
        [
            (each["key"], each["shown"] or '""', each["from"], each["meaning"])
            for each in document["options"]
        ],
    )
    different = [each for each in document["options"] if each["engine"] is not None]
    if different:
        yield ""
        yield "The running engine keeps what it was started with until it starts anew:"
    for each in different:
        yield f"  {each['key']} = {_BY_KEY[each['key']].shown(each['engine'])}"


_BY_KEY = {option.key: option for option in OPTIONS}


@noun.command("validate", short_help="Say everything that is wrong in the configuration.")
@click.argument("file", metavar="[FILE]", required=False)
@click.pass_obj
def validate(session: Session, file: str | None) -> None:
    """Say everything that is wrong: in a file, or in all that is configured here.

    Exit status 2 when something is.
    """
    environ: dict[str, str] = {} if file is not None else dict(os.environ)
    flags = {} if file is not None else session.flags
    path = session.config_given if file is None else Path(file)
    reading = config.read(flags, path, environ)
    notes = config.strays(environ)
    for each in (*reading.faults, *notes):
        session.out.talk(each.line)
    if reading.faults:
        count = len(reading.faults)
        facts = [fault.document() for fault in reading.faults[: config.MOST]]
        things = "one thing is" if count == 1 else f"{count} things are"
        raise SmcError("Config.Invalid", f"{things} wrong", faults=facts)
    set_here = sum(each.origin != config.DEFAULT for each in reading.values)
    document = {
        "file": str(reading.path),
        "exists": reading.exists,
        "valid": True,
        "options_set": set_here,
        "faults": [],
        "notes": [note.document() for note in notes],
    }
    where = reading.path if reading.exists else f"There is no file {reading.path}"
    session.out.present(document, [f"{where}: nothing is wrong, {set_here} options are set."])


@noun.command("schema", short_help="Print the JSON Schema of the configuration file.")
@click.pass_obj
def schema(session: Session) -> None:
    """Print the JSON Schema of the configuration file, for editors and checks."""
    session.out.document(papers.schema())


@noun.command("example", short_help="Print a configuration file with every default.")
@click.pass_obj
def example(session: Session) -> None:
    """Print a configuration file in which every option stands with its default, as comments."""
    text = papers.example()
    session.out.present({"example": text}, text.rstrip("\n").split("\n"))
