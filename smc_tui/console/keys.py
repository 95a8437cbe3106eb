"""Every key of the console: one table for bindings, hints, menus, help and the README.

Lower case never destroys; what needs a dialog that asks for a name is a capital. No
function keys, no Alt, no mouse: each of them is broken somewhere over ssh.
"""

from __future__ import annotations

from dataclasses import dataclass

from smc_tui.model.actions import ACTIONS, ActionId
from smc_tui.model.troubles import Remedy


@dataclass(frozen=True, slots=True)
class Key:
    """One key.

    Attributes:
        id: what a person remaps it by.
        keys: Textual's names, comma between alternatives.
        action: what Textual calls.
        text: what it does, in a few words.
        shown: how a person reads the key.
        hint: whether the bottom line tells it.
    """

    id: str
    keys: str
    action: str
    text: str
    shown: str
    hint: bool = False


def _job(action: ActionId, key: str) -> Key:
    return Key(f"job.{action}", key, f"act('{action}')", ACTIONS[action].label, key)


#: What is done to the job under the cursor, or to those marked.
JOB_KEYS: dict[ActionId, Key] = {
    ActionId.START: _job(ActionId.START, "o"),
    ActionId.SYNC: _job(ActionId.SYNC, "m"),
    ActionId.SET_INTERVAL: _job(ActionId.SET_INTERVAL, "s"),
    ActionId.PAUSE: _job(ActionId.PAUSE, "p"),
    ActionId.TROUBLESHOOT: _job(ActionId.TROUBLESHOOT, "t"),
    ActionId.VIEW_REPORT: _job(ActionId.VIEW_REPORT, "r"),
    ActionId.VIEW_DRILL: _job(ActionId.VIEW_DRILL, "d"),
    ActionId.MODIFY: _job(ActionId.MODIFY, "e"),
    ActionId.CREATE_INSTANCE: _job(ActionId.CREATE_INSTANCE, "i"),
    ActionId.RETRY: _job(ActionId.RETRY, "R"),
    ActionId.RETRY_DRILL: _job(ActionId.RETRY_DRILL, "D"),
    ActionId.VERIFY_RESULT: _job(ActionId.VERIFY_RESULT, "V"),
    ActionId.COMPLETE: _job(ActionId.COMPLETE, "C"),
    ActionId.RELEASE: _job(ActionId.RELEASE, "E"),
    ActionId.CANCEL: _job(ActionId.CANCEL, "X"),
}

_ACTIONS = Key("page.actions", "a", "actions", "actions of the row", "a", True)
_FREEZE = Key("page.freeze", "F", "freeze", "freeze the view", "F")
_COPIES = (
    Key("page.copy", "y", "copy_id", "copy the id", "y"),
    Key("page.copy-row", "Y", "copy_row", "copy the row as JSON", "Y"),
)

#: What the Server Migration page itself understands.
PAGE_KEYS: tuple[Key, ...] = (
    Key("page.filter", "slash", "filter", "filter by words", "/", True),
    _ACTIONS,
    Key("page.import", "I", "import_source", "import a source", "I"),
    Key("page.new", "N", "new_job", "new migration job", "N"),
    Key("page.errors", "exclamation_mark", "chip(4)", "only errors", "!"),
    *(Key(f"page.chip{n}", str(n), f"chip({n})", f"status filter {n}", str(n)) for n in range(6)),
    Key("page.sort-left", "less_than_sign", "sort(-1)", "sort by the column before", "<"),
    Key("page.sort-right", "greater_than_sign", "sort(1)", "sort by the next column", ">"),
    Key("page.reverse", "S", "reverse", "reverse the order", "S"),
    Key("page.wide", "w", "wide", "more or fewer columns", "w"),
    _FREEZE,
    *_COPIES,
    Key("page.clear", "escape", "clear", "clear filter and marks", "esc"),
)

