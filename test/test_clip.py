from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from ivm_ros.clip import CLIP_FOLDER, DESCRIPTION, VIDEO, Clip, load_clip

MIN_PIXELS = 1000


@pytest.fixture(scope="module")
def clip() -> Clip:
    return load_clip()


def test_the_clip_is_what_the_package_promises(clip: Clip) -> None:
    assert len(clip) / clip.fps >= 5
    assert clip.size == (480, 640)
    assert sum(file.stat().st_size for file in CLIP_FOLDER.iterdir()) <= 6_000_000
    assert (clip.intrinsics.cx, clip.intrinsics.cy) == (320, 240)


def test_every_frame_is_read_as_rgb_and_looks_like_its_truth(clip: Clip) -> None:
    cups = []
    for number, frame in enumerate(clip.frames()):
        assert frame.shape == (480, 640, 3) and frame.dtype == np.uint8
        cups.append(frame[clip.truth(number, "pick up the red cup")].mean(axis=0))
    assert len(cups) == len(clip)
    red, green, blue = np.array(cups).T
    assert (red > 3 * green).all() and (red > 3 * blue).all()


def test_targets_are_well_visible_in_every_frame(clip: Clip) -> None:
    for text, instances in clip.instructions.items():
        sizes = [clip.truth(number, text).sum() for number in range(0, len(clip), 20)]
        assert (min(sizes) >= MIN_PIXELS) if instances else (max(sizes) == 0), text


def test_instructions_cover_one_several_and_no_target(clip: Clip) -> None:
    assert {min(len(found), 2) for found in clip.instructions.values()} == {0, 1, 2}
    assert len(clip.instructions[clip.default_instruction]) == 1
    assert set(clip.objects) >= {number for found in clip.instructions.values() for number in found}


def test_unknown_questions_are_refused(clip: Clip) -> None:
    with pytest.raises(KeyError, match="pick up the red cup"):
        clip.truth(0, "the moon")
    with pytest.raises(IndexError, match=f"0 to {len(clip) - 1}"):
        clip.truth(len(clip), clip.default_instruction)


def test_a_video_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    shutil.copytree(CLIP_FOLDER, tmp_path, dirs_exist_ok=True)
    (tmp_path / VIDEO).write_bytes(b"")
    with pytest.raises(OSError, match="OpenCV reads 0"):
        list(load_clip(tmp_path).frames())
    (tmp_path / DESCRIPTION).unlink()
    with pytest.raises(FileNotFoundError):
        load_clip(tmp_path)


def test_the_description_names_every_object_once() -> None:
    description = json.loads((CLIP_FOLDER / DESCRIPTION).read_text())
    assert len(set(description["objects"].values())) == len(description["objects"])
