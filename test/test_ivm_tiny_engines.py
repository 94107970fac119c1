"""ivm-tiny by other engines, and its short cuts: the same answers as PyTorch's, in less time."""

from __future__ import annotations

import copy
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
from ivm_ros.models.ivm_tiny.config import TinyConfig
from ivm_ros.models.ivm_tiny.encoder import fold_batch_norms
from ivm_ros.models.ivm_tiny.files import WEIGHTS, Calibration, load_weights, save_weights
from ivm_ros.models.ivm_tiny.glimpses import SIDE
from ivm_ros.models.ivm_tiny.model import TRIED, IvmTiny, compare, maxima, strongest
from ivm_ros.models.ivm_tiny.network import TorchEngine
from ivm_ros.models.ivm_tiny.objects import REACH, Cells

CPU = torch.device("cpu")
SMALL = TinyConfig(
    width=64,
    height=48,
    widths=(8, 8, 16, 16),
    channels=32,
    heads=2,
    buckets=512,
    embedding=16,
    pixels=12,
    hidden=4,
    pair=8,
    most=5,
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
    return ivm_ros.load("ivm-tiny", device="cpu", engine="onnx", precision="float32")


def lively(config, seed=0):
    """Return a network that finds objects in anything, and whose answers are not all the same."""
    torch.manual_seed(seed)
    model = IvmTiny(config).eval()
    torch.nn.init.normal_(model.image.heat[1].weight, std=5.0)
    torch.nn.init.zeros_(model.image.heat[1].bias)
    torch.nn.init.normal_(model.masks.read[2].weight, std=5.0)
    torch.nn.init.normal_(model.matcher.target.weight, std=0.5)
    torch.nn.init.normal_(model.closer.say.weight, std=0.5)
    torch.nn.init.normal_(model.outliner.change.weight, std=2.0)
    return model


def small_file(path, seed=0):
    """Write small weights."""
    save_weights(lively(SMALL, seed), path, {}, Calibration(existence=0.0, target=0.2))
    return path


def noise(config, seed=0):
    shape = (config.height // 16, config.width // 16, 3)
    coarse = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return cv2.resize(coarse, (config.width, config.height), interpolation=cv2.INTER_CUBIC)


def assert_same(expected, got, tolerance=TOLERANCE):
    for plain, ours in zip(expected, got, strict=True):
        np.testing.assert_allclose(ours.heatmap, plain.heatmap, atol=tolerance)
        assert ours.existence == pytest.approx(plain.existence, abs=tolerance)
        assert len(ours.targets) == len(plain.targets)


# What both engines choose and compute


def test_what_is_tried_is_the_highest_of_its_neighbours_the_surest_first():
    heat = torch.full((1, 12, 16), -4.0)
    for y, x, value in ((2, 3, 2.0), (2, 4, 1.0), (9, 9, 3.0), (11, 15, 0.5), (6, 0, -2.0)):
        heat[0, y, x] = value
    cells, sure = strongest(maxima(heat))
    assert list(zip(cells.y.tolist(), cells.x.tolist(), strict=True)) == [(9, 9), (2, 3), (11, 15)]
    torch.testing.assert_close(sure, torch.tensor([3.0, 2.0, 0.5]).sigmoid())
    faint, sure = strongest(maxima(heat - 10))
    assert (faint.y.tolist(), faint.x.tolist()) == ([9], [9]) and sure < 1e-2
    grid = torch.full((1, 48, 64), -4.0)
    grid[0, ::3, ::3] = 2.0  # 352 of them
    assert len(strongest(maxima(grid))[1]) == TRIED


def test_one_mask_of_each_object_is_kept():
    masks = torch.full((5, 6, 8), -9.0)
    masks[0, :3, :4] = masks[1, :3, :5] = masks[2, 4:, 5:] = 9.0
    masks[3, 0, 7] = 9.0  # a single cell is no object
    masks[4, 3, :4] = 1.0  # one, but not sure of its pixels
    sure, overlap = compare(masks, torch.tensor([0.9, 0.95, 0.5, 0.9, 0.12]))
    assert overlap[0, 1] == pytest.approx(12 / 15) and overlap[0, 2] == 0
    assert sure[3] == 0 and sure[4] == pytest.approx(0.12 / (1 + np.exp(-1)))
    model = IvmTiny(SMALL)
    assert model.keep(sure, overlap) == [1, 2]  # 4 is too faint
    assert model.keep(0 * sure, overlap) == [0]  # never none
    assert model.keep(torch.linspace(1, 0.5, 9), torch.eye(9)) == list(range(SMALL.most))


def test_masks_by_one_product_are_those_of_each_objects_own_layers_around_its_cell():
    parts = pytest.importorskip("ivm_ros.models.ivm_tiny.parts")
    model = lively(SMALL)
    generator = torch.Generator().manual_seed(0)
    features = model.image(torch.randn(1, 3, SMALL.height, SMALL.width, generator=generator))
    y, x = (torch.randint(0, end, (9,), generator=generator) for end in (12, 16))
    kernels = model.masks.kernels(features, Cells(torch.zeros_like(y), y, x))
    expected = torch.stack(
        [layers_around(*each, features.pixels[0]) for each in zip(kernels, y, x, strict=True)]
    )
    read = (features.s4, features.s8, features.s16, features.pixels)
    (masks,) = parts.MasksPart(model)(*read, y, x)
    assert expected.std() > 0.1
    torch.testing.assert_close(masks, expected, atol=1e-4, rtol=1e-4)


def layers_around(kernel, y, x, pixels):
    """Return a mask of one object as it is defined: two layers over pixels and the way from its cell."""
    rows, columns = torch.meshgrid(*(torch.arange(float(side)) for side in pixels.shape[1:]), indexing="ij")
    dx, dy = (columns - x) / REACH, (rows - y) / REACH
    seen = torch.cat([pixels, torch.stack([dx, dx**2, dy, dy**2, torch.ones_like(dx)])])
    first, second = kernel[: -SMALL.hidden - 1].reshape(SMALL.hidden, -1), kernel[-SMALL.hidden - 1 : -1]
    hidden = torch.relu(torch.einsum("hc,cyx->hyx", first, seen))
    return torch.einsum("h,hyx->yx", second, hidden) + kernel[-1]


def test_the_graphs_in_the_package_pass_the_exporters_check_with_the_weights_that_ship():
    pytest.importorskip("onnxruntime", reason="pip install 'ivm-ros[onnx]'")
    pytest.importorskip("onnxscript", reason="pip install 'ivm-ros[onnx]'")
    from ivm_ros.engines.export import largest_difference
    from ivm_ros.engines.graphs import SIZES
    from ivm_ros.models.ivm_tiny import onnx, parts

    model, _ = load_weights(WEIGHTS)
    fold_batch_norms(model)
    examples = [parts.example(model, size) for size in SIZES]
    opened = onnx.open_graphs(model, onnx.SHIPPED, CPU)
    for graph, part in zip(opened, parts.PARTS, strict=True):
        inputs = [{port.name: each[port.name] for port in graph.spec.inputs} for each in examples]
        assert largest_difference(part(model), graph, inputs) <= onnx.TOLERANCE


@pytest.mark.parametrize("count", [1, 3])
def test_the_graphs_in_the_package_see_and_match_as_pytorch_does(count, texts):
    """With weights by chance, of the sizes that ship."""
    pytest.importorskip("onnxruntime", reason="pip install 'ivm-ros[onnx]'")
    from ivm_ros.models.ivm_tiny.onnx import OnnxEngine, find_graphs

    config = TinyConfig()
    assert find_graphs(config) is not None
    model = lively(config, seed=count)
    fold_batch_norms(model)  # both compute with the same weights to the bit
    ours = OnnxEngine(model, find_graphs(config), CPU)
    plain = TorchEngine(copy.deepcopy(model), CPU)
    small = noise(config, count)
    picture = cv2.resize(small, (640, 480))
    with torch.inference_mode():
        asked = model.read(texts[:count])
        expected, got = plain.see(small, picture), ours.see(small, picture)
        assert len(expected.found.sure) > 2
        for theirs, mine in ((expected.found, got.found), (expected.scene, got.scene)):
            torch.testing.assert_close(tuple(mine), tuple(theirs), atol=TOLERANCE, rtol=TOLERANCE)
        np.testing.assert_array_equal(got.windows, expected.windows)
        assert torch.equal(got.glimpses, expected.glimpses) and torch.equal(got.where, expected.where)
        for theirs, mine in zip(
            plain.match(expected.scene, asked), ours.match(got.scene, asked), strict=True
        ):
            np.testing.assert_allclose(mine, theirs, atol=TOLERANCE, rtol=TOLERANCE)
        objects = [1, 0]
        drawn = ours.draw(got, objects)
        assert drawn.shape == (2, SIDE, SIDE)
        np.testing.assert_allclose(drawn, plain.draw(expected, objects), atol=TOLERANCE, rtol=TOLERANCE)


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
    from ivm_ros.models.ivm_tiny.parts import graphs
    from ivm_ros.models.ivm_tiny.quantised import quantised

    assert find_graphs(load_weights(WEIGHTS)[0].config) == SHIPPED
    files = [path for path in SHIPPED.iterdir() if path.name != INDEX]
    specs = graphs(TinyConfig())
    assert {path.name for path in files} == {f"{spec.name}.onnx" for spec in (*specs, quantised(specs[0]))}
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
        *(f"{name}.onnx" for name in ("picture", "masks", "looks", "outlines", "words")),
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
    with pytest.raises(ValueError, match=r"expected picture.onnx to differ by at most 0.001 from PyTorch"):
        onnx.export(other, tmp_path)
    assert not (tmp_path / onnx.INDEX).exists()
    assert onnx.export(weights, tmp_path) < TOLERANCE


def test_weights_are_left_out_and_given_back_by_name(exported, tmp_path, monkeypatch):
    from ivm_ros.engines import onnx as running
    from ivm_ros.engines.export import leave_out_weights
    from ivm_ros.models.ivm_tiny.onnx import _state
    from ivm_ros.models.ivm_tiny.parts import graphs

    weights, folder, _ = exported
    copy = shutil.copytree(folder, tmp_path / "copy")
    spec = graphs(SMALL)[0]
    names = leave_out_weights(copy / spec.file, ["model.image.pixels.weight", "no.such"])
    assert names == ["model.image.pixels.weight"]
    with pytest.raises(CheckpointError, match=r"expected .* with its weights inside"):
        leave_out_weights(copy / spec.file, names)
    given = {name: _state(load_weights(weights)[0])[name].numpy() for name in names}
    small = noise(SMALL)
    full, lacking = running.OnnxGraph(folder, spec), running.OnnxGraph(copy, spec, weights=given)
    np.testing.assert_array_equal(lacking({"picture": small})["pixels"], full({"picture": small})["pixels"])
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
        ({"precision": "int3"}, "a precision of auto, float32, bfloat16, int8; got 'int3'"),
        ({"engine": "torch", "provider": "cpu"}, "provider=auto with the engine torch"),
        ({"engine": "torch", "precision": "int8"}, "float32 or bfloat16 with the engine torch, got 'int8'"),
        ({"provider": "tpu"}, "provider of auto, cpu, cuda, tensorrt; got 'tpu'"),
    ],
)
def test_options_that_cannot_be_are_refused(by_onnx, options, said):
    with pytest.raises(ValueError, match=said):
        ivm_ros.load("ivm-tiny", device="cpu", **options)


