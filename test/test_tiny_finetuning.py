"""Fine-tuning ivm-tiny on own pictures: words stay true, it learns, resumes, and what it writes loads."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from rich.console import Console
from typer.testing import CliRunner

import ivm_ros
from ivm_ros.checkpoints import CheckpointError, read_state_dict
from ivm_ros.cli.app import app
from ivm_ros.datasets.folder import Folder
from ivm_ros.datasets.folder_writer import Answer, write_index, write_picture
from ivm_ros.datasets.records import RecordError
from ivm_ros.datasets.tabletop.scene import Scene, SceneObject
from ivm_ros.datasets.tabletop.store import write_shard
from ivm_ros.evaluation.comparison import compare
from ivm_ros.models.ivm_tiny.config import TinyConfig
from ivm_ros.models.ivm_tiny.glimpses import SIDE, cut, places, through, windows
from ivm_ros.models.ivm_tiny.grounder import Calibration, Said, TinyGrounder, load_weights, save_weights
from ivm_ros.models.ivm_tiny.model import Found, IvmTiny
from ivm_ros.training.ivm_tiny import finetune
from ivm_ros.training.ivm_tiny.before_after import refit
from ivm_ros.training.ivm_tiny.candidates import candidates
from ivm_ros.training.ivm_tiny.data import IGNORE
from ivm_ros.training.ivm_tiny.finetune import TinyTuning, run_tuning
from ivm_ros.training.ivm_tiny.folder_parts import open_folder, pictures_of, split
from ivm_ros.training.ivm_tiny.losses import WEIGHTS
from ivm_ros.training.ivm_tiny.own_batch import Collate, RenderedViews
from ivm_ros.training.ivm_tiny.own_pictures import AskedPicture, OwnPictures, photographed, resized
from ivm_ros.training.ivm_tiny.true_words import asked_for, mirrored, names_color, names_place
from ivm_ros.training.ivm_tiny.tuning import TuningTask

SMALL = TinyConfig(
    width=64, height=48, widths=(8, 8, 12, 16), channels=16, heads=2, text_depth=1, matcher_depth=1,
    buckets=256, embedding=8, pixels=4, hidden=4, pair=4, most=6,
)  # fmt: skip
COLORS = {"red": (220, 30, 30), "blue": (30, 60, 220)}
QUESTIONS = ("the red square", "the blue square")


def write_pictures(folder: Path, count: int, seed: int = 0, wrong: bool = False, times: int = 1) -> Path:
    """Write pictures of a red square on the left and, in every other, a blue one; two questions a picture.

    They are 64 x 48 pixels, or `times` that.
    """
    folder.mkdir()
    generator = np.random.default_rng(seed)
    entries = []
    for number in range(count):
        image, masks = np.full((48, 64, 3), 110, np.uint8), {}
        for slot, color in enumerate(("red", "blue")[: 1 + number % 2]):
            y, x = generator.integers(2, 28), 32 * slot + generator.integers(2, 12)
            image[y : y + 16, x : x + 16] = COLORS[color]
            masks[slot] = np.zeros((48, 64), np.bool_)
            masks[slot][y : y + 16, x : x + 16] = True
        image, *fine = (each.repeat(times, axis=0).repeat(times, axis=1) for each in (image, *masks.values()))
        masks = dict(zip(masks, fine, strict=True))
        asked = [Answer(QUESTIONS[0], (0,), "red"), Answer(QUESTIONS[1], (1,) if 1 in masks else (), "blue")]
        entries += write_picture(folder, f"{number:03d}", image, masks, asked)
    if wrong:
        entries.insert(2, {**entries[0], "image": "missing.jpg"})
    write_index(folder, entries)
    return folder


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Use one thread: for such small networks several only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("tuning")
    write_pictures(root / "data", 12)
    write_pictures(root / "other", 4, seed=1)
    torch.manual_seed(0)
    save_weights(IvmTiny(SMALL), root / "start.safetensors", {}, Calibration(existence=0.3, mask=0.35))
    return root


# words


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("the red cup", "the red cup"),
        ("the cup left of the plate", "the cup right of the plate"),
        ("The cup on the LEFT", "The cup on the RIGHT"),
        ("the leftmost cup to the right of the can", "the rightmost cup to the left of the can"),
        ("the left-hand drawer", "the right-hand drawer"),
        ("the cup right behind the plate", None),
        ("the right cup", None),
        ("what is left over", None),
        ("the box that says milk", None),
        ("turn the knob clockwise", None),
    ],
)
def test_words_of_the_mirrored_picture(words, expected):
    assert mirrored(words) == expected
    if expected is not None:
        assert mirrored(expected) == words  # twice mirrored is the picture itself


@pytest.mark.parametrize(
    ("words", "place", "color"),
    [
        ("the cup", False, False),
        ("the blue cup", False, True),
        ("the darker cup", False, True),
        ("the cup on the left", True, False),
        ("the nearest mug", True, False),
        ("the spoon in the bowl", True, False),
        ("my grandmother's ladle", False, False),
        ("the second silver can", True, True),
    ],
)
def test_what_words_depend_on(words, place, color):
    assert (names_place(words), names_color(words)) == (place, color)


def test_only_plain_noun_phrases_become_requests():
    random = Random(0)
    asked = {asked_for("the red cup", random) for _ in range(80)}
    assert "the red cup" in asked and len(asked) > 5 and all("the red cup" in words for words in asked)
    assert {asked_for("pick up the red cup", random) for _ in range(80)} == {"pick up the red cup"}


# pictures


def own(folder: Path, **options) -> OwnPictures:
    opened = open_folder(folder)
    return OwnPictures(opened, pictures_of(opened), (64, 48), **options)


def answers(picture: AskedPicture) -> list[tuple[str, np.ndarray]]:
    """Return the words with the union of what they mean."""
    targets = [np.any(picture.masks[row == 1], axis=0) for row in picture.meant]
    return list(zip(picture.texts, targets, strict=True))


def red_pixels(image: np.ndarray) -> np.ndarray:
    image = image.astype(int)
    return image[..., 0] - image[..., 1:].max(axis=-1) > 60


def test_a_changed_picture_still_shows_what_its_words_say(files):
    pictures, seen = own(files / "data"), []
    for seed in range(60):
        picture = pictures.item(seed % 12, Random(seed))
        assert picture.image.shape == (48, 64, 3) and picture.meant.shape == (3, len(picture.masks))
        for words, target in answers(picture):
            if "red" in words.lower().split():
                found = red_pixels(picture.image)
                assert (found & target).sum() / (found | target).sum() > 0.6
                seen.append((int(target.sum()), float(np.nonzero(target)[1].mean())))
    assert len({area for area, _ in seen}) > 10  # cropped
    assert min(x for _, x in seen) < 24 < 40 < max(x for _, x in seen)  # mirrored


@pytest.mark.parametrize(("times", "largest"), [(1, (48, 64)), (2, (96, 128)), (7, (192, 256))])
def test_a_picture_keeps_its_pixels_up_to_four_times_the_networks_size(tmp_path, times, largest):
    pictures, shapes = own(write_pictures(tmp_path / "data", 4, times=times)), set()
    for seed in range(24):
        picture = pictures.item(seed % 4, Random(seed))
        shapes.add(picture.picture.shape[:2])
        assert picture.fine.shape == (len(picture.masks), *picture.picture.shape[:2])
        assert picture.image.shape == (48, 64, 3)
        assert np.array_equal(picture.image, resized(picture.picture, (64, 48)))
        for fine, mask in zip(picture.fine, picture.masks, strict=True):
            small = resized(fine.astype(np.uint8) * 255, (64, 48)) > 127
            assert (small & mask).sum() / (small | mask).sum() > 0.85
        for words, row in zip(picture.texts, picture.meant, strict=True):
            if "red" in words.lower().split():
                found, truth = red_pixels(picture.picture), picture.fine[row == 1].any(axis=0)
                # JPEG's colours reach a few pixels too far
                assert (found & truth).sum() / (found | truth).sum() > 1 - 0.4 / min(times, 4)
    assert largest in shapes and len(shapes) > 5  # those that are not cropped, and crops
    assert all(height <= largest[0] and width <= largest[1] for height, width in shapes)


def test_what_several_questions_mean_is_one_target(tmp_path):
    (tmp_path / "data").mkdir()
    masks = {name: np.zeros((48, 64), np.bool_) for name in range(4)}
    masks[0][8:24, 8:24] = masks[1][8:24, 8:22] = masks[2][8:24, 8:12] = masks[3][30:40, 40:60] = True
    asked = [
        Answer("a", (0,)), Answer("b", (1, 3)), Answer("c", (2,)), Answer("d", (3,)), Answer("e", ()),
    ]  # fmt: skip
    entries = write_picture(tmp_path / "data", "0", np.full((48, 64, 3), 110, np.uint8), masks, asked)
    write_index(tmp_path / "data", entries)
    picture = own(tmp_path / "data", questions=5, flips=False).item(0, Random(0))
    assert len(picture.masks) == 3
    large, other, part = np.argsort(-picture.masks.sum(axis=(1, 2))).tolist()
    rows = {
        words[-1]: row[[large, part, other]].tolist()
        for words, row in zip(picture.texts, picture.meant, strict=True)
    }
    assert rows == {
        "a": [1, IGNORE, 0],
        "b": [1, IGNORE, 1],
        "c": [IGNORE, 1, 0],
        "d": [0, 0, 1],
        "e": [0, 0, 0],
    }
    present = dict(zip((words[-1] for words in picture.texts), picture.present.tolist(), strict=True))
    assert present == {"a": True, "b": True, "c": True, "d": True, "e": False}


def test_a_place_in_the_words_is_not_cropped_away_and_sides_are_swapped(tmp_path):
    write_pictures(tmp_path / "data", 2)
    index = tmp_path / "data" / "index.jsonl"
    index.write_text(index.read_text().replace("the red square", "the red square on the left"))
    pictures = own(tmp_path / "data")
    areas, sides = set(), set()
    for seed in range(40):
        picture = pictures.item(1, Random(seed))
        for words, target in answers(picture):
            if "red" in words.lower().split():
                areas.add(int(target.sum()))
                left = float(np.nonzero(target)[1].mean()) < 32
                assert ("left" if left else "right") in words.lower(), words
                sides.add(left)
    assert areas == {256} and sides == {True, False}
    still = own(tmp_path / "data", flips=False)
    assert all("left" in " ".join(still.item(1, Random(seed)).texts).lower() for seed in range(20))


def test_a_named_color_keeps_its_balance():
    gray = np.full((8, 8, 3), 120, np.uint8)
    for seed in range(30):
        kept = photographed(gray, True, Random(seed)).reshape(-1, 3).mean(axis=0)
        assert np.ptp(kept) < 4 and 105 < kept.mean() < 135
    spread = [
        np.ptp(photographed(gray, False, Random(seed)).reshape(-1, 3).mean(axis=0)) for seed in range(30)
    ]
    assert max(spread) > 8


def test_other_pictures_words_are_negatives_only_when_wanted_and_only_other_words(tmp_path):
    write_pictures(tmp_path / "data", 4)
    index = tmp_path / "data" / "index.jsonl"
    lines = index.read_text().splitlines()
    changed = [lines[0].replace("the red square", "the spoon"), *lines[2:4], lines[5].replace("blue ", "")]
    index.write_text("\n".join(changed) + "\n")  # picture 1 has "the red square" and "the blue square"
    without = {words.lower() for s in range(20) for words in own(tmp_path / "data").item(0, Random(s)).texts}
    assert all("spoon" in words for words in without)
    pictures, asked = own(tmp_path / "data", negatives=0.9), {}
    for seed in range(40):
        picture = pictures.item(1, Random(seed))
        asked |= {w: p for w, p in zip(picture.texts, picture.present, strict=True) if "spoon" in w}
        assert not any(words.lower().endswith("the square") for words in picture.texts)  # it may be there
    assert asked and not any(asked.values())


def test_a_bad_entry_is_replaced_and_named(tmp_path):
    write_pictures(tmp_path / "data", 3, wrong=True)
    pictures = own(tmp_path / "data")
    assert len(pictures) == 4
    with pytest.raises(RecordError, match="missing"):
        pictures.item(pictures.pictures.index((2,)), Random(0))


def test_without_a_validation_folder_the_last_pictures_are_held_out(files):
    pictures, held_out, name = split(Folder(files / "data"), None)
    assert len(pictures) == 10 and len(held_out) == 4 and "last 2 pictures" in name
    trained = {entry for entries in pictures for entry in entries}
    assert not trained & set(held_out.entries) and len(trained) == 20


def test_too_little_to_score_on_is_refused(tmp_path):
    write_pictures(tmp_path / "few", 3)
    with pytest.raises(ValueError, match="at least 5 pictures"):
        split(Folder(tmp_path / "few"), None)
    index = tmp_path / "few" / "index.jsonl"
    empty = [{**json.loads(line), "masks": [], "boxes": []} for line in index.read_text().splitlines()]
    write_index(tmp_path / "few", empty)
    with pytest.raises(ValueError, match="entry with a target in"):
        split(Folder(tmp_path / "few"), tmp_path / "few")


# the task


def batch_of(folder: Path, extra=()):
    pictures = own(folder)
    return Collate(SMALL, 3)([*(pictures.item(index, Random(index)) for index in range(4)), *extra])


def test_a_batch_has_the_targets_with_a_cell_inside_each(files):
    batch = batch_of(files / "data")
    assert len(batch.texts) == len(batch.present) == len(batch.targets) == 12
    assert len(batch.image) == len(batch.masks) == len(batch.cells) == 6  # one or two of each picture
    for mask, (row, column) in zip(batch.masks, batch.cells.tolist(), strict=True):
        assert mask[row * 4 : row * 4 + 4, column * 4 : column * 4 + 4].any()
    for number in range(4):
        inside = batch.masks[batch.image == number].any(dim=0)
        cells = inside.reshape(12, 4, 16, 4).any(dim=3).any(dim=1)
        assert torch.equal(batch.heat[number] > 0, cells)
        meant = (batch.targets[3 * number : 3 * number + 3] == 1).any(dim=1)
        assert torch.equal(meant, batch.present[3 * number : 3 * number + 3])
    again = batch_of(files / "data")
    assert torch.equal(batch.cells, again.cells) and torch.equal(batch.shown, again.shown)


def test_a_target_that_is_too_small_is_not_taught_and_not_denied():
    mask = np.zeros((1, 48, 64), np.bool_)
    mask[0, 20:23, 30:33] = True  # 9 pixels, in four cells
    image = np.zeros((48, 64, 3), np.uint8)
    one = np.ones((1, 1), np.int64)
    asked = AskedPicture(image, mask, image, ("the screw",), np.array([True]), mask, one, 0)
    batch = Collate(SMALL, 1)([asked])
    assert len(batch.masks) == len(batch.fine) == 0
    assert batch.present.tolist() == [True] and (batch.targets == IGNORE).all()
    assert batch.blurred.sum() == 2


class Finds(IvmTiny):
    """Finds given masks in whatever picture."""

    objects = torch.zeros(0, 12, 16)

    def find(self, features):
        return Found(self.objects * 12 - 6, torch.linspace(0.9, 0.5, len(self.objects)))


def cells(*columns: int) -> torch.Tensor:
    mask = torch.zeros(12, 16)
    mask[:, list(columns)] = 1
    return mask


def test_what_is_found_besides_the_targets_is_not_meant():
    model = Finds(SMALL).eval()
    model.objects = torch.stack([cells(0, 1, 2), cells(3), cells(6, 7), cells(10), cells(12, 13, 14)])
    masks = torch.stack([cells(0, 1, 2, 3), cells(12, 13, 14, 15)]).bool().numpy()
    masks = masks.repeat(4, axis=1).repeat(4, axis=2)
    small = np.zeros((1, 48, 64), np.bool_)
    small[0, 20:22, 41:43] = True
    image, masks = np.zeros((48, 64, 3), np.uint8), np.concatenate([masks, small])
    picture = AskedPicture(
        image,
        masks,
        image,
        ("the first", "the second", "nothing"),
        np.array([True, True, False]),
        masks,
        np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0]]),
        0,
    )
    batch = Collate(SMALL, 3)([picture])
    with torch.no_grad():
        features = model.image(torch.zeros(1, 3, 48, 64))
        drawn = torch.full((2, 12, 16), -3.0)
        found = candidates(model, features, batch, drawn)
    # the first and the last that are found are the targets; the second is a part of the first target, the
    # fourth lies where something too small for a cell of its own is
    assert found.labels.tolist() == [
        [1, 0, IGNORE, 0, IGNORE],
        [0, 1, 0, 0, IGNORE],
        [0, 0, 0, 0, IGNORE],
    ]
    assert found.image.tolist() == [0] * 5 and not found.masks.requires_grad
    assert torch.equal(found.masks[2:] > 0.5, model.objects[[1, 2, 3]] > 0.5)
    for place in range(2):
        through = found.masks[place]
        assert torch.equal(through, masks_of(batch)[place] if batch.shown[place] else drawn[place].sigmoid())


def test_glimpses_show_targets_and_what_else_is_found_at_the_pictures_own_resolution(tmp_path):
    asked = []
    for times in (1, 2, 7):
        pictures = own(write_pictures(tmp_path / f"{times}", 2, times=times), flips=False)
        asked.append(pictures.item(pictures.pictures.index((2, 3)), Random(times)))
    assert len({picture.picture.shape for picture in asked}) == 3
    batch = Collate(SMALL, 3)(asked)
    batch = replace(batch, shown=torch.ones_like(batch.shown))
    model = Finds(SMALL).eval()
    model.objects = torch.stack([cells(15)])
    with torch.no_grad():
        features = model.image(torch.zeros(3, 3, 48, 64))
        found = candidates(model, features, batch, torch.zeros(len(batch.masks), 12, 16))
    assert found.target.tolist() == [True, True, False] * 3
    assert found.image.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert found.glimpses.shape == (9, SIDE, SIDE, 3) and len(found.outlines) == 6
    red = [(fine & red_pixels(picture.picture)).any() for picture in asked for fine in picture.fine]
    assert sum(red) == 3
    for glimpse, outline, is_red in zip(found.glimpses[found.target], found.outlines, red, strict=True):
        colored = torch.from_numpy(red_pixels((glimpse if is_red else glimpse.flip(2)).numpy()))
        assert 0.3 < outline.mean() < 0.9
        assert colored[outline == 1].float().mean() > 0.95 and colored[outline == 0].float().mean() < 0.15
    coarse, fine = through(masks_of(batch), found.where[found.target]) > 0.5, found.outlines > 0.5
    assert (coarse & fine).sum() / (coarse | fine).sum() > 0.8  # both are of the same windows
    for number, picture in enumerate(batch.pictures):
        seen = windows(model.objects, (picture.shape[1], picture.shape[0]))
        assert torch.equal(found.glimpses[3 * number + 2], cut(picture, seen)[0])
        assert torch.equal(found.where[3 * number + 2], places(seen, (picture.shape[1], picture.shape[0]))[0])


def test_outlines_teach_the_outliner_alone_and_words_do_not_teach_looks(files):
    task = TuningTask(load_weights(files / "start.safetensors")[0], 0.0, views=False).train()
    task.requires_grad_()  # so that what gets no gradient is not what rests
    terms = task(batch_of(files / "data"))
    terms["fine"].backward(retain_graph=True)
    taught = {name for name, weight in task.named_parameters() if weight.grad is not None}
    assert taught and all(name.startswith("model.outliner.") for name in taught)
    assert task.model.outliner.change.weight.grad.abs().sum() > 0
    (terms["target"] + terms["existence"]).backward()
    taught = {name for name, weight in task.named_parameters() if weight.grad is not None}
    assert not [name for name in taught if name.startswith(("model.closer.", "model.looks."))]


def test_what_is_seen_closely_decides_what_is_meant(files):
    batch = batch_of(files / "data")
    task = TuningTask(load_weights(files / "start.safetensors")[0], 0.0, views=False).eval()
    torch.nn.init.normal_(task.model.closer.say.weight)
    black = replace(batch, pictures=[np.zeros_like(picture) for picture in batch.pictures])
    with torch.no_grad():
        first, second = task(batch), task(black)
    assert first["target"] != second["target"] and first["mask"] == second["mask"]


def masks_of(batch) -> torch.Tensor:
    return batch.masks.float().reshape(-1, 12, 4, 16, 4).mean(dim=(2, 4))


def test_what_rests_rests_and_the_start_pulls(files):
    task = TuningTask(load_weights(files / "start.safetensors")[0], 0.5, views=False).train()
    before = {name: value.clone() for name, value in task.state_dict().items()}
    trained = {name: weight for name, weight in task.named_parameters() if weight.requires_grad}
    optimizer = torch.optim.SGD(trained.values(), 0.05)
    first = task(batch_of(files / "data"))
    assert float(first["distance"]) == 0
    first["loss"].backward()
    assert all(weight.grad is not None for weight in trained.values())  # else several processes would hang
    optimizer.step()
    changed = {name for name, value in task.state_dict().items() if not torch.equal(value, before[name])}
    parts = "image.stage16.", "image.heat.", "masks.", "outliner.", "text.", "matcher.", "target_reader."
    for part in parts:
        assert any(name.startswith(f"model.{part}") for name in changed), part
    rests = ("image.stage4.", "looks.", "closer.", "anchor_reader.", "relation.", "matcher.anchor.")
    assert not [n for n in changed if n.startswith(tuple(f"model.{rest}" for rest in rests))]
    assert not [n for n in changed if "running" in n or "batches" in n]
    second = task(batch_of(files / "data"))
    squares = [(task.state_dict()[n] - before[n]).square().sum() for n in changed]
    assert float(second["distance"]) == pytest.approx(0.5 * float(sum(squares)), rel=1e-4)
    own_terms = sum(WEIGHTS[name] * float(second[name].detach()) for name in WEIGHTS if name in second)
    assert second["loss"].item() == pytest.approx(own_terms + 0.5 * float(second["distance"]), rel=1e-4)


def test_pictures_without_a_target_have_finite_terms_and_all_gradients(files):
    batch = batch_of(files / "data")
    asked = torch.full((12, 1), IGNORE)
    parts = {name: getattr(batch, name)[:0] for name in ("image", "masks", "cells", "shown")}
    nothing = replace(batch, **parts, fine=[], targets=asked, present=torch.zeros(12, dtype=torch.bool))
    task = TuningTask(load_weights(files / "start.safetensors")[0], 0.1, views=False).train()
    terms = task(nothing)
    terms["loss"].backward()
    assert all(torch.isfinite(value) for value in terms.values())
    assert terms["mask"].item() == terms["dice"].item() == terms["fine"].item() == 0
    assert all(w.grad is not None and w.grad.isfinite().all() for w in task.parameters() if w.requires_grad)


def test_elsewhere_heat_stays_as_the_start_says(files):
    batch = batch_of(files / "data")
    empty = replace(batch, heat=torch.zeros_like(batch.heat))
    task = TuningTask(load_weights(files / "start.safetensors")[0], 0.0, views=False).train()
    with torch.no_grad():
        assert float(task(empty)["heat"]) == pytest.approx(0.0, abs=1e-9)
        assert float(task(batch)["heat"]) > 0.1
        task.model.image.heat[1].bias += 3.0
        assert float(task(empty)["heat"]) > 0.1


def write_views(folder: Path, times: int) -> Path:
    folder.mkdir()
    instances = np.zeros((48, 64), np.uint8)
    instances[10:30, 10:30], instances[10:30, 40:60] = 1, 2
    image = np.full((48, 64, 3), 120, np.uint8)
    image[instances == 1], image[instances == 2] = COLORS["red"], COLORS["blue"]
    image, instances = (part.repeat(times, axis=0).repeat(times, axis=1) for part in (image, instances))
    cube = SceneObject(1, "cube", "red", None, None, 0.8, (-0.1, 0.0, 0.8))
    ball = SceneObject(2, "ball", "blue", None, None, 0.9, (0.1, 0.0, 0.9))
    scene = Scene(image, instances, None, (60.0, 60.0, 32.0, 24.0), (cube, ball))
    write_shard(folder / "train-00000", [scene] * 4, [0, 0, 1, 1], [0, 1, 0, 1])
    return folder


@pytest.mark.parametrize("times", [1, 2])
def test_rendered_views_teach_what_own_pictures_cannot(files, tmp_path, times):
    views = RenderedViews(write_views(tmp_path / "store", times))
    assert len(views) == 4
    batch = batch_of(files / "data", [views.item(index, Random(index)) for index in range(2)])
    assert batch.views is not None and len(batch.views.questions) == 6 and len(batch.images) == 4
    assert all(picture.shape == (48 * times, 64 * times, 3) for picture in batch.views.pictures)
    task = TuningTask(load_weights(files / "start.safetensors")[0], 0.0, views=True).train()
    terms = task(batch.to("cpu"))
    terms["loss"].backward()
    assert terms["views"].item() > 0 and task.model.relation.weight.grad.abs().sum() > 0
    assert task.model.looks.kinds.weight.grad.abs().sum() > 0
    assert task.model.closer.say.weight.grad.abs().sum() > 0
    trained = {name for name, weight in task.named_parameters() if weight.requires_grad}
    assert not [name for name in trained if name.startswith("views.")]  # the model is trained once
    assert task(batch.to("cpu"))["views"].item() == terms["views"].item()
    with pytest.raises(ValueError, match="expected finished train shards"):
        RenderedViews(tmp_path)


# the run


def wanted(files: Path, output: Path, **changes) -> TinyTuning:
    small = TinyTuning(
        output, files / "start.safetensors", steps=8, batch=4, rate=2e-3, device="cpu", save_every=3,
        score_every=4, average=0.5,
    )  # fmt: skip
    return replace(small, **changes)


@pytest.fixture(scope="module")
def trained(files, tmp_path_factory) -> Path:
    pytest.importorskip("accelerate", reason="needs the extra train")
    output = tmp_path_factory.mktemp("run") / "run"
    run_tuning(wanted(files, output, also=(files / "other",)), files / "data")
    return output


def test_what_it_writes_loads_and_is_reported(files, trained):
    grounder = ivm_ros.load("ivm-tiny", checkpoint=trained / "best.safetensors", device="cpu")
    assert grounder(np.zeros((48, 64, 3), np.uint8), "the red square").heatmap.shape == (48, 64)
    report = json.loads((trained / "report.json").read_text())
    assert [each["name"] for each in report["datasets"]][1] == str(files / "other")
    held_out = split(Folder(files / "data"), None)[1]
    before = TinyGrounder(*load_weights(files / "start.safetensors"), torch.device("cpu"))
    found = compare("again", before, grounder, held_out, Console(quiet=True))
    assert report["datasets"][0]["before"]["metrics"] == found.before.to_json()["metrics"]
    assert report["datasets"][0]["after"]["metrics"] == found.after.to_json()["metrics"]
    assert report["datasets"][0]["after"]["samples"] == 4
    page = (trained / "report.html").read_text()
    assert page.count('class="triple"') == 4 and page.count("data:image/jpeg") == 12
    assert "http" not in page.replace("data:image", "") and "<script" not in page
    assert "too few to choose by" in page
    assert list(trained.glob("events.out.tfevents.*"))


class BrokenOffError(RuntimeError):
    pass


def test_a_run_that_breaks_off_goes_on_to_the_same_numbers(files, trained, tmp_path, monkeypatch):
    calls, forward = [], TuningTask.forward

    def stopping(self, batch):
        calls.append(1)
        if len(calls) == 6:  # after the save at 3, and the score at 4
            raise BrokenOffError
        return forward(self, batch)

    monkeypatch.setattr(TuningTask, "forward", stopping)
    with pytest.raises(BrokenOffError):
        run_tuning(wanted(files, tmp_path / "parts"), files / "data")
    run_tuning(wanted(files, tmp_path / "parts", resume=True), files / "data")
    for name in ("best", "last"):
        first, second = (
            read_state_dict(run / f"{name}.safetensors") for run in (trained, tmp_path / "parts")
        )
        assert all(torch.equal(value, second[key]) for key, value in first.items())
    for run in (trained, tmp_path / "parts"):
        (run / "numbers").write_text(json.dumps(json.loads((run / "report.json").read_text())["datasets"][0]))
    assert (trained / "numbers").read_text() == (tmp_path / "parts" / "numbers").read_text()
    with pytest.raises(CheckpointError, match=r"rate: 0\.002 there, 0\.001 here"):
        run_tuning(wanted(files, tmp_path / "parts", resume=True, rate=1e-3), files / "data")


def test_it_learns_a_handful_of_pictures(files, tmp_path):
    pytest.importorskip("accelerate", reason="needs the extra train")
    run = wanted(
        files, tmp_path / "run", steps=80, batch=6, rate=5e-3, pull=0.0, encoder_share=1.0, average=0.9
    )
    run = replace(run, save_every=1000, score_every=1000)
    scores = run_tuning(run, files / "data", files / "data")
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    before = report["datasets"][0]["before"]["metrics"]["giou"]
    assert before < 0.2 and scores["giou"] > before + 0.3


class Certain(TinyGrounder):
    """Finds the left and the right half; says that the left is meant as surely as a text ends: "... 3"."""

    def look(self, features, texts):
        sure = [float(text.split()[-1]) for text in texts]
        return [Said(np.array([each, -abs(each)], np.float32), each) for each in sure]

    def masks(self, features, objects):
        left, right = np.zeros((48, 64), np.float32), np.zeros((48, 64), np.float32)
        left[:, :32], right[:, 32:] = 0.9, 0.9
        left[:10, :32], left[:10, 32:] = 0.42, 0.37  # under 0.42 lies what is left, under 0.37 what is right
        return {number: (left, right)[number] for number in objects}


def test_thresholds_are_chosen_anew_only_where_there_is_enough(tmp_path):
    def folder(present: int, absent: int) -> Folder:
        path = tmp_path / f"{present}-{absent}"
        path.mkdir()
        mask = np.zeros((48, 64), np.bool_)
        mask[:, :32] = True
        image = np.zeros((48, 64, 3), np.uint8)
        asked = [Answer(f"a thing {2 + i % 3}", (0,)) for i in range(present)]
        asked += [Answer(f"nothing {-1 - i % 2}", ()) for i in range(absent)]
        write_index(path, write_picture(path, "0", image, {0: mask}, asked))
        return Folder(path)

    start = Calibration(existence=0.9, mask=0.6, target=0.7)
    grounder = Certain(IvmTiny(SMALL).eval(), start, torch.device("cpu"))
    assert refit(grounder, folder(5, 30))[0] == start
    some, said = refit(grounder, folder(25, 3))
    assert (some.bias, some.head, some.peak, some.existence) == (0.0, 1.0, 0.0, 0.9)
    assert (some.target, some.mask) == (0.5, 0.4) and "3 questions without a target" in said
    chances = some.each(np.array([2.0, -2.0], np.float32))
    assert chances[0] > 0.9 and chances[1] < 0.1
    fitted, said = refit(grounder, folder(25, 25))
    answers = fitted.anything(np.array([2.0, -1.0], np.float32), np.array([2.0, -1.0], np.float32))
    assert answers[0] > 0.9 and answers[1] < 0.1
    assert (fitted.existence, fitted.mask) == (0.5, 0.4) and "expect a little less" in said


def test_the_command_trains_and_refuses_what_is_not_its_own(files, tmp_path):
    pytest.importorskip("accelerate", reason="needs the extra train")
    output = tmp_path / "run"
    arguments = ["train", "--model", "ivm-tiny", "--output", str(output), "--device", "cpu", "--workers", "0"]
    start = ["--checkpoint", str(files / "start.safetensors"), "--steps", "2", "--batch", "2"]
    outcome = CliRunner().invoke(app, [*arguments, *start, "--data", str(files / "data")])
    assert outcome.exit_code == 0, outcome.output
    assert "best.safetensors" in outcome.stdout.replace("\n", "") and (output / "report.html").exists()
    for more, problem in (
        ([], "expected one --data"),
        (["--data", str(files / "data"), "--mix", "x"], "--mix, which is of ivm alone"),
        (["--data", str(files / "data"), "--size", "base"], "--size, which is of instancevg alone"),
    ):
        refused = CliRunner().invoke(app, [*arguments, *more])
        assert refused.exit_code != 0 and problem in str(refused.exception)
    other = CliRunner().invoke(app, ["train", "--output", str(output), "--negatives", "0.5"])
    assert "--negatives, which is of ivm-tiny alone" in str(other.exception)


def test_the_shipped_weights_are_the_start_where_none_is_named():
    assert finetune.TinyTuning(Path("x")).checkpoint is None
    model, _ = load_weights(finetune.WEIGHTS)
    task = TuningTask(model, 0.0, views=False)
    resting = sum(w.numel() for w in task.parameters() if not w.requires_grad)
    assert 0 < resting < 0.2 * sum(w.numel() for w in task.parameters())
