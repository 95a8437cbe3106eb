"""What is said about the configuration, made from its table: schema and example."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from smc_tui.model.options import OPTIONS, Option


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the file, for editors and checks."""
    root = _table("smc-tui's configuration")
    for option in OPTIONS:
        *sections, name = option.key.split(".")
        table = root
        for section in sections:
            table = table["properties"].setdefault(section, _table())
        table["properties"][name] = {
            "description": f"{option.text} Environment: {option.environment}.",
            "default": option.default,
            **option.schema,
        }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **root}


def example() -> str:
    """Return a file that says every default in comments."""
    return "\n".join(_example_lines()) + "\n"


def section_of(option: Option) -> str:
    """Return the table of the file that an option stands in; empty: none."""
    return option.key.rpartition(".")[0]


def _table(title: str = "") -> dict[str, Any]:
    told = {"title": title} if title else {}
    return {**told, "type": "object", "additionalProperties": False, "properties": {}}


def _example_lines() -> Iterator[str]:
    yield "# The configuration of smc-tui. Every option is here with its default, and each can"
    yield "# also be set by the variable in brackets, or by --set KEY=VALUE, which is stronger."
    yield "# The engine takes changes when it starts."
    for section, options in groupby(OPTIONS, section_of):
        yield ""
        if section:
            yield f"[{section}]"
        for option in options:
            yield f"# {option.text} [{option.environment}]"
            # A JSON text or number without escapes is a TOML one.
            yield f"#{option.key.rpartition('.')[2]} = {json.dumps(option.shown(option.default))}"
