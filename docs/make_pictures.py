"""Make the pictures of the documentation from a frame of the clip: python docs/make_pictures.py [FOLDER].

`modes.png`, `fills.png` and `not_found.png` show the true mask, so they show rendering alone.
`demo.png` shows what ivm-tiny answers.
"""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

import ivm_ros
from ivm_ros.cli.ground import write_image
from ivm_ros.clip import Clip, load_clip
from ivm_ros.grounding import Grounding, Image, Target
from ivm_ros.overlay import overlay
from ivm_ros.rendering import MODES, NAMED_FILLS, RenderSettings, render

FRAME = 60
TILE = (320, 240)
ABSENT = "the purple hammer"
DEMO = (
    "hand me the blue mug",
    "the apple on the plate",
    "the lemon in the blue bowl",
    "the yellow duck",
    "both bottles",
    ABSENT,
)
COLUMNS = 3


def true_grounding(clip: Clip, frame: int, instruction: str) -> Grounding:
    """Return what a model would answer that makes no mistake."""
    mask = clip.truth(frame, instruction)
    targets = (Target.from_mask(mask, 1.0),) if mask.any() else ()
    return Grounding(instruction, mask.astype(np.float32), targets, float(bool(targets)))


def opaque(picture: Image) -> Image:
    """Return RGBA as RGB over a checkerboard; RGB as it is."""
    if picture.shape[2] == 3:
        return picture
    rows, columns = np.indices(picture.shape[:2]) // 16
    board = np.where((rows + columns) % 2, 210, 160)[..., None]
    alpha = picture[..., 3:] / 255
    return np.rint(picture[..., :3] * alpha + board * (1 - alpha)).astype(np.uint8)


def tile(picture: Image, caption: str) -> Image:
    """Return a picture of `TILE` pixels with its caption above it; smaller ones are centred on gray."""
    picture = opaque(picture)
    scale = min(TILE[0] / 640, TILE[1] / picture.shape[0], TILE[0] / picture.shape[1])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    canvas = np.full((TILE[1] + 26, TILE[0], 3), 225, np.uint8)
    canvas[:26] = 255
    y, x = 26 + (TILE[1] - small.shape[0]) // 2, (TILE[0] - small.shape[1]) // 2
    canvas[y : y + small.shape[0], x : x + small.shape[1]] = small
    cv2.putText(canvas, caption, (4, 19), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (0, 0, 0), 1, cv2.LINE_AA)
    return cv2.copyMakeBorder(canvas, 0, 4, 0, 4, cv2.BORDER_CONSTANT, value=(255, 255, 255))


def sheet(tiles: list[Image], columns: int) -> Image:
    """Return tiles in rows; the last row is filled up with white."""
    tiles = tiles + [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    return np.vstack([np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)])


def main(folder: Path) -> None:
    """Write all pictures into an existing folder."""
    clip = load_clip()
    image = next(islice(clip.frames(), FRAME, None))
    target, nothing = (true_grounding(clip, FRAME, text) for text in (clip.default_instruction, ABSENT))

    def shown(caption: str, grounding: Grounding = target, **settings: object) -> Image:
        return tile(render(image, grounding, RenderSettings(**settings)), caption)

    pictures = {
        "modes": sheet([tile(image, "the camera"), *(shown(mode, mode=mode) for mode in MODES)], 4),
        "fills": sheet(
            [
                *(shown(fill, fill=fill) for fill in (*NAMED_FILLS, "mean", "#2060a0")),
                shown("crop", crop=True),
            ],
            3,
        ),
        "not_found": sheet([shown(rule, nothing, not_found=rule) for rule in ("pass_through", "blank")], 2),
    }
    grounder = ivm_ros.load("ivm-tiny")
    answers = grounder.ground_many(grounder.encode(image), DEMO)
    tiles = []
    for row in range(0, len(answers), COLUMNS):
        part = answers[row : row + COLUMNS]
        tiles += [tile(overlay(image, [answer]), answer.instruction) for answer in part]
        tiles += [shown("for the policy", answer) for answer in part]
    pictures["demo"] = sheet(tiles, COLUMNS)
    for name, picture in pictures.items():
        write_image(folder / f"{name}.png", picture)
        print(folder / f"{name}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent / "images")
