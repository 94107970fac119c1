"""What may happen to a picture without making its instruction false, and the words that stay true after it.

English words are known here, no others: where instructions are in another language, pass `flips=False`.
"""

from __future__ import annotations

import re
from random import Random

from ivm_ros.language.phrases import request
from ivm_ros.language.vocabulary import COLORS

_SWAPS = {"left": "right", "right": "left", "leftmost": "rightmost", "rightmost": "leftmost"}
_SIDE = re.compile(r"\b(left|right)\w*", re.IGNORECASE)
_SURE_SIDE = re.compile(
    r"\b(?:left|right)most\b"
    r"|\b(?:left|right)(?= (?:of|side|edge|corner|end|half)\b|[ -]hand\b)"
    r"|(?<=\bto the )(?:left|right)\b|(?<=\bon the )(?:left|right)\b|(?<=\bat the )(?:left|right)\b"
    r"|(?<=\bfar )(?:left|right)\b",
    re.IGNORECASE,
)
_ONE_WAY = re.compile(
    r"\b(?:(?:anti|counter)?-?clockwise|east\w*|west\w*|letters?|number\w*|digits?|text|reads?|reading|says|"
    r"written|printed|labell?ed|named|logo|sign)\b",
    re.IGNORECASE,
)
_PLACE = re.compile(
    r"\b(?:(?:left|right|top|bottom|upper|lower|middle|cent(?:er|re)|corner|edge|side|front|back|behind|before|"
    r"between|near\w*|close\w*|next|beside|far\w*|furthest|first|second|third|last|inside|under|above|below|"
    r"opposite|around|biggest|smallest|largest|tallest|shortest|(?:left|right|top|bottom)most)"
    r"|(?:on|in|at|from|by|with) (?:the|a|an|its))\b",
    re.IGNORECASE,
)
_MORE_COLORS = (
    "gold", "golden", "silver", "beige", "tan", "maroon", "navy", "teal",
    "cream", "dark", "light", "bright", "pale", "transparent", "clear", "colored",
    "coloured", "colorful", "colourful", "lime", "magenta", "indigo", "ivory", "khaki",
    "olive", "salmon", "crimson", "scarlet", "amber", "bronze", "copper", "shiny",
    "metal", "metallic",
)  # fmt: skip
_COLOR = re.compile(
    r"\b(?:" + "|".join({*(word for words in COLORS.values() for word in words), *_MORE_COLORS}) + r")\w*\b",
    re.IGNORECASE,
)
_NOUN_PHRASE = re.compile(r"the [\w -]+")
_REQUESTED = 0.25


def mirrored(instruction: str) -> str | None:
    """Return what is true of the mirrored picture, or None where that is not sure.

    "the cup left of the plate" becomes "the cup right of the plate"; "the cup right behind the plate" is not
    sure, because "right" does not mean a side there; nor is what is about writing.
    """
    if _ONE_WAY.search(instruction):
        return None
    sure = {match.span() for match in _SURE_SIDE.finditer(instruction)}
    if any(match.span() not in sure for match in _SIDE.finditer(instruction)):
        return None
    return _SURE_SIDE.sub(lambda match: _as(match[0], _SWAPS[match[0].lower()]), instruction)


def names_place(instruction: str) -> bool:
    """Tell whether the words may be false of a part of the picture, as they depend on what else is seen."""
    return _PLACE.search(instruction) is not None


def names_color(instruction: str) -> bool:
    """Tell whether the words name a colour, or what looks other in another light."""
    return _COLOR.search(instruction) is not None


def asked_for(instruction: str, random: Random) -> str:
    """Return the words, and where they are a plain "the ..." now and then as a request: "pick up the cup"."""
    if random.random() < _REQUESTED and _NOUN_PHRASE.fullmatch(instruction):
        return request(instruction, random, "train")
    return instruction


def _as(like: str, word: str) -> str:
    if like.isupper():
        return word.upper()
    return word.capitalize() if like[0].isupper() else word
