"""ivm-tiny by other engines, and its short cuts: the same answers as PyTorch's, in less time."""

from __future__ import annotations

import json
import shutil

import cv2
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import ivm_ros
from ivm_ros.checkpoints import CheckpointError
from ivm_ros.cli.app import app
from ivm_ros.clip import load_clip
from ivm_ros.grounding import Target
from ivm_ros.models.instances import targets_from_heatmap
from ivm_ros.models.ivm_tiny import engines
from ivm_ros.models.ivm_tiny.concepts import geometry
from ivm_ros.models.ivm_tiny.config import TinyConfig
from ivm_ros.models.ivm_tiny.files import WEIGHTS, Calibration, load_weights, save_weights
from ivm_ros.models.ivm_tiny.model import IvmTiny
from ivm_ros.models.ivm_tiny.network import picture_parts

CPU = torch.device("cpu")
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
TOLERANCE = 1e-3  # of probabilities


@pytest.fixture(scope="module")
def picture():
    return next(load_clip().frames())


@pytest.fixture(scope="module")
def texts():
    return [
        *load_clip().instructions,
        "giraffe",
        "pick up the small red metal cup that is left of the blue plate",
    ]


@pytest.fixture(scope="module")
def by_torch():
    return ivm_ros.load("ivm-tiny", device="cpu", engine="torch")


@pytest.fixture(scope="module")
def by_onnx():
    pytest.importorskip("onnxruntime", reason="pip install 'ivm-ros[onnx]'")
    return ivm_ros.load("ivm-tiny", device="cpu", engine="onnx")


def small_file(path, seed=0):
    """Write small weights whose answers are not all the same."""
    torch.manual_seed(seed)
    model = IvmTiny(SMALL)
    for value in model.hyper.layers[-1].parameters():
        torch.nn.init.normal_(value, std=0.5)
    save_weights(model, path, {}, Calibration(existence=0.0))
    return path


def assert_same(expected, got, tolerance=TOLERANCE):
    for plain, ours in zip(expected, got, strict=True):
        np.testing.assert_allclose(ours.heatmap, plain.heatmap, atol=tolerance)
        assert ours.existence == pytest.approx(plain.existence, abs=tolerance)
        assert len(ours.targets) == len(plain.targets)


# ONNX Runtime


@pytest.mark.parametrize("count", [1, 2, 4, 9])
def test_onnx_answers_any_number_of_texts_as_pytorch_does(by_torch, by_onnx, picture, texts, count):
    expected, got = (each.ground_many(each.encode(picture), texts[:count]) for each in (by_torch, by_onnx))
    assert by_onnx.network.engine == "onnx" and by_torch.network.engine == "torch"
    assert any(grounding.found for grounding in expected)
    assert_same(expected, got)
    for plain, ours in zip(expected, got, strict=True):
        for mine, theirs in zip(ours.targets, plain.targets, strict=True):
            assert mine.box == theirs.box and (mine.mask == theirs.mask).mean() > 0.9999


def test_graphs_in_the_package_have_no_weights_but_those_of_the_file(tmp_path, by_onnx, picture, texts):
    """A file of other weights of the same sizes gets other answers from the same graphs: PyTorch's."""
    model, calibration = load_weights(WEIGHTS)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(1.1)
    save_weights(model, tmp_path / "other.safetensors", {}, calibration)
    plain, ours = (
        ivm_ros.load("ivm-tiny", checkpoint=tmp_path / "other.safetensors", device="cpu", engine=engine)
        for engine in ("torch", "onnx")
    )
    expected, got = (each.ground_many(each.encode(picture), texts) for each in (plain, ours))
    assert_same(expected, got)
    shipped = by_onnx.ground_many(by_onnx.encode(picture), texts)
    assert max(np.abs(a.heatmap - b.heatmap).max() for a, b in zip(got, shipped, strict=True)) > 0.01


