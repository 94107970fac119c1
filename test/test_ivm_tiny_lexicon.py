"""Words that ivm-tiny reads as others, and that these are none of training's."""

import re
from random import Random

import pytest

from ivm_ros.language import phrases
from ivm_ros.language.phrases import Description
from ivm_ros.language.vocabulary import COLORS, KINDS, MATERIALS, SIZES
from ivm_ros.models.ivm_tiny.lexicon import READ_AS, read_as
from ivm_ros.models.ivm_tiny.text import words

KNOWN = {
    word
    for names in (COLORS, KINDS, MATERIALS, SIZES, phrases.RELATIONS, phrases.SUPERLATIVES)
    for others in names.values()
    for phrase in others
    for word in re.findall(r"\w+", phrase)
}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("the Crimson tumblers", ["the", "red", "cups"]),
        ("a platter atop the crate", ["a", "plate", "on", "the", "box"]),
        ("the red cup", ["the", "red", "cup"]),
        ("the goblin", ["the", "goblin"]),
        ("glass is", ["glass", "is"]),
    ],
)
def test_other_words_are_read_as_those_of_training(text, read):
    assert words(text) == read


def test_what_is_read_is_known_and_what_is_replaced_is_not():
    assert set(READ_AS.values()) <= KNOWN
    assert not KNOWN & set(READ_AS)
    assert all(read_as(word) == word for word in KNOWN)


def test_no_noun_phrase_of_training_has_a_word_that_is_replaced():
    rng, texts = Random(0), []
    for split in ("train", "validation"):
        for _ in range(3000):
            kind, color = rng.choice(list(KINDS)), rng.choice(list(COLORS))
            wanted = Description(kind=kind, color=color, material=rng.choice(list(MATERIALS)))
            stranger = Description(stranger=phrases.stranger(rng, split))
            for each in (wanted, stranger):
                texts += [phrases.singular(each, rng), phrases.several(each, rng)]
    used = {word for text in texts for word in re.findall(r"\w+", text.lower())}
    assert len(used) > 200 and not used & set(READ_AS)
