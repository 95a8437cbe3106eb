"""The images: what is told of them, and that every key does what it says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smc_tui.console.render import images
from smc_tui.console.render.cells import Tone, width
from smc_tui.console.screens.images import arguments, question
from smc_tui.model.actions import ACTIONS, ActionId, image_refusal
from smc_tui.model.errors import SmcError
from smc_tui.model.lifecycle import CONSISTENCY_MEANS, Consistency, ImageState, State, Status
from smc_tui.model.retention import outgoing
from smc_tui.model.things import Fault
from tests.console.driver import opened
from tests.console.test_detail import text
from tests.model.samples import IMAGE, JOB, NOW, job_in, once


def made(number: int, **changes):
    return replace(IMAGE, id=f"m-{number:08x}", name=f"image-{number}", **changes)


THREE = [made(1), made(2), made(3)]


def test_what_retention_takes_next():
    assert outgoing(THREE, 3) == THREE[:1]
    assert outgoing(THREE, 4) == []
    pinned = [made(1, holds=("pin",)), *THREE[1:]]
    assert outgoing(pinned, 3) == THREE[1:2]
    assert outgoing([made(1, state=ImageState.DELETING), *THREE[1:]], 3) == []
    jobs = {JOB.id: JOB}
    assert images.going(THREE, jobs) == {JOB.id: THREE[:1]}
    for settled in (job_in(State(Status.FINISHED)), once(JOB)):
        assert images.going(THREE, {JOB.id: settled}) == {}


def test_an_image_in_cells():
    assert images.use(THREE[0], goes=True).text == "goes next"
    held = made(1, holds=("export:x", "export:y", "pin"))
    assert images.use(held, goes=True).text == "export, pinned"
    damaged = made(
        1, state=ImageState.DAMAGED, consistency=Consistency.FUZZY,
        fault=Fault("Image.BlockDamaged", "block 9", NOW),
    )  # fmt: skip
    row = images.row(damaged, goes=False)
    assert [cell.text for cell in row.cells][4:] == ["fuzzy", "Damaged", "-", "NO"]
    assert row.cells[5].tone is Tone.BAD
    said = text(images.image_lines(damaged, 60))
    for part in ("block 9", "every other block", "/dev/vda, 40.0 GiB, system", "nothing"):
        assert part in said


@pytest.mark.parametrize("word", Consistency)
def test_only_a_fuzzy_image_is_warned_of(word):
    image = made(1, consistency=word, reason="as it was told")
    tone = Tone.WARN if word is Consistency.FUZZY else Tone.PLAIN
    cell = images.row(image, goes=False).cells[4]
    assert (cell.text, cell.tone) == (word, tone)
    assert f"{word} ({CONSISTENCY_MEANS[word]})" in text(images.image_lines(image, 120))
    told, _ = images.preview(image, JOB, [], 1)
    assert (told[0].tone is Tone.WARN) == (word is Consistency.FUZZY)
    assert "as it was told" in text([told])


def test_the_preview_says_what_goes_and_what_does_not():
    image = THREE[2]
    assert "image-1 goes first" in text(images.preview(image, JOB, THREE[:1], 3))
    assert "keeps 3 and has 2: after its next image none goes" in text(
        images.preview(image, JOB, [], 2)
    )
    assert "web01-1 is gone" in text(images.preview(image, None, [], 3))
    assert "makes no further image" in text(images.preview(image, once(JOB), [], 1))
    assert "3 disks changed" in text(images.preview(made(1, reason="3 disks changed"), JOB, [], 1))
    assert "No image" in text(images.preview(None, None, [], 0))


@pytest.mark.parametrize(
    ("image", "unfinished", "code"),
    [
        (THREE[0], True, None),
        (THREE[2], True, "Image.Newest"),
        (THREE[2], False, None),
        (made(1, holds=("pin",)), True, "Image.InUse"),
        (made(1, state=ImageState.DELETING), True, "Image.Unusable"),
    ],
)
def test_what_may_be_deleted(image, unfinished, code):
    error = image_refusal(ACTIONS[ActionId.IMAGE_DELETE], image, THREE, unfinished)
    assert (error and error.code) == code
    if code != "Image.Unusable":
        assert image_refusal(ACTIONS[ActionId.IMAGE_PIN], image, THREE, unfinished) is None


def test_an_export_is_asked_as_the_engine_wants_it():
    two = made(1, disks=(*IMAGE.disks, {"index": 1, "path": "/dev/vdb", "size": 1 << 30}))
    asked = question(ActionId.IMAGE_EXPORT, two, [two])
    assert asked is not None
    assert [field.key for field in asked.fields] == ["path", "disk", "format"]
    assert arguments({"path": "/tmp/x", "disk": "1", "format": "raw"}) == {
        "path": "/tmp/x", "disk": 1, "format": "raw",
    }  # fmt: skip
    assert question(ActionId.IMAGE_VERIFY, two, [two]) is None


# The page


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (100, 30), (160, 45)])
async def test_all_images_or_those_of_a_job(night, size):
    async with opened(night, size=size) as console:
        await console.press("M").sees("Images", "erp-app-1_3", "web01-1_2", "goes next")
        assert all(len(line) <= size[0] for line in console.text.splitlines())
        await console.press("J").sees("Images: erp-app-1", "erp-app-1_1").sees_not("web01-1_2")
        await console.press("G").sees("erp-app-1 keeps 3 and has 3").press("enter")
        await console.sees("Image: erp-app-1_1", "Root digest").press("escape", "J")
        await console.sees("web01-1_2").press("escape").sees_not("goes next")


async def test_from_the_details_they_are_the_jobs_own(night):
    async with opened(night) as console:
        await console.press("j", "j", "enter").sees("Runs 1").press("M")
        await console.sees("Images: mail-gw-1", "mail-gw-1_1").sees_not("web01-1_2")
        await console.press("escape").sees("Runs 1")


async def test_pin_and_unpin(night):
    async with opened(night) as console:
        await console.press("M").sees("erp-app-1_3").press("p")
        (request,) = night.asked()
        image = night.writer.image(request.target)
        assert (request.verb, image.name) == ("image.pin", "erp-app-1_3")
        await console.sees("image pin erp-app-1_3: begun")
        with night.writer.transaction():
            night.writer.hold(image.id, "pin")
            night.event(night.writer.job(image.job_id), "image.pin", "done")
        night.accept()
        await console.looks().sees("is pinned:", " pinned ")
        await console.sees_not("begun").press("p")
        assert [each.verb for each in night.asked()] == ["image.unpin"]


async def test_a_verification_tells_how_far_it_is(night):
    async with opened(night) as console:
        await console.press("M").sees("erp-app-1_3").press("V")
        (request,) = night.asked()
        assert (request.verb, request.args) == ("image.verify", {})
        with night.writer.transaction():
            night.writer.accept(request, NOW, {}, "")
        with night.writer.transaction():
            night.writer.write_request_progress(request.id, {"done": 1 << 30, "total": 4 << 30})
        await console.looks().sees("image verify erp-app-1_3: 25 % of 4.00 GiB")
        (accepted,) = night.writer.accepted_requests()
        with night.writer.transaction():
            night.writer.fail(accepted, NOW, SmcError("Image.BlockDamaged", "block 7"))
        await console.looks().sees("block 7").sees_not("25 %")


async def test_deleting_asks_for_the_name_and_says_first_why_not(night):
    async with opened(night) as console:
        await console.press("M").sees("erp-app-1_3").press("X").sees("Image.Newest")
        await console.press("j", "j", "X").sees("Delete Image: erp-app-1_2", "gone for good")
        await console.types("erp-app-1").press("enter").sees("gone for good")
        assert night.asked() == []
        await console.press("underscore", "2", "enter").sees_not("gone for good")
        (request,) = night.asked()
        assert request.verb == "image.delete"
        assert night.writer.image(request.target).name == "erp-app-1_2"
        night.accept()
        await console.press("escape").sees("0 All").looks().sees("is deleted;")


async def test_an_export_and_room(night):
    async with opened(night) as console:
        await console.press("M").sees("erp-app-1_3").press("e").sees("Export Image", "File")
        await console.types("/tmp/x.img").press("enter").sees_not("Export Image:")
        (request,) = night.asked()
        assert request.args == {"path": "/tmp/x.img", "format": "raw"}
        await console.press("f")
        assert night.asked()[-1].verb == "store.collect"
        night.refuse(SmcError("Store.Busy", "another one holds it"))
        await console.looks().sees("another one holds it").sees_not("begun")


async def test_read_only_and_no_images(fleet):
    async with opened(fleet, read_only=True) as console:
        await console.press("M").sees("No image is kept yet").press("p", "V", "X", "enter", "y")
        await console.press("f").sees("Console.ReadOnly")
        assert fleet.asked() == []


async def test_what_came_meanwhile_is_on_the_page_below(night):
    async with opened(night) as console:
        await console.press("M").sees("erp-app-1_3")
        night.change(night.writer.job("web01-1"), progress=77.0)
        await console.looks().press("escape").sees("77%")


def test_every_line_fits():
    assert all(width(line) <= 60 for line in images.image_lines(THREE[0], 60))
