"""Events in words: what was done in the action table's labels, facts as phrases.

For everything that shows a history to people: pages, reports, consoles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from smc_tui.model.actions import BY_VERB, status_word
from smc_tui.model.lifecycle import STATES
from smc_tui.model.things import Event
from smc_tui.model.units import bytes_text, printable

#: Requests that are no row of the action table, in the words of the buttons they could be.
LABELS = MappingProxyType(
    {
        "job.create": "Create Migration Job",
        "job.tag": "Set Job Tags",
        "job.cutover-abort": "Abort Cutover",
        "source.import": "Import Source",
        "source.tag": "Set Source Tags",
        "store.check": "Check Image Store",
        "store.collect": "Collect Image Store",
        "store.stats": "Measure Image Store",
        "engine.stop": "Stop Engine",
    }
)

_STATES = MappingProxyType({str(state): status_word(state) for state in STATES})

#: Facts that others say already, or that are for programs.
_UNSAID = frozenset({"last", "allowed"})
#: Facts that need no word before them.
_PLAIN = frozenset({"detail", "name", "kind"})
_BYTES = "bytes_"


def action_words(event: Event) -> str:
    """Return what was done: the action's label, or the engine's own words."""
    row = BY_VERB.get(event.action)
    return row.label if row else LABELS.get(event.action, printable(event.action))


def result_words(event: Event) -> str:
    """Return what came of it; a state in the console's word."""
    return _STATES.get(event.result, printable(event.result))


def fact_words(event: Event) -> str:
    """Return the facts of an event as one line."""
    said = (_fact(name, value) for name, value in event.facts.items() if name not in _UNSAID)
    about = (text for text in (event.run_id, event.image_id) if text)
    return ", ".join(filter(None, [*said, *about]))


def _fact(name: str, value: Any) -> str:
    if name.startswith(_BYTES) and isinstance(value, int):
        return f"{name.removeprefix(_BYTES)} {bytes_text(value)}"
    words = _value(value)
    return words if name in _PLAIN or not words else f"{name.replace('_', ' ')} {words}"


def _mapping(value: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {_value(each)}" for name, each in value.items())


def _number(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


_WORDS: tuple[tuple[type | tuple[type, ...], Callable[[Any], str]], ...] = (
    (bool, lambda value: "yes" if value else "no"),
    ((int, float), _number),
    (str, printable),
    (dict, _mapping),
    (list, lambda value: ", ".join(map(_value, value))),
)


def _value(value: Any) -> str:
    words = (say(value) for kind, say in _WORDS if isinstance(value, kind))
    return next(words, "")
