"""Manners: what training says around a phrase leaves it whole, and says nothing that held-out sets say."""

from __future__ import annotations

import itertools
import re
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivm_ros.datasets.tabletop.paraphrases import (
    COLOR_WORDS,
    KIND_WORDS,
    PLACEMENTS,
    RELATION_WORDS,
    REQUESTS,
    SUPERLATIVE_WORDS,
)
from ivm_ros.language import phrases
from ivm_ros.language.manners import (
    LASTS,
    MORE_RELATIONS,
    MORE_SUPERLATIVES,
    STARTS,
    TEXTS,
    carry,
    link,
    made_up,
)
from ivm_ros.language.phrases import RELATIONS, SUPERLATIVES, Description, named_in_training

EXAMPLES = settings(max_examples=200, deadline=None)
SEEDS = st.integers(0, 2**32)
PHRASE = "the red cup"
SYLLABLE = rf"(?:{'|'.join(STARTS)})[aeiou]"
MADE_UP = re.compile(rf"(?:{SYLLABLE}){{2,3}}(?:{'|'.join(filter(None, LASTS))})?")


def words_of(texts) -> set[str]:
    return set(re.findall(r"[a-z]+", " ".join(texts).lower()))


def of(table) -> list[str]:
    return [text for texts in table.values() for text in texts]


NEW_WORDS = set(itertools.chain(*COLOR_WORDS.values(), *KIND_WORDS.values()))
NEW_TEMPLATES = [*REQUESTS, *PLACEMENTS, *of(RELATION_WORDS), *of(SUPERLATIVE_WORDS)]
RARE = words_of(NEW_TEMPLATES) - phrases.said_in_training()
"""Words of the paraphrases that no text of training has at all."""


PATTERNS = {
    template: re.compile(r"\b" + re.escape(template.lower()).replace(r"\{\}", r".+") + r"(?!\w)")
    for template in NEW_TEMPLATES
}


def paraphrased(text: str) -> list[str]:
    """Return the templates and the words of the paraphrases that a text of training has."""
    found = [template for template, pattern in PATTERNS.items() if pattern.search(text)]
    return found + sorted((NEW_WORDS | RARE) & words_of([text]))


@pytest.fixture(scope="module")
def carried() -> list[str]:
    rng = Random(0)
    return [carry(PHRASE, rng) for _ in range(3000)]


def test_paraphrases_are_found_where_they_are():
    assert paraphrased("kindly fetch the red cup") == ["kindly fetch {}", "kindly"]
    assert paraphrased("move the crimson cup") == ["crimson"]
    assert paraphrased("the cup just behind the plate") == ["just behind", "just"]
    assert paraphrased("fetch the red cup") == []
    assert {"obtain", "procure", "snatch", "scoop", "atop", "hindmost"} <= RARE


@EXAMPLES
@given(SEEDS, st.text(max_size=40))
def test_a_phrase_is_carried_whole_whatever_it_is(seed, phrase):
    text = carry(phrase, Random(seed))
    assert phrase in text
    assert len(text) > len(phrase) and text == carry(phrase, Random(seed))


@pytest.mark.parametrize("say", [made_up, link, lambda rng: carry(PHRASE, rng)])
def test_a_seed_fixes_what_is_said(say):
    first, again, other = ([say(rng) for _ in range(100)] for rng in (Random(1), Random(1), Random(2)))
    assert first == again != other


def test_what_carries_is_of_many_kinds(carried):
    assert len(set(carried)) > 2000
    around = [text.replace(PHRASE, "").split() for text in carried]
    assert all(around)
    invented = [any(MADE_UP.fullmatch(word) for word in each) for each in around]
    assert 0.3 < sum(invented) / len(invented) < 0.7
    places = {(text.startswith(PHRASE), text.endswith(PHRASE)) for text in carried}
    assert places == {(True, False), (False, True), (False, False)}
    assert {"nudge", "hoist", "wonder", "carefully", "please"} <= words_of(carried)


