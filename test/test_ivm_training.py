"""IVM's training on tiny files under the released names: what it trains, writes, reads again and refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from ivm_files import TRAINED, write_released
from typer.testing import CliRunner

import ivm_ros
from ivm_ros.checkpoints import CheckpointError, read_state_dict
from ivm_ros.cli.app import app
from ivm_ros.models.ivm.precision import pick_precision
from ivm_ros.models.ivm.released import read_trained
from ivm_ros.models.ivm.small import write_small
from ivm_ros.training.ivm.export import read_discriminator
from ivm_ros.training.ivm.run import IvmTraining, run_training
from ivm_ros.training.ivm.start import prepare_discriminator, prepare_generator, read_start
from ivm_ros.training.ivm.tasks import GeneratorTask

pytest.importorskip("accelerate", reason="needs the extra train")
pytest.importorskip("peft", reason="needs the extra train")

JUDGE = "discriminator.safetensors"
CPU = torch.device("cpu")
WRITTEN = "IVM-V1.0.safetensors"


def write_folder(folder: Path, count: int, seed: int) -> Path:
    """Write pictures of a coloured square each, in the folder format."""
    folder.mkdir()
    generator = np.random.default_rng(seed)
    entries = []
    for number in range(count):
        color, name = [((0, 0, 255), "red"), ((255, 0, 0), "blue")][number % 2]
        image, mask = np.full((40, 60, 3), 120, np.uint8), np.zeros((40, 60), np.uint8)
        y, x = generator.integers(0, 25), generator.integers(0, 45)
        image[y : y + 15, x : x + 15] = color
        mask[y : y + 15, x : x + 15] = 255
        cv2.imwrite(str(folder / f"{number}.png"), image)
        cv2.imwrite(str(folder / f"{number}_mask.png"), mask)
        box = [int(x), int(y), int(x) + 15, int(y) + 15]
        entry = {
            "image": f"{number}.png",
            "instruction": f"the {name} square",
            "masks": [f"{number}_mask.png"],
        }
        entries.append(json.dumps({**entry, "boxes": [box]}))
    (folder / "index.jsonl").write_text("\n".join(entries))
    return folder


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """Return a folder with released files, and data of people and of machines."""
    root = tmp_path_factory.mktemp("training")
    write_released(root / "released")
    write_small(root / "small")
    write_folder(root / "human", 6, 0)
    write_folder(root / "machine", 6, 1)
    return root


@pytest.fixture(scope="module")
def judge(files) -> Path:
    """Return what stage I trained, with adapters."""
    run_training(wanted(files, files / "judge", stage="discriminator"))
    return files / "judge" / "last" / JUDGE


def wanted(files: Path, output: Path, **changes: object) -> IvmTraining:
    base = IvmTraining(
        stage="generator",
        checkpoint=files / "released",
        output=output,
        human=[files / "human"],
        machine=[files / "machine"],
        weights="none",
        steps=2,
        batch=2,
        rate=1e-2,
        device="cpu",
        workers=0,
        save_every=2,
    )
    return replace(base, **changes)


def test_stage_one_trains_adapters_and_head_alone(files, judge):
    state = read_state_dict(judge)
    adapters = [key for key in state if ".lora_" in key]
    prefix = "model.base_model.model.language_model.model.layers."
    assert len(adapters) == 4 * 2 * 2  # layers, projections, halves
    assert all(key.startswith(prefix) and key.endswith(".default.weight") for key in adapters)
    assert any(float(state[key].abs().max()) > 0 for key in adapters if ".lora_B." in key)
    rest = {key for key in state if key not in adapters}
    heads = [f"{part}.{layer}.{what}" for part in ("text_proj", "discriminator_head")
             for layer in ("fc1", "fc2") for what in ("weight", "bias")]  # fmt: skip
    assert rest == set(heads)


def test_fresh_adapters_change_nothing_and_trained_ones_go_on(files):
    """Before a step, the network is the one that was read."""
    start = read_start(files / "released", pick_precision("float32", CPU), CPU)
    merged = ivm_ros.load("ivm", checkpoint=files / "released", device="cpu").model
    prepare_discriminator(start, "adapters")
    ivm = prepare_generator(start, "adapters").eval()
    pixels, ids = torch.randn(1, 3, 56, 56), torch.tensor([start.tokenizer.ids("the red square")])
    mask = torch.ones_like(ids)
    torch.testing.assert_close(
        ivm.prompt_encoder(pixels, ids, mask), merged.prompt_encoder(pixels, ids, mask), rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("weights", ["none", "label", "two-stage", "joint"])
def test_stage_two_writes_what_the_reader_of_released_files_reads(files, judge, tmp_path, weights):
    asked = wanted(files, tmp_path / "run", weights=weights, validation=files / "human")
    scores = run_training(replace(asked, discriminator=judge if weights in ("two-stage", "joint") else None))
    assert 0 <= scores["ciou"] <= 1 and 0 <= scores["giou"] <= 1
    assert list((tmp_path / "run").glob("masks_*.png"))
    for kept in ("last", "best"):
        found = read_trained(tmp_path / "run" / kept / WRITTEN, config(files))
        before = read_trained(files / "released" / TRAINED, config(files))
        assert found.keys() == before.keys()
        moved = {key for key in found if not torch.equal(found[key], before[key])}
        still = {key for key in found if key not in moved}
        assert any("lora_A" in key for key in moved) and any("mask_decoder" in key for key in moved)
        assert any("text_proj" in key for key in moved)
        assert not any("text_proj" in key or "lora_" in key for key in still)


def config(files: Path):
    return ivm_ros.models.ivm.config.IvmConfig.from_json((files / "released" / "config.json").read_text())


def test_what_was_trained_runs_beside_sam_and_llava(files, tmp_path):
    run_training(wanted(files, tmp_path / "run"))
    folder = tmp_path / "model"
    folder.mkdir()
    for path in (files / "released").iterdir():
        if path.name != TRAINED:
            (folder / path.name).symlink_to(path)
    (folder / WRITTEN).symlink_to(tmp_path / "run" / "last" / WRITTEN)
    image = cv2.imread(str(files / "human" / "0.png"))[..., ::-1].copy()
    new, old = (ivm_ros.load("ivm", checkpoint=path, device="cpu")(image, "the red square") for path in
                (folder, files / "released"))  # fmt: skip
    assert np.abs(new.heatmap - old.heatmap).max() > 1e-3


def test_a_part_that_ivm_trained_may_be_missing(files, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    for path in (files / "released").iterdir():
        if path.name != TRAINED:
            (folder / path.name).symlink_to(path)
    run_training(wanted(files, tmp_path / "run", checkpoint=folder))
    read_trained(tmp_path / "run" / "last" / WRITTEN, config(files))


@pytest.mark.parametrize("weights", ["two-stage", "joint"])
def test_a_run_that_broke_off_goes_on_to_the_same_numbers(files, judge, tmp_path, monkeypatch, weights):
    asked = wanted(
        files, tmp_path / "whole", weights=weights, discriminator=judge, steps=4, accumulate=2, save_every=2
    )
    run_training(asked)
    forward, calls = GeneratorTask.forward, []

    def breaking(task, batch):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return forward(task, batch)

    monkeypatch.setattr(GeneratorTask, "forward", breaking)
    with pytest.raises(KeyboardInterrupt):
        run_training(replace(asked, output=tmp_path / "broken"))
    run_training(replace(asked, output=tmp_path / "broken", resume=True))
    whole, broken = (read_state_dict(tmp_path / d / "last" / WRITTEN) for d in ("whole", "broken"))
    assert all(torch.equal(whole[key], broken[key]) for key in whole)


def test_a_discriminator_at_rest_stays_as_it_is_and_drops_nothing(files, judge):
    start = read_start(files / "released", pick_precision("float32", CPU), CPU)
    discriminator = prepare_discriminator(start, "adapters")
    read_discriminator(discriminator, judge)
    task = GeneratorTask(prepare_generator(start, "adapters"), "two-stage", discriminator).train()
    pixels, ids = torch.zeros(1, 3, 56, 56), torch.tensor([start.tokenizer.ids("the red square")])
    first, second = (discriminator.judge(pixels, ids, torch.ones_like(ids)) for _ in range(2))
    assert torch.equal(first, second)
    conditions = [task.ivm.prompt_encoder(pixels, ids, torch.ones_like(ids)) for _ in range(2)]
    assert not torch.equal(*conditions)  # the generator's adapters do drop out
    trained = [name for name, weight in task.named_parameters() if weight.requires_grad]
    assert trained and not any("discriminator" in name for name in trained)


def test_all_of_a_small_model_is_trained_to_a_folder_that_loads(files, tmp_path):
    asked = wanted(
        files, tmp_path / "judge", checkpoint=files / "small", trainable="all", stage="discriminator"
    )
    run_training(replace(asked, reading=0.3, mismatched=1.0))
    run_training(
        replace(
            asked,
            output=tmp_path / "run",
            stage="generator",
            weights="two-stage",
            discriminator=tmp_path / "judge" / "last" / JUDGE,
        )
    )
    before, after = (
        read_state_dict(f / "model.safetensors") for f in (files / "small", tmp_path / "run" / "last")
    )
    assert before.keys() == after.keys()
    assert not torch.equal(before["image_encoder.pos_embed"], after["image_encoder.pos_embed"])
    grounding = ivm_ros.load("ivm", checkpoint=tmp_path / "run" / "last", device="cpu")(
        np.zeros((30, 40, 3), np.uint8), "the red square"
    )
    assert grounding.heatmap.shape == (30, 40)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stage": "third"}, "expected a stage of discriminator, generator, got 'third'"),
        ({"weights": "some"}, "expected weights of two-stage, joint, label, none, got 'some'"),
        ({"weights": "two-stage"}, "expected a discriminator's file for the weights"),
        ({"stage": "discriminator", "machine": ()}, "labels of people and of machines .* none of machines"),
        ({"human": (), "machine": ()}, "expected data"),
        ({"device": "cuda:1"}, "expected auto or cpu, got 'cuda:1'"),
        ({"trainable": "some"}, "expected to train one of adapters, all, got 'some'"),
    ],
)
def test_a_run_that_cannot_be_is_refused(files, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        run_training(wanted(files, tmp_path / "run", **changes))


def test_a_discriminator_of_another_size_is_refused(files, judge, tmp_path):
    asked = wanted(files, tmp_path, checkpoint=files / "small", trainable="all", weights="two-stage")
    with pytest.raises(CheckpointError, match="not of a discriminator like this one"):
        run_training(replace(asked, discriminator=judge))


def test_the_command_trains_both_stages(files, tmp_path):
    data = ["--data", str(files / "human"), "--machine-data", str(files / "machine"), "--device", "cpu"]
    sizes = ["--steps", "1", "--batch", "2", "--workers", "0", "--checkpoint", str(files / "released")]
    judge, run = tmp_path / "judge", tmp_path / "run"
    first = ["train", "--stage", "discriminator", "--output", str(judge), *data, *sizes]
    held_out = ["--validation", str(files / "human"), "--validation-machine", str(files / "machine")]
    done = CliRunner().invoke(app, [*first, *held_out])
    assert done.exit_code == 0, done.output
    assert "auc" in done.output and (judge / "last" / JUDGE).exists()
    second = ["train", "--output", str(run), "--discriminator", str(judge / "last" / JUDGE), *data, *sizes]
    done = CliRunner().invoke(app, second)
    assert done.exit_code == 0, done.output
    assert (run / "last" / WRITTEN).exists()
    again = CliRunner().invoke(app, second)
    assert isinstance(again.exception, FileExistsError)
    assert CliRunner().invoke(app, [*second, "--resume"]).exit_code == 0
    other = CliRunner().invoke(app, [*second, "--model", "no-such-model"])
    assert "expected a model that this trains, ivm" in str(other.exception)
