"""The layers of the configuration, and everything that is wrong in them.

A value is checked in the layer it stands in, also where a stronger layer hides it: a
file with a slip in it is a slip whatever the environment says today.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smc_tui.config import files
from smc_tui.model.errors import SmcError
from smc_tui.model.options import OPTIONS, Config, Option
from smc_tui.model.units import printable

DEFAULT = "default"
FLAG = "--set"

_BY_KEY = {option.key: option for option in OPTIONS}
_SECTIONS = {option.key.rpartition(".")[0] for option in OPTIONS} - {""}
_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
#: JSON Schema's names of types; a bool is no number here.
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "object": (dict,),
}
_WORDS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "object": "a table",
}
#: What TOML's integers are; Python's have no end, and some cannot even be printed.
_LARGEST = 2**63
#: Faults whose lines are looked for, and that an error's facts have.
MOST = 100
#: Faults told in an error's one line; the rest is counted.
_TOLD = 3
_DETAIL = 160


@dataclass(frozen=True, slots=True)
class Value:
    """An option's value and where it came from: ``default``, ``FILE:LINE``, a variable, a flag."""

    option: Option
    value: Any
    origin: str


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong: in which key (empty: the file as a whole), where, and what."""

    key: str
    where: str
    detail: str

    @property
    def line(self) -> str:
        """The fault in one line."""
        return ": ".join(filter(None, [self.where, self.key, self.detail]))

    def document(self) -> dict[str, str]:
        """The same for programs."""
        return {"key": self.key, "where": self.where, "detail": self.detail}


@dataclass(frozen=True)
class Reading:
    """What was read.

    Attributes:
        path: the file that was looked for.
        exists: whether there is one.
        named: whether it was named by ``--config`` or the environment.
        values: every option, in the order of the table; where a layer has a fault, the
            value of the layer below it.
        faults: everything that is wrong.
    """

    path: Path
    exists: bool
    named: bool
    values: tuple[Value, ...]
    faults: tuple[Fault, ...]
    flags: Mapping[str, str] = field(default_factory=dict)

    def checked(self) -> Config:
        """Return the configuration.

        Raises:
            SmcError: Config.Invalid, with all faults.
        """
        if self.faults:
            raise error_of(self.faults)
        return self.usable()

    def usable(self) -> Config:
        """Return what can be used of it, faults or not."""
        return Config(**{each.option.name: each.value for each in self.values})

    def summary(self) -> str:
        """Return in one line where values come from that are not the defaults."""
        told = [
            f"{each.option.key} = {each.value!r} ({each.origin})"
            for each in self.values
            if each.origin != DEFAULT
        ]
        return printable(", ".join(told)) or "nothing"


def load_config(
    flags: Mapping[str, str] | None = None,
    path: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Config:
    """Return the configuration.

    Args:
        flags: values by key, as ``--set`` gave them.
        path: the file that ``--config`` named.
        environ: the environment, this process's by default.

    Raises:
        SmcError: Config.Unreadable, Config.Invalid.
    """
    return read(flags, path, environ).checked()


def read(
    flags: Mapping[str, str] | None = None,
    path: Path | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    located: bool = False,
) -> Reading:
    """Return every option's value with where it came from, and all faults.

    Args:
        flags: values by key, as ``--set`` gave them.
        path: the file that ``--config`` named.
        environ: the environment, this process's by default.
        located: also find the lines of good values, which takes longer.

    Raises:
        SmcError: Config.Unreadable.
    """
    flags = flags or {}
    environ = os.environ if environ is None else environ
    file, named = files.chosen_file(path, environ)
    text = files.bytes_of(file, named=named)
    layers: list[_Layer] = [_Environment(environ), _Flags(flags)]
    if text is not None:
        layers.insert(0, _File(file, text, located))
    values = {option.key: Value(option, option.default, DEFAULT) for option in OPTIONS}
    faults: list[Fault] = []
    for layer in layers:
        for found in layer.read():
            if isinstance(found, Fault):
                faults.append(found)
            else:
                values[found.option.key] = found
    return Reading(file, text is not None, named, tuple(values.values()), tuple(faults), flags)


def check_flag(key: str, text: str) -> None:
    """See that ``--set`` names an option and a value that it may have.

    Raises:
        SmcError: Config.Invalid.
    """
    faults = [each for each in _Flags({key: text}).read() if isinstance(each, Fault)]
    if faults:
        raise error_of(faults)


def error_of(faults: Sequence[Fault]) -> SmcError:
    """Return all faults as one error: the first in its line, all in its facts."""
    told = [each.line for each in faults[:_TOLD]]
    if len(faults) > _TOLD:
        told.append(f"and {len(faults) - _TOLD} more")
    documents = [each.document() for each in faults[:MOST]]
    return SmcError("Config.Invalid", "; ".join(told), faults=documents)


class _Layer:
    """One place that values come from."""

    def read(self) -> Iterator[Value | Fault]:
        """Yield each value it has, and each fault."""
        raise NotImplementedError


class _File(_Layer):
    def __init__(self, path: Path, found: bytes, located: bool) -> None:
        self._path = path
        self._bytes = found
        self._text = ""
        self._located = located
        self._told = 0

    def read(self) -> Iterator[Value | Fault]:
        try:
            self._text = files.text_of(self._bytes)
            table = files.parsed(self._text)
        except files.Unfit as error:
            where = f"{self._path}:{error.line}" if error.line else str(self._path)
            yield Fault("", where, _cut(error.detail))
            return
        for parts, value in _leaves(table):
            key = ".".join(part if _BARE.fullmatch(part) else repr(part) for part in parts)
            option = _BY_KEY.get(key)
            if option is None:
                yield self._fault(key, parts, _unknown(key, value))
                continue
            try:
                kept = _checked(option, value)
            except SmcError as error:
                yield self._fault(key, parts, error.detail)
                continue
            if option.schema.get("format") == "path" and kept:
                # Of a file that says "../big", not of the folder one happens to be in.
                kept = str(self._path.parent / files.expanded(Path(kept)))
            yield Value(option, kept, self._place(parts) if self._located else str(self._path))

    def _fault(self, key: str, parts: Sequence[str], detail: str) -> Fault:
        self._told += 1
        # Each line is looked for by parsing, which a file of nothing but faults can make long.
        where = self._place(parts) if self._told <= MOST else str(self._path)
        return Fault(_cut(key), where, detail)

    def _place(self, parts: Sequence[str]) -> str:
        line = files.line_of(self._text, parts)
        return f"{self._path}:{line}" if line else str(self._path)


class _Environment(_Layer):
    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def read(self) -> Iterator[Value | Fault]:
        for option in OPTIONS:
            text = self._environ.get(option.environment)
            if text:
                yield _of_text(option, text, option.environment)


class _Flags(_Layer):
    def __init__(self, flags: Mapping[str, str]) -> None:
        self._flags = flags

    def read(self) -> Iterator[Value | Fault]:
        for key, text in self._flags.items():
            option = _BY_KEY.get(key)
            if option is None:
                yield Fault(_cut(key), FLAG, _unknown(key, text))
            else:
                yield _of_text(option, text, FLAG)


def _of_text(option: Option, text: str, origin: str) -> Value | Fault:
    """Return what a text from outside stands for: it has no types of its own."""
    try:
        return Value(option, _checked(option, spoken(option, text)), origin)
    except SmcError as error:
        return Fault(option.key, origin, error.detail)


def spoken(option: Option, text: str) -> Any:
    """Return the value that an option's text stands for, of the type the option has."""
    kinds = _kinds(option)
    if "integer" in kinds and _INTEGER.fullmatch(text.strip()):
        return int(text)
    if "number" in kinds:
        try:
            return float(text)
        except ValueError:
            return text
    return text


