"""Labelling without its page: frames, label maps, decisions on disk, and what a killed session keeps."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes import COLORS, ColorGrounder
from rich.console import Console
from typer.testing import CliRunner

from ivm_ros.cli.app import app
from ivm_ros.datasets.folder import Folder
from ivm_ros.grounding import Grounding, Target
from ivm_ros.labelling.frames import block_is_for_validation, chosen
from ivm_ros.labelling.items import ACCEPTED, REJECTED, SKIPPED, Lines
from ivm_ros.labelling.maps import (
    MOST_TARGETS,
    LabelError,
    cut_out,
    decode,
    encode,
    label_map,
    masks_of,
)
from ivm_ros.labelling.proposals import Choice, accept_all, check_same, propose
from ivm_ros.labelling.session import BusyError, Session
from ivm_ros.sources import Source, SourceFrame

QUIET = Console(quiet=True)
SIZE = (48, 64)


def frame(square: int = 4, color: str = "red", shade: int = 90) -> np.ndarray:
    """Return a gray picture with a square of 16 pixels; flat colours survive JPEG to a few levels."""
    image = np.full((*SIZE, 3), shade, np.uint8)
    image[16:32, square : square + 16] = COLORS[color]
    return image


def source(*images: np.ndarray, step: float = 1.0) -> Source:
    return Source("test", lambda: iter([SourceFrame(i * step, image) for i, image in enumerate(images)]))


@pytest.fixture
def session(tmp_path: Path):
    """Return a session of two frames: red is in both, blue in none."""
    with Session(tmp_path / "own") as opened:
        words = ["the red square", "the blue square"]
        propose(opened, source(frame(), frame(40)), words, ColorGrounder(), Choice(), QUIET)
        yield opened


def red(number: int = 1) -> np.ndarray:
    labels = np.zeros(SIZE, np.uint8)
    labels[16:32, 4:20] = number
    return labels


# which frames


@pytest.mark.parametrize(
    ("every", "positions"), [(0.0, [0, 0.5, 1, 1.5, 2]), (1.0, [0, 1, 2]), (0.7, [0, 1, 2]), (9.0, [0])]
)
def test_frames_are_so_far_apart(every, positions):
    frames = [SourceFrame(0.5 * i, frame(4 + 10 * i)) for i in range(5)]
    assert [f.position for f in chosen(frames, every, 0.0)] == positions


def test_a_frame_like_any_before_is_left_out_and_the_next_other_one_taken_at_once():
    noise = np.random.default_rng(0).integers(-3, 4, (*SIZE, 3))
    noisy = np.clip(frame().astype(int) + noise, 0, 255).astype(np.uint8)
    images = [frame(), noisy, frame(40), frame(), frame(20)]
    frames = [SourceFrame(float(i), image) for i, image in enumerate(images)]
    assert [f.position for f in chosen(frames, 0.0, 12.0)] == [0, 2, 4]
    assert len(list(chosen(frames, 0.0, 0.0))) == 5


def test_time_blocks_are_shared_out_and_never_split():
    side = [block_is_for_validation(second, 0.25, 10.0) for second in range(80)]
    assert side == [False] * 30 + [True] * 10 + [False] * 30 + [True] * 10
    assert not any(block_is_for_validation(second, 0.0, 10.0) for second in range(80))


# label maps


def test_a_map_has_the_better_target_where_two_overlap_and_survives_png():
    first, second = np.zeros((2, *SIZE), np.bool_)
    first[10:20, 10:20] = second[15:30, 15:30] = True
    targets = (Target.from_mask(first, 0.9), Target.from_mask(second, 0.5))
    labels = label_map(Grounding("both", np.zeros(SIZE, np.float32), targets, 0.9))
    assert (labels[first] == 1).all() and (labels[second & ~first] == 2).all()
    assert (labels[~(first | second)] == 0).all()
    assert np.array_equal(decode(encode(labels), SIZE), labels)
    assert {number: int(mask.sum()) for number, mask in masks_of(labels).items()} == {1: 100, 2: 200}


def test_a_map_that_a_browser_wrote_in_four_channels_is_read():
    labels = red(3)
    rgba = np.dstack([labels, labels, labels, np.full(SIZE, 255, np.uint8)])
    assert np.array_equal(decode(cv2.imencode(".png", rgba)[1].tobytes(), SIZE), labels)


def test_what_cannot_be_a_map_is_refused():
    good = encode(red())
    wide = cv2.imencode(".png", np.zeros(SIZE, np.uint16))[1].tobytes()
    huge = bytearray(good)
    huge[16:24] = (100_000).to_bytes(4, "big") * 2
    for data, words in (
        (b"GIF89a", "something else than a PNG"),
        (encode(np.zeros((2, 3), np.uint8)), "of 64x48 pixels, got 3x2"),
        (bytes(huge), "got 100000x100000"),
        (good[:60], "cut off"),
        (wide, "8-bit"),
        (encode(red(MOST_TARGETS + 1)), "target numbers up to"),
        (good + bytes(9 << 20), "at most"),
    ):
        with pytest.raises(LabelError, match=words):
            decode(data, SIZE)


def overlap(found: np.ndarray, true: np.ndarray) -> float:
    return float((found & true).sum() / (found | true).sum())


@pytest.fixture
def disc() -> tuple[np.ndarray, np.ndarray]:
    """Return a picture of a reddish disc on a gray table, both with noise, and the disc's mask."""
    generator = np.random.default_rng(3)
    true = np.zeros((240, 320), np.uint8)
    cv2.circle(true, (200, 120), 30, 1, -1)
    image = np.where(true[..., None] == 1, (190, 60, 50), (120, 118, 110)) + generator.normal(
        0, 6, (240, 320, 1)
    )
    return np.clip(image, 0, 255).astype(np.uint8), true == 1


