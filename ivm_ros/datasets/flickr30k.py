"""Flickr30k Entities as published: phrases of captions, and the boxes of what they name.

    ROOT/test.txt                    ids of the split's pictures, one a line
    ROOT/Annotations/1007129816.xml  boxes of entities: <object> with <name>, <bndbox>
    ROOT/Sentences/1007129816.txt    captions: [/EN#1/people The man] with [/EN#2/clothing an orange hat] ...
    ROOT/flickr30k-images/1007129816.jpg

A phrase whose entity has boxes is one sample, with one target for each box; the others (scenes, things
without a box, what is not visible) are none. Boxes are taken as the numbers stand there. There are no
masks. The tag is the phrase's type.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from ivm_ros.datasets.questions import Picture, Question, Questions, Region
from ivm_ros.datasets.records import Fields, RecordError
from ivm_ros.grounding import Box

IMAGES = ("flickr30k-images", "flickr30k_images")
_PHRASE = re.compile(r"\[/EN#(\d+)/(\S+) ([^\]]+)\]")
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


class _Phrase(NamedTuple):
    """A phrase of a caption: the number of the caption, the entity, its type, the words, its boxes."""

    image: str
    caption: int
    entity: str
    kind: str
    words: str
    boxes: tuple[Box, ...]
    size: tuple[int, int]


class Flickr30k(Questions):
    """One split of Flickr30k Entities.

    Args:
        root: has the lists of the splits and the folders.
        split: train, val or test.
        skip_bad: see `Dataset`.

    Raises:
        FileNotFoundError: there is no list of the split.
    """

    def __init__(self, root: Path, split: str, skip_bad: bool = False) -> None:
        super().__init__(skip_bad)
        self._root = root
        listed = root / f"{split}.txt"
        if not listed.is_file():
            raise FileNotFoundError(f"expected the list of the split's pictures, {listed}; there is none")
        self.annotations = (listed, root / "Annotations", root / "Sentences")
        self._entries: list[_Phrase | RecordError] = []
        seen: set[str] = set()
        for number, image in enumerate(listed.read_text(encoding="utf-8-sig").split(), start=1):
            try:
                if image in seen:
                    raise RecordError(
                        listed, number, "(id)", f"expected each picture once, got {image} again"
                    )
                seen.add(image)
                self._entries += self._phrases(image)
            except RecordError as error:
                self._entries.append(error)

    def __len__(self) -> int:
        """Return the number of phrases, and of pictures whose files are bad."""
        return len(self._entries)

    def question(self, index: int) -> Question:
        """Return question `index`, from 0 on, undecoded."""
        self.check_index(index)
        entry = self._entries[index]
        if isinstance(entry, RecordError):
            raise entry
        sentences = Fields(self._file("Sentences", entry.image, "txt"), entry.caption, {})
        objects = Fields(self._file("Annotations", entry.image, "xml"), f"entity {entry.entity}", {})
        roots = tuple(self._root / folder for folder in IMAGES)
        return Question(
            record=sentences,
            picture=Picture(objects, "size", f"{entry.image}.jpg", roots, entry.size),
            instruction=("(phrase)", entry.words),
            regions=tuple(Region(objects, box, None, ("bndbox", "")) for box in entry.boxes),
            tag=entry.kind,
            ids={"image": entry.image, "caption": entry.caption, "entity": entry.entity},
        )

    def _file(self, folder: str, image: str, ending: str) -> Path:
        return self._root / folder / f"{image}.{ending}"

    def _phrases(self, image: str) -> list[_Phrase]:
        """Return a picture's phrases that have boxes."""
        boxes, size = _read_boxes(self._file("Annotations", image, "xml"))
        file = self._file("Sentences", image, "txt")
        try:
            captions = file.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise RecordError(file, "all captions", "(text)", f"expected UTF-8, got: {error}") from error
        found = []
        for number, caption in enumerate(captions, start=1):
            phrases = _PHRASE.findall(caption)
            if len(phrases) != caption.count("[/EN#"):
                problem = f"expected [/EN#number/type words] at every mark, got {caption[:80]!r}"
                raise RecordError(file, number, "(phrase)", problem)
            for entity, kinds, words in phrases:
                if entity in boxes:
                    kind = kinds.split("/")[0]
                    found.append(_Phrase(image, number, entity, kind, words, tuple(boxes[entity]), size))
        return found


def _read_boxes(file: Path) -> tuple[dict[str, list[Box]], tuple[int, int]]:
    """Return the boxes of each entity that has some, and (H, W) of the picture."""
    try:
        tree = ElementTree.parse(file).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise RecordError(file, "all entities", "(file)", f"expected XML, got: {error}") from error
    width, height = (_number(file, tree, "the picture", f"size/{side}") for side in ("width", "height"))
    boxes: dict[str, list[Box]] = {}
    for item in tree.findall("object"):
        names = [name.text or "" for name in item.findall("name")]
        if item.find("bndbox") is None:
            continue
        x_min, y_min, x_max, y_max = (
            _number(file, item, f"entity {'/'.join(names)}", f"bndbox/{corner}") for corner in _CORNERS
        )
        for name in names:
            boxes.setdefault(name, []).append((x_min, y_min, x_max, y_max))
    return boxes, (height, width)


def _number(file: Path, element: ElementTree.Element, record: str, path: str) -> int:
    text = element.findtext(path)
    if text is None or not re.fullmatch(r"\s*-?\d{1,6}\s*", text):
        raise RecordError(file, record, path, f"expected a whole number, got {text!r}")
    return int(text)
