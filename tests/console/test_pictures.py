"""Pictures of the pages about one job, and of the images."""

from __future__ import annotations

import pytest

from tests.console.conftest import Picture
from tests.console.fleet import Fleet, detailed

SIZES = [(60, 20), (80, 24), (100, 30), (160, 45)]


@pytest.fixture(autouse=True)
def _detailed(night: Fleet) -> None:
    detailed(night, night.writer.job("web01-1"))


@pytest.mark.parametrize("size", SIZES)
def test_details(picture: Picture, size: tuple[int, int]) -> None:
    assert picture("enter", size=size)


def test_details_ascii(picture: Picture) -> None:
    assert picture("enter", "tab", ascii=True)


def test_details_of_one_that_waits(picture: Picture) -> None:
    assert picture("j", "j", "enter", size=(80, 24))


@pytest.mark.parametrize("size", [(60, 20), (100, 30)])
def test_troubleshoot(picture: Picture, size: tuple[int, int]) -> None:
    assert picture("4", "t", size=size)


def test_report(picture: Picture) -> None:
    assert picture("r", "pagedown", size=(80, 24))


def test_drill_report(picture: Picture) -> None:
    assert picture("d", "j", size=(80, 24))


@pytest.mark.parametrize("size", [(60, 20), (160, 45)])
def test_images(picture: Picture, size: tuple[int, int]) -> None:
    assert picture("M", "j", size=size)