def test_what_carries_is_said_in_no_paraphrase(carried):
    assert not {text: found for text in carried if (found := paraphrased(text))}


def test_nothing_of_manners_is_said_in_a_paraphrase():
    for text in TEXTS:
        plain = text.format(PHRASE) if "{}" in text else f"{text} {PHRASE} {text}"
        assert not paraphrased(plain), text


@pytest.mark.parametrize("relation", RELATIONS)
def test_no_link_and_relation_make_a_paraphrase(relation):
    links = {link(Random(seed)) for seed in range(500)}
    for before, words in itertools.product(links, (*RELATIONS[relation], *MORE_RELATIONS[relation])):
        text = f"the cup {before}{words} the plate"
        assert not paraphrased(text), text


@pytest.mark.parametrize("name", SUPERLATIVES)
def test_no_superlative_is_a_paraphrase(name):
    for template in (*SUPERLATIVES[name], *MORE_SUPERLATIVES[name]):
        assert template.count("{}") == 1
        assert not paraphrased(template.format("red cup")), template


def test_more_words_are_other_words():
    for more, usual in ((MORE_RELATIONS, RELATIONS), (MORE_SUPERLATIVES, SUPERLATIVES)):
        assert more.keys() == usual.keys()
        for name, texts in more.items():
            assert not set(texts) & set(usual[name])
            assert len(set(texts)) == len(texts) >= 10
        every = [text for texts in (*more.values(), *usual.values()) for text in texts]
        assert len(set(every)) == len(every)  # no two relations share words


@EXAMPLES
@given(SEEDS)
def test_a_made_up_word_is_syllables(seed):
    assert MADE_UP.fullmatch(made_up(Random(seed)))


def test_made_up_words_mean_nothing():
    """Millions of words are possible; what is named or paraphrased is not among those drawn."""
    rng = Random(0)
    drawn = {made_up(rng) for _ in range(20_000)}
    assert len(drawn) > 15_000
    assert not drawn & (named_in_training() | NEW_WORDS | RARE)
    assert not [word for word in NEW_WORDS if MADE_UP.fullmatch(word)]
    # at most one in 500,000 is one of these, and only beside others of their templates do they say anything
    assert {word for word in RARE if MADE_UP.fullmatch(word)} == {"deposit", "within", "resting", "foremost"}


def test_a_link_is_nothing_or_words_and_a_space():
    links = [link(Random(seed)) for seed in range(2000)]
    assert 0.45 < links.count("") / len(links) < 0.65
    said = {each for each in links if each}
    assert all(each.endswith(" ") and each == each.strip() + " " for each in said)
    known = {each for each in said if not MADE_UP.fullmatch(each.strip())}
    assert {each.strip() for each in known} <= set(TEXTS) and len(known) >= 15
    assert len(said) > 100  # most of them made up


# Where training uses them, and validation does not

CUP, PLATE = Description("cup", "red"), Description("plate")
SAY = {
    "related": lambda rng, split: phrases.related(CUP, "left", PLATE, rng, split),
    "superlative": lambda rng, split: phrases.superlative("leftmost", CUP, rng, split),
    "request": lambda rng, split: phrases.request(PHRASE, rng, split),
    "placement": lambda rng, split: phrases.placement(PHRASE, "the pot", rng, split),
}


@pytest.mark.parametrize("name", SAY)
def test_training_says_what_validation_says_in_far_more_ways(name):
    said = {
        split: {SAY[name](Random(seed), split) for seed in range(1500)} for split in ("train", "validation")
    }
    assert len(said["train"]) > 1.5 * len(said["validation"])
    for text in said["train"]:
        assert "red cup" in text and not paraphrased(text)
    only = words_of(said["train"]) - words_of(said["validation"])
    assert only and not words_of(said["validation"]) & {"nudge", "vicinity", "grobash"}
