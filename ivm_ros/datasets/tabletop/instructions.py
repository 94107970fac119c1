"""Instructions about a rendered view, with their answers, made when they are needed.

The answers follow what is visible in the instance map that is passed in, so left and right stay right after
a flip and nothing is asked about what a crop has cut away. The rules:

- A description means everything that it fits: "the red cup" with two red cups in view has both as targets.
- Relations and superlatives are used only where the answer is clear; candidates that are neither clearly in
  nor clearly out are ignored pixels.
- Objects under `MIN_PIXELS` visible pixels, of unknown colour where a colour is asked for, or of a kind that
  shares the name (a mug is also a cup) are ignored pixels: neither targets nor negatives. No absent question
  is asked that one of them might answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random

import numpy as np
import numpy.typing as npt

from ivm_ros.datasets.tabletop.relations import foremost, judge
from ivm_ros.datasets.tabletop.scene import SceneObject
from ivm_ros.datasets.tabletop.visible import Seen, View
from ivm_ros.language import phrases
from ivm_ros.language.phrases import Description
from ivm_ros.language.vocabulary import COLORS, KINDS, MATERIALS

TAGS = ("kind", "colour", "attribute", "relation", "verb", "several", "absent")

_PLACES = {"bowl", "plate", "pan", "pot", "tray", "box", "cup", "mug"}


@dataclass(frozen=True)
class Question:
    """An instruction and its answer.

    Attributes:
        text: the instruction.
        targets: instances that it is about; empty when nothing in view matches.
        anchor: instance of the object that it mentions besides ("... left of the plate"), if it is in view.
        tag: one of `TAGS`.
        ignored: instances that are neither targets nor negatives.
        target: what the words say about the target.
        anchor_words: what the words say about the anchor.
        relation: a name of `phrases.RELATIONS` or `phrases.SUPERLATIVES`, or None.
    """

    text: str
    targets: tuple[int, ...]
    anchor: int | None
    tag: str
    ignored: tuple[int, ...] = ()
    target: Description = field(default_factory=Description)
    anchor_words: Description | None = None
    relation: str | None = None


def _ids(found: Sequence[Seen]) -> tuple[int, ...]:
    return tuple(sorted(seen.item.instance for seen in found))


def _describe(item: SceneObject, rng: Random, fields: Sequence[str]) -> Description | None:
    """Describe an object by some of its fields; None when one of them is not nameable."""
    values = {name: getattr(item, name) for name in fields}
    return None if None in values.values() else Description(**values)


def _plain(view: View, rng: Random, fields: Sequence[str], tag: str) -> Question | None:
    if not view.clear:
        return None
    wanted = _describe(rng.choice(view.clear).item, rng, fields)
    if wanted is None:
        return None
    sure, perhaps = view.fitting(wanted)
    many = tag == "several"
    if many and len(sure) < 2:
        return None
    text = phrases.several(wanted, rng) if many else phrases.singular(wanted, rng)
    return Question(text, _ids(sure), None, tag, _ids(perhaps), wanted)


def _kind(view: View, rng: Random) -> Question | None:
    return _plain(view, rng, ("kind",), "kind")


def _colour(view: View, rng: Random) -> Question | None:
    return _plain(view, rng, ("color",), "colour")


def _attribute(view: View, rng: Random) -> Question | None:
    shapes = (("color", "kind"),) * 6 + (("material", "kind"), ("size", "kind"), ("size", "color", "kind"))
    return _plain(view, rng, rng.choice((*shapes, ("color", "material", "kind"))), "attribute")


def _several(view: View, rng: Random) -> Question | None:
    return _plain(view, rng, rng.choice((("color",), ("kind",), ("color", "kind"))), "several")


def _unique(view: View, rng: Random, kinds: set[str] | None = None) -> tuple[Seen, Description] | None:
    """Return an object and a description that fits it and no other, or None when chance finds none."""
    candidates = [seen for seen in view.clear if kinds is None or seen.item.kind in kinds]
    if not candidates:
        return None
    anchor = rng.choice(candidates)
    for fields in rng.choice(((("kind",), ("color", "kind")), (("color", "kind"),))):
        wanted = _describe(anchor.item, rng, fields)
        if wanted is not None:
            sure, perhaps = view.fitting(wanted)
            if len(sure) == 1 and not perhaps:
                return anchor, wanted
    return None


def _related(view: View, rng: Random, split: str, absent: bool = False) -> Question | None:
    found = _unique(view, rng)
    if found is None:
        return None
    anchor, anchor_words = found
    others = [seen for seen in view.clear if seen is not anchor]
    if not others:
        return None
    relation = rng.choice(("left", "right", "left", "right", "front", "behind", "near", "on"))
    resting = [seen for seen in others if seen.item.on == anchor.item.instance]
    pick = rng.choice(resting if relation == "on" and resting and not absent else others)
    wanted = _describe(pick.item, rng, rng.choice((("kind",), ("kind",), ("color", "kind"), ("color",))))
    if wanted is None:
        return None
    sure, perhaps = view.fitting(wanted)
    judged = judge(relation, [seen for seen in sure if seen is not anchor], anchor)
    if judged is None or (absent and relation == "near"):
        return None
    matching, unclear = judged
    if absent == bool(matching) or (absent and (unclear or perhaps)):
        return None
    text = phrases.related(wanted, relation, anchor_words, rng, split)
    ignored = _ids([*perhaps, *unclear])
    tag = "absent" if absent else "relation"
    return Question(text, _ids(matching), anchor.item.instance, tag, ignored, wanted, anchor_words, relation)


def _superlative(view: View, rng: Random, split: str) -> Question | None:
    if len(view.clear) < 2:
        return None
    wanted = _describe(
        rng.choice(view.clear).item, rng, rng.choice((("kind",), ("color", "kind"), ("color",), ()))
    )
    if wanted is None:
        return None
    sure, perhaps = view.fitting(wanted)
    if len(sure) < 2 or perhaps:
        return None
    name = rng.choice(tuple(phrases.SUPERLATIVES))
    first = foremost(name, sure)
    if first is None:
        return None
    text = phrases.superlative(name, wanted, rng, split)
    return Question(text, _ids([first]), None, "relation", (), wanted, None, name)


def _relation(view: View, rng: Random, split: str) -> Question | None:
    return _superlative(view, rng, split) if rng.random() < 0.25 else _related(view, rng, split)


def _placed(view: View, rng: Random, split: str) -> Question | None:
    """Ask to put something somewhere; what is to be picked up is the target, the place is the anchor."""
    question = _attribute(view, rng) if rng.random() < 0.6 else _kind(view, rng)
    place = _unique(view, rng, _PLACES) if rng.random() < 0.8 else None
    if question is None or (
        place is not None and place[0].item.instance in question.targets + question.ignored
    ):
        return None
    where = phrases.noun(place[1], rng) if place else phrases.stranger(rng, split)
    text = phrases.placement(phrases.singular(question.target, rng), f"the {where}", rng, split)
    if place is None:
        return replace(question, text=text, tag="verb", anchor_words=Description(stranger=where))
    return replace(question, text=text, tag="verb", anchor=place[0].item.instance, anchor_words=place[1])


def _swapped(item: SceneObject, rng: Random) -> Description:
    """Describe something one word away from an object."""
    draw = rng.random()
    if draw < 0.45 and item.color is not None:
        return Description(kind=item.kind, color=rng.choice(tuple(COLORS)))
    if draw < 0.75 and item.color is not None:
        return Description(kind=rng.choice(tuple(KINDS)), color=item.color)
    if draw < 0.85:
        return Description(kind=item.kind, material=rng.choice(tuple(MATERIALS)))
    return Description(kind=rng.choice(tuple(KINDS)))


def _absent(view: View, rng: Random, split: str) -> Question | None:
    draw = rng.random()
    if draw < 0.2:
        return _related(view, rng, split, absent=True)
    if draw < 0.36 or not view.clear:
        return _strange(rng, split)
    if draw < 0.44:
        wanted = Description(color=rng.choice(tuple(COLORS)))
    else:
        wanted = _swapped(rng.choice(view.clear).item, rng)
    sure, perhaps = view.fitting(wanted)
    return None if sure or perhaps else _nothing(wanted, rng)


def _strange(rng: Random, split: str) -> Question:
    color = rng.choice(tuple(COLORS)) if rng.random() < 0.35 else None
    return _nothing(Description(color=color, stranger=phrases.stranger(rng, split)), rng)


def _nothing(wanted: Description, rng: Random) -> Question:
    many = rng.random() < 0.12
    text = phrases.several(wanted, rng) if many else phrases.singular(wanted, rng)
    return Question(text, (), None, "absent", (), wanted)


_MIX = (
    ("absent", 0.30),
    ("relation", 0.27),
    ("attribute", 0.18),
    ("kind", 0.1),
    ("colour", 0.08),
    ("several", 0.07),
)
_REQUESTED = {"train": 0.5, "validation": 0.35}  # share of phrases that become requests
_TRIES = 8


def _make(tag: str, view: View, rng: Random, split: str) -> Question | None:
    if tag == "absent":
        return _absent(view, rng, split)
    if tag in ("attribute", "kind") and rng.random() < 0.25:
        return _placed(view, rng, split)
    if tag == "relation":
        return _relation(view, rng, split)
    makers = {
        "attribute": _attribute,
        "kind": _kind,
        "colour": _colour,
        "several": _several,
    }
    return makers[tag](view, rng)


def _dressed(question: Question, rng: Random, split: str) -> Question:
    """Turn some of the phrases into requests, and type them as people do."""
    text, tag = question.text, question.tag
    if tag != "verb" and rng.random() < _REQUESTED[split]:
        text = phrases.request(text, rng, split)
        tag = "verb" if tag in ("kind", "attribute") else tag
    return replace(question, text=phrases.scribble(text, rng) if split == "train" else text, tag=tag)


def questions(
    objects: Sequence[SceneObject],
    instances: npt.NDArray[np.uint8],
    rng: Random,
    count: int,
    split: str = "train",
) -> list[Question]:
    """Make `count` questions about one view.

    Args:
        objects: every object of the scene.
        instances: (H, W) uint8 map of visible instances, after any crop and flip.
        rng: decides everything.
        count: how many; about 30 % have no answer in the view, more when little is visible.
        split: "train" or "validation": which wordings and unknown nouns to draw from.
    """
    view = View(objects, instances)
    tags, weights = zip(*_MIX, strict=True)
    result = []
    for tag in rng.choices(tags, weights, k=count):
        attempts = (_make(kind, view, rng, split) for kind in [tag] * _TRIES + ["kind"])
        question = next((attempt for attempt in attempts if attempt is not None), None)
        result.append(_dressed(question or _strange(rng, split), rng, split))
    return result
