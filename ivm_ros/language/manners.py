"""How training says what validation says plainly: far more wordings, and made-up words where none matters.

A network that hears a few dozen requests learns these; one that hears thousands of them, most with words that
mean nothing, learns that only the thing and its place matter. No wording that a held-out set is made of is
among them.
"""

from __future__ import annotations

from random import Random

MORE_RELATIONS: dict[str, tuple[str, ...]] = {
    "left": (
        "at the left of", "on the left from", "left from", "over to the left of", "further left than",
        "more to the left than", "off to the left of", "at the left side of", "on the left next to",
        "a little left of", "on the left edge of",
    ),
    "right": (
        "at the right of", "on the right from", "right from", "over to the right of", "further right than",
        "more to the right than", "off to the right of", "at the right side of", "on the right next to",
        "a little right of", "on the right edge of",
    ),
    "front": (
        "closer to us than", "closer to the camera than", "in the front of", "at the front of",
        "to the front of", "on the near side of", "on this side of", "this side of", "nearer to me than",
        "towards us from", "front of",
    ),
    "behind": (
        "in back of", "to the back of", "in the back of", "on the far side of", "further away than",
        "on the other side of", "further back than", "hidden behind", "past", "back of", "farther off than",
    ),
    "on": (
        "sitting on", "sitting in", "placed on", "placed in", "contained in", "put in", "put on",
        "kept in", "piled on", "stacked on", "on the top of", "supported by", "held by", "in the middle of",
        "over on", "carried by", "that lies on",
    ),
    "near": (
        "close to", "by", "by the side of", "at the side of", "not far from", "neighbouring", "touching",
        "in the vicinity of", "next door to", "side by side with", "bordering",
    ),
}  # fmt: skip
"""More words between a target and its anchor."""

MORE_SUPERLATIVES: dict[str, tuple[str, ...]] = {
    "leftmost": (
        "the {} that is furthest left", "the left {}", "the {} at the left", "the {} on the left side",
        "the most left {}", "the {} at the far left", "the {} left of all others", "the {} to the left",
        "the first {} from the left", "the {} on the left edge", "the {} at the left border",
    ),
    "rightmost": (
        "the {} that is furthest right", "the right {}", "the {} at the right", "the {} on the right side",
        "the most right {}", "the {} at the far right", "the {} right of all others", "the {} to the right",
        "the first {} from the right", "the {} on the right edge", "the {} at the right border",
    ),
    "nearest": (
        "the {} nearest to us", "the {} closest to me", "the front {}", "the {} at the front",
        "the first {} from the front", "the {} that is nearest", "the {} which is closest",
        "the {} nearest to the camera", "the {} in the front", "the {} next to the camera",
        "the {} before all others",
    ),
    "farthest": (
        "the {} that is furthest away", "the furthest {}", "the back {}", "the {} in the back",
        "the {} that is farthest", "the {} farthest from us", "the {} furthest from the camera",
        "the {} behind all others", "the most remote {}",
        "the {} at the very back",
    ),
}  # fmt: skip
"""More ways to pick one of several."""

_LINKS = (
    "that is", "which is", "that stands", "that lies", "located", "situated", "found", "which sits", "placed",
    "standing", "lying", "that you see", "directly", "immediately", "somewhere", "slightly", "almost",
    "which can be seen", "visible", "being",
)  # fmt: skip

_OPENINGS = (
    "please", "hey robot", "robot", "now", "okay", "next", "then", "first of all", "could you", "can you",
    "would you please", "i want you to", "you should", "go ahead and", "try to", "your job is to",
    "the task is to", "we need you to", "it is time to", "quickly", "carefully", "gently", "slowly",
    "be careful and", "be so good and", "i ask you to", "do not forget to", "remember to", "as a first step",
    "and now", "after that", "if possible", "with your arm", "with one arm only", "here you should",
    "the robot must", "make sure to", "i would be glad if you could", "you have to", "maybe you can",
    "in this picture", "on this table", "from all of these things",
)  # fmt: skip

