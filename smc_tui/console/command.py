"""The ``:`` line: the command line's grammar on what the console itself can do.

    sync                      the marked jobs, else the one under the cursor
    job sync web01-1 ci-1     those jobs; ``smc-tui`` before it is no mistake
    interval 6h --keep 5      the same words and options as in a shell
    filter state:InError      what the page's keys do

What only a shell can do is answered with the line to type there. Pure: a line becomes
what is wanted, or an SmcError.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from smc_tui.model import settings
from smc_tui.model.actions import ACTIONS, ActionId, Subject
from smc_tui.model.errors import SmcError

#: The names of the pages that can be opened -> their page's key in ``keys.py``.
PAGES = ("images", "resources", "health")

#: Words of the command line for a page of the console.
_PAGE_WORDS = {
    "images": "images", "image": "images", "resources": "resources", "resource": "resources",
    "engine": "health", "health": "health", "store": "health",
}  # fmt: skip

#: Words that are an action of the app or of the page by themselves.
_PLAIN = {
    "q": "app.leave",
    "quit": "app.leave",
    "help": "app.help",
    "import": "page.import",
    "wide": "page.wide",
    "freeze": "page.freeze",
    "reverse": "page.reverse",
    "copy": "page.copy",
}


@dataclass(frozen=True, slots=True)
class Act:
    """An action on jobs: those named, else the chosen ones; with what was chosen already."""

    action: ActionId
    refs: tuple[str, ...] = ()
    given: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OnSource:
    """An action on a source."""

    action: ActionId
    ref: str


@dataclass(frozen=True, slots=True)
class NewJob:
    """The new job wizard, on a source if one was named."""

    ref: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A page."""

    name: str


@dataclass(frozen=True, slots=True)
class Press:
    """What the key of this id does."""

    key: str


@dataclass(frozen=True, slots=True)
class Filter:
    """A text filter; empty: none."""

    words: str


@dataclass(frozen=True, slots=True)
class Sort:
    """An order of the rows; no column: as they were made."""

    column: str | None
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Theme:
    """A theme by the name that a person has for it."""

    name: str


Wanted = Act | OnSource | NewJob | Page | Press | Filter | Sort | Theme

#: The verbs of ``job`` -> their action. Those that show something are named as in a shell.
JOB_VERBS: Mapping[str, ActionId] = {
    **{
        action.verb.partition(".")[2]: action.id
        for action in ACTIONS.values()
        if action.verb.startswith("job.")
    },
    "report": ActionId.VIEW_REPORT,
    "errors": ActionId.TROUBLESHOOT,
}

#: The verbs of ``source`` that the console has.
SOURCE_VERBS: Mapping[str, ActionId] = {
    action.verb.partition(".")[2]: action.id
    for action in ACTIONS.values()
    if action.subject is Subject.SOURCE and action.verb
}

#: option -> (the request's argument, its check); no check: a yes or no.
Options = Mapping[str, tuple[str, Callable[[Any], Any] | None]]
_KEEP = ("keep", settings.keep)
_OPTIONS: Mapping[ActionId, Options] = {
    ActionId.COMPLETE: {"--last-sync": ("last_sync", None)},
    ActionId.SET_INTERVAL: {"--keep": _KEEP},
    ActionId.MODIFY: {
        "--name": ("name", settings.name),
        "--description": ("description", settings.description),
        "--limit": ("limit_mbit", settings.limit),
        "--compression": ("compression", settings.compression),
        "--instant": ("instant", settings.one_instant),
        "--before-freeze": ("before_freeze", settings.hook),
        "--after-thaw": ("after_thaw", settings.hook),
        "--hook-timeout": ("hook_timeout", settings.hook_timeout),
        "--valid": ("valid", settings.valid),
        "--keep": _KEEP,
    },
}