@pytest.mark.parametrize(
    ("box", "point"),
    [
        ({"x_min": 160, "y_min": 82, "x_max": 238, "y_max": 158}, None),
        ({"x_min": 160.4, "y_min": 82.2, "x_max": 237.9, "y_max": 157.6}, (200.0, 121.0)),
        (None, (195.0, 118.0)),
    ],
)
def test_a_box_or_a_click_finds_the_object(disc, box, point):
    image, true = disc
    found = cut_out(image, box, point)
    assert overlap(found, true) > 0.93
    assert np.array_equal(found, cut_out(image, box, point))  # always the same


def test_a_click_takes_one_of_two_alike_and_a_box_takes_both(disc):
    image, true = disc
    image[95:145, 245:275] = image[95:145, 185:215]  # of the disc's inside
    both = true.copy()
    both[95:145, 245:275] = True
    assert overlap(cut_out(image, None, (200.0, 120.0)), true) > 0.9
    assert overlap(cut_out(image, {"x_min": 160, "y_min": 82, "x_max": 283, "y_max": 158}, None), both) > 0.9


def test_a_box_without_area_in_the_picture_is_refused_and_a_flat_one_is_no_error(disc):
    image, _ = disc
    outside = {"x_min": 400, "y_min": 10, "x_max": 500, "y_max": 60}
    for box, point in ((outside, None), (None, None), ({**outside, "x_min": 320.0, "x_max": 320.5}, None)):
        with pytest.raises(LabelError, match="expected a box"):
            cut_out(image, box, point)
    flat = np.full((48, 64, 3), 7, np.uint8)
    assert cut_out(flat, {"x_min": 10, "y_min": 10, "x_max": 30, "y_max": 30}, None).shape == (48, 64)
    whole = {"x_min": 0, "y_min": 0, "x_max": 64, "y_max": 48}
    assert cut_out(flat, whole, None).all()  # nothing is surely background


# decisions


def test_proposals_are_items_of_each_frame_and_instruction(session):
    assert [(i.frame, i.instruction, i.found) for i in session.items] == [
        ("000000", "the red square", True),
        ("000000", "the blue square", False),
        ("000001", "the red square", True),
        ("000001", "the blue square", False),
    ]
    assert np.array_equal(decode(session.labels(0), SIZE), red())
    assert session.counts() == {"accepted": 0, "rejected": 0, "skipped": 0, "open": 4}


def test_decisions_are_a_dataset_at_once(session):
    session.decide(0, ACCEPTED, "the red square")
    session.decide(1, REJECTED, "the blue square")
    session.decide(2, SKIPPED, "the red square")
    session.decide(3, ACCEPTED, "  the   gray stripe ", encode(np.roll(red(2), 3, axis=0)))
    first, second, third = Folder(session.folder)
    assert first.boxes == ((4, 16, 20, 32),) and np.array_equal(first.masks[0], red() > 0)
    assert (second.instruction, second.masks, second.boxes) == ("the blue square", (), ())
    assert (third.instruction, third.boxes) == ("the gray stripe", ((4, 19, 20, 35),))
    assert np.abs(first.image.astype(int) - frame()).max() < 90  # the picture, but for JPEG
    assert session.counts() == {"accepted": 2, "rejected": 1, "skipped": 1, "open": 0}


def test_a_mask_of_two_targets_has_a_box_for_each(session):
    labels = red(2)
    labels[40:44, 50:60] = 5
    session.decide(0, ACCEPTED, "both", encode(labels))
    assert next(iter(Folder(session.folder))).boxes == ((4, 16, 20, 32), (50, 40, 60, 44))