#: What a table understands.
TABLE_KEYS: tuple[Key, ...] = (
    Key("table.down", "down,j", "move(1)", "down", "j"),
    Key("table.up", "up,k", "move(-1)", "up", "k"),
    Key("table.first", "g,home", "go(0)", "first row", "g"),
    Key("table.last", "G,end", "go(-1)", "last row", "G"),
    Key("table.page-down", "pagedown,ctrl+f", "page(1)", "page down", "pgdn"),
    Key("table.page-up", "pageup,ctrl+b", "page(-1)", "page up", "pgup"),
    Key("table.half-down", "ctrl+d", "page(0.5)", "half a page down", "ctrl+d"),
    Key("table.half-up", "ctrl+u", "page(-0.5)", "half a page up", "ctrl+u"),
    Key("table.open", "enter", "open", "open", "enter"),
    Key("table.mark", "space", "mark", "mark", "space"),
    Key("table.mark-range", "v", "mark_range", "mark from the last mark to here", "v"),
    Key("table.mark-all", "asterisk", "mark_all", "mark all shown", "*"),
    Key("table.unmark", "ctrl+backslash", "unmark", "drop all marks", "ctrl+\\"),
)

#: What a dialog or a wizard understands besides the fields it has.
FORM_KEYS: tuple[Key, ...] = (
    Key("form.next", "down", "next_field", "next field", "down"),
    Key("form.previous", "up", "previous_field", "previous field", "up"),
    Key("form.back", "escape", "back", "back", "esc"),
)

#: What a choice of a few words understands.
CHOICE_KEYS: tuple[Key, ...] = (
    Key("choice.next", "right,l,space", "choose(1)", "the next word", "right"),
    Key("choice.previous", "left,h", "choose(-1)", "the word before", "left"),
)

#: What a wizard understands besides its fields.
WIZARD_KEYS: tuple[Key, ...] = (
    Key("wizard.next", "enter", "next", "go on", "enter"),
    Key("wizard.accept", "A", "accept", "accept the host key", "A"),
)

#: What the ``:`` line understands besides a text.
COMMAND_KEYS: tuple[Key, ...] = (
    Key("command.older", "up", "history(-1)", "the command before", "up"),
    Key("command.newer", "down", "history(1)", "the next command", "down"),
    Key("command.complete", "tab", "complete", "complete", "tab"),
    Key("command.leave", "escape", "leave", "leave the command line", "esc"),
)

#: What the help understands besides words to filter by.
HELP_KEYS: tuple[Key, ...] = (
    Key("help.down", "down", "down(1)", "down", "down"),
    Key("help.up", "up", "down(-1)", "up", "up"),
    Key("help.page-down", "pagedown", "down(10)", "ten down", "pgdn"),
    Key("help.page-up", "pageup", "down(-10)", "ten up", "pgup"),
    Key("help.close", "escape", "close", "close", "esc"),
)

_BACK = Key("health.back", "escape", "back", "back", "esc", True)

#: What the page of the engine and the store understands.
HEALTH_KEYS: tuple[Key, ...] = (
    Key("health.start", "s", "start_engine", "start the engine", "s", True),
    Key("health.count", "c", "ask('stats')", "count the store", "c", True),
    Key("health.check", "v", "ask('check')", "verify all of it", "v", True),
    Key("health.collect", "f", "ask('collect')", "free what nothing needs", "f", True),
    _BACK,
)

#: What the page of intermediate resources understands.
RESOURCE_KEYS: tuple[Key, ...] = (_BACK,)

#: What the details of a job understand.
DETAIL_KEYS: tuple[Key, ...] = (
    Key("detail.pane", "tab", "pane(1)", "next pane", "tab", True),
    Key("detail.pane-before", "shift+tab", "pane(-1)", "the pane before", "shift+tab"),
    _ACTIONS,
    Key("detail.previous", "left_square_bracket", "job(-1)", "the job before", "["),
    Key("detail.next", "right_square_bracket", "job(1)", "next job", "]", True),
    Key("detail.log", "L", "log", "log of the newest run", "L"),
    Key("detail.images", "M", "images", "images of the job", "M"),
    _FREEZE,
    *_COPIES,
    Key("detail.back", "escape", "back", "back", "esc", True),
)

#: What Troubleshoot Errors understands besides the keys of jobs.
TROUBLE_KEYS: tuple[Key, ...] = (
    _ACTIONS,
    Key("trouble.check", "c", f"remedy('{Remedy.CHECK_SOURCE}')", "check the source", "c"),
    Key("trouble.key", "K", f"remedy('{Remedy.ACCEPT_KEY}')", "accept its key", "K"),
    Key("trouble.images", "M", "images", "images of the job", "M"),
    Key("trouble.collect", "f", f"remedy('{Remedy.COLLECT}')", "free room", "f"),
    Key("trouble.import", "I", "import_source", "import a source", "I"),
    Key("trouble.text", "tab", "app.focus_next", "read on, or back to the fixes", "tab", True),
    Key("trouble.back", "escape", "back", "back", "esc", True),
)

