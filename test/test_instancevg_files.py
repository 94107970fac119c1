"""InstanceVG's released files: every fault by its name, the conversion, BEiT-3's own, the published sizes."""

from __future__ import annotations

import shutil

import instancevg_files
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import ivm_ros
from ivm_ros.checkpoints import CheckpointError, load_strictly, read_state_dict
from ivm_ros.cli.app import app
from ivm_ros.models.instancevg.beit3 import Beit3
from ivm_ros.models.instancevg.config import InstanceVgConfig
from ivm_ros.models.instancevg.model import InstanceVg
from ivm_ros.models.instancevg.released import read_beit3, read_released, resize_positions

WORDS = "pick up the red cup"
PICTURE = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)
RELEASED = instancevg_files.RELEASED


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    folder = tmp_path_factory.mktemp("released")
    instancevg_files.write_released(folder)
    return folder


@pytest.fixture
def own(released, tmp_path):
    """Give a test the released files to break."""
    return shutil.copytree(released, tmp_path / "own")


def load(path, **options):
    return ivm_ros.load("instancevg", checkpoint=path, device="cpu", **options)


def said(path, **options):
    """Return all that the network says."""
    grounder = load(path, **options)
    return torch.cat([part.flatten() for part in grounder.look(grounder.encode(PICTURE), [WORDS])])


def edit(path, change):
    """Change what a released file holds."""
    state = read_state_dict(path, inside=("state_dict",))
    state = {key.removeprefix("module."): tensor.clone() for key, tensor in state.items()}
    change(state)
    torch.save(instancevg_files.training_run(state), path)


def test_folder_and_file_are_the_same_model_with_and_without_prefixes(released, tmp_path):
    torch.testing.assert_close(said(released), said(released / RELEASED))
    instancevg_files.write_released(tmp_path, prefix="")
    torch.testing.assert_close(said(tmp_path), said(released))


def test_a_file_says_how_many_queries_it_has(own):
    edit(own / RELEASED, lambda s: s.update({"head.query_generation.query_embed.weight": torch.zeros(3, 32)}))
    grounder = load(own)
    assert grounder.look(grounder.encode(PICTURE), [WORDS]).points.shape == (1, 3, 2)


def without(key):
    return lambda state: state.pop(key)


def renamed(key, other):
    return lambda state: state.update({other: state.pop(key)})


def reshaped(key):
    return lambda state: state.update({key: state[key][..., :-1]})


def changed(key):
    return lambda state: state.update({key: state[key] + 1})


FC1 = "vis_enc.beit3.encoder.layers.1.ffn.B.fc1.weight"
OURS = r"backbone\.encoder\.layers\.1\.ffn\.B\.fc1\.weight"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without(FC1), f"1 missing: {OURS}"),
        (reshaped(FC1), f"1 wrong shape: {OURS}: expected"),
        (renamed(FC1, "novelty.weight"), "1 unexpected: novelty.weight"),
        (
            changed("head.class_embed.2.weight"),
            r"class_embed\.2\.weight to be a copy of head\.classes\.weight",
        ),
        (changed("head.bbox_embed.1.layers.2.bias"), "expected .* to be a copy"),
        (reshaped("vis_enc.beit3.encoder.embed_positions.A.weight"), r"embed_positions\.A\.weight: expected"),
    ],
)
def test_a_tensor_that_is_wrong_is_named(own, change, said):
    edit(own / RELEASED, change)
    with pytest.raises(CheckpointError, match=said):
        load(own)


@pytest.mark.parametrize(("name", "said"), [(RELEASED, "hf download Dmmm997"), ("beit3.spm", r"beit3\.spm")])
def test_a_file_that_is_missing_is_named(own, name, said):
    (own / name).unlink()
    with pytest.raises(CheckpointError, match=said):
        load(own)


def test_sizes_that_are_not_published_need_a_configuration(own):
    (own / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"width of \[768, 1024\], got 64.*config.json"):
        load(own)


def test_one_of_several_files_must_be_named(own):
    shutil.copyfile(own / RELEASED, own / "InstanceVG-refzom.pth")
    with pytest.raises(CheckpointError, match=r"grefcoco\.pth, InstanceVG-refzom\.pth: name one"):
        load(own)
    assert load(own / RELEASED).name == "instancevg"