_VERBS = (
    "pick up", "pick", "grab", "take", "bring", "give", "hand", "find", "show", "get", "fetch", "push",
    "move", "look at", "point at", "lift", "touch", "segment", "go to", "pass", "select", "choose", "hold",
    "grasp", "acquire", "secure", "extract", "recover", "raise", "hoist", "drag", "slide", "nudge", "tap",
    "poke", "press", "inspect", "examine", "check", "watch", "observe", "mark", "outline", "target",
    "pinpoint", "discover", "isolate", "catch", "capture", "keep", "save", "throw away", "dispose of",
    "tidy up", "sort", "wipe", "wash", "fill", "empty", "shake", "squeeze", "tip over", "flip", "spin",
    "centre on", "hover above", "stop at", "drive to", "navigate to", "head for", "pay attention to",
    "think of", "count", "describe", "recognise", "notice", "buy", "sell", "clear away", "bring back",
    "take away", "take hold of", "get hold of", "get rid of", "have a look at", "work with", "play with",
    "start with", "begin with",
)  # fmt: skip

_ENDINGS = (
    "please", "for me", "now", "right now", "quickly", "carefully", "if you can", "with your arm",
    "from the table", "off the table", "over there", "over here", "in the picture", "in this image", "to me",
    "at once", "again", "thanks", "thank you", "without dropping it", "and hold it", "and lift it up",
    "and bring it here", "and give it to me", "and then stop", "and wait", "with both hands", "very slowly",
    "as soon as possible", "as fast as you can", "so that i can use it", "because i need it", "will you",
    "okay", "or is it gone", "today", "once more", "and nothing else", "for the guests", "to my friend",
)  # fmt: skip

_FRAMES = (
    "{} is what i want", "what about {}", "how about {}", "do you see {}", "there should be {}",
    "{} should be moved", "{} needs to be cleaned", "{} is the target", "the target is {}", "the goal is {}",
    "i am looking for {}", "i am after {}", "i have to have {}", "we are missing {}", "someone asked for {}",
    "{} comes first", "{} has to go", "only {}", "{} and nothing else", "my choice is {}", "it is {}",
    "this is about {}", "where did {} go", "have you seen {}", "who took {}", "is {} still here",
    "{} must be somewhere", "i wonder where {} may be", "tell me about {}", "how far away is {}",
    "{} is mine", "that must be {}", "here comes {}", "nothing but {}", "it has to be {}", "{} will do",
    "this time {}", "not me but {}", "the one i mean is {}", "i mean {}", "what i need is {}",
)  # fmt: skip

TEXTS = (*_LINKS, *_OPENINGS, *_VERBS, *_ENDINGS, *_FRAMES)
"""All that has words of its own."""

STARTS = (*"bcdfghklmnprstvw", "dr", "fl", "gr", "pl", "sh", "sk", "sp", "st", "th", "tr")
"""Of the syllables of made-up words; a vowel follows."""
LASTS = ("", "", "t", "n", "ck", "ll", "ve", "sh", "ng", "st", "rd", "le", "ing", "ed", "er", "ly")
"""What the last syllable may have besides."""


def link(rng: Random) -> str:
    """Return what may stand before a relation and means nothing: "that is ", "" or a made-up word."""
    draw = rng.random()
    if draw < 0.55:
        return ""
    return (made_up(rng) if draw < 0.65 else rng.choice(_LINKS)) + " "


def carry(phrase: str, rng: Random) -> str:
    """Say that something is wanted: "could you nudge the red cup for me", "bolt the red cup fashing"."""
    if rng.random() < 0.25:
        words = [rng.choice(_FRAMES).format(phrase)]
    else:
        verb = made_up(rng) + rng.choice(
            ("", "", " up", " over", " for", " at", " out", " of", " me", " with")
        )
        words = [verb if rng.random() < 0.4 else rng.choice(_VERBS), phrase]
    if rng.random() < 0.4:
        words.insert(0, _aside(rng, _OPENINGS))
    if rng.random() < 0.4:
        words.append(_aside(rng, _ENDINGS))
    return " ".join(words)


def made_up(rng: Random) -> str:
    """Return a word that means nothing: "grobash"."""
    syllables = (rng.choice(STARTS) + rng.choice("aeiou") for _ in range(rng.randint(2, 3)))
    return "".join(syllables) + rng.choice(LASTS)


def _aside(rng: Random, known: tuple[str, ...]) -> str:
    if rng.random() < 0.3:
        return " ".join(made_up(rng) for _ in range(rng.randint(1, 3)))
    return rng.choice(known)
