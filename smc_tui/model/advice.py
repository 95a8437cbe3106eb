"""The catalogue's next steps with the names of the case at hand in them."""

from __future__ import annotations

import re
from collections.abc import Mapping

#: What is filled in must be safe to paste into a shell.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/=+@\[\]-]*", re.ASCII)
_NAMED = re.compile(r"(smc-tui (job|source|image) [a-z-]+ )NAME\b")
_PLACEHOLDER = re.compile(r"\b(?:NAME|HOST|FINGERPRINT|NOUN|VERB|DIR|FILE|TAG)\b")


def filled(text: str, names: Mapping[str, str]) -> str:
    """Return a next step with its placeholders filled in.

    Args:
        text: the catalogue's words.
        names: the names of the ``job``, ``source``, ``image``, the ``host`` as ssh is
            given it and the ``fingerprint``, as far as they are known. One that is not
            fit to stand in a command is left out.
    """
    known = {noun: name for noun, name in names.items() if _PLAIN.fullmatch(name)}
    text = _NAMED.sub(lambda found: found[1] + known.get(found[2], "NAME"), text)
    for noun in ("host", "fingerprint"):
        text = re.sub(rf"\b{noun.upper()}\b", known.get(noun, noun.upper()), text)
    return text


def commands(text: str) -> list[str]:
    """Return the commands of smc-tui in a next step that can be typed as they stand."""
    found: list[str] = []
    for part in text.split("smc-tui ")[1:]:
        words: list[str] = []
        for word in part.split():
            words.append(word.rstrip(",;:."))
            if words[-1] != word:
                break
        command = " ".join(["smc-tui", *words])
        if not _PLACEHOLDER.search(command):
            found.append(command)
    return found
