"""ivm-tiny: its text, its network, its training on drawn scenes, and the weights that ship."""

from __future__ import annotations

import json
from random import Random

import numpy as np
import pytest
import torch

import ivm_ros
from ivm_ros.checkpoints import CheckpointError, read_metadata, write_state_dict
from ivm_ros.datasets.tabletop.scene import Scene, SceneObject
from ivm_ros.datasets.tabletop.store import write_shard
from ivm_ros.grounding import InvalidImageError, InvalidInstructionError
from ivm_ros.models.ivm_tiny.concepts import geometry
from ivm_ros.models.ivm_tiny.config import TinyConfig
from ivm_ros.models.ivm_tiny.encoder import fold_batch_norms, normalise
from ivm_ros.models.ivm_tiny.grounder import WEIGHTS, Calibration, TinyGrounder, load_weights, save_weights
from ivm_ros.models.ivm_tiny.model import IvmTiny
from ivm_ros.models.ivm_tiny.text import MAX_WORDS, words
from ivm_ros.training.augment import augment
from ivm_ros.training.ivm_tiny.calibrate import Clues, calibrate, fit_existence
from ivm_ros.training.ivm_tiny.data import ShardPool, make_batch
from ivm_ros.training.ivm_tiny.losses import dice, losses, total
from ivm_ros.training.ivm_tiny.train import Settings, run_worker, schedule

SMALL = TinyConfig(
    width=64,
    height=48,
    widths=(8, 8, 16, 16),
    channels=32,
    heads=2,
    buckets=512,
    embedding=16,
    decision=16,
    pixels=12,
)
PAINTS = {"red": (200, 30, 30), "blue": (30, 30, 200), "green": (30, 180, 30)}


def drawn_scene(seed, config=SMALL):
    """Draw coloured cubes (squares) on a gray table."""
    rng = Random(seed)
    image = np.full((config.height, config.width, 3), 120, np.uint8)
    instances = np.zeros(image.shape[:2], np.uint8)
    objects = []
    for index, x in enumerate((4, 24, 44), start=1):
        color, y = rng.choice(list(PAINTS)), rng.randrange(4, 28)
        image[y : y + 16, x : x + 16] = PAINTS[color]
        instances[y : y + 16, x : x + 16] = index
        objects.append(SceneObject(index, "cube", color, None, None, 1.0, (x / 64, 0.0, 1.0)))
    return Scene(image, instances, None, (60.0, 60.0, 32.0, 24.0), tuple(objects))


@pytest.fixture
def small():
    torch.manual_seed(0)
    return IvmTiny(SMALL).eval()


@pytest.fixture
def grounder(small):
    return TinyGrounder(small, Calibration(existence=0.0), torch.device("cpu"))


@pytest.fixture(scope="module")
def shipped():
    return ivm_ros.load("ivm-tiny", device="cpu")


# Text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Pick up the RED cup!", ["pick", "up", "the", "red", "cup"]),
        ("  café,tasse ", ["cafe", "tasse"]),
        ("where's_it?", ["where", "s", "it"]),
        ("赤い コップ", ["赤い", "コッフ"]),
        ("...", []),
        ("a " * 100, ["a"] * MAX_WORDS),
    ],
)
def test_words(text, expected):
    assert words(text) == expected


@torch.inference_mode()
def test_a_text_means_the_same_in_any_company(small):
    alone, _ = small.text(["the red cup"])
    together, mask = small.text(["the red cup", "pick up the small blue plate left of the bowl"])
    torch.testing.assert_close(together[0, : alone.shape[1]], alone[0])
    assert mask.sum(dim=1).tolist() == [2 + 3, 2 + 10]


# Network


