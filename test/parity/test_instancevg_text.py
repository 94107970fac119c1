"""InstanceVG's token ids against those of the reference's tokenizer."""

from __future__ import annotations

import json
from dataclasses import replace

import golden
import instancevg_network
import pytest
import torch

from ivm_ros.models.instancevg.config import BackboneConfig, InstanceVgConfig

SPM = "tiny_tokenizer.spm"


@pytest.fixture(scope="module")
def index(golden_root):
    golden.manifest(golden_root, instancevg_network.SYSTEM)
    return json.loads((golden_root / instancevg_network.SYSTEM / "tokenizer.json").read_text())


@pytest.fixture(scope="module")
def tokenizer(golden_root, index):
    text = pytest.importorskip("ivm_ros.models.instancevg.text", reason="needs sentencepiece")
    config = InstanceVgConfig(
        max_tokens=index["max_token"], backbone=BackboneConfig(vocabulary=index["len_with_special"])
    )
    return text.Tokenizer(golden_root / instancevg_network.SYSTEM / SPM, config)


@pytest.mark.filterwarnings("ignore:expected at most")
def test_ids(tokenizer, index):
    from ivm_ros.models.instancevg.text import batch, clean

    assert index["rows"]
    for row in index["rows"]:
        assert clean(row["raw"]) == row["clean"]
        assert tokenizer.all_ids(row["raw"]) == row["ids_untruncated"]
        ids, padding = batch([tokenizer.ids(row["raw"])], index["max_token"])
        assert ids[0].tolist() == row["input_ids"]
        expected = torch.tensor(row["padding_mask_1_is_pad"]) == 1
        assert torch.equal(padding[0] if padding is not None else torch.zeros_like(expected), expected)


def test_texts_that_are_cut_are_warned_about(tokenizer, index):
    longest = max((row["raw"] for row in index["rows"]), key=lambda raw: len(tokenizer.all_ids(raw)))
    with pytest.warns(UserWarning, match="is not read"):
        assert len(tokenizer.ids(longest)) == index["max_token"]


def test_a_file_with_more_pieces_than_the_model_is_refused(tokenizer, index, golden_root):
    from ivm_ros.checkpoints import CheckpointError
    from ivm_ros.models.instancevg.text import Tokenizer

    config = InstanceVgConfig(backbone=replace(BackboneConfig(), vocabulary=index["len_with_special"] - 1))
    with pytest.raises(CheckpointError, match="expected at most"):
        Tokenizer(golden_root / instancevg_network.SYSTEM / SPM, config)
