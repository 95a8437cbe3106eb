"""Requests: what a person asked of the engine, and what became of it.

A request is a row before it is anything else, so a session that drops loses
nothing. Its state goes one way, each step in one transaction:

    new ──► accepted ──► done          the engine has checked it and committed to it
     │          └──────► failed        it was begun and could not be finished
     ├──► refused                      with a code out of the catalogue
     └──► withdrawn                    its writer gave up before any engine saw it

``refused``, ``done``, ``failed`` and ``withdrawn`` are ends: every request reaches
exactly one of them. A *token* makes a double press one request: a second one with
the same token is the first.
"""

from __future__ import annotations

import json
import os
import pwd
import sqlite3
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from smc_tui.jobstore.rows import dump
from smc_tui.model.catalogue import CATALOGUE
from smc_tui.model.errors import SmcError
from smc_tui.model.ids import Kind, new_id


def user_name() -> str:
    """Return who asks, for the history: the login name, or the number of one without."""
    try:
        return os.environ.get("USER") or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


class RequestState(StrEnum):
    """How far a request has come."""

    NEW = "new"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    DONE = "done"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self not in (RequestState.NEW, RequestState.ACCEPTED)


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    ``awaits`` names what an accepted request waits for (``run:r-…``, ``stop:r-…``,
    ``gone:j-…``, ``work``); it is the engine's note to itself.
    """

    seq: int
    id: str
    verb: str
    target: str
    args: dict[str, Any]
    actor: str
    state: RequestState
    code: str
    detail: str
    facts: dict[str, Any]
    result: dict[str, Any]
    progress: dict[str, Any]
    awaits: str

    @property
    def error(self) -> SmcError | None:
        """Why it was refused or failed, None otherwise."""
        if not self.code:
            return None
        if self.code not in CATALOGUE:
            return SmcError("Engine.Internal", f"{self.code}: {self.detail}")
        return SmcError(self.code, self.detail, **self.facts)

    def checked(self) -> Request:
        """Return the request itself unless it was refused or failed.

        Raises:
            SmcError: what the engine answered.
        """
        if self.error is not None:
            raise self.error
        return self


_COLUMNS = (
    "seq, id, verb, target, args, actor, state, code, detail, facts, result, progress, awaits"
)


def request_of(row: sqlite3.Row) -> Request:
    """Return the request of a row."""
    decoded = {name: json.loads(row[name]) for name in ("args", "facts", "result", "progress")}
    return Request(**{**dict(row), **decoded, "state": RequestState(row["state"])})


def insert(
    connection: sqlite3.Connection,
    verb: str,
    target: str,
    args: dict[str, Any],
    actor: str,
    token: str | None,
) -> str:
    """Write a request, or find the one with its token; return its id."""
    row = connection.execute(
        "INSERT INTO requests (id, token, verb, target, args, actor, state,"
        " code, detail, facts, result, progress, awaits)"
        " VALUES (?, ?, ?, ?, ?, ?, 'new', '', '', '{}', '{}', '{}', '')"
        # DO UPDATE, so that the row found is returned; the update changes nothing.
        " ON CONFLICT (token) DO UPDATE SET token = excluded.token RETURNING id",
        (new_id(Kind.REQUEST), token, verb, target, dump(args), actor),
    ).fetchall()
    return str(row[0]["id"])


def withdraw(connection: sqlite3.Connection, request_id: str) -> bool:
    """Take a request back unless an engine has seen it; return whether it was taken back."""
    changed = connection.execute(
        "UPDATE requests SET state = 'withdrawn' WHERE id = ? AND state = 'new'", (request_id,)
    )
    return changed.rowcount == 1


def find(connection: sqlite3.Connection, request_id: str) -> Request:
    """Return a request.

    Raises:
        SmcError: Request.NotFound.
    """
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM requests WHERE id = ?", (request_id,)
    ).fetchone()
    if row is None:
        raise SmcError("Request.NotFound", f"there is no request {request_id}")
    return request_of(row)


def in_state(connection: sqlite3.Connection, state: RequestState) -> list[Request]:
    """Return the requests in a state, in the order in which they came."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM requests WHERE state = ? ORDER BY seq", (str(state),)
    )
    return [request_of(row) for row in rows.fetchall()]
