"""What holds a running job up: a place in the queue, or a link that is lost.

``Job.live`` tells: ``waiting_for`` by the engine's queue, ``retry`` by the run itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any


def delay(live: Mapping[str, Any] | None) -> str:
    """Return what a running job waits for, in words; empty where it waits for nothing.

    An instant, not a countdown: what is shown only changes when something has happened.
    """
    if not live:
        return ""
    if live.get("waiting_for"):
        return f"waits for {live['waiting_for']}"
    retry = live.get("retry")
    if not isinstance(retry, Mapping):
        return ""
    which = f"attempt {retry.get('attempt')} of {retry.get('of')}"
    return f"no link ({retry.get('code')}), trying again at {_clock(retry.get('at'))}, {which}"


def _clock(instant: Any) -> str:
    try:
        return datetime.fromisoformat(str(instant)).astimezone().strftime("%H:%M:%S")
    except ValueError:
        return str(instant)
