"""Keys that a person chose: what they may be, and that they are obeyed and told."""

from __future__ import annotations

import re

import pytest

from smc_tui.console.keymap import Keymap, shown
from smc_tui.console.keys import BY_ID, JOB_KEYS, TOGETHER
from smc_tui.model.actions import ActionId
from smc_tui.model.errors import SmcError
from tests.console.driver import opened

SYNC = JOB_KEYS[ActionId.SYNC]


@pytest.mark.parametrize(
    ("chosen", "named"),
    [
        ({"job.snyc": "x"}, ("job.snyc", "no such key")),
        ({"job.sync": "s"}, ("job.sync", "job.interval")),
        ({"job.sync": "j"}, ("job.sync", "table.down")),
        ({"job.sync": "escape"}, ("job.sync", "page.clear")),
        ({"job.sync": "ctrl+p"}, ("job.sync", "app.palette")),
        ({"job.sync": "foo"}, ("job.sync", "'foo'")),
        ({"job.sync": ""}, ("job.sync", "''")),
        ({"job.sync": "ctrl+"}, ("job.sync", "'ctrl+'")),
        ({"job.sync": "z,,"}, ("job.sync", "''")),
        ({"job.sync": "z", "job.pause": "z"}, ("job.", "z is the key of job.")),
    ],
)
def test_what_cannot_be_is_told_with_its_id(chosen, named):
    with pytest.raises(SmcError) as caught:
        Keymap(chosen)
    assert caught.value.code == "Config.Invalid"
    assert all(text in caught.value.detail for text in named), caught.value.detail


@pytest.mark.parametrize(
    ("chosen", "keys", "told"),
    [
        ("z", "z", "z"),
        (";", "semicolon", ";"),
        ("ctrl+s", "ctrl+s", "ctrl+s"),
        ("f5, z", "f5,z", "f5"),
        (",", "comma", ","),
        ("semicolon", "semicolon", ";"),
        ("Z", "Z", "Z"),
    ],
)
def test_what_can_be(chosen, keys, told):
    keymap = Keymap({"job.sync": chosen})
    assert keymap.keys(SYNC) == keys
    assert keymap.shown(SYNC) == told


def test_two_keys_may_change_places():
    keymap = Keymap({"job.sync": "s", "job.interval": "m"})
    assert (keymap.shown(SYNC), keymap.keys(SYNC)) == ("s", "s")


def test_every_key_has_an_id_of_its_own_and_the_table_has_no_clash():
    keys = [key for together in TOGETHER for key in together]
    assert {key.id: key for key in keys} == BY_ID
    assert all(BY_ID[key.id] is key or BY_ID[key.id] == key for key in keys)
    Keymap({})


def test_keys_as_a_person_reads_them():
    names = ("space", "question_mark", "pagedown", "escape", "ctrl+l", "slash", "G", "asterisk")
    assert [shown(name) for name in names] == ["space", "?", "pgdn", "esc", "ctrl+l", "/", "G", "*"]


async def test_a_chosen_key_is_obeyed_and_told(night):
    async with opened(night, keys={"job.pause": "z", "app.help": "f1"}) as console:
        await console.sees("f1 help").press("z").sees("Pause Migration Job: web01-1")
        await console.press("escape").sees_not("Pause Migration Job: web01-1")
        await console.press("p").sees_not("Pause Migration Job: web01-1")
        await console.press("a").sees("Actions: web01-1")
        assert re.search(r"z +Pause Migration Job", console.text)
        await console.press("z").sees("Pause Migration Job: web01-1")


async def test_a_wrong_key_ends_it_before_the_terminal_is_taken(night):
    with pytest.raises(SmcError, match=r"page\.copy"):
        async with opened(night, keys={"page.copy": "q"}):
            pass
