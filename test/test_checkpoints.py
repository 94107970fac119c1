"""Strict loading: good files load, bad ones say what is wrong with them."""

from __future__ import annotations

import re
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from ivm_ros.checkpoints import (
    CheckpointError,
    fit,
    load_strictly,
    read_metadata,
    read_state_dict,
    write_state_dict,
)


@pytest.fixture
def state():
    return {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.ones(2)}


class NotATensor:
    pass


def test_safetensors_round_trip(tmp_path, state):
    path = tmp_path / "x.safetensors"
    write_state_dict(state, path, {"step": "7"})
    assert read_metadata(path) == {"step": "7"}
    module = nn.Linear(3, 2)
    load_strictly(module, read_state_dict(path))
    assert torch.equal(module.weight, state["weight"]) and torch.equal(module.bias, state["bias"])
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin", ".ckpt"])
def test_torch_files_load(tmp_path, state, suffix):
    path = tmp_path / f"x{suffix}"
    torch.save(state, path)
    assert torch.equal(read_state_dict(path)["weight"], state["weight"])


@pytest.mark.parametrize("core", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_a_training_runs_file_gives_its_state_dict_alone(tmp_path, state, core):
    run = {
        "state_dict": state,
        "optimizer": {"state": {0: {"step": torch.ones(1)}}, "param_groups": [{"betas": (0.9, 0.98)}]},
        "epoch": 9,
        "best": np.float64(0.75),
        "lr": np.float32(0.1),
    }
    torch.save(run, tmp_path / "new.pth")
    path = tmp_path / "x.pth"
    rename(tmp_path / "new.pth", path, core)
    assert read_state_dict(path, inside=("model", "state_dict")).keys() == state.keys()
    torch.save(state, path)
    assert read_state_dict(path, inside=("model", "state_dict")).keys() == state.keys()
    torch.save({"state_dict": state, "hook": NotATensor()}, path)
    with pytest.raises(CheckpointError, match="more than tensors"):
        read_state_dict(path, inside=("state_dict",))


def rename(source, target, core):
    """Write a torch file again as another NumPy would have: its module of scalars moved in version 2."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for item in old.infolist():
            data = old.read(item)
            if item.filename.endswith("data.pkl"):
                for name in (b"numpy.core.multiarray", b"numpy._core.multiarray"):
                    data = data.replace(b"c" + name + b"\n", b"c" + core.encode() + b"\n")
            new.writestr(item, data)


def test_half_precision_becomes_the_modules(state):
    module = nn.Linear(3, 2)
    load_strictly(module, {key: value.half() for key, value in state.items()})
    assert module.weight.dtype == torch.float32


def test_every_misfit_is_named(state):
    wrong = {"weight": torch.zeros(3, 2), "other": torch.zeros(1)}
    report = fit(nn.Linear(3, 2).state_dict(), wrong)
    assert report.missing == ("bias",)
    assert report.unexpected == ("other",)
    assert report.misshapen == (("weight", (2, 3), (3, 2)),)
    with pytest.raises(CheckpointError, match=re.escape("file.pt does not fit Linear")) as caught:
        load_strictly(nn.Linear(3, 2), wrong, "file.pt")
    for part in ("1 missing: bias", "1 unexpected: other", "weight: expected (2, 3), got (3, 2)"):
        assert part in str(caught.value)


def test_long_lists_are_cut():
    report = fit(nn.Linear(1, 1).state_dict(), {f"key{i}": torch.zeros(1) for i in range(30)})
    assert "30 unexpected" in str(report) and "and 10 more" in str(report)


def test_nothing_is_loaded_when_something_does_not_fit(state):
    module = nn.Linear(3, 2)
    before = module.weight.clone()
    with pytest.raises(CheckpointError):
        load_strictly(module, {**state, "other": torch.zeros(1)})
    assert torch.equal(module.weight, before)


def write_bytes(path):
    path.write_bytes(b"not a checkpoint")


def write_cut(path):
    save_file({"weight": torch.zeros(100)}, path)
    path.write_bytes(path.read_bytes()[:200])


def write_object(path):
    torch.save({"weight": NotATensor()}, path)


def write_list(path):
    torch.save([torch.zeros(1)], path)


def write_nothing(path):
    path.touch()


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("x.safetensors", None, "there is none at"),
        ("x.safetensors", write_bytes, "corrupt or not a safetensors file"),
        ("x.safetensors", write_cut, "corrupt or not a safetensors file"),
        ("x.safetensors", write_nothing, "corrupt or not a safetensors file"),
        ("x.pt", write_bytes, "corrupt"),
        ("x.pt", write_nothing, "corrupt"),
        ("x.pt", write_object, "more than tensors"),
        ("x.pt", write_list, "got list"),
        ("x.onnx", write_bytes, "ends with one of .safetensors"),
    ],
)
def test_bad_files_say_what_is_wrong(tmp_path, name, write, message):
    path = tmp_path / name
    if write is not None:
        write(path)
    with pytest.raises(CheckpointError, match=re.escape(message)) as caught:
        read_state_dict(path)
    assert str(path) in str(caught.value)


def test_a_folder_is_not_a_checkpoint(tmp_path):
    with pytest.raises(CheckpointError, match="there is none at"):
        read_state_dict(tmp_path)
