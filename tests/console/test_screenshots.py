"""The README's pictures are what the console shows."""

from __future__ import annotations

from tests import screenshots


def test_the_pictures_are_fresh():
    made = screenshots.made()
    assert {path.stem for path in screenshots.FOLDER.glob("*.svg")} == made.keys()
    for name, svg in made.items():
        kept = (screenshots.FOLDER / f"{name}.svg").read_text(encoding="utf-8")
        assert kept == svg, f"{name}: run python -m tests.screenshots, and look at it"
        drawn = (screenshots.FOLDER / f"{name}.png").read_bytes()
        assert screenshots.digest_of(drawn) == screenshots.digest(svg), f"{name}.png is stale"


def test_no_picture_fetches_anything():
    for path in screenshots.FOLDER.glob("*.svg"):
        text = path.read_text(encoding="utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert "http" not in text