@torch.inference_mode()
def test_instructions_do_not_disturb_each_other(small):
    images = normalise(torch.from_numpy(np.stack([drawn_scene(seed).image for seed in (0, 1)])))
    texts = ["the red cube", "a blue cube", "the green thing", "the giraffe"]
    both = small(small.encode(images), texts)
    for index, text in enumerate(texts):
        one = small(small.encode(images[index // 2 :][:1]), [text])
        torch.testing.assert_close(both.mask[index], one.mask[0], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(both.existence[index], one.existence[0], atol=1e-4, rtol=1e-4)
    assert both.mask.shape == (4, SMALL.height // 2, SMALL.width // 2)
    assert both.anchor.shape == (4, SMALL.height // 8, SMALL.width // 8)


@torch.inference_mode()
def test_folding_batch_norms_changes_nothing(small):
    for module in small.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
    image = normalise(torch.from_numpy(drawn_scene(0).image)[None])
    before = small(small.encode(image), ["the red cube"]).mask
    fold_batch_norms(small)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in small.modules())
    torch.testing.assert_close(
        small(small.encode(image), ["the red cube"]).mask, before, atol=1e-3, rtol=1e-3
    )


def test_geometry_is_measured_from_what_is_lit():
    target, anchor = torch.zeros(1, 5, 9), torch.zeros(1, 5, 9)
    target[0, 2, 2] = target[0, 2, 6] = 1  # x = -0.5 and 0.5
    anchor[0, 4, 8] = 1  # the corner (1, 1)
    x, y, dx, dy, distance, _, to_x, _, left, _, right, _ = geometry(target, anchor)[0]
    assert x[0].tolist() == pytest.approx([-1 + i / 4 for i in range(9)]) and y[:, 0].tolist()[0] == -1
    assert (dx[4, 8].item(), dy[0, 8].item()) == pytest.approx((0, -2), abs=1e-2)
    assert distance[0, 0].item() == pytest.approx(8**0.5, abs=1e-2)
    assert to_x[0, 4].item() == pytest.approx(0, abs=1e-3)
    assert (left[2, 2].item(), right[2, 6].item()) == pytest.approx((0, 0), abs=0.1)  # sides are soft


# As a grounder


@pytest.mark.parametrize("size", [(48, 64), (480, 640), (37, 11), (1, 1), (90, 400)])
def test_answers_have_the_images_size(grounder, size):
    image = np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8)
    grounding = grounder(image, "the red cube")
    assert grounding.heatmap.shape == size
    assert grounding.instruction == "the red cube"
    for target in grounding.targets:
        assert target.mask.shape == size


def test_many_instructions_are_answered_as_one_by_one(grounder):
    features = grounder.encode(drawn_scene(0).image)
    texts = ["the red cube", "pick up the blue thing", "the giraffe"]
    for one, text in zip(grounder.ground_many(features, texts), texts, strict=True):
        np.testing.assert_allclose(one.heatmap, grounder.ground(features, text).heatmap, atol=1e-4)
    assert grounder.ground_many(features, []) == []


def test_nothing_found_has_no_targets_and_low_existence(small):
    grounder = TinyGrounder(small, Calibration(existence=1.0), torch.device("cpu"))
    grounding = grounder(drawn_scene(0).image, "the red cube")
    assert not grounding.found and grounding.existence <= 0.5


def test_bad_input_is_refused(grounder):
    with pytest.raises(InvalidImageError):
        grounder.encode(np.zeros((0, 4, 3), np.uint8))
    with pytest.raises(InvalidInstructionError):
        grounder.ground(grounder.encode(drawn_scene(0).image), "  ")


# Files


def test_weights_round_trip(tmp_path, small):
    path = tmp_path / "tiny.safetensors"
    small.decide8.norm.running_var.fill_(1e6)  # beyond float16
    calibration = Calibration(bias=-1.0, head=0.5, peak=0.25, existence=0.4, mask=0.45)
    save_weights(small, path, {"step": "12"}, calibration)
    loaded, got = load_weights(path)
    assert got == calibration and loaded.config == SMALL
    assert read_metadata(path)["step"] == "12"
    for key, value in loaded.state_dict().items():
        torch.testing.assert_close(value, small.state_dict()[key], atol=1e-2, rtol=1e-2)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({}, "expected .* to be of format"),
        ({"format": "ivm-tiny 1"}, "unusable metadata"),
        ({"format": "ivm-tiny 1", "config": "{", "calibration": "{}"}, "unusable metadata"),
        ({"format": "ivm-tiny 1", "config": '{"wings": 2}', "calibration": "{}"}, "unusable metadata"),
        ({"format": "ivm-tiny 1", "config": SMALL.to_json(), "calibration": "{}"}, "does not fit IvmTiny"),
    ],
)
def test_foreign_files_are_refused(tmp_path, metadata, message):
    path = tmp_path / "x.safetensors"
    write_state_dict({"weight": torch.zeros(1)}, path, metadata)
    with pytest.raises(CheckpointError, match=message):
        ivm_ros.load("ivm-tiny", checkpoint=path, device="cpu")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "ivm-huge"}, "expected a model of .*ivm-tiny.*got 'ivm-huge'"),
        ({"name": "ivm-tiny", "checkpoint": "/nowhere.safetensors"}, "there is none at /nowhere"),
        ({"name": "ivm-tiny", "device": "toaster"}, "expected a device that is usable here"),
    ],
)
def test_load_says_what_is_wrong(arguments, message):
    with pytest.raises(ValueError, match=message):
        ivm_ros.load(**arguments)


