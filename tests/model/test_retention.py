"""The retention rule against one that removes a single image at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smc_tui.model.retention import Kept, to_remove

KINDS = {"G": (True, False), "f": (False, False), "d": (False, True)}


def images(text: str) -> list[Kept]:
    """Good ``G``, fuzzy ``f``, damaged ``d``, oldest first; a ``*`` after one: used."""
    found: list[Kept] = []
    for char in text:
        if char == "*":
            last = found.pop()
            found.append(Kept(last.id, last.good, True, last.damaged))
        else:
            good, damaged = KINDS[char]
            found.append(Kept(f"{len(found)}", good, False, damaged))
    return found


@pytest.mark.parametrize(
    ("text", "keep", "gone"),
    [
        ("", 1, ""),
        ("G", 1, ""),
        ("GG", 1, "0"),
        ("GGGG", 2, "01"),
        ("G*GGG", 2, "12"),  # the used one stays and counts
        ("G*G*G", 1, ""),  # the newest good never goes
        ("fG", 1, "0"),  # a better one has taken its place
        ("fGG", 2, "0"),
        ("Gf", 1, ""),  # a fuzzy one does not push a good one out
        ("Gff", 1, "1"),  # counted apart, the newest of all stays
        ("Gfff", 2, "1"),
        ("ffff", 2, "01"),
        ("f*fff", 2, "12"),
        ("GfG", 2, "1"),
        ("GGf", 1, "0"),
        ("Gd", 1, ""),
        ("fd", 1, ""),  # no good one: the newest undamaged stays, and the newest
        ("f*d*f", 1, ""),
        ("dfG*", 3, ""),
    ],
)
def test_examples(text, keep, gone):
    assert "".join(to_remove(images(text), keep)) == gone


def reference(found: list[Kept], keep: int) -> list[str]:
    """One image at a time, by the rule's words."""
    goods = [image.id for image in found if image.good]
    spared = {image.id for image in found if image.used} | set(goods[-1:])
    spared |= {image.id for image in found[-1:]}
    if not goods:
        spared |= {image.id for image in [each for each in found if not each.damaged][-1:]}
    left, gone = list(found), []
    while True:
        outdone = []
        for image in left:
            if goods and image.id == goods[-1]:
                break
            if goods and not image.good and image.id not in spared:
                outdone.append(image)
        good = [image for image in left if image.good and image.id not in spared]
        rest = [image for image in left if not image.good and image.id not in spared]
        if len(left) > keep and outdone:
            victim = outdone[0]
        elif sum(image.good for image in left) > keep and good:
            victim = good[0]
        elif sum(not image.good for image in left) > keep and rest:
            victim = rest[0]
        else:
            return gone
        left.remove(victim)
        gone.append(victim.id)


KEPT = st.builds(lambda kind, used: (KINDS[kind], used), st.sampled_from("GGffd"), st.booleans())


@given(st.lists(KEPT, max_size=14), st.integers(1, 10))
def test_against_the_reference(kinds, keep):
    found = [Kept(f"{n}", good, used, bad) for n, ((good, bad), used) in enumerate(kinds)]
    gone = to_remove(found, keep)
    assert sorted(gone) == sorted(reference(found, keep))
    assert len(set(gone)) == len(gone)
    by_id = {image.id: image for image in found}
    assert not any(by_id[each].used for each in gone)
    goods = [image.id for image in found if image.good]
    assert not goods or goods[-1] not in gone
    left = [image for image in found if image.id not in gone]
    assert to_remove(left, keep) == []
    if found:
        assert found[-1].id not in gone
        assert any(not image.damaged for image in left) or all(i.damaged for i in found)