def test_another_tokenizer_is_refused(own):
    (own / "beit3.spm").write_bytes(b"no model")
    with pytest.raises(CheckpointError, match="no sentencepiece file"):
        load(own)


def test_without_a_checkpoint_it_says_what_to_get():
    with pytest.raises(CheckpointError, match=r"InstanceVG-grefcoco\.pth.*docs/instancevg\.md"):
        ivm_ros.load("instancevg")
    with pytest.raises(CheckpointError, match="no/where"):
        load("no/where")


def test_conversion_is_the_same_model_in_one_folder(released, tmp_path):
    target = tmp_path / "converted"
    result = CliRunner().invoke(app, ["convert", str(released), str(target), "--model", "instancevg"])
    assert result.exit_code == 0, result.output
    assert {path.name for path in target.iterdir()} == {"model.safetensors", "config.json", "beit3.spm"}
    torch.testing.assert_close(said(target), said(released))
    with pytest.raises(FileExistsError, match="holds a model already"):
        ivm_ros.models.registry.convert("instancevg", released, target)


def test_conversion_to_half_precision_halves_the_encoder(released, tmp_path):
    ivm_ros.models.registry.convert("instancevg", released, tmp_path / "half", "bfloat16")
    state = read_state_dict(tmp_path / "half" / "model.safetensors")
    assert {tensor.dtype for key, tensor in state.items() if key.startswith("backbone.")} == {torch.bfloat16}
    assert torch.float32 in {tensor.dtype for key, tensor in state.items() if key.startswith("head.")}
    halved = said(tmp_path / "half", precision="bfloat16")
    assert halved.isfinite().all() and halved.dtype == torch.float32
    torch.testing.assert_close(halved, said(released, precision="bfloat16"))


@pytest.mark.parametrize("grid", [4, 6])
def test_a_pretrained_encoder_fits_any_grid(released, tmp_path, grid):
    config, state = read_released(released / RELEASED, InstanceVgConfig.small())
    path = tmp_path / instancevg_files.BEIT3
    file = instancevg_files.beit3_file(config, state, grid)
    torch.save(file, path)
    read = read_beit3(path, config)
    load_strictly(Beit3(config.backbone, config.grid), read)
    table = file["model"]["beit3.encoder.embed_positions.A.weight"]
    assert torch.equal(read["encoder.embed_positions.A.weight"][:3], table[:3])
    assert torch.equal(read["encoder.embed_positions.A.weight"], table) == (grid == config.grid)
    file["model"]["beit3.novelty"] = torch.zeros(1)
    torch.save(file, path)
    with pytest.raises(CheckpointError, match="1 unexpected: novelty"):
        read_beit3(path, config)


def test_positions_of_no_square_are_refused():
    with pytest.raises(CheckpointError, match="square grid"):
        resize_positions(torch.zeros(3 + 12, 8), 4)


@pytest.mark.parametrize(
    ("config", "entries", "backbone", "head"),
    [
        (InstanceVgConfig.base(), 697, 221.14, 13.19),
        (InstanceVgConfig.large(), 1177, 672.91, 13.39),
    ],
)
def test_the_published_sizes(config, entries, backbone, head):
    """Counts of spec section 13: the released file's, copies counted once among the parameters."""
    with torch.device("meta"):
        state = InstanceVg(config).state_dict()
        released = instancevg_files.released_state(config, state)
    assert len(released) == entries
    ours = {name for name in released if "_embed.1." not in name and "_embed.2." not in name}
    buffers = ("running_mean", "running_var", "num_batches_tracked", "empty_weight")

    def millions(start):
        chosen = [n for n in ours if n.startswith(start) and not n.endswith(buffers)]
        return round(sum(released[name].numel() for name in chosen) / 1e6, 2)

    assert (millions("vis_enc."), millions("head.")) == (backbone, head)
    assert instancevg_files.released_name("backbone.text_embed.weight") in released
    assert released["vis_enc.beit3.encoder.embed_positions.A.weight"].shape[0] == 403


def test_a_configuration_survives_its_file():
    config = InstanceVgConfig.small()
    assert InstanceVgConfig.from_json(config.to_json()) == config
    for text in ("", "[]", "{}", '{"format": "instancevg 2"}', config.to_json().replace("head", "other")):
        with pytest.raises(ValueError, match="format 'instancevg 1'"):
            InstanceVgConfig.from_json(text)