# Training


def test_augmented_maps_stay_with_their_pictures():
    for seed in range(10):
        scene = drawn_scene(seed)
        image, instances = augment(scene.image, scene.instances, Random(seed))
        assert image.shape == scene.image.shape and instances.shape == scene.instances.shape
        assert set(np.unique(instances)) <= {0, 1, 2, 3}
        for item in scene.objects:
            inside = image[instances == item.instance]
            if len(inside) > 40:
                strongest = np.argmax(np.median(inside, axis=0))
                assert strongest == {"red": 0, "green": 1, "blue": 2}[item.color]


def test_a_batch_is_labelled_by_the_renderer():
    scenes = [drawn_scene(seed) for seed in (0, 1)]
    batch = make_batch(scenes, Random(0), per_view=3, config=SMALL, split="validation")
    assert len(batch.texts) == 6
    cube = SMALL.kinds.index("cube")
    for index, scene in enumerate(scenes):
        small = scene.instances[2::4, 2::4]
        assert (batch.kinds[index].numpy() == np.where(small > 0, cube, len(SMALL.kinds))).all()
    for index, question in enumerate(batch.questions):
        expected = np.isin(scenes[index // 3].instances, question.targets)
        assert (batch.targets[index].numpy() == expected).all()


def test_dice_of_good_and_bad_masks():
    truth = torch.zeros(1, 8, 8)
    truth[:, :4] = 1
    counted = torch.ones_like(truth, dtype=torch.bool)
    good, bad = 20 * (truth - 0.5), -20 * (truth - 0.5)
    assert dice(good, truth, counted).item() < 0.01 < 0.9 < dice(bad, truth, counted).item()
    counted[:, :, :] = truth == 0
    assert dice(good, truth, counted).item() < 0.01


def test_the_learning_rate_rises_and_falls():
    rates = [schedule(progress / 100) for progress in range(101)]
    assert (
        rates[0] < 0.05
        and max(rates) == pytest.approx(1, abs=0.01)
        and rates[-1] == pytest.approx(0, abs=1e-6)
    )


def test_training_on_drawn_scenes_lowers_the_loss():
    torch.manual_seed(0)
    model, rng = IvmTiny(SMALL), Random(0)
    scenes = [drawn_scene(seed) for seed in range(8)]
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    history = []
    for _ in range(25):
        batch = make_batch(scenes, rng, 2, SMALL)
        encoded = model.encode(normalise(batch.images))
        value = total(losses(model(encoded, batch.texts), encoded.features, batch))
        optimizer.zero_grad()
        value.backward()
        assert all(weight.grad is not None for weight in model.parameters())
        optimizer.step()
        history.append(value.item())
    assert np.mean(history[-5:]) < 0.6 * np.mean(history[:5])


def test_a_run_resumes_where_it_stopped(tmp_path):
    for split, seeds in (("train", range(6)), ("validation", range(10, 14))):
        views = [drawn_scene(seed) for seed in seeds]
        write_shard(tmp_path / f"{split}-00000", views, list(seeds), [0] * len(views))
    output = tmp_path / "run"
    output.mkdir()
    run_worker(0, Settings(tmp_path, output, minutes=0.01, workers=1, config=SMALL), port=0)
    first = torch.load(output / "checkpoint.pt", weights_only=True)
    run_worker(0, Settings(tmp_path, output, minutes=0.05, workers=1, config=SMALL), port=0)
    second = torch.load(output / "checkpoint.pt", weights_only=True)
    assert 0 < first["step"] < second["step"]
    assert 0 < first["elapsed"] < second["elapsed"]
    lines = [json.loads(line) for line in (output / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "giou" in line] == [first["step"], second["step"]]
    assert len(list(output.glob("sheet_*.png"))) == 2
    assert load_weights(output / "ivm_tiny.safetensors")[0].config == SMALL


def test_a_pool_picks_up_new_shards(tmp_path):
    for index in range(4):
        write_shard(tmp_path / f"train-{index:05d}", [drawn_scene(index)], [index], [0])
    pools = [ShardPool(tmp_path, "train", rank, 2) for rank in range(2)]
    assert [[pool.scene(i).objects for i in range(len(pool))] for pool in pools] == [
        [drawn_scene(0).objects, drawn_scene(2).objects],
        [drawn_scene(1).objects, drawn_scene(3).objects],
    ]
    write_shard(tmp_path / "train-00004", [drawn_scene(4)], [4], [0])
    assert [pool.rescan() for pool in pools] == [1, 0]
    assert [len(pool) for pool in pools] == [3, 2]


def test_existence_is_fitted_by_its_clues():
    fitted = fit_existence([Clues(True, 2.0, 0.0), Clues(False, -1.0, 0.0)] * 20)
    assert fitted.probability(2.0, 0.0) > 0.9 and fitted.probability(-1.0, 0.0) < 0.1


def test_the_threshold_keeps_what_it_must():
    present = [Clues(True, float(head), 0.0, (0.5,) * 6 + (0.6,)) for head in range(10)]
    absent = [Clues(False, float(head), 0.0) for head in range(-8, 2)]
    calibration = calibrate([*present, *absent], keep=0.9)
    kept = sum(calibration.probability(clue.head, clue.peak) >= calibration.existence for clue in present)
    assert kept == 9
    assert calibration.mask == 0.6


# The weights that ship


def test_shipped_weights_are_small_and_described():
    assert WEIGHTS.stat().st_size <= 12e6
    metadata = read_metadata(WEIGHTS)
    assert 0 < json.loads(metadata["calibration"])["existence"] < 1
    assert (WEIGHTS.parent / "MODEL_CARD.md").is_file()


def test_shipped_weights_tell_colours_apart(shipped):
    image = np.full((480, 640, 3), (150, 140, 130), np.uint8)
    image[:300] = (110, 100, 95)
    image[320:400, 100:180], image[320:400, 400:480] = (200, 20, 25), (25, 40, 200)
    features = shipped.encode(image)
    red, blue = shipped.ground_many(features, ["the red cube", "the blue cube"])
    patches = np.s_[330:390, 110:170], np.s_[330:390, 410:470]
    assert red.heatmap[patches[0]].mean() > red.heatmap[patches[1]].mean() + 0.3
    assert blue.heatmap[patches[1]].mean() > blue.heatmap[patches[0]].mean() + 0.3


def test_answers_repeat_exactly(shipped):
    image = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    first, second = (shipped(image, "grab the red cup") for _ in range(2))
    np.testing.assert_array_equal(first.heatmap, second.heatmap)
    assert first.existence == second.existence
