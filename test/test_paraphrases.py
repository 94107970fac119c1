"""Paraphrases: the same question, in words that training cannot produce."""

from __future__ import annotations

import re
from random import Random

import numpy as np
import pytest

from ivm_ros.datasets.tabletop.instructions import Question, questions
from ivm_ros.datasets.tabletop.paraphrases import (
    COLOR_WORDS,
    KIND_WORDS,
    PLACEMENTS,
    PLAIN,
    RELATION_WORDS,
    REQUESTS,
    SUPERLATIVE_WORDS,
    TYPES,
    wordings,
)
from ivm_ros.datasets.tabletop.scene import SceneObject
from ivm_ros.language import manners, phrases
from ivm_ros.language.phrases import Description
from ivm_ros.language.vocabulary import COLORS, KINDS, MATERIALS

MADE_UP = re.compile(
    rf"(?:(?:{'|'.join(manners.STARTS)})[aeiou]){{2,3}}(?:{'|'.join(filter(None, manners.LASTS))})?"
)
"""What words that training makes up look like."""


MORE = (manners.MORE_RELATIONS, manners.MORE_SUPERLATIVES)


def new_words() -> set[str]:
    return {word for names in (*COLOR_WORDS.values(), *KIND_WORDS.values()) for word in names}


def new_templates() -> list[str]:
    named = [*RELATION_WORDS.values(), *SUPERLATIVE_WORDS.values()]
    return [*REQUESTS, *PLACEMENTS, *(text for texts in named for text in texts)]


@pytest.fixture(scope="module")
def training() -> str:
    """20,000 texts of training about views that have objects of every kind, colour and material."""
    rng, texts = Random(0), []
    for _ in range(200):
        instances, objects = np.zeros((96, 128), np.uint8), []
        for number in range(1, 9):
            column, row = (number - 1) % 4, (number - 1) // 4
            instances[row * 48 + 4 : row * 48 + 40, column * 32 + 2 : column * 32 + 28] = number
            material = rng.choice((None, *MATERIALS))
            looks = (rng.choice(list(KINDS)), rng.choice(list(COLORS)), material, rng.choice((None, "small")))
            place = (column - 1.5, 0.1, 1.5 - 0.5 * row)
            objects.append(SceneObject(number, *looks, 1.5 - 0.5 * row, place, rng.choice((None, None, 1))))
        texts += [question.text.lower() for question in questions(objects, instances, rng, 100)]
    assert len(texts) == 20_000
    return "\n".join(texts)


def test_no_new_word_comes_out_of_training(training: str) -> None:
    said = set(re.findall(r"\w+", training))
    assert {"red", "cup", "grab", "left", "vicinity", "nudge"} <= said
    assert not new_words() & said


def test_no_new_template_comes_out_of_training(training: str) -> None:
    for template in new_templates():
        pattern = r"\b" + re.escape(template.lower()).replace(r"\{\}", r"[^\n]+") + r"(?!\w)"
        assert not re.search(pattern, training), template


def test_no_new_word_is_known_by_any_split() -> None:
    source = " ".join(
        [
            *(text for texts in phrases._REQUESTS.values() for text in texts),
            *(text for texts in phrases._PLACEMENTS.values() for text in texts),
            *manners.TEXTS,
            *(text for table in MORE for texts in table.values() for text in texts),
            *(text for texts in phrases._STRANGERS.values() for text in texts),
            *(name for table in (KINDS, COLORS, MATERIALS) for names in table.values() for name in names),
        ]
    )
    assert not new_words() & set(re.findall(r"\w+", source))
    assert not [word for word in new_words() if MADE_UP.fullmatch(word)]


CUP = Description("cup", "red")
RELATED = Question("x", (1,), 2, "relation", (), CUP, Description("plate"), "left")
PLACED = Question("x", (1,), 2, "verb", (), CUP, Description("pot", "blue"))


@pytest.mark.parametrize(
    ("question", "plain"),
    [
        (Question("x", (1,), None, "attribute", (), CUP), "the red cup"),
        (Question("x", (1, 2), None, "several", (), CUP), "all the red cups"),
        (Question("x", (1,), None, "relation", (), CUP, None, "leftmost"), "the leftmost red cup"),
        (Question("x", (), None, "absent", (), Description(stranger="zebra")), "the zebra"),
        (Question("x", (1,), None, "colour", (), Description(color="gray")), "the gray thing"),
        (RELATED, "the red cup left of the plate"),
        (PLACED, "put the red cup in the blue pot"),
    ],
)
def test_plain_words(question: Question, plain: str) -> None:
    first, *_ = wordings(question, Random(0))
    assert (first.text, first.type) == (plain, PLAIN)


def test_each_type_changes_one_thing() -> None:
    for seed in range(50):
        by_type = {wording.type: wording.text for wording in wordings(RELATED, Random(seed))}
        assert set(by_type) == {PLAIN, *TYPES}
        plain = by_type[PLAIN]
        assert by_type["request"].replace(plain, "{}") in REQUESTS
        color = by_type["colour word"].split()[1]
        assert color in COLOR_WORDS["red"] and by_type["colour word"].replace(color, "red") == plain
        kinds = by_type["kind word"].split()
        assert kinds[2] in KIND_WORDS["cup"] and kinds[-1] in KIND_WORDS["plate"]
        assert by_type["relation word"] in {
            f"the red cup {word} the plate" for word in RELATION_WORDS["left"]
        }


def test_a_typo_changes_one_letter_of_a_word_that_matters() -> None:
    for seed in range(200):
        by_type = {wording.type: wording.text.split() for wording in wordings(RELATED, Random(seed))}
        for name, lengths in (("typo", {0, 1}), ("typo of training", {0, -1})):
            pairs = [(a, b) for a, b in zip(by_type[PLAIN], by_type[name], strict=True) if a != b]
            assert len(pairs) == 1
            ((right, wrong),) = pairs
            assert right in {"red", "cup", "left", "plate"}
            assert len(wrong) - len(right) in lengths
            lost = len(wrong) < len(right)
            swapped = sorted(wrong) == sorted(right)
            assert (lost or swapped) == (name == "typo of training")  # "typo" does what training never does


def test_what_has_no_other_word_is_not_changed() -> None:
    question = Question("x", (1,), None, "kind", (), Description("pyramid"))
    types = [wording.type for wording in wordings(question, Random(0))]
    assert types == [PLAIN, "request", "typo", "typo of training"]


def test_a_placement_is_asked_for_in_other_words() -> None:
    texts = {w.type: w.text for w in wordings(PLACED, Random(3))}
    assert texts["request"] in {t.format("the red cup", "the blue pot") for t in PLACEMENTS}
    assert texts["colour word"].count("red") == 0 and "blue" not in texts["colour word"]