#: Nouns of the command line of which the console has nothing, or only pages.
_SHELL = ("image", "store", "engine", "resource", "config", "doctor", "demo", "completion")


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to be named, for completion and for checks.

    Attributes:
        jobs: names of the jobs.
        sources: names of the sources.
        columns: keys of the columns on show.
        themes: what a person calls the themes.
    """

    jobs: Sequence[str] = ()
    sources: Sequence[str] = ()
    columns: Sequence[str] = ()
    themes: Sequence[str] = ()


def parse(line: str, known: Known, program: str = "smc-tui") -> Wanted | None:
    """Return what a line wants, None for an empty one.

    Args:
        line: what was typed.
        known: what there is to be named.
        program: how the command line is called in a shell.

    Raises:
        SmcError: InvalidParameter.*, Action.Unavailable with what to type in a shell.
    """
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise SmcError("InvalidParameter.Unknown", f"{error}: {line}") from None
    if words[:1] == ["smc-tui"]:
        words = words[1:]
    if not words:
        return None
    first, rest = words[0], words[1:]
    if first == "filter":
        # As it was typed: a filter has no quotes of its own.
        return Filter(line.strip().partition("filter")[2].strip())
    if first == "job" and rest:
        return _job(rest[0], rest[1:], words, program)
    if first == "source" and rest:
        return _source(rest[0], rest[1:], words, program)
    if first in _PLAIN:
        return _alone(first, rest, words, program)
    if first in _PAGE_WORDS and not rest:
        return Page(_PAGE_WORDS[first])
    if first in ("sort", "theme"):
        return _look(first, rest, known)
    if first in JOB_VERBS or first in ("create", "new"):
        return _job(first, rest, words, program)
    if first in _SHELL or first in ("job", "source"):
        raise _only_in_a_shell(words, program)
    raise SmcError("InvalidParameter.Unknown", f"there is no command {first}; tab shows them")


def _only_in_a_shell(words: Sequence[str], program: str) -> SmcError:
    return SmcError(
        "Action.Unavailable", f"not in the console; in a shell: {program} {shlex.join(words)}"
    )


def _alone(first: str, rest: Sequence[str], words: Sequence[str], program: str) -> Wanted:
    if rest:
        if first == "import":
            raise _only_in_a_shell(["source", *words], program)
        raise SmcError("InvalidParameter.Unknown", f"{first} takes nothing, not {rest[0]}")
    return Press(_PLAIN[first])


def _look(first: str, rest: Sequence[str], known: Known) -> Wanted:
    if first == "theme":
        if len(rest) != 1 or rest[0] not in known.themes:
            raise SmcError("InvalidParameter.Unknown", f"themes are: {', '.join(known.themes)}")
        return Theme(rest[0])
    column = rest[0] if rest else None
    descending = list(rest[1:]) in (["desc"], ["descending"])
    if (column is not None and column not in known.columns) or (len(rest) > 1 and not descending):
        columns = ", ".join(known.columns)
        raise SmcError("InvalidParameter.Unknown", f"sort [COLUMN [desc]]; columns are: {columns}")
    return Sort(column, descending)


def _source(verb: str, rest: Sequence[str], words: Sequence[str], program: str) -> Wanted:
    if verb == "import" and not rest:
        return Press("page.import")
    if verb not in SOURCE_VERBS or len(rest) != 1 or rest[0].startswith("-"):
        raise _only_in_a_shell(words, program)
    return OnSource(SOURCE_VERBS[verb], rest[0])


def _job(verb: str, rest: Sequence[str], words: Sequence[str], program: str) -> Wanted:
    full = words if words[0] == "job" else ["job", *words]
    if verb in ("create", "new"):
        if len(rest) > 1 or (rest and rest[0].startswith("-")):
            raise _only_in_a_shell(["job", "create", *rest], program)
        return NewJob(*rest)
    if verb == "drill" and "--last" in rest:
        return Act(ActionId.VIEW_DRILL, tuple(word for word in rest if word != "--last"))
    if verb not in JOB_VERBS:
        raise _only_in_a_shell(full, program)
    return _act(JOB_VERBS[verb], rest, full, program)


def _act(action: ActionId, rest: Sequence[str], full: Sequence[str], program: str) -> Act:
    options = _OPTIONS.get(action, {})
    refs: list[str] = []
    given: dict[str, Any] = {}
    left = list(rest)
    while left:
        word = left.pop(0)
        if not word.startswith("-"):
            refs.append(word)
            continue
        name, equals, value = word.partition("=")
        if name not in options:
            raise _only_in_a_shell(full, program)
        key, check = options[name]
        if check is None:
            given[key] = True
            continue
        if not equals:
            if not left:
                raise SmcError("InvalidParameter.Missing", f"{name} needs a value")
            value = left.pop(0)
        check(value)
        given[key] = value
    if action is ActionId.SET_INTERVAL and (refs or given):
        if not refs:
            raise SmcError("InvalidParameter.Missing", "the interval, such as 6h")
        given["interval"] = refs.pop()
        settings.interval(given["interval"])
    return Act(action, tuple(refs), given)


def completions(line: str, known: Known) -> list[str]:
    """Return what the last word of a line may become, in order."""
    words = line.split(" ")
    last, before = words[-1], [word for word in words[:-1] if word]
    if before[:1] == ["smc-tui"]:
        before = before[1:]
    return [each for each in _candidates(before, known) if each.startswith(last) and each != last]


def _candidates(before: Sequence[str], known: Known) -> Iterable[str]:
    job_words = (*JOB_VERBS, "create")
    if not before:
        plain = (*_PLAIN, *PAGES, "filter", "sort", "theme", "job", "source")
        return sorted({*job_words, *plain})
    first, *more = before
    if first == "job" and not more:
        return sorted(job_words)
    if first == "source":
        return sorted((*SOURCE_VERBS, "import")) if not more else known.sources
    if first == "job":
        first = more[0]
    if first == "create":
        return known.sources
    if first in JOB_VERBS:
        return (*known.jobs, *_OPTIONS.get(JOB_VERBS[first], {}))
    if first == "sort":
        return known.columns if len(before) == 1 else ("desc",)
    if first == "theme":
        return known.themes
    return ("state:", "tag:") if first == "filter" else ()