def test_undo_goes_back_to_the_decision_before_and_leaves_no_mask_behind(session):
    session.decide(0, ACCEPTED, "the red square")
    session.decide(0, REJECTED, "the red cube")
    assert not list(session.folder.glob("*_000000_*.png"))
    assert session.undo() == 0
    (sample,) = Folder(session.folder)
    assert (sample.instruction, len(sample.masks)) == ("the red square", 1)
    assert session.undo() == 0 and session.undo() is None
    assert len(Folder(session.folder)) == 0 and not list(session.folder.glob("*_000000_*.png"))


@pytest.mark.parametrize(
    ("number", "decision", "words", "png", "problem"),
    [
        (9, ACCEPTED, "the cup", None, "item from 0 to 3, got 9"),
        (-1, REJECTED, "the cup", None, "item from 0 to 3, got -1"),
        (0, "maybe", "the cup", None, "decision of accepted"),
        (0, ACCEPTED, "...", None, "instruction in words"),
        (1, ACCEPTED, "the cup", None, "mask with a target"),
        (0, ACCEPTED, "the cup", b"no", "PNG of 64x48"),
    ],
)
def test_what_cannot_be_decided_changes_nothing(session, number, decision, words, png, problem):
    with pytest.raises(ValueError, match=problem):
        session.decide(number, decision, words, png)
    assert session.counts()["open"] == 4 and session.undo() is None


def test_a_session_goes_on_where_it_was(session):
    session.decide(0, ACCEPTED, "the red square")
    session.decide(1, REJECTED, "the blue square")
    session.undo()
    index = (session.folder / "index.jsonl").read_bytes()
    session.close()
    with Session(session.folder) as again:
        assert again.counts() == {"accepted": 1, "rejected": 0, "skipped": 0, "open": 3}
        grounder = ColorGrounder()
        frames = source(frame(), frame(40), frame(20))
        added = propose(again, frames, ["the red square", "the green square"], grounder, Choice(), QUIET)
        assert added == 4 and [i.number for i in again.items] == list(range(8))
        assert [i.frame for i in again.items[4:]] == ["000000", "000001", "000002", "000002"]
        assert propose(again, frames, ["the red square"], grounder, Choice(), QUIET) == 0
        assert (again.folder / "index.jsonl").read_bytes() == index
        assert again.undo() == 0


def test_a_kill_between_any_two_writes_loses_at_most_what_was_not_yet_said(session, monkeypatch):
    session.decide(0, ACCEPTED, "the red square")
    (session.folder / "index.jsonl").unlink()  # as if it had come between the log and the rest
    for mask in session.folder.glob("*_000000_*.png"):
        mask.unlink()
    with (session.folder / "labelling" / "decisions.jsonl").open("ab") as log:
        log.write(b'{"item": 1, "decis')  # cut off
    session.close()
    with Session(session.folder) as again:
        (sample,) = Folder(again.folder)
        assert np.array_equal(sample.masks[0], red() > 0)
        again.decide(1, REJECTED, "the blue square")
    with Session(session.folder) as again:
        assert again.counts() == {"accepted": 1, "rejected": 1, "skipped": 0, "open": 2}


def test_a_damaged_line_in_the_middle_is_named(tmp_path):
    path = tmp_path / "lines.jsonl"
    path.write_text('{"a": 1}\n[2]\n{"a": 3}\n')
    with pytest.raises(ValueError, match=r"lines\.jsonl:2: expected a JSON object, got list"):
        Lines(path)


@pytest.mark.parametrize(
    ("name", "line", "words"),
    [
        ("items", {"part": "../elsewhere"}, "expected item 4 of a session"),
        ("items", {"frame": "../x"}, "expected item 4 of a session"),
        ("items", {"number": 2}, "expected item 4 of a session"),
        ("items", {"existence": "much"}, "expected item 4 of a session"),
        ("items", {"more": 1}, "expected item 4 of a session"),
        ("decisions", {"item": 9}, "a decision about one of 4 items"),
        ("decisions", {"decision": "perhaps"}, "a decision about one of 4 items"),
        ("decisions", {"labels": "../../secret.png"}, "a decision about one of 4 items"),
        ("decisions", {"labels": None}, "a decision about one of 4 items"),
        ("decisions", {"decision": "undo"}, "the last decision to be taken back"),
    ],
)
def test_a_file_that_somebody_changed_is_refused(session, name, line, words):
    values = {
        "items": {**session.items[3].to_json(), "number": 4},
        "decisions": {
            "item": 0,
            "decision": "accepted",
            "instruction": "x",
            "labels": "labelling/answers/000000_000000.png",
        },
    }[name]
    session.close()
    with (session.folder / "labelling" / f"{name}.jsonl").open("a") as lines:
        lines.write(json.dumps({**values, **line}) + "\n")
    with pytest.raises(ValueError, match=words):
        Session(session.folder)


