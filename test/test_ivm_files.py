"""IVM's released files: all namings, every fault by its name, the conversion, the published sizes."""

from __future__ import annotations

import json
import math
import shutil

import ivm_files
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import ivm_ros
from ivm_ros.checkpoints import CheckpointError, read_state_dict
from ivm_ros.cli.app import app
from ivm_ros.models.ivm.config import IvmConfig
from ivm_ros.models.ivm.keys import canonical
from ivm_ros.models.ivm.released import released_names, trained_shapes
from ivm_ros.models.ivm.weights import canonical_shapes, empty_ivm

WORDS = "pick up the red cup"
PICTURE = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    folder = tmp_path_factory.mktemp("released")
    ivm_files.write_released(folder)
    return folder


@pytest.fixture
def own(released, tmp_path):
    """Give a test the released files to break."""
    return shutil.copytree(released, tmp_path / "own")


def heat(folder, **options):
    grounder = ivm_ros.load("ivm", checkpoint=folder, device="cpu", **options)
    return grounder.look(grounder.encode(PICTURE), [WORDS])[0]


def edit(path, change):
    """Change what a torch file or a part of LLaVA holds."""
    state = {key: tensor.clone() for key, tensor in read_state_dict(path).items()}
    change(state)
    torch.save(state, path)


def test_both_namings_are_the_same_model(released, tmp_path):
    ivm_files.write_released(tmp_path, naming="4.52")
    np.testing.assert_array_equal(heat(tmp_path), heat(released))


def test_adapters_count(own):
    before = heat(own)
    edit(own / ivm_files.TRAINED, lambda state: [v.zero_() for k, v in state.items() if "lora_B" in k])
    assert np.abs(heat(own) - before).max() > 1e-6


def test_a_file_of_the_whole_model_needs_no_other(own):
    state = read_state_dict(own / ivm_files.TRAINED)
    state.update(
        (key, tensor)
        for key, tensor in read_state_dict(own / ivm_files.SAM).items()
        if key.startswith("image_encoder.")
    )
    torch.save(state, own / ivm_files.TRAINED)
    before = heat(own)
    edit(own / ivm_files.SAM, lambda sam: sam["image_encoder.pos_embed"].add_(1))
    np.testing.assert_array_equal(heat(own), before)


def without(key):
    return lambda state: state.pop(key)


def renamed(key, other):
    return lambda state: state.update({other: state.pop(key)})


def reshaped(key):
    return lambda state: state.update({key: state[key][..., :-1]})


LORA = ivm_files.PREFIX["4.40"] + "1.self_attn.q_proj.lora_A.default.weight"
CANONICAL_LORA = "layers.1.self_attn.q_proj.lora_A.weight"


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        (ivm_files.TRAINED, without(ivm_files.PE), f"has no {ivm_files.PE}"),
        (ivm_files.TRAINED, without(LORA), f"1 missing: .*{CANONICAL_LORA}"),
        (ivm_files.TRAINED, reshaped(LORA), f"1 wrong shape: .*{CANONICAL_LORA}: expected"),
        (ivm_files.TRAINED, renamed(LORA, "novelty.weight"), "1 unexpected: novelty.weight"),
        (ivm_files.TRAINED, without("prompt_encoder.text_proj.fc2.bias"), r"missing: .*text_proj\.fc2\.bias"),
        (ivm_files.SAM, without("image_encoder.neck.3.bias"), "missing: image_encoder.neck.layer_norm2"),
        (ivm_files.SAM, reshaped("image_encoder.pos_embed"), "wrong shape: image_encoder.pos_embed"),
        (ivm_files.SAM, lambda state: state.update(new=torch.ones(1)), r"image_encoder\.\* .* got \['new'\]"),
        (
            ivm_files.SAM,
            lambda state: state.update({"image_encoder.extra": torch.ones(1)}),
            "unexpected: image_encoder.extra",
        ),
    ],
)
def test_a_tensor_that_is_wrong_is_named(own, file, change, said):
    edit(own / file, change)
    with pytest.raises(CheckpointError, match=said):
        heat(own)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (ivm_files.TRAINED, "hf download 2toINF/IVM"),
        (ivm_files.SAM, "hf download facebook/sam-vit-huge"),
        (f"{ivm_files.LLAVA}/model.safetensors.index.json", "hf download llava-hf/llava-1.5-7b-hf"),
        (f"{ivm_files.LLAVA}/tokenizer.json", "tokenizer"),
        (f"{ivm_files.LLAVA}/model-2-of-2.safetensors", "model-2-of-2.safetensors"),
    ],
)
def test_a_file_that_is_missing_is_named_with_how_to_get_it(own, path, said):
    (own / path).unlink()
    with pytest.raises(CheckpointError, match=said):
        heat(own)


