"""The same question in words that training never uses: one change at a time, so that each can be measured.

Nothing here occurs in the wordings of `phrases`, of any split, nor among its nouns outside the vocabulary,
and made-up words hardly ever spell a word of it. `TYPES` names the changes; the plain wording is the tag
`PLAIN`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from ivm_ros.datasets.tabletop.instructions import Question
from ivm_ros.language.phrases import RELATIONS, SUPERLATIVES, Description, plural
from ivm_ros.language.vocabulary import COLORS, KINDS, MATERIALS, SIZES

PLAIN = "plain"
"""Tag of a question in the words that training uses most."""

REQUESTS = (
    "obtain {}",
    "procure {} for me",
    "seize {}",
    "snatch {}",
    "let me have {}",
    "would you mind passing {}",
    "kindly fetch {}",
    "spot {}",
    "aim for {}",
    "lend me {}",
    "which one is {}?",
    "scoop up {}",
    "{} belongs in your gripper",
    "close your fingers around {}",
    "grip {} firmly",
)
"""Each has words that no request of training has, in any split."""
PLACEMENTS = ("deposit {} within {}", "leave {} upon {}", "shift {} over towards {}")
"""The same of requests to put one thing somewhere."""

COLOR_WORDS: Mapping[str, tuple[str, ...]] = {
    "red": ("crimson", "scarlet"),
    "orange": ("tangerine", "apricot"),
    "yellow": ("golden", "canary"),
    "green": ("emerald", "grassy"),
    "cyan": ("aqua", "teal"),
    "blue": ("navy", "azure", "cobalt"),
    "purple": ("lilac", "mauve"),
    "pink": ("rosy", "fuchsia"),
    "brown": ("chestnut", "hazel"),
    "white": ("ivory", "snowy"),
    "gray": ("slate", "ashen"),
    "black": ("ebony", "inky"),
}
"""Other words for the colours."""

KIND_WORDS: Mapping[str, tuple[str, ...]] = {
    "cup": ("tumbler", "beaker"),
    "mug": ("tankard",),
    "plate": ("platter", "saucer"),
    "bottle": ("flask",),
    "can": ("canister",),
    "pan": ("skillet",),
    "pot": ("saucepan", "casserole"),
    "tray": ("salver",),
    "box": ("crate", "package"),
    "cereal": ("cornflakes",),
    "lemon": ("citrus",),
    "banana": ("plantain",),
    "spoon": ("teaspoon",),
    "knife": ("blade",),
    "pen": ("ballpoint",),
    "hammer": ("mallet",),
    "book": ("paperback", "novel"),
    "duck": ("duckling",),
    "teddy": ("plushie",),
    "ball": ("orb",),
    "ring": ("hoop",),
}
"""Only kinds with another word that is clear."""

RELATION_WORDS: Mapping[str, tuple[str, ...]] = {
    "left": ("to the left-hand side of", "leftwards of"),
    "right": ("to the right-hand side of", "rightwards of"),
    "front": ("just in front of", "ahead of"),
    "behind": ("just behind", "to the rear of"),
    "on": ("atop", "resting upon"),
    "near": ("adjacent to", "right alongside"),
}
"""Other words between a target and its anchor."""
SUPERLATIVE_WORDS: Mapping[str, tuple[str, ...]] = {
    "leftmost": ("the {} at the left-hand end", "whichever {} lies furthest left"),
    "rightmost": ("the {} at the right-hand end", "whichever {} lies furthest right"),
    "nearest": ("the {} that we are closest to", "the foremost {}"),
    "farthest": ("the {} in the background", "the hindmost {}"),
}
"""Other ways to pick one of several."""

TYPES = ("request", "colour word", "kind word", "relation word", "typo", "typo of training")
"""What is changed. Training drops and swaps letters; "typo" doubles one or hits the key beside it."""

_BESIDE = dict(zip("qwertyuiopasdfghjklzxcvbnm", "wertyuioposdfghjklkxcvbnmn", strict=True))
"""Letter -> the key to its right, or to its left at the end of a row."""
_MANY = "all the {}"


@dataclass(frozen=True)
class Wording:
    """One question in words.

    Attributes:
        text: the words.
        type: a name of `TYPES`, or `PLAIN`.
    """

    text: str
    type: str


@dataclass(frozen=True)
class _Words:
    """Words for what a question says; the plain ones are the first names of the vocabulary."""

    colors: Mapping[str, tuple[str, ...]]
    kinds: Mapping[str, tuple[str, ...]]
    relations: Mapping[str, tuple[str, ...]]
    superlatives: Mapping[str, tuple[str, ...]]


_PLAIN = _Words(COLORS, KINDS, RELATIONS, SUPERLATIVES)


def wordings(question: Question, rng: Random) -> list[Wording]:
    """Return a question in plain words, and then once for each change that it allows.

    Args:
        question: of `instructions.questions`; its own text is not used.
        rng: picks the words.
    """
    plain = _said(question, _PLAIN, None)
    found = [Wording(plain, PLAIN)]
    if _placed(question):
        found.append(Wording(_said(question, _PLAIN, None, rng.choice(PLACEMENTS)), "request"))
    else:
        found.append(Wording(rng.choice(REQUESTS).format(plain), "request"))
    for kind, words in (
        ("colour word", _Words(COLOR_WORDS, KINDS, RELATIONS, SUPERLATIVES)),
        ("kind word", _Words(COLORS, {**KINDS, **KIND_WORDS}, RELATIONS, SUPERLATIVES)),
        ("relation word", _Words(COLORS, KINDS, RELATION_WORDS, SUPERLATIVE_WORDS)),
    ):
        changed = _said(question, words, rng)
        if changed != plain:
            found.append(Wording(changed, kind))
    found.append(Wording(_mistyped(plain, rng, _new_typo), "typo"))
    found.append(Wording(_mistyped(plain, rng, _known_typo), "typo of training"))
    return found


def _placed(question: Question) -> bool:
    return question.anchor_words is not None and question.relation is None


def _said(question: Question, words: _Words, rng: Random | None, placement: str = "put {} in {}") -> str:
    """Say a question; without a generator by the first words, else by any that differ from the plain ones."""
    many = question.tag == "several"
    noun = _noun(question.target, words, rng, many)
    if question.relation in SUPERLATIVES:
        text = _pick(words.superlatives[question.relation], SUPERLATIVES[question.relation], rng).format(noun)
    elif question.relation is not None and question.anchor_words is not None:
        middle = _pick(words.relations[question.relation], RELATIONS[question.relation], rng)
        text = f"the {noun} {middle} the {_noun(question.anchor_words, words, rng)}"
    else:
        text = _MANY.format(noun) if many else f"the {noun}"
    if _placed(question) and question.anchor_words is not None:
        text = placement.format(text, f"the {_noun(question.anchor_words, words, rng)}")
    return text


def _noun(wanted: Description, words: _Words, rng: Random | None, many: bool = False) -> str:
    if wanted.stranger is not None:
        head = wanted.stranger
    else:
        head = "thing" if wanted.kind is None else _name(wanted.kind, words.kinds, KINDS, rng)
    said = [
        _name(value, names, plain, rng)
        for value, names, plain in (
            (wanted.size, SIZES, SIZES),
            (wanted.color, words.colors, COLORS),
            (wanted.material, MATERIALS, MATERIALS),
        )
        if value is not None
    ]
    return " ".join([*said, plural(head) if many else head])


def _name(
    value: str,
    names: Mapping[str, tuple[str, ...]],
    plain: Mapping[str, tuple[str, ...]],
    rng: Random | None,
) -> str:
    return _pick(names[value], plain[value], rng)


def _pick(names: tuple[str, ...], plain: tuple[str, ...], rng: Random | None) -> str:
    """Return the first of the plain names where there are no others, else one of the others."""
    return plain[0] if rng is None or names == plain else rng.choice(names)


def _mistyped(text: str, rng: Random, change: Callable[[str, Random], str]) -> str:
    """Change one letter in one of the words that carry the meaning."""
    small = {"the", "all", "of", "to", "in", "on", "put", "that", "is", "thing", "things"}
    split = text.split(" ")
    places = [i for i, word in enumerate(split) if word not in small and len(word) > 2] or [len(split) - 1]
    at = rng.choice(places)
    split[at] = change(split[at], rng)
    return " ".join(split)


def _new_typo(word: str, rng: Random) -> str:
    """Double a letter, or hit the key beside it."""
    at = rng.randrange(len(word))
    if rng.random() < 0.5 or word[at] not in _BESIDE:
        return word[:at] + word[at] + word[at:]
    return word[:at] + _BESIDE[word[at]] + word[at + 1 :]


def _known_typo(word: str, rng: Random) -> str:
    """Drop a letter, or swap two that differ."""
    places = [i for i in range(len(word) - 1) if word[i] != word[i + 1]]
    if rng.random() < 0.5 or not places:
        at = rng.randrange(len(word))
        return word[:at] + word[at + 1 :]
    at = rng.choice(places)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