def test_two_processes_do_not_share_a_session(session):
    with pytest.raises(BusyError, match="another ivm-ros label"):
        Session(session.folder)


def test_only_sure_proposals_are_accepted_and_the_rest_stays_open(session):
    assert accept_all(session, 0.95) == 0
    session.decide(2, SKIPPED, "the red square")
    assert accept_all(session, 0.9) == 1
    assert session.counts() == {"accepted": 1, "rejected": 0, "skipped": 1, "open": 2}


def test_time_blocks_become_two_folders(tmp_path):
    frames = source(*(frame(4 + 3 * n) for n in range(12)))
    with Session(tmp_path) as opened:
        choice = Choice(validation=0.25, block=2.0)
        propose(opened, frames, ["the red square"], ColorGrounder(), choice, QUIET)
        accept_all(opened, 0.5)
    train, validation = Folder(tmp_path / "train"), Folder(tmp_path / "validation")
    positions = [[json.loads(line)["position"] for line in f.index.open()] for f in (train, validation)]
    assert positions == [[0, 1, 2, 3, 4, 5, 8, 9, 10, 11], [6, 7]]
    assert all(len(sample.masks) == 1 for folder in (train, validation) for sample in folder)


def test_a_folder_is_not_mixed_with_another_source(session):
    about, choice = {"source": "a.mp4"}, Choice()
    check_same(session, about, choice)
    check_same(session, about, choice)
    with pytest.raises(ValueError, match=r"source: a\.mp4 there, b\.mp4 here; every: 1\.0 there, 2\.0 here"):
        check_same(session, {"source": "b.mp4"}, Choice(every=2.0))


# the command


def label(*arguments: str, fails: bool = False):
    outcome = CliRunner().invoke(app, ["label", *arguments])
    assert (outcome.exit_code != 0) == fails, outcome.output
    return outcome


def test_the_command_labels_a_folder_of_pictures_and_eval_reads_it(tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    generator = np.random.default_rng(0)
    for number in range(3):
        image = np.full((96, 128, 3), 120, np.uint8)
        image[20:70, 10 + 30 * number : 50 + 30 * number] = generator.integers(0, 255, 3)
        cv2.imwrite(str(pictures / f"{number}.png"), image)
    arguments = [str(pictures), str(tmp_path / "own"), "--instruction", "the box"]
    label(*arguments, "--accept-all", "--score", "0")
    state = tmp_path / "own" / "labelling"
    items = Lines(state / "items.jsonl").values
    assert [item["frame"] for item in items] == ["000000", "000001", "000002"]
    found = sum(item["found"] for item in items)
    assert len(Folder(tmp_path / "own")) == len(Lines(state / "decisions.jsonl").values) == found
    other = label(*arguments, "--accept-all", "--different", "3", fails=True)
    assert "different: 12.0 there, 3.0 here" in str(other.exception)


@pytest.mark.parametrize("kind", ["bag", "video"])
def test_the_command_reads_bags_and_videos(tmp_path, kind):
    pytest.importorskip("rclpy", reason="needs ROS 2")
    from test_camera_node import GRAYS, write_bag, write_video

    recording = {"bag": write_bag, "video": write_video}[kind](
        tmp_path / ("recording.mp4" if kind == "video" else "recording")
    )
    arguments = [str(recording), str(tmp_path / "own"), "--instruction", "the cup", "--every", "0"]
    label(*arguments, "--different", "0", "--accept-all")
    items = Lines(tmp_path / "own" / "labelling" / "items.jsonl").values
    assert len(items) == len(GRAYS) and items[1]["position"] > 0
    for item, gray in zip(items, GRAYS, strict=True):
        seen = cv2.imread(str(tmp_path / "own" / f"{item['frame']}.jpg"))
        assert abs(float(seen[14:, 18:].mean()) - gray) < 12


def test_the_command_refuses_what_it_cannot_label(tmp_path):
    clip = ["clip", str(tmp_path / "own")]
    assert "expected --instruction" in str(label(*clip, "--accept-all", fails=True).exception)
    assert "in words" in str(label(*clip, "--instruction", "?", fails=True).exception)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "index.jsonl").write_text("")
    refused = label("clip", str(tmp_path / "other"), "--instruction", "the cup", fails=True)
    assert "another dataset" in str(refused.exception)
    assert "expected a recording" in str(label("0", str(tmp_path / "x"), fails=True).exception)
