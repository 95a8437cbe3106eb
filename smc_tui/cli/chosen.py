"""Which jobs a verb is for: by name, by their tags, all of them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from smc_tui.cli.grammar import Function
from smc_tui.model import settings
from smc_tui.model.errors import SmcError
from smc_tui.model.things import Job, Source


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which jobs a verb was given."""

    refs: tuple[str, ...]
    tags: tuple[str, ...]
    everything: bool

    @property
    def single(self) -> str | None:
        """The one job that was named, None where several may be meant.

        Raises:
            SmcError: InvalidParameter.*: none was named, or everything and more.
        """
        if self.everything and (self.refs or self.tags):
            raise SmcError("InvalidParameter.Combination", "--all with jobs or tags")
        if not (self.refs or self.tags or self.everything):
            raise SmcError("InvalidParameter.Missing", "a job, --tag TAG or --all")
        settings.tags(self.tags)
        return self.refs[0] if len(self.refs) == 1 and not self.tags else None


def choosing(function: Function) -> Function:
    """Give a verb jobs, ``--tag`` and ``--all``; it gets them as ``chosen``."""

    @functools.wraps(function)
    def chosen(
        *args: Any, refs: tuple[str, ...], tags: tuple[str, ...], everything: bool, **given: Any
    ) -> Any:
        return function(*args, chosen=Chosen(refs, tags, everything), **given)

    decorated: Any = click.option("--all", "everything", is_flag=True, help="Every job there is.")(
        chosen
    )
    text = "Jobs with this tag, their own or their source's; with several: with all of them."
    decorated = click.option("--tag", "tags", multiple=True, metavar="T", help=text)(decorated)
    made: Function = click.argument("refs", metavar="J...", nargs=-1)(decorated)
    return made


def tagged(jobs: Sequence[Job], sources: Sequence[Source], tags: Sequence[str]) -> list[Job]:
    """Return the jobs that have all these tags, their own or their source's."""
    of_source = {source.id: source.tags for source in sources}
    wanted = set(tags)
    return [job for job in jobs if wanted <= {*job.tags, *of_source.get(job.source_id, ())}]