def test_graphs_in_the_package_fit_its_weights_and_say_nothing_of_where_they_were_made(by_onnx):
    from ivm_ros.models.ivm_tiny.onnx import INDEX, SHIPPED, find_graphs

    assert find_graphs(load_weights(WEIGHTS)[0].config) == SHIPPED
    files = [path for path in SHIPPED.iterdir() if path.name != INDEX]
    assert {path.name for path in files} == {"image.onnx", "words.onnx"}
    assert all(b".py" not in path.read_bytes() for path in files)
    assert sum(path.stat().st_size for path in (WEIGHTS, *SHIPPED.iterdir())) <= 12e6


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Return small weights, the folder that the command made of them, and what it said."""
    pytest.importorskip("onnxruntime", reason="pip install 'ivm-ros[onnx]'")
    pytest.importorskip("onnxscript", reason="pip install 'ivm-ros[onnx]'")
    folder = tmp_path_factory.mktemp("tiny")
    weights = small_file(folder / "small.safetensors")
    result = CliRunner().invoke(app, ["export", "--model", "ivm-tiny", str(weights), str(folder / "graphs")])
    assert result.exit_code == 0, result.output
    return weights, folder / "graphs", result.output


def test_the_command_exports_weights_of_any_sizes(exported, picture, texts):
    weights, folder, said = exported
    assert "differ by at most" in said
    assert {path.name for path in folder.iterdir()} == {
        "image.onnx",
        "words.onnx",
        "graphs.json",
        WEIGHTS.name,
    }
    plain = ivm_ros.load("ivm-tiny", checkpoint=weights, device="cpu", engine="torch")
    ours = ivm_ros.load("ivm-tiny", checkpoint=folder, device="cpu", engine="onnx")
    assert_same(*(each.ground_many(each.encode(picture), texts) for each in (plain, ours)))
    assert ivm_ros.load("ivm-tiny", checkpoint=folder, device="cpu").network.engine == "onnx"
    result = CliRunner().invoke(app, ["export", "--model", "ivm-tiny", str(weights), str(folder)])
    assert isinstance(result.exception, FileExistsError)


def test_graphs_may_be_missing_and_an_index_broken(exported, tmp_path):
    weights, folder, _ = exported
    with pytest.raises(CheckpointError, match=r"`ivm-ros export --model ivm-tiny` made"):
        ivm_ros.load("ivm-tiny", checkpoint=weights, device="cpu", engine="onnx")
    assert ivm_ros.load("ivm-tiny", checkpoint=weights, device="cpu").network.engine == "torch"
    broken = shutil.copytree(folder, tmp_path / "broken")
    for text in ("{", "[]", json.dumps({"config": 7}), json.dumps({"config": "{}", "weights": 1})):
        (broken / "graphs.json").write_text(text)
        with pytest.raises(CheckpointError):
            ivm_ros.load("ivm-tiny", checkpoint=broken, device="cpu", engine="onnx")


def test_a_graph_that_differs_is_refused(exported, tmp_path, monkeypatch):
    from ivm_ros.engines import export as exporting
    from ivm_ros.models.ivm_tiny import onnx

    weights, folder, _ = exported
    monkeypatch.setattr(
        exporting, "export_graph", lambda part, spec, *_: shutil.copy(folder / spec.file, tmp_path)
    )
    other = small_file(tmp_path / "other.safetensors", seed=1)
    with pytest.raises(ValueError, match=r"expected image.onnx to differ by at most 0.001 from PyTorch"):
        onnx.export(other, tmp_path)
    assert not (tmp_path / onnx.INDEX).exists()
    assert onnx.export(weights, tmp_path) < TOLERANCE


def test_weights_are_left_out_and_given_back_by_name(exported, tmp_path, monkeypatch):
    from ivm_ros.engines import onnx as running
    from ivm_ros.engines.export import leave_out_weights
    from ivm_ros.models.ivm_tiny.onnx import _state, graphs

    weights, folder, _ = exported
    copy = shutil.copytree(folder, tmp_path / "copy")
    spec = graphs(SMALL)[0]
    names = leave_out_weights(copy / spec.file, ["model.share4.weight", "no.such"])
    assert names == ["model.share4.weight"]
    with pytest.raises(CheckpointError, match=r"expected .* with its weights inside"):
        leave_out_weights(copy / spec.file, names)
    given = {name: _state(load_weights(weights)[0])[name].numpy() for name in names}
    small = np.zeros((SMALL.height, SMALL.width, 3), np.uint8)
    full, lacking = running.OnnxGraph(folder, spec), running.OnnxGraph(copy, spec, weights=given)
    np.testing.assert_array_equal(lacking({"picture": small})["blend"], full({"picture": small})["blend"])
    with pytest.raises(CheckpointError):
        running.OnnxGraph(copy, spec)
    monkeypatch.setattr(running.onnxruntime, "get_available_providers", lambda: ["TensorrtExecutionProvider"])
    with pytest.raises(ValueError, match="expected a graph with its weights for the provider tensorrt"):
        running.OnnxGraph(copy, spec, "tensorrt", weights=given)


# Which engine


def test_auto_is_onnx_where_it_is_installed(monkeypatch, by_onnx):
    assert ivm_ros.load("ivm-tiny", device="cpu").network.engine == "onnx"
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    assert ivm_ros.load("ivm-tiny", device="cpu").network.engine == "torch"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"engine": "caffe"}, "an engine of auto, torch, onnx; got 'caffe'"),
        ({"precision": "int3"}, "a precision of float32, bfloat16; got 'int3'"),
        ({"engine": "torch", "provider": "cpu"}, "provider=auto with the engine torch"),
        ({"provider": "tpu"}, "provider of auto, cpu, cuda, tensorrt; got 'tpu'"),
    ],
)
def test_options_that_cannot_be_are_refused(by_onnx, options, said):
    with pytest.raises(ValueError, match=said):
        ivm_ros.load("ivm-tiny", device="cpu", **options)


@pytest.mark.parametrize("engine", ["torch", "onnx"])
def test_bfloat16_is_the_pictures_half_and_answers_nearly_the_same(by_onnx, picture, texts, engine):
    expected = by_onnx.ground_many(by_onnx.encode(picture), texts)
    rounded = ivm_ros.load("ivm-tiny", device="cpu", engine=engine, precision="bfloat16")
    got = rounded.ground_many(rounded.encode(picture), texts)
    assert_same(expected, got, tolerance=0.1)
    apart = max(np.abs(a.heatmap - b.heatmap).max() for a, b in zip(expected, got, strict=True))
    assert apart > 1e-4  # else it was not in bfloat16
    assert [grounding.found for grounding in got] == [grounding.found for grounding in expected]


def test_the_pictures_half_is_all_that_encode_needs():
    model = IvmTiny(SMALL).eval()
    touched = {id(weight) for part in picture_parts(model) for weight in part.parameters()}
    pixels = torch.zeros(1, 3, SMALL.height, SMALL.width)
    for name, weight in model.named_parameters():
        if id(weight) not in touched:
            torch.nn.init.constant_(weight, float("nan"))
            assert name.split(".")[0] not in ("image", "blend", "share4", "share8", "share16")
    seen = model.encode(pixels).seen
    assert all(torch.isfinite(tensor).all() for tensor in (*seen.concepts, *seen[1:]))


# What is remembered of the words


@pytest.mark.parametrize("engine", ["torch", "onnx"])
def test_words_are_read_once_for_any_number_of_pictures(engine, by_onnx, picture, monkeypatch):
    read = []
    text = IvmTiny.read
    monkeypatch.setattr(IvmTiny, "read", lambda model, texts: read.append(texts) or text(model, texts))
    grounder = ivm_ros.load("ivm-tiny", device="cpu", engine=engine)
    flipped = np.ascontiguousarray(picture[:, ::-1])
    first = grounder(picture, "the red cup")
    other = grounder(flipped, "the red cup")
    blue = grounder(picture, "the blue mug")
    again = grounder(picture, "the red cup")
    assert read == [("the red cup",), ("the blue mug",)]
    np.testing.assert_array_equal(first.heatmap, again.heatmap)
    assert np.abs(first.heatmap - other.heatmap).max() > 0.1
    assert np.abs(first.heatmap - blue.heatmap).max() > 0.1


# Short cuts


def blobs(seed):
    rng = np.random.default_rng(seed)
    noise = rng.random((90, 120), np.float32)
    size = (1, 3, 7, 15, 31)[seed % 5]
    smooth = cv2.GaussianBlur(noise, (size, size), 0)
    low, high = smooth.min(), smooth.max()
    return ((smooth - low) / (high - low)).astype(np.float32)


def plainly(heatmap, threshold, label="", min_area=2e-4, min_share=0.05, limit=20):
    """Return what `targets_from_heatmap` should, from labels of the whole picture."""
    above = (heatmap > threshold).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(above, connectivity=8)
    if count == 1:
        return ()
    areas = stats[1:, cv2.CC_STAT_AREA]
    smallest = max(min_area * heatmap.size, min_share * areas.max(), 1)
    sums = np.bincount(labels.ravel(), weights=heatmap.ravel(), minlength=count)[1:]
    scores = np.clip(sums / areas * np.minimum(1.0, 2.0 * areas / areas.max()), 0.0, 1.0)
    kept = [index for index in np.argsort(-scores, kind="stable") if areas[index] >= smallest][:limit]
    return tuple(Target.from_mask(labels == index + 1, float(scores[index]), label) for index in kept)


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.9])
def test_targets_are_those_of_labels_of_the_whole_picture(seed, threshold):
    heatmap = blobs(seed)
    expected, got = (find(heatmap, threshold, "cup", limit=7) for find in (plainly, targets_from_heatmap))
    assert [t.box for t in got] == [t.box for t in expected]
    for ours, plain in zip(got, expected, strict=True):
        assert (ours.point, ours.label) == (plain.point, plain.label)
        assert ours.score == pytest.approx(plain.score, abs=1e-6)
        np.testing.assert_array_equal(ours.mask, plain.mask)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (40, 60)])
@pytest.mark.parametrize("heat", [0.0, 0.5, 1.0])
def test_heat_everywhere_and_nowhere(size, heat):
    heatmap = np.full(size, heat, np.float32)
    expected, got = plainly(heatmap, 0.5), targets_from_heatmap(heatmap, 0.5)
    assert [(t.box, t.point, t.score) for t in got] == [(t.box, t.point, t.score) for t in expected]


def test_geometry_by_columns_and_rows_is_that_of_all_pixels():
    """Against the formulas written out over pixels: a mean weighted by w, and by w * exp(+-30 * place)."""
    generator = torch.Generator().manual_seed(0)
    target, anchor = torch.rand(2, 3, 12, 16, generator=generator).double() ** 4
    grid = torch.stack(torch.meshgrid(torch.linspace(-1, 1, 16), torch.linspace(-1, 1, 12), indexing="xy"))
    weight = target.square() + 1e-8

    def mean(weights):
        return (weights[:, None] * grid).sum(dim=(-1, -2)) / weights.sum(dim=(-1, -2))[:, None]

    def far(sign):
        found = [weight * (sign * 30 * axis.double()).exp() for axis in grid]
        return torch.stack([mean(each)[:, place] for place, each in enumerate(found)], dim=1)

    maps = geometry(target.float(), anchor.float()).double()
    for start, place in ((2, mean(anchor.square() + 1e-8)), (6, mean(weight)), (8, far(-1))):
        torch.testing.assert_close(
            maps[:, start : start + 2], grid.double() - place[..., None, None], atol=1e-4, rtol=0
        )
    torch.testing.assert_close(maps[:, 10:12], far(1)[..., None, None] - grid.double(), atol=1e-4, rtol=0)