def test_bfloat16_is_the_encoders_and_answers_nearly_the_same(by_onnx, picture, texts):
    expected = by_onnx.ground_many(by_onnx.encode(picture), texts)
    rounded = ivm_ros.load("ivm-tiny", device="cpu", precision="bfloat16")
    assert rounded.network.engine == "torch"  # ONNX Runtime has no such convolutions on CPUs
    got = rounded.ground_many(rounded.encode(picture), texts)
    assert_same(expected, got, tolerance=0.1)
    apart = max(np.abs(a.heatmap - b.heatmap).max() for a, b in zip(expected, got, strict=True))
    assert apart > 1e-4  # else it was not in bfloat16
    with pytest.raises(ValueError, match="precision=float32 or int8 with the engine onnx"):
        ivm_ros.load("ivm-tiny", device="cpu", engine="onnx", precision="bfloat16")


# 8 bits


def test_int8_answers_nearly_the_same(by_onnx, picture, texts):
    expected = by_onnx.ground_many(by_onnx.encode(picture), texts)
    rounded = ivm_ros.load("ivm-tiny", device="cpu", precision="int8")
    assert (rounded.network.engine, rounded.network.precision) == ("onnx", "int8")
    got = rounded.ground_many(rounded.encode(picture), texts)
    apart = max(np.abs(a.heatmap - b.heatmap).max() for a, b in zip(expected, got, strict=True))
    assert apart > 1e-3  # else it was not in 8 bits
    for plain, ours in zip(expected, got, strict=True):
        assert ours.existence == pytest.approx(plain.existence, abs=0.3)
    found = [(a.targets[0], b.targets[0]) for a, b in zip(expected, got, strict=True) if a.found and b.found]
    assert len(found) >= len(texts) // 2
    for plain, ours in found:
        assert (plain.mask & ours.mask).sum() / (plain.mask | ours.mask).sum() > 0.8


