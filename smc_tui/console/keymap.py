"""Keys as Textual takes them, and those that a person chose in their place.

A person chooses by id: ``job.sync = "ctrl+s"``, or several, comma between. What cannot
be is told with its id before the terminal is taken, not when the key is pressed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from textual.binding import Binding, BindingType
from textual.keys import Keys, _character_to_key, key_to_character

from smc_tui.console.keys import BY_ID, TOGETHER, Key
from smc_tui.model.errors import SmcError

_MODIFIERS = re.compile(r"(?:(?:ctrl|shift|alt|super)\+)*")
_SHOWN = {
    "space": "space",
    "escape": "esc",
    "pagedown": "pgdn",
    "pageup": "pgup",
    "slash": "/",
    "backslash": "\\",
}
_NAMED = frozenset(key.value for key in Keys)


def bindings(keys: tuple[Key, ...]) -> list[BindingType]:
    """Return keys as Textual's bindings, which a person may remap by their ids."""
    return [
        Binding(key.keys, key.action, key.text, show=False, id=key.id, tooltip=key.text)
        for key in keys
    ]


class Keymap:
    """The keys as they are, with those that a person chose.

    Args:
        chosen: keys by the ids of ``keys.py``.

    Raises:
        SmcError: Config.Invalid, with the id: there is no such one, what is chosen is no
            key, or another id that is understood at the same time has it.
    """

    def __init__(self, chosen: Mapping[str, str]) -> None:
        self.chosen = {identity: _keys(identity, text) for identity, text in chosen.items()}
        for together in TOGETHER:
            self._differ(together)

    def _differ(self, together: tuple[Key, ...]) -> None:
        taken: dict[str, str] = {}
        for key in together:
            for each in self.keys(key).split(","):
                other = taken.setdefault(each, key.id)
                # Where nobody chose anything, the table says what stands before what.
                if other != key.id and {other, key.id} & self.chosen.keys():
                    identity = key.id if key.id in self.chosen else other
                    taker = other if identity == key.id else key.id
                    raise SmcError(
                        "Config.Invalid", f"keys: {identity}: {shown(each)} is the key of {taker}"
                    )

    def keys(self, key: Key) -> str:
        """Return Textual's names of a key, comma between."""
        return self.chosen.get(key.id, key.keys)

    def shown(self, key: Key) -> str:
        """Return a key as a person reads it."""
        chosen = self.chosen.get(key.id)
        return key.shown if chosen is None else shown(chosen.partition(",")[0])

    def all_shown(self, key: Key) -> str:
        """Return a key with its alternatives as a person reads them."""
        return " ".join(shown(each) for each in self.keys(key).split(","))


def _keys(identity: str, text: str) -> str:
    if identity not in BY_ID:
        raise SmcError("Config.Invalid", f"keys: {identity}: there is no such key; ? lists them")
    # A comma alone is a key, between keys it is none.
    parts = [text] if text == "," else [part.strip() for part in text.split(",")]
    return ",".join(_key(identity, part) for part in parts)


def _key(identity: str, text: str) -> str:
    modifiers = _MODIFIERS.match(text)
    base = text[modifiers.end() if modifiers else 0 :]
    known = (len(base) == 1 and base.isprintable()) or base in _NAMED or key_to_character(base)
    if not base or not known:
        raise SmcError(
            "Config.Invalid", f"keys: {identity}: {text!r} is no key such as x or ctrl+x"
        )
    name = _character_to_key(base) if len(base) == 1 else base
    return text[: -len(base)] + name


def shown(key: str) -> str:
    """Return one of Textual's names as a person reads it."""
    modifiers, plus, base = key.rpartition("+")
    known = _SHOWN.get(base) or key_to_character(base) or base
    return f"{modifiers}{plus}{known}"
