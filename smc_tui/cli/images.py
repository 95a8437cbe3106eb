"""``smc-tui image``: the kept images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from smc_tui.cli import pages
from smc_tui.cli.grammar import Noun, action, staying
from smc_tui.cli.progress import WorkWatch, following
from smc_tui.cli.session import Deadline, Session
from smc_tui.cli.words import named, size
from smc_tui.model.actions import ACTIONS, ActionId
from smc_tui.model.consequences import of_image
from smc_tui.model.documents import Document

noun = Noun("image", help="The kept images: show, export, verify, pin, delete.")

_REF = click.argument("ref", metavar="M")


@noun.command("list", short_help="List all images, the newest last.")
@click.pass_obj
def list_images(session: Session) -> None:
    """List all images, the newest last."""
    found = session.store.image_documents()
    if not found:
        session.out.talk("No images yet: smc-tui job create SOURCE --wait makes the first.")
    session.out.present(found, pages.image_table(found) if found else [])


@noun.command("show", short_help="Show an image.")
@_REF
@click.pass_obj
def show(session: Session, ref: str) -> None:
    """Show an image: consistency, disks, who uses it, root digest."""
    document = session.store.image_document(ref)
    session.out.present(document, pages.image_page(document))


@action(noun, ActionId.IMAGE_EXPORT, "Write a disk of an image to a file, every block verified.")
@_REF
@click.argument("file", metavar="FILE")
@click.option(
    "--disk", type=click.IntRange(min=0), metavar="N", help="Which disk (default: the only one)."
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(["raw", "qcow2"]),
    default="raw",
    show_default=True,
    help="Format of the file; raw is sparse.",
)
@staying
@click.pass_obj
def export(
    session: Session,
    ref: str,
    file: str,
    disk: int | None,
    format_name: str,
    timeout: float | None,
) -> None:
    """Export a disk of an image; it always stays until the file is complete."""
    path = Path(file).expanduser().absolute()
    args = {"path": str(path), "disk": disk, "format": format_name}
    image, result = work_on(session, ActionId.IMAGE_EXPORT, ref, args, timeout)
    line = f"{image['name']} is exported to {path} ({size(result.get('bytes'))})."
    session.out.present({**result, "image": image["id"], "path": str(path)}, [line])


@action(noun, ActionId.IMAGE_VERIFY, "Read and hash every block of an image.")
@_REF
@staying
@click.pass_obj
def verify(session: Session, ref: str, timeout: float | None) -> None:
    """Verify an image; it always stays until the end."""
    image, result = work_on(session, ActionId.IMAGE_VERIFY, ref, {}, timeout)
    session.out.present({**result, "image": image["id"]}, [f"{named(image)} is verified."])


@action(noun, ActionId.IMAGE_PIN, "Keep an image from retention until it is unpinned.")
@_REF
@staying
@click.pass_obj
def pin(session: Session, ref: str, timeout: float | None) -> None:
    """Pin an image."""
    image, _ = work_on(session, ActionId.IMAGE_PIN, ref, {}, timeout)
    _show_again(session, image, "is pinned: retention passes over it")


@action(noun, ActionId.IMAGE_UNPIN, "Let retention have a pinned image again.")
@_REF
@staying
@click.pass_obj
def unpin(session: Session, ref: str, timeout: float | None) -> None:
    """Unpin an image."""
    image, _ = work_on(session, ActionId.IMAGE_UNPIN, ref, {}, timeout)
    _show_again(session, image, "is no longer pinned")


@action(noun, ActionId.IMAGE_DELETE, "Delete an image; the next collection frees its room.")
@_REF
@staying
@click.pass_obj
def delete(session: Session, ref: str, yes: str | None, timeout: float | None) -> None:
    """Delete an image."""
    row = ACTIONS[ActionId.IMAGE_DELETE]
    found = session.store.image(ref)
    image = session.store.image_document(found.id)
    loss = of_image(found, session.store.images(found.job_id)).lines
    session.confirm_name(row, (found.id, found.name), yes, loss)
    work_on(session, ActionId.IMAGE_DELETE, image["id"], {}, timeout)
    session.out.present(
        {**image, "status": "Deleting", "deleted": True}, [f"{named(image)} is deleted."]
    )


def work_on(
    session: Session, action_id: ActionId, ref: str, args: dict[str, Any], timeout: float | None
) -> tuple[Document, dict[str, Any]]:
    """Let the engine do something with an image, to the end.

    Returns:
        The image's document as it was before, and the result.

    Raises:
        SmcError: Image.*, Export.*, Engine.*, Request.TimedOut.
    """
    row = ACTIONS[action_id]
    image = session.store.image_document(ref)
    title = f"{row.label} {image['name']}"
    with following(session.out, WorkWatch(title)) as follower:
        ended = session.do(
            row.verb, image["id"], args, what=title, deadline=Deadline(timeout), look=follower
        )
    return image, ended.result


def _show_again(session: Session, image: Document, what: str) -> None:
    session.out.present(session.store.image_document(image["id"]), [f"{named(image)} {what}."])
