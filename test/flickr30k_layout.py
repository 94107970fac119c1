"""A small copy of Flickr30k Entities, made by hand: one picture with two captions."""

from __future__ import annotations

from pathlib import Path

from coco_layout import HEIGHT, WIDTH, write_picture

CAPTIONS = (
    "[/EN#1/people Two men] in [/EN#2/clothing/other red hats] at [/EN#3/scene the beach] "
    "in [/EN#0/notvisual it] .\n"
    "[/EN#1/people They] see [/EN#4/animals a dog] .\n"
)
OBJECTS = """
<object><name>1</name>{first}</object>
<object><name>1</name><name>2</name>{second}</object>
<object><name>3</name><scene>1</scene><nobndbox>0</nobndbox></object>
<object><name>4</name><scene>0</scene><nobndbox>1</nobndbox></object>
"""


def box(x_min: object, y_min: int, x_max: int, y_max: int) -> str:
    corners = (f"<xmin>{x_min}</xmin><ymin>{y_min}</ymin>", f"<xmax>{x_max}</xmax><ymax>{y_max}</ymax>")
    return f"<bndbox>{''.join(corners)}</bndbox>"


def annotation(
    first: str = box(4, 5, 12, 15), second: str = box(20, 10, 34, 24), width: object = WIDTH
) -> str:
    size = f"<size><width>{width}</width><height>{HEIGHT}</height><depth>3</depth></size>"
    objects = OBJECTS.format(first=first, second=second)
    return f"<annotation><filename>100.jpg</filename>{size}{objects}</annotation>"


def write_flickr30k(root: Path, images: str = "flickr30k-images") -> None:
    for folder in ("Annotations", "Sentences"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "val.txt").write_text("100\n")
    (root / "Annotations/100.xml").write_text(annotation())
    (root / "Sentences/100.txt").write_text(CAPTIONS)
    write_picture(root / images / "100.jpg")
