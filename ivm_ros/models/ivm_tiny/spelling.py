"""Words that are mistyped by one letter, read as the word of ours that was meant.

A word is left as it is where it is one of ours, or an English word of its own ("pear" is no typo of "near"):
of that pyspellchecker's list of 160,000 words knows, which is read when the first doubtful word comes.
"""

from __future__ import annotations

import re
from functools import lru_cache

from spellchecker import SpellChecker

from ivm_ros.language.phrases import named_in_training, said_in_training
from ivm_ros.models.ivm_tiny.lexicon import READ_AS

_RARE = 100
"""Times that the list counts a word, up to which it may be a typo as well: "platte" and "blok" are in it."""
_SHORTEST = 3
_WORD = re.compile(r"[a-z]+")


@lru_cache(maxsize=1)
def _english() -> SpellChecker:
    return SpellChecker(language="en")


@lru_cache(maxsize=1)
def _ours() -> frozenset[str]:
    return said_in_training() | frozenset(READ_AS)


@lru_cache(maxsize=8192)
def corrected(word: str) -> str:
    """Return the word of ours that is one letter left out, added, changed or swapped away; else the word.

    Args:
        word: in lower case. Of several, those go first that say what is meant, then those that the word is
            with two letters swapped or one doubled, then the one that English uses most.
    """
    if len(word) < _SHORTEST or word in _ours() or not _WORD.fullmatch(word):
        return word
    english = _english()
    if english.word_frequency[word] > _RARE:
        return word
    near = _ours() & english.edit_distance_1(word)
    meaning = named_in_training() | frozenset(READ_AS)
    slips = _slips(word)
    return max(
        sorted(near),
        key=lambda one: (one in meaning, one in slips, english.word_frequency[one]),
        default=word,
    )


def _slips(word: str) -> frozenset[str]:
    """Return the words of which this one is with two letters swapped, or one doubled: the likeliest typos."""
    pairs = range(len(word) - 1)
    swapped = (word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in pairs)
    single = (word[:i] + word[i + 1 :] for i in pairs if word[i] == word[i + 1])
    return frozenset([*swapped, *single])
