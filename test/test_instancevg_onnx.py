"""InstanceVG by other engines: ONNX Runtime and compiled code give the answers that PyTorch gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from instancevg_files import RELEASED, write_released
from typer.testing import CliRunner

pytest.importorskip("onnxruntime", reason="pip install 'ivm-ros[onnx]'")
pytest.importorskip("onnxscript", reason="pip install 'ivm-ros[onnx]'")

import ivm_ros
from ivm_ros.checkpoints import CheckpointError
from ivm_ros.cli.app import app
from ivm_ros.models import registry
from ivm_ros.models.instancevg import onnx
from ivm_ros.models.instancevg.beit3 import EncoderLayer
from ivm_ros.models.instancevg.config import InstanceVgConfig
from ivm_ros.models.instancevg.model import InstanceVg
from ivm_ros.models.instancevg.small import write_small

PICTURE = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)
WORDS = ["the cup", "pick up the red cup left of the plate", "the blue bowl", "hand me the mug"]
LOW = 0.05  # a score that random weights reach


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Return the folder of the weights, that of the graphs, and what the command said of them."""
    weights, graphs = (tmp_path_factory.mktemp("instancevg") / name for name in ("weights", "graphs"))
    config = InstanceVgConfig.small(layers=1, queries=3)
    write_small(weights, replace(config, head=replace(config.head, decoder_layers=1)))
    result = CliRunner().invoke(app, ["export", "--model", "instancevg", str(weights), str(graphs)])
    assert result.exit_code == 0, result.output
    return weights, graphs, result.output


def loaded(folder, **options):
    return ivm_ros.load("instancevg", checkpoint=folder, device="cpu", score_threshold=LOW, **options)


@pytest.fixture(scope="module")
def pair(folders):
    weights, graphs, _ = folders
    return loaded(weights), loaded(graphs, engine="onnx")


def test_the_command_says_how_far_the_results_are_apart_and_how_to_use_them(folders):
    _, graphs, said = folders
    assert "differ by at most" in said and f"--checkpoint {graphs} --option engine=onnx" in said
    assert {path.name for path in graphs.iterdir()} == {
        "beit3.spm",
        "config.json",
        "image.onnx",
        "words.onnx",
    }


@pytest.mark.parametrize("count", [1, 2, 4, 11])
def test_any_number_of_texts_of_any_length_is_answered_as_by_pytorch(pair, count):
    texts = (WORDS * 3)[:count]
    expected, got = (grounder.look(grounder.encode(PICTURE), texts) for grounder in pair)
    for name, plain, ours in zip(expected._fields, expected, got, strict=True):
        torch.testing.assert_close(ours, plain, rtol=0, atol=1e-4, msg=name)


@pytest.mark.parametrize("words", [4, 20])
def test_texts_may_be_as_short_and_as_long_as_they_get(pair, words):
    plain, graph = pair
    ids = torch.arange(3, 3 + words)[None]
    expected, got = (each.model.read(each.encode(PICTURE).image, ids) for each in (plain, graph))
    torch.testing.assert_close(got.boxes, expected.boxes, rtol=0, atol=1e-4)


def test_groundings_are_those_of_pytorch(pair):
    expected, got = (grounder.ground_many(grounder.encode(PICTURE), WORDS) for grounder in pair)
    for plain, ours in zip(expected, got, strict=True):
        assert len(ours.targets) == len(plain.targets) > 0
        np.testing.assert_allclose(ours.heatmap, plain.heatmap, atol=1e-4)
        assert ours.existence == pytest.approx(plain.existence, abs=1e-4)
        for mine, theirs in zip(ours.targets, plain.targets, strict=True):
            np.testing.assert_allclose(mine.box, theirs.box, atol=1e-2)
    pair[1].close()


def test_released_files_are_exported_too(tmp_path, monkeypatch):
    """What is exported is what was read: the exporter gets the released file's weights."""
    config = write_released(tmp_path / "released")
    exported = []
    monkeypatch.setattr(onnx, "export_graph", lambda part, *_: exported.append(part))
    monkeypatch.setattr(onnx, "OnnxGraph", lambda *_: None)
    monkeypatch.setattr(onnx, "largest_difference", lambda *_: 0.0)
    assert registry.export("instancevg", tmp_path / "released" / RELEASED, tmp_path / "graphs") == 0.0
    assert [part.model.config for part in exported] == [config, config]
    with pytest.raises(FileExistsError, match="expected a new folder"):
        registry.export("instancevg", tmp_path / "released", tmp_path / "graphs")


def test_graphs_that_differ_are_refused_and_leave_no_model(folders, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx, "export_graph", lambda *_: None)
    monkeypatch.setattr(onnx, "OnnxGraph", lambda *_: None)
    for difference in (0.002, float("nan")):
        monkeypatch.setattr(onnx, "largest_difference", lambda *_, it=difference: it)
        with pytest.raises(ValueError, match=r"expected image.onnx to differ by at most 0.001 from PyTorch"):
            registry.export("instancevg", folders[0], tmp_path / "graphs")
    with pytest.raises(CheckpointError, match=r"has no config\.json"):
        loaded(tmp_path / "graphs", engine="onnx")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"engine": "tensorflow"}, "an engine of torch, compiled, onnx; got 'tensorflow'"),
        ({"provider": "cpu"}, "provider=auto with the engine torch"),
        ({"engine": "onnx", "precision": "bfloat16"}, "precision=auto with the engine onnx"),
        ({"engine": "onnx"}, "expected the graph image.onnx in .*ivm-ros export"),
    ],
)
def test_engines_that_cannot_be_are_refused(folders, options, said):
    with pytest.raises(ValueError, match=said):
        loaded(folders[0], **options)


def test_graphs_are_no_weights(folders):
    with pytest.raises(CheckpointError, match="use engine=onnx"):
        loaded(folders[1])
    with pytest.raises(ValueError, match="provider of auto, cpu, cuda, tensorrt; got 'tpu'"):
        loaded(folders[1], engine="onnx", provider="tpu")


def test_only_models_with_graphs_are_exported(tmp_path):
    with pytest.raises(ValueError, match="can be exported, ivm-tiny, instancevg; got 'ivm'"):
        registry.export("ivm", tmp_path, tmp_path / "graphs")


def test_compiled_layers_are_made_before_they_are_used(folders, monkeypatch, capfd):
    """What torch compiles is torch's; that it is every layer, for one text and for several, is ours."""
    compiled_layers, asked = [], []
    monkeypatch.setattr(EncoderLayer, "compile", lambda layer, dynamic: compiled_layers.append(layer))
    read = InstanceVg.read
    monkeypatch.setattr(
        InstanceVg,
        "read",
        lambda model, image, ids, padding=None: (
            asked.append((len(ids), padding)) or read(model, image, ids, padding)
        ),
    )
    compiled = loaded(folders[0], engine="compiled")
    assert len(compiled_layers) == compiled.model.config.backbone.layers
    assert [texts for texts, _ in asked] == [1, 2]
    assert "compiling InstanceVG: done" in capfd.readouterr().err
    plain = loaded(folders[0])
    for texts in (WORDS[:1], WORDS):
        ours = compiled.look(compiled.encode(PICTURE), texts)
        assert asked[-1][1] is not None  # one code, with and without padding
        theirs = plain.look(plain.encode(PICTURE), texts)
        for mine, expected in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine, expected, rtol=0, atol=1e-5)
