"""Pictures of the main screens: few and rich, the rest is told as text.

``pytest tests/console/test_snapshots.py --snapshot-update`` makes them anew; look at
them before they are committed.
"""

from __future__ import annotations

import pytest

from tests.console.conftest import Picture
from tests.console.fleet import Fleet

SIZES = [(60, 20), (80, 24), (100, 30), (160, 45)]


@pytest.mark.parametrize("size", SIZES)
def test_server_migration(picture: Picture, size: tuple[int, int]) -> None:
    assert picture("j", size=size)


def test_server_migration_wide(picture: Picture) -> None:
    assert picture("w", "greater_than_sign", size=(160, 45))


def test_server_migration_filtered_and_marked(picture: Picture) -> None:
    assert picture("j", "space", "space", "slash", "minus", "g", "w", "enter")


def test_server_migration_error(picture: Picture) -> None:
    assert picture("4")


@pytest.mark.parametrize("theme", ["smc-light", "smc-contrast", "ansi-dark", "ansi-light"])
def test_themes(picture: Picture, theme: str) -> None:
    assert picture("j", size=(80, 24), theme=theme)


def test_ascii(picture: Picture) -> None:
    assert picture("a", size=(80, 24), ascii=True)


def test_no_colour(picture: Picture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert picture("space", size=(80, 24))


def test_read_only_and_frozen(picture: Picture) -> None:
    assert picture("F", size=(80, 24), read_only=True)


def test_engine_down(picture: Picture, night: Fleet) -> None:
    night.engine_ends()
    assert picture(size=(80, 24))


@pytest.mark.parametrize("size", SIZES[:3])
def test_menu(picture: Picture, size: tuple[int, int]) -> None:
    assert picture("a", size=size)


@pytest.mark.parametrize("size", [(60, 20), (100, 30)])
def test_cancel(picture: Picture, size: tuple[int, int]) -> None:
    assert picture("X", size=size)


@pytest.mark.parametrize("size", [(60, 20), (100, 30)])
def test_complete(picture: Picture, size: tuple[int, int]) -> None:
    assert picture("j", "j", "j", "C", size=size)


def test_interval_with_a_mistake(picture: Picture) -> None:
    assert picture("j", "j", "s", "ctrl+u", "9", "d")


def test_modify(picture: Picture) -> None:
    assert picture("e", size=(80, 24))


@pytest.mark.parametrize("size", [(60, 20), (100, 30)])
def test_import_source(picture: Picture, size: tuple[int, int]) -> None:
    assert picture("I", "w", "down", *"root", size=size)


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (100, 30)])
def test_new_job(picture: Picture, size: tuple[int, int]) -> None:
    assert picture("G", "k", "N", "down", "down", "end", "backspace", size=size)


def test_new_job_source(picture: Picture) -> None:
    assert picture("N", size=(80, 24))


@pytest.mark.parametrize("size", [(60, 20), (100, 30)])
def test_help(picture: Picture, size: tuple[int, int]) -> None:
    assert picture("question_mark", "s", "y", "n", size=size)


def test_command_line(picture: Picture) -> None:
    assert picture("colon", *"job", "space", "r", "tab", size=(80, 24))


def test_resources(picture: Picture) -> None:
    assert picture("dollar_sign")


def test_too_small(picture: Picture) -> None:
    assert picture(size=(39, 9))
