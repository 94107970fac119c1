"""How people say it: noun phrases, relations and requests, in many wordings."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from ivm_ros.language import manners
from ivm_ros.language.vocabulary import COLORS, KINDS, MATERIALS, SIZES


@dataclass(frozen=True)
class Description:
    """What a noun phrase says about an object; None where it says nothing.

    Attributes:
        kind: a name of `vocabulary.KINDS`.
        color: a name of `vocabulary.COLORS`.
        material: a name of `vocabulary.MATERIALS`.
        size: a name of `vocabulary.SIZES`.
        stranger: a noun outside the vocabulary that stands in the kind's place; it fits no object.
    """

    kind: str | None = None
    color: str | None = None
    material: str | None = None
    size: str | None = None
    stranger: str | None = None


RELATIONS: dict[str, tuple[str, ...]] = {
    "left": ("left of", "to the left of", "on the left of", "on the left side of"),
    "right": ("right of", "to the right of", "on the right of", "on the right side of"),
    "front": ("in front of", "before"),
    "behind": ("behind", "at the back of"),
    "on": ("on", "in", "on top of", "inside", "lying on", "standing on"),
    "near": ("nearest to", "closest to", "next to", "beside", "near"),
}
"""Words between a target and its anchor."""

SUPERLATIVES: dict[str, tuple[str, ...]] = {
    "leftmost": (
        "the leftmost {}",
        "the {} on the far left",
        "the {} furthest to the left",
        "the {} on the left",
    ),
    "rightmost": (
        "the rightmost {}",
        "the {} on the far right",
        "the {} furthest to the right",
        "the {} on the right",
    ),
    "nearest": ("the nearest {}", "the closest {}", "the {} closest to the camera", "the {} in front"),
    "farthest": ("the farthest {}", "the {} furthest away", "the {} at the back", "the most distant {}"),
}
"""One of several that fit, by where it is in the picture."""

_MANNERED = 0.6
"""Share of requests in training that `manners` makes; of relations and superlatives, its own words."""
_MISTYPED = 0.12
"""Share of texts in training that lack a letter, or have two swapped."""

_GENERIC = ("thing", "object", "item", "one")
_PLURALS = {
    "knife": "knives",
    "box": "boxes",
    "dish": "dishes",
    "torus": "toruses",
    "loaf of bread": "loaves of bread",
}

_REQUESTS = {
    "train": (
        "pick up {}", "pick {} up", "grab {}", "take {}", "bring me {}", "give me {}", "hand me {}",
        "find {}", "show me {}", "where is {}?", "locate {}", "get {}", "fetch {}", "push {}",
        "move {}", "look at {}", "please grab {}", "can you pick up {}?", "could you please find {}",
        "point to {}", "lift {}", "touch {}", "i want {}", "segment {}", "go to {}",
        "please pick up {} for me", "now take {}", "pass me {}", "pass {}", "select {}", "choose {}",
        "retrieve {}", "lift {} up", "hold {}", "grasp {}", "track {}", "follow {}", "focus on {}",
        "highlight {}", "detect {}", "identify {}", "look for {}", "search for {}", "i would like {}",
        "the robot should take {}", "go and get {}", "your task is to grab {}", "try to pick up {}",
        "is there {}?", "can you see {}?", "tell me where {} is", "deliver {} to me", "push {} away",
        "remove {}", "carry {}", "use {}", "rotate {}", "open {}", "clean {}", "approach {}",
        "get me {} from the table", "turn {} around", "knock {} over",
    ),
    "validation": ("hand over {}", "reach for {}", "i need {}", "collect {}", "would you get {} please"),
}  # fmt: skip

_PLACEMENTS = {
    "train": (
        "put {} in {}", "put {} on {}", "place {} on {}", "place {} in {}", "move {} to {}",
        "put {} into {}", "stack {} on {}", "lay {} on {}", "move {} onto {}", "place {} inside {}",
        "put {} next to {}", "put {} to the left of {}", "put {} to the right of {}",
        "take {} and put it in {}", "bring {} to {}", "pick up {} and place it on {}", "carry {} to {}",
        "push {} towards {}", "transfer {} into {}",
    ),
    "validation": ("set {} down on {}", "drop {} into {}"),
}  # fmt: skip

_TRAIN_STRANGERS = """
giraffe elephant horse dog cat bird fish car truck bus train airplane bicycle motorcycle boat chair sofa
bed lamp television laptop keyboard mouse phone tablet camera clock watch umbrella backpack handbag
suitcase hat shoe sock glove scarf shirt jacket tie belt towel pillow blanket curtain carpet door window
ladder bucket broom sponge brush comb mirror candle flower tree leaf rock stick rope chain key lock coin
wallet ticket card envelope newspaper magazine map calendar ruler eraser stapler scissors tape glue paper
crayon paint guitar piano violin drum trumpet kite balloon doll robot dinosaur puzzle dice racket bat
helmet skateboard ski tent grape strawberry cherry peach pear melon pineapple potato tomato onion garlic
pepper cucumber lettuce mushroom corn pizza sandwich burger cake cookie donut chocolate candy cheese egg
sausage rice soup salad kettle toaster blender oven fridge sink whisk ladle spatula tongs grater jar vase
basket bag napkin wrench drill saw screw nail pliers battery cable plug switch remote speaker headphones
microphone printer person hand baby wheel flag
"""
_VALIDATION_STRANGERS = """
zebra tiger rabbit turtle tractor helicopter rocket bench stool radio monitor sunglasses boots necklace
feather shell magnet notebook folder trophy yoyo spinner avocado kiwi broccoli pretzel muffin waffle
colander thermometer tweezers shovel hose
"""
_STRANGERS = {
    "train": tuple(_TRAIN_STRANGERS.split()),
    "validation": tuple(_VALIDATION_STRANGERS.split()),
}

SPLITS = tuple(_REQUESTS)
"""Wordings of "validation" are never seen in training."""


def plural(noun: str) -> str:
    """Return the plural of one of our nouns: "knife" -> "knives"."""
    return _PLURALS.get(noun, noun if noun.endswith("s") else noun + "s")


@lru_cache(maxsize=1)
def named_in_training() -> frozenset[str]:
    """Return all words of training that say what is meant, or where it is, in the singular and the plural."""
    names = [name for table in (KINDS, COLORS, MATERIALS, SIZES) for each in table.values() for name in each]
    places = [text for table in (RELATIONS, SUPERLATIVES) for each in table.values() for text in each]
    return _words([*names, *map(plural, names), *places]) - {"the", "of", "to", "is", "at", "in"}


@lru_cache(maxsize=1)
def said_in_training() -> frozenset[str]:
    """Return all words of the wordings of training but for made-up ones."""
    tables = (manners.MORE_RELATIONS, manners.MORE_SUPERLATIVES)
    texts = [text for table in tables for each in table.values() for text in each]
    strangers = [*_GENERIC, *_STRANGERS["train"]]
    texts += [*manners.TEXTS, *_REQUESTS["train"], *_PLACEMENTS["train"], *strangers, *map(plural, strangers)]
    return named_in_training() | _words(["the a that all every of to is at in which", *texts])


def _words(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z]+", " ".join(texts)))


def stranger(rng: Random, split: str) -> str:
    """Return a noun that no object of the vocabulary has."""
    return rng.choice(_STRANGERS[split])


def noun(description: Description, rng: Random, many: bool = False) -> str:
    """Return a description as words without an article: "small red cup", "green things"."""
    if description.stranger is not None:
        head = description.stranger
    elif description.kind is None:
        head = rng.choice(_GENERIC)
    else:
        head = _synonym(KINDS[description.kind], rng)
    words = [
        _synonym(names[value], rng)
        for names, value in (
            (SIZES, description.size),
            (COLORS, description.color),
            (MATERIALS, description.material),
        )
        if value is not None
    ]
    return " ".join([*words, plural(head) if many else head])


def singular(description: Description, rng: Random) -> str:
    """Return a phrase for one object: "the red cup"; sometimes without the article."""
    words = noun(description, rng)
    return words if rng.random() < 0.12 else f"{rng.choice(('the', 'the', 'the', 'a', 'that'))} {words}"


def several(description: Description, rng: Random) -> str:
    """Return a phrase for all objects that fit: "all the red things", "every cup"."""
    if rng.random() < 0.2:
        return f"every {noun(description, rng)}"
    return rng.choice(("the {}", "all {}", "all the {}", "{}", "all of the {}")).format(
        noun(description, rng, many=True)
    )


def superlative(name: str, description: Description, rng: Random, split: str) -> str:
    """Return a phrase such as "the leftmost cup"; `name` is of `SUPERLATIVES`."""
    more = manners.MORE_SUPERLATIVES[name] if split == "train" else ()
    return _either(SUPERLATIVES[name], more, rng).format(noun(description, rng))


def related(target: Description, relation: str, anchor: Description, rng: Random, split: str) -> str:
    """Return a phrase such as "the cup left of the plate"; `relation` is of `RELATIONS`."""
    train = split == "train"
    middle = manners.link(rng) if train else rng.choice(("", "", "", "that is ", "which is "))
    anchor_words = noun(anchor, rng)
    more = manners.MORE_RELATIONS[relation] if train else ()
    return f"the {noun(target, rng)} {middle}{_either(RELATIONS[relation], more, rng)} the {anchor_words}"


def request(phrase: str, rng: Random, split: str) -> str:
    """Wrap a noun phrase in a request: "pick up the red cup"; in training most are of `manners`."""
    if split == "train" and rng.random() < _MANNERED:
        return manners.carry(phrase, rng)
    return rng.choice(_REQUESTS[split]).format(phrase)


def placement(phrase: str, place: str, rng: Random, split: str) -> str:
    """Return a request to put one thing somewhere; in training sometimes with a made-up verb."""
    if split == "train" and rng.random() < _MANNERED / 2:
        middle = rng.choice(("into", "onto", "down on", "to", "down in", "over to", "in", "on", "inside of"))
        return f"{manners.made_up(rng)} {phrase} {middle} {place}"
    return rng.choice(_PLACEMENTS[split]).format(phrase, place)


def scribble(text: str, rng: Random) -> str:
    """Return the text as people type it: other case, a full stop, a missing or swapped letter."""
    if rng.random() < _MISTYPED and len(text) > 6:
        at = rng.randrange(1, len(text) - 2)
        text = text[:at] + (
            text[at + 1 :] if rng.random() < 0.5 else text[at + 1] + text[at] + text[at + 2 :]
        )
    style = rng.random()
    text = text.capitalize() if style < 0.15 else text.upper() if style < 0.18 else text
    return text + rng.choice((".", "!", " please")) if rng.random() < 0.1 else text


def _either(usual: tuple[str, ...], more: tuple[str, ...], rng: Random) -> str:
    return rng.choice(more if more and rng.random() < _MANNERED else usual)


def _synonym(names: tuple[str, ...], rng: Random) -> str:
    return names[0] if rng.random() < 0.7 else rng.choice(names)
