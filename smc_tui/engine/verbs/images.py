"""The verbs of images and of the image store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from smc_tui.engine.answers import WORK
from smc_tui.engine.collecting import TOLD, collected
from smc_tui.engine.context import Context
from smc_tui.engine.keeping import Keeper
from smc_tui.engine.ledger import Ledger
from smc_tui.engine.verbs import flag, known_args, needed
from smc_tui.engine.worker import Document
from smc_tui.engine.works import Order, Works
from smc_tui.jobstore.requests import Request
from smc_tui.model import settings
from smc_tui.model.actions import ACTIONS, ActionId, image_refusal
from smc_tui.model.catalogue import ExitCode
from smc_tui.model.errors import SmcError
from smc_tui.model.lifecycle import ImageState
from smc_tui.model.things import PIN, Fault, Image

_FORMATS = ("raw", "qcow2")


class ImageVerbs:
    """What may be asked of images, and of the store that keeps them."""

    def __init__(self, context: Context, ledger: Ledger, keeper: Keeper, works: Works) -> None:
        self._context = context
        self._store = context.store
        self._ledger = ledger
        self._keeper = keeper
        self._works = works

    def verbs(self) -> Mapping[str, Callable[[Request], None]]:
        """Return the verbs by their names."""
        return {
            "image.pin": self.pin,
            "image.unpin": self.pin,
            "image.delete": self.delete,
            "image.verify": self.verify,
            "image.export": self.export,
            "store.check": self.store_work,
            "store.collect": self.collect,
            "store.stats": self.store_work,
        }

    def _image(self, request: Request) -> Image:
        """Return the request's image.

        Raises:
            SmcError: Image.NotFound, Image.Unusable.
        """
        image = self._store.image(request.target)
        if image.state is ImageState.DELETING:
            raise SmcError("Image.Unusable", f"image {image.name} is being deleted")
        return image

    def pin(self, request: Request) -> None:
        """Pin or unpin an image; doing it twice is doing it once."""
        known_args(request)
        image = self._image(request)
        with self._store.transaction():
            if request.verb == "image.pin":
                self._store.hold(image.id, PIN)
            else:
                self._store.release(image.id, PIN)
            self._event(request, image, "done")
            self._ledger.accept(request, {"image": image.id})

    def delete(self, request: Request) -> None:
        """Delete an image that nothing uses and that is not its job's last hope."""
        known_args(request)
        image = self._image(request)
        error = image_refusal(
            ACTIONS[ActionId.IMAGE_DELETE],
            image,
            self._store.images(image.job_id),
            any(job.id == image.job_id and job.status != "Finished" for job in self._store.jobs()),
        )
        if error is not None:
            raise error
        with self._store.transaction():
            self._keeper.condemn(image, request.actor, request.verb)
            self._ledger.accept(request, {"image": image.id}, WORK)
        self._context.spawn(self._delete(request, image), f"deletion of {image.id}")

    async def _delete(self, request: Request, image: Image) -> None:
        error: SmcError | None = None
        try:
            await self._keeper.remove(image)
        except SmcError as failure:
            error = failure

        def settle() -> None:
            now = self._context.clock.now()
            with self._store.transaction():
                if error is not None:
                    self._event(request, image, error.code)
                    self._store.fail(request, now, error)
                else:
                    self._store.finish(request, now, {})

        await self._context.persist(settle)

    def verify(self, request: Request) -> None:
        """Read an image to its last byte and compare it with its own digests."""
        known_args(request)
        image = self._image(request)
        self._works.start(
            request,
            Order(
                "verify",
                {"image": image.id},
                image.id,
                image.job_id,
                lambda outcome: self._verified(image.id, outcome),
            ),
        )

    def _verified(self, image_id: str, outcome: Document | SmcError) -> Document:
        """Keep what a verification has found out; inside its transaction."""
        if not isinstance(outcome, SmcError):
            self._proven(self._store.image(image_id))
        elif outcome.exit_code is ExitCode.STORE_DAMAGED:
            self._damaged(self._store.image(image_id), outcome)
        return {}

    def _proven(self, image: Image) -> None:
        now = self._context.clock.now()
        proven = replace(image, state=ImageState.AVAILABLE, verified=now, fault=None)
        self._store.put_image(proven)

    def _damaged(self, image: Image, error: SmcError) -> None:
        fault = Fault(error.code, error.detail, self._context.clock.now())
        self._store.put_image(replace(image, state=ImageState.DAMAGED, fault=fault))

    def export(self, request: Request) -> None:
        """Write a disk of an image to a file."""
        args = known_args(request, "path", "disk", "format", "overwrite")
        image = self._image(request)
        form = args.get("format", _FORMATS[0])
        if form not in _FORMATS:
            raise SmcError("InvalidParameter.Unknown", f"the format is {' or '.join(_FORMATS)}")
        path = settings.absolute(needed(args, "path"))
        disk = self._disk(image, args.get("disk"))
        facts = {
            "image": image.id,
            "disk": disk,
            "file": path,
            "format": form,
            "overwrite": flag(args, "overwrite"),
        }
        self._works.start(request, Order("export", facts, image.id, image.job_id))

    def _disk(self, image: Image, chosen: object) -> int:
        indexes = [int(disk["index"]) for disk in image.disks]
        if chosen is None and len(indexes) == 1:
            return indexes[0]
        known = ", ".join(map(str, indexes))
        if chosen is None:
            raise SmcError(
                "InvalidParameter.Missing", f"{image.name} has disks {known}: choose one"
            )
        if chosen not in indexes or not isinstance(chosen, int):
            raise SmcError("Image.NotFound", f"{image.name} has disks {known}, not {chosen}")
        return chosen

    def store_work(self, request: Request) -> None:
        """Check or measure the image store."""
        known_args(request)
        settle = self._checked if request.verb == "store.check" else self._counted
        self._works.start(request, Order(request.verb.removeprefix("store."), {}, settle=settle))

    def collect(self, request: Request) -> None:
        """Free what nothing needs any more."""
        why = str(known_args(request, "why").get("why", ""))
        self._works.start(request, Order("collect", {}, why=why, tells=TOLD))

    def _counted(self, _outcome: Document | SmcError) -> Document:
        """Tell with the store's numbers when it was collected."""
        return collected(self._context)

    def _checked(self, outcome: Document | SmcError) -> Document:
        """Keep what a check of the whole store has found out about each image."""
        images = [each for each in self._store.images() if each.state is not ImageState.DELETING]
        if not isinstance(outcome, SmcError):
            for image in images:
                if image.fault is None or image.fault.code != "Image.NotFound":
                    self._proven(image)
            return {}
        problems = outcome.facts.get("problems", [])
        harmed = {problem.get("image") for problem in problems}
        for image in images:
            if image.id in harmed:
                self._damaged(image, SmcError("Image.BlockDamaged", "found by a store check"))
        return {}

    def _event(self, request: Request, image: Image, result: str) -> None:
        self._ledger.event(
            request.actor, request.verb, result, image_id=image.id, job_id=image.job_id
        )
