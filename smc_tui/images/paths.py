"""Where the store keeps what, under ``images/``.

    FORMAT          the version of all of it, one line
    lock            shared by every writer, exclusive to who replaces the index
    collect.lock    held by the one collection
    index.db        where everything lies; can be made anew from the packs
    packs/          <16 hexadecimal digits>.pack: the blocks and lists
    manifests/      <image id>.manifest: the images
    removed/        manifests of removed images that a session may still build on
    sessions/       <token>.session: flocked as long as the session lives

and beside it ``staging/<job>/disk<N>.map``, the change maps of unfinished jobs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from smc_tui.model.errors import SmcError
from smc_tui.model.ids import Kind, is_id

_SUFFIX = ".manifest"


@dataclass(frozen=True)
class Paths:
    """The files of one store."""

    root: Path
    staging: Path

    @property
    def format(self) -> Path:
        """The line that tells the version."""
        return self.root / "FORMAT"

    @property
    def lock(self) -> Path:
        """Shared by writers, exclusive to a rebuild."""
        return self.root / "lock"

    @property
    def collect_lock(self) -> Path:
        """Held by the one collection."""
        return self.root / "collect.lock"

    @property
    def index(self) -> Path:
        """The SQLite database."""
        return self.root / "index.db"

    @property
    def packs(self) -> Path:
        """The folder of packs."""
        return self.root / "packs"

    @property
    def manifests(self) -> Path:
        """The folder of images."""
        return self.root / "manifests"

    @property
    def removed(self) -> Path:
        """The folder of removed images that still are roots."""
        return self.root / "removed"

    @property
    def sessions(self) -> Path:
        """The folder of the open sessions' flocked files."""
        return self.root / "sessions"

    @property
    def folders(self) -> tuple[Path, ...]:
        """All folders of the store."""
        return self.packs, self.manifests, self.removed, self.sessions

    def manifest(self, image: str) -> Path:
        """Return the manifest file of an image.

        Raises:
            SmcError: Image.NotFound, for a text that is no image's id: it
                becomes part of a path.
        """
        if not is_id(image, Kind.IMAGE):
            raise SmcError("Image.NotFound", f"{image!r} is no image's id", image=image)
        return self.manifests / f"{image}{_SUFFIX}"

    def images(self) -> list[str]:
        """Return the ids of the published images, sorted."""
        return _ids(self.manifests)

    def removed_images(self) -> list[str]:
        """Return the ids of the removed images that still are roots, sorted."""
        return _ids(self.removed)

    def removed_manifest(self, image: str) -> Path:
        """Return the file of a removed image's manifest."""
        return self.removed / self.manifest(image).name

    def maps(self) -> Iterator[Path]:
        """Yield the change maps of all jobs."""
        yield from sorted(self.staging.glob("*/disk*.map"))


def _ids(folder: Path) -> list[str]:
    stems = (path.name.removesuffix(_SUFFIX) for path in folder.glob(f"*{_SUFFIX}"))
    return sorted(stem for stem in stems if is_id(stem, Kind.IMAGE))
