"""InstanceVG's training on tiny pictures: it learns, resumes, names bad data, and what it writes loads."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from instancevg_files import beit3_file
from typer.testing import CliRunner

import ivm_ros
from ivm_ros.checkpoints import CheckpointError, read_state_dict
from ivm_ros.cli.app import app
from ivm_ros.datasets.folder import Folder
from ivm_ros.datasets.folder_writer import Answer, write_index, write_picture
from ivm_ros.datasets.samples import Sample
from ivm_ros.datasets.tabletop.scene import Scene, SceneObject
from ivm_ros.datasets.tabletop.store import write_shard
from ivm_ros.language.phrases import Description
from ivm_ros.language.vocabulary import COLORS as COLOR_NAMES
from ivm_ros.language.vocabulary import KINDS
from ivm_ros.models.instancevg.config import InstanceVgConfig
from ivm_ros.models.instancevg.folder import read_checkpoint
from ivm_ros.models.instancevg.small import write_small
from ivm_ros.training.instancevg import calibrate, start
from ivm_ros.training.instancevg.concepts import (
    IGNORE,
    ConceptHead,
    asked_classes,
    concept_classes,
    concept_loss,
    named_classes,
    named_loss,
)
from ivm_ros.training.instancevg.examples import collate, prepared
from ivm_ros.training.instancevg.losses import LossRules
from ivm_ros.training.instancevg.run import InstanceVgTraining, _rate_of, run_training
from ivm_ros.training.instancevg.task import InstanceVgTask, written_out_attention
from ivm_ros.training.loop import LoopSettings
from ivm_ros.training.samples import DatasetItems, HeldOut, TabletopItems

pytest.importorskip("accelerate", reason="needs the extra train")
pytest.importorskip("scipy", reason="needs the extra train")

CPU = torch.device("cpu")
TINY = InstanceVgConfig.small(image_size=64, width=32, layers=2, queries=3)
COLORS = {"red": (220, 30, 30), "blue": (30, 60, 220)}
TEXTS = ("the red squares", "the blue square")


def write_pictures(folder: Path, count: int = 6, seed: int = 0) -> Path:
    """Write pictures of two red squares and perhaps a blue one, with a question about each."""
    folder.mkdir()
    generator = np.random.default_rng(seed)
    entries = []
    for number in range(count):
        image, masks = np.full((48, 64, 3), 110, np.uint8), {}
        for slot, color in enumerate(("red", "red", "blue")[: 2 + number % 2]):
            y, x = generator.integers(0, 28), 21 * slot
            image[y : y + 18, x : x + 18] = COLORS[color]
            masks[slot] = np.zeros((48, 64), np.bool_)
            masks[slot][y : y + 18, x : x + 18] = True
        asked = [Answer("the red squares", (0, 1)), Answer("the blue square", (2,) if 2 in masks else ())]
        entries += write_picture(folder, f"{number}", image, masks, asked)
    write_index(folder, entries)
    return folder


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("training")
    write_pictures(root / "data")
    write_small(root / "tiny", TINY, TEXTS)
    write_small(root / "single", TINY.with_queries(1), TEXTS)
    return root


def wanted(files: Path, output: Path, **changes: object) -> InstanceVgTraining:
    base = InstanceVgTraining(
        output=output,
        checkpoint=files / "tiny",
        steps=4,
        batch=4,
        rate=2e-3,
        encoder_rate=2e-3,
        schedule="cosine",
        clip=1.0,
        device="cpu",
        workers=0,
        save_every=2,
        score_every=4,
    )
    return replace(base, **changes)


def data(files: Path) -> list[DatasetItems]:
    return [DatasetItems(Folder(files / "data"))]


def log_of(output: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (output / "log.jsonl").read_text().splitlines()]


def weights_of(output: Path, name: str = "last") -> dict[str, torch.Tensor]:
    return read_state_dict(output / name / "model.safetensors")


def assert_equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    assert first.keys() == second.keys()
    assert [name for name, value in first.items() if not torch.equal(value, second[name])] == []


def test_the_loss_falls_and_the_result_loads(files, tmp_path):
    held_out = HeldOut(data(files)[0], 4)
    asked = wanted(files, tmp_path, steps=60, rate=4e-3, encoder_rate=4e-3, save_every=60, score_every=60)
    scores = run_training(asked, data(files), held_out)
    log = log_of(tmp_path)
    losses = [line["loss"] for line in log if "loss" in line]
    assert len(losses) == 3 and losses[-1] < 0.75 * losses[0]
    assert {"detection", "masks", "existence", "gradient", "rate"} < {*log[0]}
    assert {"giou", "t_acc"} <= scores.keys() and log[-1] == pytest.approx({"step": 60, **scores}, rel=1e-4)
    assert (tmp_path / "answers_000060.png").exists()
    assert_equal(weights_of(tmp_path), weights_of(tmp_path, "best"))
    grounder = ivm_ros.load("instancevg", checkpoint=tmp_path / "last", device="cpu")
    sample = held_out.read(0)
    assert grounder(sample.image, sample.instruction).heatmap.shape == sample.image.shape[:2]


def test_resumed_equals_uninterrupted(files, tmp_path, monkeypatch):
    changes = {"average": 0.9, "layer_decay": 0.7, "accumulate": 2, "batch": 2}
    run_training(wanted(files, tmp_path / "whole", **changes), data(files))
    asked = wanted(files, tmp_path / "parts", **changes)
    plain, calls = InstanceVgTask.forward, []

    def breaking_off(task, batch):
        calls.append(batch)
        if len(calls) == 6:  # in step 3, after the save at 2
            raise KeyboardInterrupt
        return plain(task, batch)

    monkeypatch.setattr(InstanceVgTask, "forward", breaking_off)
    with pytest.raises(KeyboardInterrupt):
        run_training(asked, data(files))
    monkeypatch.setattr(InstanceVgTask, "forward", plain)
    run_training(replace(asked, resume=True), data(files))
    assert_equal(weights_of(tmp_path / "whole"), weights_of(tmp_path / "parts"))
    assert log_of(tmp_path / "whole") == log_of(tmp_path / "parts")
    with pytest.raises(CheckpointError, match=r"layer_decay: 0\.7 there, 0\.8 here"):
        run_training(replace(asked, resume=True, layer_decay=0.8), data(files))
    others = [DatasetItems(Folder(write_pictures(tmp_path / "others", seed=1)))]
    with pytest.raises(CheckpointError, match=r"samples: index\.jsonl \w+ there, index\.jsonl \w+ here"):
        run_training(replace(asked, resume=True), others)


def test_a_bad_record_is_named_and_skipped(files, tmp_path):
    folder = write_pictures(tmp_path / "data", 2)
    lines = (folder / "index.jsonl").read_text().splitlines()
    bad = {"image": "absent.jpg", "instruction": "the cup", "masks": [], "boxes": []}
    (folder / "index.jsonl").write_text("\n".join([*lines, json.dumps(bad)]))
    run_training(wanted(files, tmp_path / "run"), [DatasetItems(Folder(folder))])
    named = (tmp_path / "run" / "skipped.log").read_text().splitlines()
    assert len(named) == 1 and f'index.jsonl:{len(lines) + 1}: field "image"' in named[0]
    assert log_of(tmp_path / "run")[-1]["skipped"] == 1


class Boxes:
    """A dataset that has boxes alone."""

    identity = "boxes"

    def __len__(self) -> int:
        return 3

    def item(self, index: int, random: Random) -> Sample:
        image = np.zeros((8, 8, 3), np.uint8)
        return Sample(image, "the cup", ((0, 0, 4, 4),), None, ids={"ref_id": 40 + index})


def test_boxes_alone_are_refused(files, tmp_path):
    with pytest.raises(
        ValueError, match=r"3 bad ones; the first: sample \d \(ref_id 4\d\): expected a dataset with masks"
    ):
        run_training(wanted(files, tmp_path), [Boxes()])


def test_samples_become_what_the_losses_read(files):
    tokenizer = read_checkpoint(files / "tiny", torch.float32, CPU)[1]
    samples = [Folder(files / "data").read(index) for index in range(4)]
    batch = collate([prepared(sample, 64, tokenizer) for sample in samples])
    assert batch.pixels.shape == (4, 3, 64, 64)
    for sample, truth in zip(samples, batch.truths, strict=True):
        assert truth.boxes.shape == (len(sample.boxes), 4) and truth.masks.shape[1:] == (64, 64)
        for (x_min, y_min, x_max, y_max), box, mask in zip(sample.boxes, *truth_of(truth), strict=True):
            assert box.tolist() == pytest.approx(
                [(x_min + x_max) / 128, (y_min + y_max) / 96, (x_max - x_min) / 64, (y_max - y_min) / 48]
            )
            assert mask.float().mean() == pytest.approx(float(box[2] * box[3]), abs=0.01)
    assert [len(truth.boxes) for truth in batch.truths] == [2, 0, 2, 1]


def truth_of(truth):
    return truth.boxes, truth.masks


@pytest.mark.parametrize("bf16", [False, True])
def test_a_batch_without_targets_gives_every_weight_a_finite_gradient(files, bf16):
    model, tokenizer = read_checkpoint(files / "tiny", torch.float32, CPU)
    sample = Folder(files / "data").read(1)
    assert not sample.present
    task = InstanceVgTask(model.requires_grad_(True), LossRules())
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        terms = task(collate([prepared(sample, 64, tokenizer)] * 2))
    terms["loss"].backward()
    assert terms["loss"].dtype == torch.float32
    trained = [weight for weight in task.parameters() if weight.requires_grad]
    assert len(trained) == len(list(task.parameters())) - 1
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in trained)


def test_bf16_and_one_query(files, tmp_path):
    asked = wanted(files, tmp_path, checkpoint=files / "single", steps=2, bf16=True, schedule="stairs")
    run_training(asked, data(files))
    assert np.isfinite(log_of(tmp_path)[-1]["loss"])
    model, _ = read_checkpoint(tmp_path / "last", torch.float32, CPU)
    assert model.config.head.queries == 1
    assert {tensor.dtype for tensor in weights_of(tmp_path).values()} <= {torch.float32, torch.int64}


def test_rates_by_weight(files, tmp_path):
    asked = wanted(files, tmp_path, rate=1.0, encoder_rate=None, layer_decay=0.5)
    model, _ = read_checkpoint(files / "tiny", torch.float32, CPU)
    names = {
        "head.classes.weight": 1.0,
        "backbone.encoder.layer_norm.A.weight": 0.1,
        "backbone.encoder.layers.1.ffn.A.fc1.weight": 0.1,
        "backbone.encoder.layers.0.ffn.B.fc1.weight": 0.05,
        "backbone.text_embed.weight": 0.025,
        "backbone.encoder.embed_positions.A.weight": 0.025,
    }
    assert names.keys() <= dict(model.named_parameters()).keys()
    for name, rate in names.items():
        assert _rate_of(asked, 2, True, f"model.{name}") == pytest.approx(rate), name
    assert _rate_of(asked, 2, False, "model.backbone.encoder.layers.1.x") == 1.0  # from chance
    assert _rate_of(replace(asked, encoder_rate=0.3), 2, True, "model.backbone.encoder.layers.1.x") == 0.3


def test_the_published_recipe_is_the_default():
    defaults = InstanceVgTraining(Path("run"))
    assert (defaults.rate, defaults.clip, defaults.batch, defaults.average) == (5e-4, 0.15, 16, 0.0)
    assert (defaults.schedule, defaults.layer_decay, defaults.equal_layers) == ("stairs", 1.0, False)
    assert LoopSettings(Path("run"), 1).average == 0.0


def test_a_pretrained_encoder_is_what_training_starts_from(files, tmp_path):
    (tmp_path / "beit3.spm").write_bytes((files / "tiny" / "beit3.spm").read_bytes())
    state = read_state_dict(files / "tiny" / "model.safetensors")
    torch.save(beit3_file(TINY, state, grid=3), tmp_path / "beit3.pth")
    begun = start.from_encoder(tmp_path / "beit3.pth", TINY, seed=1)
    ours = begun.model.backbone.state_dict()
    same = [name for name in ours if torch.equal(ours[name], state[f"backbone.{name}"])]
    assert sorted(ours.keys() - same) == ["encoder.embed_positions.A.weight"]  # resized
    assert begun.pretrained and all(weight.requires_grad for weight in begun.model.parameters())
    with pytest.raises(ValueError, match=r"BEiT-3's file to start the size 'base' from"):
        run_training(InstanceVgTraining(tmp_path / "run", device="cpu"), data(files))


def test_a_small_model_starts_from_chance_and_the_words_of_the_data(files, tmp_path, monkeypatch):
    monkeypatch.setitem(start.SIZES, "small", lambda: TINY)
    asked = wanted(files, tmp_path / "run", checkpoint=None, size="small", steps=2)
    run_training(asked, data(files))
    _, tokenizer = read_checkpoint(tmp_path / "run" / "start", torch.float32, CPU)
    assert len(tokenizer.ids("the red squares")) == 3 + 2  # whole words, begin and end
    before = (tmp_path / "run" / "start" / "config.json").stat().st_mtime_ns
    run_training(replace(asked, resume=True), data(files))
    assert (tmp_path / "run" / "start" / "config.json").stat().st_mtime_ns == before
    with pytest.raises(FileExistsError, match="resume the run"):
        run_training(asked, data(files))
    with pytest.raises(ValueError, match="expected a size of small, base, large"):
        run_training(replace(asked, size="huge"), data(files))
    with pytest.raises(ValueError, match="expected a schedule of stairs, cosine"):
        run_training(replace(asked, schedule="line"), data(files))


def write_views(folder: Path) -> tuple[Scene, SceneObject]:
    """Write two shards of one view, of a red cup."""
    image, instances = np.full((48, 64, 3), 90, np.uint8), np.zeros((48, 64), np.uint8)
    instances[10:30, 20:45] = 1
    image[instances == 1] = COLORS["red"]
    item = SceneObject(1, "cup", "red", None, None, 0.8, (0.1, 0.2, 0.7), None)
    folder.mkdir(exist_ok=True)
    scene = Scene(image, instances, None, (50.0, 50.0, 32.0, 24.0), (item,))
    for number in range(2):
        write_shard(folder / f"train-0000{number}", [scene] * 3, [7] * 3, [0, 1, 2])
    return scene, item


def test_rendered_views_are_asked_about_by_chance(tmp_path):
    scene, cup = write_views(tmp_path)
    image, instances = scene.image, scene.instances
    items = TabletopItems(tmp_path, "train", changed=False)
    assert len(items) == 6
    samples = [items.item(index % 6, Random(index)) for index in range(40)]
    present = [sample for sample in samples if sample.present]
    assert 0 < len(present) < len(samples)
    for sample in present:
        assert sample.boxes == ((20.0, 10.0, 45.0, 30.0),)
        assert np.array_equal(sample.masks[0], instances == 1) and np.array_equal(sample.image, image)
    again = items.item(3, Random(5))
    assert again.instruction == items.item(3, Random(5)).instruction
    assert again.objects == (cup,) and np.array_equal(again.instances, instances)
    changed = TabletopItems(tmp_path, "train").item(0, Random(1))
    assert changed.image.shape == image.shape and not np.array_equal(changed.image, image)
    held_out = HeldOut(items, 3)
    assert [held_out.read(i).instruction for i in range(3)] == [
        items.item(i, Random(i)).instruction for i in (0, 2, 5)
    ]


def test_cells_have_the_kind_and_colour_of_what_is_there():
    instances = np.repeat(np.repeat(np.array([[0, 1], [2, 2]], np.uint8), 6, axis=0), 8, axis=1)
    cup = SceneObject(1, "cup", "red", None, None, 0.8, (0.1, 0.2, 0.7), None)
    box = SceneObject(2, "box", None, None, None, 0.8, (0.1, 0.2, 0.7), None)
    classes = concept_classes((cup, box), instances, 2)
    kinds, colors = list(KINDS), list(COLOR_NAMES)
    assert classes[0].tolist() == [[len(kinds), kinds.index("cup")], [kinds.index("box")] * 2]
    assert classes[1].tolist() == [[IGNORE, colors.index("red")], [IGNORE, IGNORE]]


def test_each_cell_is_said_by_its_own_patch():
    head = ConceptHead(8)
    patches = torch.randn(1, 9, 8)
    kinds, colors, asked = head(patches)
    assert kinds.shape == (1, len(KINDS) + 1, 6, 6) and colors.shape == (1, len(COLOR_NAMES), 6, 6)
    assert asked.shape == (1, 2, 6, 6)
    patches[0, 5] += 1.0  # the middle row's last
    moved = (head(patches)[0] != kinds).any(dim=1)[0]
    assert moved.nonzero().tolist() == [[2, 4], [2, 5], [3, 4], [3, 5]]


def test_the_loss_of_concepts_falls_to_nothing_and_looks_away_from_what_has_none():
    classes = torch.tensor([[[[0, len(KINDS)]], [[3, IGNORE]]]])
    kinds, colors = torch.zeros(1, len(KINDS) + 1, 1, 2), torch.zeros(1, len(COLOR_NAMES), 1, 2)
    unsure = float(concept_loss((kinds, colors), classes))
    assert unsure == pytest.approx(np.log(len(KINDS) + 1) + np.log(len(COLOR_NAMES)), rel=1e-5)
    colors[0, :, 0, 1] = torch.randn(len(COLOR_NAMES))
    assert float(concept_loss((kinds, colors), classes)) == pytest.approx(unsure)
    kinds[0, 0, 0, 0] = kinds[0, -1, 0, 1] = colors[0, 3, 0, 0] = 50.0
    assert float(concept_loss((kinds, colors), classes)) == pytest.approx(0.0, abs=1e-6)
    without = torch.full_like(classes, IGNORE)
    assert float(concept_loss((kinds, colors), without)) == 0.0


def test_cells_are_asked_for_where_the_targets_are():
    masks, ignored = np.zeros((2, 6, 8), np.bool_), np.zeros((6, 8), np.bool_)
    masks[0, :3, :4] = masks[1, 3:, 4:] = ignored[3:, :4] = True
    assert asked_classes(masks, None, (6, 8), 2).tolist() == [[[1, 0], [0, 1]]]
    assert asked_classes(masks, ignored, (6, 8), 2).tolist() == [[[1, 0], [IGNORE, 1]]]
    assert asked_classes((), None, (6, 8), 2).tolist() == [[[0, 0], [0, 0]]]


def test_what_is_asked_for_counts_as_much_as_all_the_rest():
    classes = torch.tensor([[[[0, 0, 0, 0]], [[IGNORE] * 4], [[1, 0, 0, 0]]]])
    kinds, colors = torch.zeros(1, len(KINDS) + 1, 1, 4), torch.zeros(1, len(COLOR_NAMES), 1, 4)
    kinds[:, 0] = 50.0
    asked = torch.zeros(1, 2, 1, 4)
    assert float(concept_loss((kinds, colors, asked), classes)) == pytest.approx(np.log(2))
    asked[0, 1, 0, 0] = 50.0
    assert float(concept_loss((kinds, colors, asked), classes)) == pytest.approx(np.log(2) / 2)


def test_words_say_what_they_name_by_the_layer_of_the_patches_and_padding_says_nothing():
    head = ConceptHead(8)
    tokens = torch.randn(2, 4, 8)
    kinds, colors = head.words(tokens, None)
    assert kinds.shape == (2, len(KINDS) + 1) and colors.shape == (2, len(COLOR_NAMES))
    cells = head(tokens[:1, :1])[0]
    assert torch.allclose(head.words(tokens[:1, :1], None)[0], cells.mean(dim=(2, 3)), atol=1e-6)
    padding = torch.tensor([[False, False, True, True]] * 2)
    assert torch.equal(head.words(tokens, padding)[0], head.words(tokens[:, :2], None)[0])


def test_the_loss_of_words_looks_away_from_what_they_do_not_name():
    assert named_classes(Description(material="metal")).tolist() == [IGNORE, IGNORE]
    classes = torch.from_numpy(np.stack([named_classes(Description(kind="cup")), [IGNORE, IGNORE]]))
    kinds, colors = torch.zeros(2, len(KINDS) + 1), torch.randn(2, len(COLOR_NAMES))
    assert float(named_loss((kinds, colors), classes)) == pytest.approx(np.log(len(KINDS) + 1))
    kinds[0, list(KINDS).index("cup")] = 50.0
    assert float(named_loss((kinds, colors), classes)) == pytest.approx(0.0, abs=1e-6)


def test_concepts_are_learned_first_and_left_behind(files, tmp_path):
    write_views(tmp_path / "store")
    items = [TabletopItems(tmp_path / "store", "train")]
    plain = start.go_on_from(files / "tiny").model.state_dict()
    asked = wanted(files, tmp_path / "whole", concepts=0.5, concepts_first=1, steps=2, save_every=1)
    run_training(replace(asked, steps=1, output=tmp_path / "first"), items)
    first = weights_of(tmp_path / "first")
    assert first.keys() == plain.keys()
    changed = {name.split(".")[0] for name, value in first.items() if not torch.equal(value, plain[name])}
    assert changed == {"backbone"}
    run_training(asked, items)
    both = weights_of(tmp_path / "whole")
    assert any(name.startswith("head.") and not torch.equal(both[name], plain[name]) for name in both)
    assert {"concepts", "masks"} <= {*log_of(tmp_path / "whole")[-1]}


def test_resumed_equals_uninterrupted_with_concepts_first(files, tmp_path, monkeypatch):
    write_views(tmp_path / "store")
    items = [TabletopItems(tmp_path / "store", "train")]
    asked = wanted(
        files, tmp_path / "whole", concepts=0.5, concepts_first=2, steps=4, save_every=1, accumulate=2
    )
    run_training(asked, items)
    plain, calls = InstanceVgTask.forward, []

    def breaking_off(task, batch):
        calls.append(batch)
        if len(calls) == 4:  # in step 2, after the save at 1
            raise KeyboardInterrupt
        return plain(task, batch)

    monkeypatch.setattr(InstanceVgTask, "forward", breaking_off)
    parts = replace(asked, output=tmp_path / "parts")
    with pytest.raises(KeyboardInterrupt):
        run_training(parts, items)
    monkeypatch.setattr(InstanceVgTask, "forward", plain)
    run_training(replace(parts, resume=True), items)
    assert_equal(weights_of(tmp_path / "whole"), weights_of(tmp_path / "parts"))


def test_concepts_want_rendered_views_and_a_weight(files, tmp_path):
    with pytest.raises(ValueError, match="expected a rendered view to learn kinds and colours from"):
        run_training(wanted(files, tmp_path / "a", concepts=0.5), data(files))
    with pytest.raises(ValueError, match="expected a weight of concepts, as 3 batches"):
        run_training(wanted(files, tmp_path / "b", concepts_first=3), data(files))


def test_written_out_attention_gives_the_same_gradients():
    torch.manual_seed(0)
    x = torch.randn(2, 2, 7, 8, requires_grad=True)
    gradients = []
    for context in (nullcontext(), written_out_attention()):
        with context:
            F.scaled_dot_product_attention(x, x, x).square().sum().backward()
        gradients.append(x.grad.clone())
        x.grad = None
    assert torch.allclose(*gradients, atol=1e-5)


def test_a_wide_start_keeps_the_size_of_what_passes_through(tmp_path):
    sizes = []
    for wide in (False, True):
        write_small(tmp_path / str(wide), TINY, TEXTS, wide=wide)
        model, _ = read_checkpoint(tmp_path / str(wide), torch.float32, CPU)
        layer = model.backbone.encoder.layers[0]
        sizes.append(float(layer.ffn.A.fc2(layer.ffn.A.fc1(torch.randn(50, 32))).std()))
        nearest = float(torch.pdist(model.backbone.encoder.positions("A", 17)[1:]).min())
        assert (nearest > 0.5) is wide
    assert sizes[0] < 0.05 and 0.5 < sizes[1] < 2


def test_a_threshold_is_chosen_on_held_out_samples_and_kept_in_the_folder(files, tmp_path):
    write_small(tmp_path / "model", TINY, TEXTS)
    held_out = HeldOut(data(files)[0], 6)
    chosen = calibrate.calibrate(tmp_path / "model", held_out, keep=1.0)
    assert chosen.kept == 1.0 and 0.01 < chosen.threshold < 0.7
    grounder = ivm_ros.load("instancevg", checkpoint=tmp_path / "model", device="cpu")
    assert grounder.rules.score_threshold == chosen.threshold
    found = [bool(grounder(sample.image, sample.instruction).targets) for sample in held_out]
    assert all(found[index] for index, sample in enumerate(held_out) if sample.present)
    own = ivm_ros.load("instancevg", checkpoint=tmp_path / "model", device="cpu", score_threshold="0.3")
    assert own.rules.score_threshold == 0.3
    untouched = ivm_ros.load("instancevg", checkpoint=files / "tiny", device="cpu")
    assert untouched.rules.score_threshold == 0.7
    with pytest.raises(ValueError, match="score_threshold of auto or a number, got 'high'"):
        ivm_ros.load("instancevg", checkpoint=files / "tiny", device="cpu", score_threshold="high")
    with pytest.raises(CheckpointError, match="that training wrote"):
        calibrate.calibrate(files, held_out)


def test_the_highest_threshold_that_keeps_enough():
    present, absent = np.array([0.205, 0.35, 0.6, 0.9]), np.array([0.1, 0.25, 0.34, 0.8])
    assert calibrate.choose(present, absent, 1.0) == calibrate.Calibrated(0.2, 1.0, 0.25)
    assert calibrate.choose(present, absent, 0.75) == calibrate.Calibrated(0.34, 0.75, 0.75)
    assert calibrate.choose(np.array([0.3]), absent, 1.0).threshold == 0.29  # which is below it
    assert calibrate.choose(np.array([0.001]), absent, 1.0) == calibrate.Calibrated(0.01, 0.0, 0.0)
    assert np.isnan(calibrate.choose(present, np.array([]), 1.0).rejected)


def test_the_command_trains_and_refuses_other_models_options(files, tmp_path):
    sizes = ["--steps", "1", "--batch", "2", "--workers", "0", "--device", "cpu"]
    asked = [
        "train",
        "--model",
        "instancevg",
        "--data",
        str(files / "data"),
        "--output",
        str(tmp_path / "run"),
    ]
    begun = [*asked, *sizes, "--checkpoint", str(files / "tiny"), "--validation", str(files / "data")]
    done = CliRunner().invoke(app, [*begun, "--held-out", "2"])
    assert done.exit_code == 0, (done.output, done.exception)
    assert "giou" in done.output and (tmp_path / "run" / "last" / "model.safetensors").exists()
    other = CliRunner().invoke(app, [*begun, "--stage", "generator"])
    assert "expected options of instancevg, got --stage, which is of ivm alone" in str(other.exception)
    none = CliRunner().invoke(app, [*asked[:3], "--output", str(tmp_path / "none")])
    assert "expected data: datasets, or a store" in str(none.exception)
    unrooted = CliRunner().invoke(app, [*begun, "--root", str(tmp_path)])
    assert "expected NAME:SPLIT with --root" in str(unrooted.exception)
