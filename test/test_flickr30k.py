from __future__ import annotations

from pathlib import Path

import pytest
from coco_layout import write_picture
from flickr30k_layout import CAPTIONS, annotation, box, write_flickr30k

from ivm_ros.datasets.records import RecordError
from ivm_ros.datasets.registry import open_dataset


@pytest.mark.parametrize("images", ["flickr30k-images", "flickr30k_images"])
def test_phrases_with_boxes_are_read(tmp_path: Path, images: str) -> None:
    write_flickr30k(tmp_path, images)
    men, hats, they = open_dataset("flickr30k-entities", "val", tmp_path)
    assert [(s.instruction, s.tag) for s in (men, hats, they)] == [
        ("Two men", "people"),
        ("red hats", "clothing"),
        ("They", "people"),
    ]
    assert men.boxes == they.boxes == ((4, 5, 12, 15), (20, 10, 34, 24)) and hats.boxes == men.boxes[1:]
    assert men.annotated is None
    assert they.ids == {"image": "100", "caption": 2, "entity": "1"}


@pytest.mark.parametrize(
    ("file", "content", "place", "field", "words"),
    [
        ("Annotations/100.xml", "<annotation>", "100.xml: all entities", "(file)", "expected XML"),
        ("Annotations/100.xml", annotation(width="wide"), "100.xml: the picture", "size/width", "got 'wide'"),
        ("Annotations/100.xml", annotation(width=41), "100.xml: entity 1", "size", "annotated size 41x30"),
        (
            "Annotations/100.xml",
            annotation(box("4.5", 5, 6, 7)),
            "100.xml: entity 1",
            "bndbox/xmin",
            "whole number",
        ),
        ("Annotations/100.xml", annotation("<bndbox/>"), "100.xml: entity 1", "bndbox/xmin", "got None"),
        (
            "Annotations/100.xml",
            annotation(box(4, 5, 60, 7)),
            "100.xml: entity 1",
            "bndbox",
            "inside the image",
        ),
        ("Annotations/100.xml", annotation(box(9, 5, 4, 7)), "100.xml: entity 1", "bndbox", "an area"),
        ("Sentences/100.txt", "[/EN#1 they]", "100.txt:1", "(phrase)", "at every mark"),
        ("Sentences/100.txt", CAPTIONS + "[/EN#1/people .]", "100.txt:3", "(phrase)", "in words"),
        ("val.txt", "100\n100\n", "val.txt:2", "(id)", "got 100 again"),
        ("val.txt", "100\n101\n", "101.xml: all entities", "(file)", "No such file"),
    ],
)
def test_bad_data_is_refused_by_name_or_skipped(
    tmp_path: Path, file: str, content: str, place: str, field: str, words: str
) -> None:
    write_flickr30k(tmp_path)
    (tmp_path / file).write_text(content)
    with pytest.raises(RecordError) as caught:
        list(open_dataset("flickr30k-entities", "val", tmp_path))
    assert f'{place}: field "{field}": ' in str(caught.value) and words in str(caught.value)
    skipping = open_dataset("flickr30k-entities", "val", tmp_path, skip_bad=True)
    assert len(list(skipping)) + len(skipping.skipped) == len(skipping) and skipping.skipped


def test_captions_that_are_no_text_are_refused(tmp_path: Path) -> None:
    write_flickr30k(tmp_path)
    (tmp_path / "Sentences/100.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(RecordError, match="expected UTF-8"):
        list(open_dataset("flickr30k-entities", "val", tmp_path))


def test_a_missing_picture_or_split_is_named(tmp_path: Path) -> None:
    write_flickr30k(tmp_path)
    (tmp_path / "flickr30k-images/100.jpg").unlink()
    with pytest.raises(RecordError, match=r"'100\.jpg' in .*flickr30k-images or .*flickr30k_images"):
        list(open_dataset("flickr30k-entities", "val", tmp_path))
    write_picture(tmp_path / "flickr30k-images/100.jpg")
    with pytest.raises(FileNotFoundError, match=r"test\.txt"):
        open_dataset("flickr30k-entities", "test", tmp_path)