def test_without_a_checkpoint_it_says_what_to_get():
    with pytest.raises(CheckpointError, match=r"IVM-V1\.0\.bin.*docs/ivm\.md"):
        ivm_ros.load("ivm")
    with pytest.raises(CheckpointError, match="no/where"):
        ivm_ros.load("ivm", checkpoint="no/where")


def test_parts_outside_the_folder_are_refused(own):
    index = own / ivm_files.LLAVA / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"x": "../../secret.safetensors"}}))
    with pytest.raises(CheckpointError, match=r"beside it, got '\.\./\.\./secret"):
        heat(own)


def test_another_tokenizer_is_refused(own):
    config = json.loads((own / "config.json").read_text())
    config["condition_token"] += 1
    (own / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="not the tokenizer that the model was trained with"):
        heat(own)


def test_conversion_is_the_same_model_in_one_folder(released, tmp_path):
    target = tmp_path / "converted"
    result = CliRunner().invoke(app, ["convert", str(released), str(target)])
    assert result.exit_code == 0, result.output
    assert {path.name for path in target.iterdir()} == {"model.safetensors", "config.json", "tokenizer.json"}
    keys = read_state_dict(target / "model.safetensors")
    assert not [key for key in keys if "lora" in key or "lm_head" in key]
    np.testing.assert_allclose(heat(target), heat(released), atol=1e-6)
    with pytest.raises(FileExistsError, match="holds a model already"):
        ivm_ros.models.registry.convert("ivm", released, target)


def test_conversion_to_half_precision_halves_the_file(released, tmp_path):
    ivm_ros.models.registry.convert("ivm", released, tmp_path / "half", "float16")
    state = read_state_dict(tmp_path / "half" / "model.safetensors")
    assert {tensor.dtype for key, tensor in state.items() if "language_model" in key} == {torch.float16}
    assert {tensor.dtype for key, tensor in state.items() if "mask_decoder" in key} == {torch.float32}
    np.testing.assert_allclose(heat(tmp_path / "half"), heat(released), atol=2e-3)


@pytest.mark.parametrize(("precision", "atol"), [("bfloat16", 0.02), ("float16", 0.002), ("8bit", 0.02)])
def test_other_precisions_are_close(released, precision, atol):
    if precision.endswith("bit"):
        pytest.importorskip("bitsandbytes")
    difference = np.abs(heat(released, precision=precision) - heat(released, precision="float32"))
    assert 0 < difference.max() < atol


def test_the_published_sizes():
    """Counts of spec section 5, and those of the released file in section 6."""
    config = IvmConfig()
    shapes = canonical_shapes(empty_ivm(config))
    sizes = {name: math.prod(tensor.shape) for name, tensor in shapes.items()}

    def count(*prefixes):
        chosen = [size for name, size in sizes.items() if name.startswith(prefixes)]
        return len(chosen), sum(chosen)

    assert count("image_encoder.") == (457, 637_026_048)
    assert count("mask_decoder.") == (96, 3_505_280 + 256)
    assert count("prompt_encoder.text_proj.") == (4, 8_915_200)
    head = 32064 * 4096
    assert count("prompt_encoder.model.")[1] + head + 4_194_304 == 7_067_621_376
    trained = trained_shapes(config)
    assert len(trained) == 64 + 64 + 4 + 96
    assert sum(math.prod(tensor.shape) for tensor in trained.values()) == 16_614_784 + 256
    names = released_names(trained)
    last = ivm_files.PREFIX["4.40"] + "31.self_attn.v_proj.lora_B.default.weight"
    assert last in names.values()
    assert all(canonical(released) == name for name, released in names.items())


def test_a_configuration_survives_its_file():
    config = IvmConfig.small()
    again = IvmConfig.from_json(config.to_json())
    assert again.to_json() == config.to_json()
    for text in ("", "[]", "{}", '{"format": "ivm 2"}', config.to_json().replace("projection_dim", "other")):
        with pytest.raises(ValueError, match="format 'ivm 1'"):
            IvmConfig.from_json(text)
