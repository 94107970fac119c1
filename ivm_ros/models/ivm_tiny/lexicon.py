"""Other English words for what training has words for; they are read as those.

A model that learned all its words from rendered scenes cannot know that crimson is a red. No word here occurs
in training, but for a made-up verb by chance, so nothing of what it learned is read otherwise.
"""

from __future__ import annotations

_OTHER_WORDS: dict[str, str] = {
    # colours
    "red": "crimson scarlet ruby maroon burgundy vermilion reddish",
    "orange": "tangerine apricot amber orangish",
    "yellow": "golden gold canary mustard yellowish lemony",
    "green": "emerald lime olive mint grassy jade greenish",
    "cyan": "aqua teal aquamarine",
    "blue": "navy azure cobalt sapphire indigo bluish ultramarine",
    "purple": "lilac mauve lavender plum magenta purplish",
    "pink": "rosy rose fuchsia salmon pinkish",
    "brown": "chestnut hazel tan beige brownish",
    "white": "ivory snowy cream whitish",
    "gray": "slate ashen silver silvery grayish greyish charcoal",
    "black": "ebony inky jet blackish",
    # kinds
    "cup": "tumbler beaker goblet chalice teacup",
    "mug": "tankard stein",
    "bowl": "basin",
    "plate": "platter saucer",
    "bottle": "flask",
    "can": "canister",
    "pan": "skillet frypan",
    "pot": "saucepan casserole",
    "tray": "salver",
    "box": "crate package parcel packet",
    "cereal": "cornflakes muesli",
    "bread": "bun baguette",
    "lemon": "citrus",
    "banana": "plantain",
    "spoon": "teaspoon tablespoon",
    "knife": "blade",
    "pen": "ballpoint biro",
    "hammer": "mallet",
    "book": "paperback hardback novel textbook",
    "duck": "duckling ducky",
    "teddy": "plushie",
    "cube": "die",
    "ball": "orb globe",
    "ring": "hoop",
    # materials, sizes, places
    "wooden": "timber",
    "metal": "steel iron aluminium aluminum chrome",
    "checkered": "chequered",
    "striped": "stripy",
    "small": "smaller smallest miniature",
    "large": "larger largest bigger biggest huge",
    "behind": "beyond",
    "back": "rear background backside",
    "front": "ahead foreground",
    "near": "nearby adjacent",
    "beside": "alongside",
    "on": "atop upon",
    "left": "leftward leftwards lefthand",
    "right": "rightward rightwards righthand",
    "leftmost": "leftermost",
    "nearest": "foremost frontmost nearer",
    "farthest": "hindmost backmost rearmost farther remotest",
}

READ_AS: dict[str, str] = {other: word for word, others in _OTHER_WORDS.items() for other in others.split()}
"""Other word -> the word of training that it is read as."""


def read_as(word: str) -> str:
    """Return the word of training for a lower-case word; its plural for a plural; else the word itself."""
    if word in READ_AS:
        return READ_AS[word]
    singular = word[:-1] if word.endswith("s") else ""
    return f"{READ_AS[singular]}s" if singular in READ_AS else word
