"""Rows of the tables to things of the model and back.

A column has the name of the thing's field. Where the two hold it differently, the
table's line below says how: a *codec* leads from the field to the column and back.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Generic, TypeVar

from smc_tui.model.instants import Reading, Wanted
from smc_tui.model.lifecycle import Consistency, ImageState, Phase, RunKind, SourceState, Status
from smc_tui.model.things import (
    Counters,
    Disk,
    DrillMode,
    Event,
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

Row = dict[str, Any]
T = TypeVar("T")


def dump(value: Any) -> str:
    """Return a value as the JSON that the tables hold."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class _Codec:
    """The way of a field into its column and back; None stays None."""

    into: Callable[[Any], Any]
    back: Callable[[Any], Any]


def _word(kind: type[StrEnum]) -> _Codec:
    return _Codec(str, kind)


def _record(kind: type[Any]) -> _Codec:
    return _Codec(lambda value: dump(asdict(value)), lambda text: kind(**json.loads(text)))


_AS_IT_IS = _Codec(lambda value: value, lambda value: value)
_FLAG = _Codec(int, bool)
_JSON = _Codec(dump, json.loads)
_READING = _Codec(
    lambda reading: dump(reading.document()), lambda text: Reading.of(json.loads(text))
)
_TUPLE = _Codec(dump, lambda text: tuple(json.loads(text)))
_DISKS = _Codec(
    lambda disks: dump([asdict(disk) for disk in disks]),
    lambda text: tuple(Disk(**disk) for disk in json.loads(text)),
)


class _Table(Generic[T]):
    """How the things of one kind are held.

    Args:
        kind: the thing's dataclass.
        apart: fields that are no columns of the table.
        codecs: by field; what has none is held as it is.
    """

    def __init__(self, kind: type[T], /, apart: tuple[str, ...] = (), **codecs: _Codec) -> None:
        self._kind = kind
        names = [each.name for each in fields(kind)]  # type: ignore[arg-type]
        self._columns = [(name, codecs.get(name, _AS_IT_IS)) for name in names if name not in apart]

    def row(self, thing: T) -> Row:
        """Return a thing's row."""
        found = ((name, codec, getattr(thing, name)) for name, codec in self._columns)
        return {n: None if value is None else codec.into(value) for n, codec, value in found}

    def of(self, row: sqlite3.Row | Row, **apart: Any) -> T:
        """Return the thing of a row, which may have further columns."""
        found = ((name, codec, row[name]) for name, codec in self._columns)
        made = {n: None if value is None else codec.back(value) for n, codec, value in found}
        return self._kind(**made, **apart)


_FAULT = _record(Fault)
_SOURCES = _Table(
    Source,
    state=_word(SourceState),
    ssh=_record(Ssh),
    disks=_DISKS,
    host_key=_JSON,
    inventory=_JSON,
    tags=_TUPLE,
    fault=_FAULT,
)
_SETTINGS = _Table(
    JobSettings,
    drill=_word(DrillMode),
    instant=_word(Wanted),
    before_freeze=_TUPLE,
    after_thaw=_TUPLE,
)
_JOBS = _Table(
    Job,
    apart=("settings",),
    status=_word(Status),
    phase=_word(Phase),
    wish=_word(Wish),
    completing=_FLAG,
    fault=_FAULT,
    live=_JSON,
    tags=_TUPLE,
    drill_report=_JSON,
    starting=_FLAG,
    cutover=_JSON,
)
_RUNS = _Table(
    Run,
    kind=_word(RunKind),
    counters=_record(Counters),
    published=_FLAG,
    reading=_READING,
    report=_JSON,
    fault=_FAULT,
)
_IMAGES = _Table(
    Image,
    apart=("holds",),
    state=_word(ImageState),
    consistency=_word(Consistency),
    disks=_TUPLE,
    fault=_FAULT,
)
_RESOURCES = _Table(Resource, state=_word(ResourceState))
_EVENTS = _Table(Event, facts=_JSON)

source_row, source_of = _SOURCES.row, _SOURCES.of
run_row, run_of = _RUNS.row, _RUNS.of
image_row = _IMAGES.row
resource_row, resource_of = _RESOURCES.row, _RESOURCES.of
event_of = _EVENTS.of


def job_row(job: Job) -> Row:
    """Return a job's row; its settings are columns like the others."""
    return {**_JOBS.row(job), **_SETTINGS.row(job.settings)}


def job_of(row: sqlite3.Row | Row) -> Job:
    """Return the job of a row."""
    return _JOBS.of(row, settings=_SETTINGS.of(row))


def image_of(row: sqlite3.Row | Row) -> Image:
    """Return the image of a row that carries its holds, a table of their own, as a JSON list."""
    return _IMAGES.of(row, holds=tuple(json.loads(row["holds"])))
