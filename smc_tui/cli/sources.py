"""``smc-tui source``: the servers that are migrated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from smc_tui.cli import pages
from smc_tui.cli.grammar import Noun, action, only, staying
from smc_tui.cli.session import Deadline, Session
from smc_tui.cli.words import named
from smc_tui.model import settings
from smc_tui.model.actions import ACTIONS, ActionId
from smc_tui.model.addresses import address as split_address
from smc_tui.model.consequences import of_source
from smc_tui.model.documents import Document
from smc_tui.model.errors import SmcError

noun = Noun("source", help="The servers that are migrated, and local disks in their place.")


@noun.command("import", short_help="Look at a server over SSH, or at local disks, and keep it.")
@click.argument("name")
@click.option("--description", metavar="TEXT", help="One line for people.")
@click.option("--ssh", "address", metavar="[USER@]HOST[:PORT]", help="A server, as ssh knows it.")
@click.option(
    "--disk",
    "disks",
    multiple=True,
    metavar="/dev/X",
    help="A disk or partition of it; may be given several times. Default: all whole disks.",
)
@click.option(
    "--local",
    "paths",
    multiple=True,
    metavar="PATH...",
    help="Disk images or block devices of this host instead of a server.",
)
@click.argument("more", nargs=-1, metavar="")
@click.option("--ssh-config", metavar="FILE", help="An ssh configuration file to use.")
@click.option(
    "--accept-key", metavar="FINGERPRINT", help="Accept the host key with this fingerprint."
)
@click.option("--tag", "tags", multiple=True, metavar="T", help="A tag; may be repeated.")
@staying
@click.pass_obj
def import_source(
    session: Session,
    name: str,
    description: str | None,
    address: str | None,
    disks: tuple[str, ...],
    paths: tuple[str, ...],
    more: tuple[str, ...],
    ssh_config: str | None,
    accept_key: str | None,
    tags: tuple[str, ...],
    timeout: float | None,
) -> None:
    """Look at a server over SSH, or at disks of this host, and keep it as a source.

    Nothing is installed on the server and nothing is left there. The host key is
    shown and asked about, unless --accept-key names it.
    """
    settings.name(name)
    only([("--ssh", address), ("--local", paths)])
    only([("--local", paths), ("--disk", disks)])
    only([("--local", paths), ("--ssh-config", ssh_config)])
    if more and not paths:
        raise SmcError("InvalidParameter.Unknown", f"nothing is known to do with {more[0]!r}")
    args: dict[str, Any] = {"description": settings.description(description or "")}
    if address is not None:
        args |= {"ssh": ssh_of(address, ssh_config), "paths": list(disks)}
    elif paths:
        args |= {"ssh": None, "paths": [str(Path(path).absolute()) for path in (*paths, *more)]}
    else:
        raise SmcError("InvalidParameter.Missing", "either --ssh HOST or --local PATH")
    if tags:
        args["tags"] = list(settings.tags(tags))
    document = look(session, "source.import", name, args, accept_key, timeout)
    session.out.present(document, pages.source_page(document))


def ssh_of(address: str, config: str | None) -> dict[str, Any]:
    """Take ``[USER@]HOST[:PORT]`` apart; an IPv6 address with a port has brackets.

    Raises:
        SmcError: Source.BadAddress, InvalidParameter.Missing (no such configuration).
    """
    target, port = split_address(address)
    path = None if config is None else Path(config).expanduser().absolute()
    if path is not None and not path.is_file():
        raise SmcError("InvalidParameter.Missing", f"the ssh configuration {path} is no file")
    return {
        "target": target,
        "port": port,
        "config": None if path is None else str(path),
    }


def look(
    session: Session,
    verb: str,
    name: str,
    args: dict[str, Any],
    accept_key: str | None,
    timeout: float | None,
) -> Document:
    """Import or check a source, asking about its host key if it is not known yet.

    Raises:
        SmcError: HostKey.NotAccepted and whatever else the source or the engine says.
    """
    deadline = Deadline(timeout)
    session.out.talk(f"Looking at {name} ...")
    while True:
        given = {**args, "accept_key": accept_key}
        what = f"looking at {name}"
        try:
            ended = session.do(verb, name, given, what=what, deadline=deadline)
            return session.store.source_document(ended.result["source"])
        except SmcError as error:
            fingerprint = error.facts.get("fingerprint")
            ssh = args.get("ssh")
            error.about(source=name, host=ssh["target"] if ssh else "")
            known = error.code != "HostKey.NotAccepted" or accept_key is not None
            if known or not fingerprint or not session.can_ask:
                raise
            if not _accepted(session, name, error):
                raise
            accept_key = str(fingerprint)


def _accepted(session: Session, name: str, error: SmcError) -> bool:
    kind = error.facts.get("type")
    session.out.talk(f"{name} shows a host key that is not known yet:")
    session.out.talk(f"  {error.facts['fingerprint']}{f' ({kind})' if kind else ''}")
    session.out.talk("Compare it with `ssh-keygen -lf /etc/ssh/ssh_host_KIND_key.pub` over there.")
    return session.confirm("Is it the server's own?")


@noun.command("list", short_help="List all sources, or those with a tag.")
@click.option("--tag", "tags", multiple=True, metavar="T", help="A tag; may be repeated.")
@click.pass_obj
def list_sources(session: Session, tags: tuple[str, ...]) -> None:
    """List all sources, or those that have all these tags."""
    wanted = set(settings.tags(tags))
    known = session.store.source_documents()
    found = [source for source in known if wanted <= set(source["tags"])]
    if not known:
        session.out.talk("No sources yet: smc-tui source import NAME --ssh [USER@]HOST")
    elif not found:
        session.out.talk("No source is like that.")
    session.out.present(found, pages.source_table(found) if found else [])


@noun.command("show", short_help="Show what is known of a source.")
@click.argument("source", metavar="S")
@click.pass_obj
def show(session: Session, source: str) -> None:
    """Show a source: its host, disks, measured link, estimate, job and last error."""
    document = session.store.source_document(source)
    session.out.present(document, pages.source_page(document))


@noun.command("tag", short_help="Add tags to a source, or take them from it.")
@click.argument("source", metavar="S")
@click.argument("tags", metavar="TAG...", nargs=-1, required=True)
@click.option("--remove", is_flag=True, help="Take these tags from it.")
@staying
@click.pass_obj
def tag(
    session: Session, source: str, tags: tuple[str, ...], remove: bool, timeout: float | None
) -> None:
    """Add tags to a source, or take them from it; its jobs answer to them too."""
    found = session.store.source(source)
    args = {"remove" if remove else "add": list(settings.tags(tags))}
    session.ask("source.tag", found.id, args, Deadline(timeout))
    document = session.store.source_document(found.id)
    session.out.present(document, [pages.tags_line(document)])


@action(noun, ActionId.SOURCE_CHECK, "Look at a source again: is it there, is it the same.")
@click.argument("source", metavar="S")
@click.option(
    "--accept-key", metavar="FINGERPRINT", help="Accept the host key with this fingerprint."
)
@staying
@click.pass_obj
def check(session: Session, source: str, accept_key: str | None, timeout: float | None) -> None:
    """Check a source."""
    found = session.store.source(source)
    try:
        document = look(session, "source.check", found.id, {}, accept_key, timeout)
    except SmcError as error:
        raise error.about(source=found.name, host=found.ssh.target if found.ssh else "") from None
    session.out.present(document, pages.source_page(document))


@action(noun, ActionId.SOURCE_REMOVE, "Forget a source that no unfinished job uses; images stay.")
@click.argument("source", metavar="S")
@click.option("--yes", metavar="NAME", hidden=True)
@staying
@click.pass_obj
def remove(session: Session, source: str, yes: str | None, timeout: float | None) -> None:
    """Remove a source; on a terminal it asks first. A name that is given must be the right one.

    The server is not touched, images of it stay; its accepted host key is forgotten.
    """
    found = session.store.source(source)
    document = session.store.source_document(found.id)
    row = ACTIONS[ActionId.SOURCE_REMOVE]
    if yes is not None:
        session.confirm_name(row, (found.id, found.name), yes, ())
    elif session.can_ask and document["job"] is None:
        made = [image for image in session.store.images() if image.source_id == found.id]
        for line in of_source(found, made).lines:
            session.out.talk(line)
        if not session.confirm(f"{row.label} {found.name}?"):
            raise SmcError("InvalidParameter.Confirmation", "nothing was done")
    what = f"removing {document['name']}"
    session.do("source.remove", document["id"], what=what, deadline=Deadline(timeout))
    session.out.present(
        {**document, "status": "Deleting", "deleted": True},
        [f"{named(document)} is removed; its images stay."],
    )
