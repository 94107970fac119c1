"""Mistyped words are read as ours; words that mean something else are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivm_ros.language.phrases import named_in_training, said_in_training
from ivm_ros.models.ivm_tiny.spelling import corrected
from ivm_ros.models.ivm_tiny.text import words


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("bottel", "bottle"),  # swapped
        ("bule", "blue"),
        ("gren", "green"),  # left out
        ("scredrwiver", "scredrwiver"),  # two letters away
        ("yellpw", "yellow"),  # the key beside
        ("mugg", "mug"),  # doubled
        ("boox", "box"),  # not "book": a doubled letter is likelier than a wrong one
        ("lback", "black"),  # not "back"
        ("bnanas", "bananas"),
        ("crimsom", "crimson"),  # a word of the lexicon
        ("pear", "pear"),  # English, and no typo of "near"
        ("cork", "cork"),
        ("cu", "cu"),  # too short to know
        ("froob", "froob"),
        ("cup2", "cup2"),
        ("", ""),
    ],
)
def test_typos_are_mended_and_words_are_left(typed, read):
    assert corrected(typed) == read


def test_a_sentence():
    assert words("Pick up teh rde cpu lfet of the crimsom plaet") == (
        ["pick", "up", "the", "red", "cup", "left", "of", "the", "red", "plate"]
    )


def test_words_of_training_stay():
    assert {"cup", "plates", "left", "farthest", "crimson"} - said_in_training() == {"crimson"}
    assert named_in_training() <= said_in_training()
    assert all(corrected(word) == word for word in said_in_training())


@given(st.text(max_size=30))
def test_any_word_is_read_as_a_word(word):
    assert words(word) == [each for each in words(word) if each]
    assert corrected(corrected(word)) == corrected(word)
