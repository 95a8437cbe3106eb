"""Every option of the configuration: its key, default, check and meaning, said once.

A field of ``Config`` is an option; its metadata is the row that the file's reader,
the environment, ``config schema`` and the documentation are made from. Values come
from a TOML file, the environment and flags, each stronger than the one before.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import Field, dataclass, field, fields
from typing import Any

from smc_tui.model import settings
from smc_tui.model.errors import SmcError
from smc_tui.model.units import duration_text

_KEY = "key"
_CHECK = "check"
_TEXT = "text"
_SCHEMA = "schema"


def _option(
    key: str, default: Any, check: Callable[[Any], Any], schema: dict[str, Any], text: str
) -> Any:
    return field(default=default, metadata={_KEY: key, _CHECK: check, _SCHEMA: schema, _TEXT: text})


def _count(low: int, high: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise SmcError("Config.Invalid", f"{value!r} is no whole number from {low} to {high}")
        return value

    return check


def _amount(value: Any) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < 0:
        raise SmcError("Config.Invalid", f"{value!r} is no amount of 0 or more")
    return float(value)


def _currency(value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable() or len(value) > 8:
        raise SmcError("Config.Invalid", f"{value!r} is no currency of at most 8 characters")
    return value


def _folder(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value or len(value) > 4096:
        raise SmcError("Config.Invalid", "this is no path of a folder")
    return value


#: What a person calls the console's themes; 16 and 16-light are the terminal's own colours.
THEMES = ("dark", "light", "contrast", "16", "16-light")
AUTO, ALWAYS, NEVER = "auto", "always", "never"


def _one_of(*words: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in words:
            raise SmcError("Config.Invalid", f"{value!r} is none of: {', '.join(words)}")
        return str(value)

    return check


def _keys(value: Any) -> str:
    """Check keys by the ids of what they do, as a table or a text; returned as a text."""
    if isinstance(value, dict):
        chosen = dict(_flat(value))
    else:
        pairs = [word.partition("=") for word in str(value).split()]
        chosen = {identity: key if equals else None for identity, equals, key in pairs}
    for identity, key in chosen.items():
        named = re.fullmatch(r"[a-z0-9.-]+", identity)
        if not named or not isinstance(key, str) or len(key.split()) != 1:
            raise SmcError(
                "Config.Invalid", f'{identity or key!r} has no key such as job.sync = "ctrl+s"'
            )
    return " ".join(f"{identity}={key}" for identity, key in chosen.items())


def _flat(table: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield ids and keys: TOML takes job.sync for a table in a table."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _whole(low: int, high: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": low, "maximum": high}


def _duration(low: int, high: int) -> dict[str, Any]:
    """A text such as 6h, or seconds."""
    pattern = r"^\s*(\d+\s*[smhdSMHD]\s*)+$"
    return {"type": ["string", "integer"], "minimum": low, "maximum": high, "pattern": pattern}


@dataclass(frozen=True, slots=True)
class Config:
    """What was configured; the defaults where nothing was.

    Durations are seconds. ``cost_*`` are 0 and empty where nothing is charged: costs
    are then not shown at all.
    """

    home: str = _option(
        "home", "", _folder, {"type": "string", "format": "path"},
        "Home folder; empty: smc-tui in the XDG state folder. Weaker than --home.",
    )  # fmt: skip
    keys: str = _option(
        "keys", "", _keys,
        {"type": ["string", "object"], "additionalProperties": {"type": ["string", "object"]}},
        "Keys of the console by the ids that its help tells; in a file a table [keys].",
    )  # fmt: skip
    syncs_at_once: int = _option(
        "engine.syncs_at_once", 4, _count(1, 64), _whole(1, 64),
        "How many synchronisations run at once; others wait in a queue.",
    )  # fmt: skip
    visit_every: int = _option(
        "sync.visit_every", 600, _count(0, 86_400), _whole(0, 86_400),
        "Seconds after which a waiting job's source is asked what was written; 0: not at all.",
    )  # fmt: skip
    full_comparison_every: int = _option(
        "sync.full_comparison_every", 24, _count(1, 1000), _whole(1, 1000),
        "Of so many runs of a job one compares everything; the last one always does.",
    )  # fmt: skip
    retry_attempts: int = _option(
        "retry.attempts", 6, _count(0, 100), _whole(0, 100),
        "How often a run tries to get a lost link back, without progress, before it fails.",
    )  # fmt: skip
    retry_first_pause: int = _option(
        "retry.first_pause", 2, _count(0, 3600), _whole(0, 3600),
        "Seconds before the first of these attempts; each further one waits twice as long.",
    )  # fmt: skip
    retry_longest_pause: int = _option(
        "retry.longest_pause", 60, _count(1, 3600), _whole(1, 3600),
        "Seconds that no attempt waits longer than.",
    )  # fmt: skip
    logs_kept: int = _option(
        "logs.kept", 50, _count(1, 10_000), _whole(1, 10_000),
        "How many runs of a job keep their log, and how many deleted jobs keep theirs.",
    )  # fmt: skip
    cost_per_gib_month: float = _option(
        "cost.per_gib_month", 0.0, _amount, {"type": "number", "minimum": 0},
        "What a GiB of intermediate resources costs in 30 days; 0: not shown.",
    )  # fmt: skip
    cost_currency: str = _option(
        "cost.currency", "", _currency, {"type": "string", "maxLength": 8},
        "What stands before that amount.",
    )  # fmt: skip
    interval: int = _option(
        "defaults.interval", settings.DEFAULT_INTERVAL, settings.interval,
        _duration(*settings.INTERVAL),
        "Interval of a new job, 1h to 7d.",
    )  # fmt: skip
    keep: int = _option(
        "defaults.keep", settings.DEFAULT_KEEP, settings.keep, _whole(*settings.KEEP),
        "Maximum of reserved images of a new job.",
    )  # fmt: skip
    valid: int = _option(
        "defaults.valid", settings.DEFAULT_VALID, settings.valid,
        _duration(*settings.VALID),
        "Valid time of a new job, 7d to 90d.",
    )  # fmt: skip
    limit_mbit: int = _option(
        "defaults.limit", 0, settings.limit, _whole(*settings.LIMIT_MBIT),
        "Speed limit of a new job in Mbit/s on the wire, 0: none.",
    )  # fmt: skip
    compression: str = _option(
        "defaults.compression", settings.AUTO, settings.compression,
        {"type": ["string", "integer"], "minimum": 0, "maximum": 10, "pattern": "^(auto|\\d|10)$"},
        "Compression of a new job's link: auto, or 0 to 10.",
    )  # fmt: skip
    drill: str = _option(
        "defaults.drill", "before", settings.drill, {"enum": ["before", "only", "off"]},
        "Migration drill of a new job: before, only or off.",
    )  # fmt: skip
    theme: str = _option(
        "console.theme", AUTO, _one_of(AUTO, *THEMES), {"enum": [AUTO, *THEMES]},
        "Colours of the console; auto: what fits the terminal. Weaker than --theme.",
    )  # fmt: skip
    ascii: str = _option(
        "console.ascii", AUTO, _one_of(AUTO, ALWAYS), {"enum": [AUTO, ALWAYS]},
        "Draw the console with ASCII alone; auto: where the locale has nothing else.",
    )  # fmt: skip
    mouse: str = _option(
        "console.mouse", AUTO, _one_of(AUTO, ALWAYS, NEVER), {"enum": [AUTO, ALWAYS, NEVER]},
        "Take the mouse in the console; auto: not over SSH. Weaker than --mouse.",
    )  # fmt: skip

    @property
    def chosen_keys(self) -> dict[str, str]:
        """Keys of the console by their ids."""
        return dict(pair.split("=", 1) for pair in self.keys.split())


@dataclass(frozen=True, slots=True)
class Option:
    """One row of the table."""

    name: str
    key: str
    default: Any
    check: Callable[[Any], Any]
    schema: dict[str, Any]
    text: str

    @property
    def of_engine(self) -> bool:
        """Whether it is the engine that heeds it: others are the console's, or every command's."""
        return self.key not in ("home", "keys") and not self.key.startswith("console.")

    @property
    def environment(self) -> str:
        """The environment variable: ``SMC_TUI_RETRY_ATTEMPTS``."""
        return "SMC_TUI_" + self.key.replace(".", "_").upper()

    def shown(self, value: Any) -> Any:
        """Return a value as a person writes it: seconds that may be a text are ``6h``."""
        is_duration = isinstance(self.default, int) and "string" in self.schema.get("type", ())
        return duration_text(value) if is_duration else value


def _row(each: Field[Any]) -> Option:
    said = each.metadata
    return Option(each.name, said[_KEY], each.default, said[_CHECK], said[_SCHEMA], said[_TEXT])


#: Every option, in the order of the documentation.
OPTIONS: tuple[Option, ...] = tuple(_row(each) for each in fields(Config))


def changed(config: Config) -> dict[str, Any]:
    """Return the values that are not the defaults, by key; JSON values."""
    values = {option.key: getattr(config, option.name) for option in OPTIONS}
    return {
        option.key: values[option.key] for option in OPTIONS if values[option.key] != option.default
    }