def _checked(option: Option, value: Any) -> Any:
    """Return a value as it is kept.

    Raises:
        SmcError: it has the wrong type, or is out of its limits.
    """
    kinds = _kinds(option)
    allowed = tuple(kind for name in kinds for kind in _TYPES[name])
    if isinstance(value, bool) or not isinstance(value, allowed):
        words = " or ".join(_WORDS[name] for name in kinds)
        raise SmcError("Config.Invalid", f"{_shown(value)} is not {words}")
    if isinstance(value, int) and abs(value) >= _LARGEST:
        raise SmcError("Config.Invalid", "this number is far too large")
    try:
        return option.check(value)
    except SmcError as error:
        raise SmcError("Config.Invalid", _cut(error.detail)) from error


def _kinds(option: Option) -> list[str]:
    found = option.schema.get("type", "string")
    return [found] if isinstance(found, str) else list(found)


def _leaves(
    table: dict[str, Any], above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every value of nested tables; an empty table that is no section is one, too."""
    for name, value in table.items():
        parts = (*above, name)
        if isinstance(value, dict) and ".".join(parts) not in _BY_KEY and value:
            yield from _leaves(value, parts)
        elif value != {} or ".".join(parts) not in _SECTIONS:
            yield parts, value


def _unknown(key: str, value: Any) -> str:
    """Return that there is no such option, and which one may have been meant."""
    table = isinstance(value, dict)
    if key in _SECTIONS:
        return f"{_shown(value)} is not a table; write [{key}] and its options below"
    # Here, because it is slow to import, and most configurations have no slips.
    import difflib

    near = difflib.get_close_matches(key, sorted(_SECTIONS) if table else list(_BY_KEY), 1)
    what = "there is no such table" if table else "there is no such option"
    return f"{what}; did you mean {near[0]}?" if near else what


def strays(environ: Mapping[str, str]) -> list[Fault]:
    """Return variables of the environment that look like an option's, misspelt.

    No faults, because the environment is everybody's; something to be told of.
    """
    import difflib

    known = {option.environment: option.key for option in OPTIONS}
    found = []
    for name in sorted(environ.keys() - known.keys() - {files.ENVIRONMENT}):
        near = name.startswith("SMC_TUI_") and difflib.get_close_matches(name, known, 1, 0.85)
        if near:
            found.append(Fault(known[near[0]], name, f"ignored; did you mean {near[0]}?"))
    return found


def _shown(value: Any) -> str:
    """Return a value of the wrong type in few words."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and abs(value) >= _LARGEST:
        return "a number far too large"
    return _cut(repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= _DETAIL else text[: _DETAIL - 1] + "…"