@pytest.mark.parametrize(("multiplies", "precision"), [(True, "int8"), (False, "float32")])
def test_auto_is_int8_where_the_processor_multiplies_bytes(monkeypatch, by_onnx, multiplies, precision):
    from ivm_ros.models.ivm_tiny import quantised

    monkeypatch.setattr(quantised, "processor_multiplies_bytes", lambda: multiplies)
    assert ivm_ros.load("ivm-tiny", device="cpu").network.precision == precision
    assert ivm_ros.load("ivm-tiny", device="cpu", precision="float32").network.precision == "float32"


def test_other_weights_need_an_int8_graph_of_their_own(exported, tmp_path, picture):
    from ivm_ros.models.ivm_tiny.quantised import fits
    from ivm_ros.training.ivm_tiny.quantise import quantise

    weights, folder, _ = exported
    folder = shutil.copytree(folder, tmp_path / "graphs")
    with pytest.raises(CheckpointError, match="weights that there is an int8 graph of"):
        ivm_ros.load("ivm-tiny", checkpoint=folder, device="cpu", precision="int8")
    with pytest.raises(ValueError, match="expected pictures"):
        quantise(weights, [], folder)
    quantise(weights, [noise(SMALL, seed) for seed in range(8)], folder)
    assert fits(load_weights(weights)[0], folder)
    assert not fits(load_weights(small_file(tmp_path / "other.safetensors", seed=1))[0], folder)
    rounded = ivm_ros.load("ivm-tiny", checkpoint=folder, device="cpu", precision="int8")
    assert rounded.network.precision == "int8"
    assert rounded(picture, "the red cup").heatmap.shape == picture.shape[:2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("flags\t: fpu avx512_vnni\n", True),
        ("processor : 0\nFeatures : fp asimd asimddp\n", True),
        ("flags\t: fpu avx2\nmodel name : avx_vnni\n", False),
        ("", False),
    ],
)
def test_what_the_processor_says(monkeypatch, text, expected):
    from ivm_ros.models.ivm_tiny import quantised

    monkeypatch.setattr(quantised.Path, "read_text", lambda path: text)
    assert quantised.processor_multiplies_bytes() is expected


def test_bfloat16_is_the_encoders_alone():
    model = lively(SMALL)
    engine = TorchEngine(model, CPU, torch.bfloat16)
    for name, weight in model.named_parameters():
        assert (weight.dtype == torch.bfloat16) == name.startswith("image.")
    with torch.inference_mode():
        seen = engine.see(noise(SMALL), noise(SMALL))
    assert all(part.dtype == torch.float32 for part in (*seen.found, *seen.scene[:-1], seen.where))


def test_pictures_are_seen_without_the_words():
    model = lively(SMALL)
    for name, weight in model.named_parameters():
        if name.startswith(("text", "target_reader", "anchor_reader", "relation", "matcher.layers")):
            torch.nn.init.constant_(weight, float("nan"))
    with torch.inference_mode():
        seen = TorchEngine(model, CPU).see(noise(SMALL), noise(SMALL))
    assert all(torch.isfinite(part).all() for part in (*seen.found, *seen.scene, seen.where))


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