#: What a page of text understands.
TEXT_KEYS: tuple[Key, ...] = (
    Key("text.down", "down,j", "scroll(1)", "down", "j"),
    Key("text.up", "up,k", "scroll(-1)", "up", "k"),
    Key("text.page-down", "pagedown,space,ctrl+f", "scroll_page(1)", "page down", "pgdn", True),
    Key("text.page-up", "pageup,ctrl+b", "scroll_page(-1)", "page up", "pgup", True),
    Key("text.half-down", "ctrl+d", "scroll_page(0.5)", "half a page down", "ctrl+d"),
    Key("text.half-up", "ctrl+u", "scroll_page(-0.5)", "half a page up", "ctrl+u"),
    Key("text.first", "g,home", "to_end(False)", "to the beginning", "g"),
    Key("text.last", "G,end", "to_end(True)", "to the end", "G"),
    Key("text.write", "o", "write", "write it to a file", "o", True),
    Key("text.back", "escape", "back", "back", "esc", True),
)

#: What the report of a migration drill understands.
DRILL_KEYS: tuple[Key, ...] = (
    Key("drill.write", "o", "write", "write it to a file", "o", True),
    Key("drill.back", "escape", "back", "back", "esc", True),
)

#: What the images understand.
IMAGE_KEYS: tuple[Key, ...] = (
    Key("image.pin", "p", "pin", "pin or unpin", "p", True),
    Key("image.verify", "V", f"image('{ActionId.IMAGE_VERIFY}')", "verify", "V", True),
    Key("image.export", "e", f"image('{ActionId.IMAGE_EXPORT}')", "export", "e", True),
    Key("image.delete", "X", f"image('{ActionId.IMAGE_DELETE}')", "delete", "X", True),
    Key("image.collect", "f", "collect", "free what nothing needs", "f"),
    Key("image.all", "J", "all", "those of one job, or all", "J", True),
    Key("image.copy", "y", "copy_id", "copy the id", "y"),
    Key("image.back", "escape", "back", "back", "esc", True),
)

#: Understood everywhere.
APP_KEYS: tuple[Key, ...] = (
    Key("app.help", "question_mark", "help", "help", "?", True),
    Key("app.command", "colon", "command_line", "command line", ":", True),
    Key("app.palette", "ctrl+p", "command_palette", "palette of all that can be done", "ctrl+p"),
    Key("app.images", "f2,M", "page('images')", "images", "M"),
    Key("app.engine", "H", "page('health')", "engine and store health", "H"),
    Key("app.resources", "dollar_sign", "page('resources')", "what jobs hold, its cost", "$"),
    Key("app.theme", "T", "next_theme", "next theme", "T"),
    Key("app.redraw", "ctrl+l", "redraw", "draw everything again", "ctrl+l"),
    Key("app.suspend", "ctrl+z", "suspend_process", "suspend; fg comes back", "ctrl+z"),
    Key("app.leave", "q,ctrl+c,ctrl+q", "leave", "detach; the engine goes on", "q", True),
)

#: Keys that are understood at the same time and so must differ, a line each.
TOGETHER: tuple[tuple[Key, ...], ...] = (
    (*APP_KEYS, *TABLE_KEYS, *PAGE_KEYS, *JOB_KEYS.values()),
    (*APP_KEYS, *TABLE_KEYS, *FORM_KEYS, *WIZARD_KEYS),
    (*APP_KEYS, *FORM_KEYS, *WIZARD_KEYS, *CHOICE_KEYS),
    (*APP_KEYS, *HEALTH_KEYS),
    (*APP_KEYS, *TABLE_KEYS, *DETAIL_KEYS, *JOB_KEYS.values()),
    (*APP_KEYS, *TABLE_KEYS, *TROUBLE_KEYS, *JOB_KEYS.values()),
    (*APP_KEYS, *TEXT_KEYS),
    (*APP_KEYS, *TABLE_KEYS, *IMAGE_KEYS),
    (*APP_KEYS, *TABLE_KEYS, *DRILL_KEYS),
    COMMAND_KEYS,
    HELP_KEYS,
)

#: Every key by its id.
BY_ID: dict[str, Key] = {key.id: key for together in TOGETHER for key in together}
