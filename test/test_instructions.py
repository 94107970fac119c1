"""Questions about a view: their answers against the instance map, rule by rule."""

from __future__ import annotations

from collections import Counter
from random import Random

import numpy as np
import pytest

from ivm_ros.datasets.tabletop.instructions import TAGS, questions
from ivm_ros.datasets.tabletop.scene import SceneObject
from ivm_ros.datasets.tabletop.visible import MIN_PIXELS
from ivm_ros.language import phrases
from ivm_ros.language.phrases import Description
from ivm_ros.language.vocabulary import KINDS


def thing(instance, kind, color="red", x=0.0, distance=1.0, **more):
    values = {"material": None, "size": None, **more}
    return SceneObject(instance, kind, color, distance=distance, position=(x, 0.0, distance), **values)


def layout(*boxes, size=(96, 128)):
    """Draw instances 1, 2, ... as (x, y, side) squares."""
    instances = np.zeros(size, np.uint8)
    for index, (x, y, side) in enumerate(boxes, start=1):
        instances[y : y + side, x : x + side] = index
    return instances


SCENE = (
    thing(1, "cup", "red", x=-0.3),
    thing(2, "cup", "blue", x=0.3, distance=0.8),
    thing(3, "plate", "red", x=0.0, distance=1.2),
    thing(4, "cup", "red", x=0.1, distance=1.1, on=3),
)
MAP = layout((10, 40, 14), (100, 60, 14), (55, 20, 20), (60, 25, 8))


def ask(objects=SCENE, instances=MAP, count=600, seed=0, split="train"):
    return questions(objects, instances, Random(seed), count, split)


def fits(item, wanted):
    if wanted.stranger is not None:
        return False
    pairs = ((wanted.kind, item.kind), (wanted.color, item.color), (wanted.material, item.material))
    return all(asked is None or asked == value for asked, value in (*pairs, (wanted.size, item.size)))


def test_equal_seeds_give_equal_questions():
    assert ask(seed=3) == ask(seed=3)
    assert ask(seed=3) != ask(seed=4)


def test_every_kind_of_question_is_asked_and_a_third_has_no_answer():
    tags = Counter(question.tag for question in ask(count=3000))
    assert set(tags) == set(TAGS)
    assert 0.25 < tags["absent"] / 3000 < 0.4


def test_targets_are_exactly_what_the_words_fit():
    for question in ask():
        expected = {item.instance for item in SCENE if fits(item, question.target)}
        if question.relation is None:
            assert set(question.targets) == expected, question.text
        else:
            assert set(question.targets) <= expected - {question.anchor}, question.text
        assert question.tag != "absent" or not question.targets


def related(relation):
    return [question for question in ask(count=3000) if question.relation == relation and question.targets]


def centre(instance, instances=MAP):
    ys, xs = np.nonzero(instances == instance)
    return xs.mean(), ys.mean()


@pytest.mark.parametrize(
    ("relation", "axis", "sign"), [("left", 0, -1), ("right", 0, 1), ("front", 1, 1), ("behind", 1, -1)]
)
def test_relations_hold_in_the_picture(relation, axis, sign):
    asked = related(relation)
    assert asked
    for question in asked:
        for target in question.targets:
            assert sign * (centre(target)[axis] - centre(question.anchor)[axis]) > 0, question.text


def test_on_means_what_it_stands_on():
    assert {(question.targets, question.anchor) for question in related("on")} == {((4,), 3)}


@pytest.mark.parametrize(("name", "pick"), [("leftmost", min), ("rightmost", max)])
def test_superlatives_pick_one_of_those_that_fit(name, pick):
    asked = related(name)
    assert asked
    for question in asked:
        candidates = [item.instance for item in SCENE if fits(item, question.target)]
        assert question.targets == (pick(candidates, key=lambda instance: centre(instance)[0]),)


def test_a_flip_swaps_left_and_right():
    cups = (thing(1, "cup"), thing(2, "plate"))
    instances = layout((10, 40, 14), (90, 40, 14))
    for view, side in ((instances, "left"), (instances[:, ::-1], "right")):
        found = {q.relation for q in ask(cups, view) if q.targets == (1,) and q.relation in ("left", "right")}
        assert found == {side}


def test_small_and_colourless_objects_are_ignored_pixels():
    objects = (thing(1, "cup", "red"), thing(2, "cup", None), thing(3, "cup", "red"))
    instances = layout((10, 40, 14), (60, 40, 14), (100, 40, 4))
    assert (instances == 3).sum() < MIN_PIXELS
    coloured = [q for q in ask(objects, instances) if q.target.color == "red" and q.target.kind and q.targets]
    assert coloured
    for question in coloured:
        assert question.targets == (1,)
        assert question.ignored == (2, 3)


def test_nothing_absent_is_asked_that_an_uncertain_object_might_answer():
    objects = (thing(1, "mug", None),)
    for question in ask(objects, layout((10, 40, 20))):
        if question.tag == "absent" and question.target.stranger is None and question.target.material is None:
            assert question.target.kind not in ("cup", "mug", None), question.text


def test_hidden_objects_are_not_asked_about():
    objects = (thing(1, "cup", "red"), thing(2, "plate", "blue"))
    for question in ask(objects, layout((10, 40, 20))):
        assert 2 not in question.targets + question.ignored
        assert question.anchor != 2


def test_an_empty_view_gets_questions_without_answer():
    asked = ask((), np.zeros((96, 128), np.uint8), count=20)
    assert len(asked) == 20
    assert all(question.tag == "absent" and not question.targets for question in asked)


def test_placements_are_about_what_is_picked_up():
    placed = [q for q in ask() if q.anchor is not None and q.relation is None]
    assert placed
    assert all(q.anchor not in q.targets and q.tag == "verb" for q in placed)


def test_validation_wordings_are_kept_aside():
    train, validation = ({q.text for q in ask(count=2000, split=split)} for split in ("train", "validation"))
    assert not any(text.lower().startswith(("hand over", "reach for", "i need", "collect")) for text in train)
    assert any(text.startswith("hand over") for text in validation)


def test_strangers_are_not_in_the_vocabulary():
    known = {word for names in KINDS.values() for name in names for word in name.split()}
    for split in phrases.SPLITS:
        drawn = {phrases.stranger(Random(seed), split) for seed in range(500)}
        assert not drawn & known


@pytest.mark.parametrize(
    ("noun", "expected"), [("cup", "cups"), ("knife", "knives"), ("box", "boxes"), ("dish", "dishes")]
)
def test_plurals(noun, expected):
    assert phrases.plural(noun) == expected


def test_phrases_say_all_that_is_described():
    wanted = Description("cup", "red", "metal", "small")
    for seed in range(20):
        words = phrases.noun(wanted, Random(seed))
        assert words.split()[1] == "red" and words.endswith("cup") and len(words.split()) == 4
