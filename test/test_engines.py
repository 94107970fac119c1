"""Graphs and their providers, on a small module: sizes, names, caches, what is said and what is refused."""

from __future__ import annotations

import io
import time
import warnings

import numpy as np
import pytest
import torch
from torch import nn

pytest.importorskip("onnxruntime", reason="pip install 'ivm-ros[onnx]'")

from ivm_ros.checkpoints import CheckpointError
from ivm_ros.engines import export, onnx, providers
from ivm_ros.engines.announce import announced
from ivm_ros.engines.graphs import Axis, GraphSpec, Port
from ivm_ros.engines.providers import engine_folder, pick_provider

ROWS = Axis("rows", 1, 2, 5)
SPEC = GraphSpec("sums", (Port("left", (ROWS, 3)), Port("right", (3,))), ("sum",))
CPU, CUDA, TENSORRT = (providers.PROVIDERS[name].runtime_name for name in ("cpu", "cuda", "tensorrt"))


class Sums(nn.Module):
    def __init__(self, offset=1.0):
        super().__init__()
        self.offset = nn.Parameter(torch.tensor(offset))

    def forward(self, left, right):
        return (left + right + self.offset,)


def example(rows):
    return {"left": torch.arange(rows * 3.0).view(rows, 3), "right": torch.ones(3)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("onnxscript", reason="pip install 'ivm-ros[onnx]'")
    folder = tmp_path_factory.mktemp("graphs")
    export.export_graph(Sums().eval(), SPEC, example(2), folder)
    return folder


def test_a_graph_does_what_its_module_does_at_every_size(folder):
    graph = onnx.OnnxGraph(folder, SPEC)
    assert graph.provider.name == "cpu"
    examples = [example(rows) for rows in (1, 2, 5)]
    assert export.largest_difference(Sums(), graph, examples) < 1e-6
    assert export.largest_difference(Sums(1.5), graph, examples) == pytest.approx(0.2)  # 0.5 of 2.5
    assert export.largest_difference(Sums(float("nan")), graph, examples) == float("inf")


def test_weights_that_are_too_large_for_the_file_lie_beside_it(folder, tmp_path, monkeypatch):
    class Wide(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Parameter(torch.arange(3 * 4000.0).view(3, 4000))

        def forward(self, left, right):
            return (left @ self.table + right.sum(),)

    monkeypatch.setattr(export, "_LARGEST_FILE", 1000)
    export.export_graph(Wide().eval(), SPEC, example(2), tmp_path)
    assert len(list(tmp_path.glob("sums.onnx*"))) == 2
    assert export.largest_difference(Wide(), onnx.OnnxGraph(tmp_path, SPEC), [example(3)]) < 1e-6
    before = engine_folder(tmp_path / SPEC.file)
    (data,) = [path for path in tmp_path.iterdir() if path.name != SPEC.file]
    data.write_bytes(data.read_bytes()[:-1] + b"\x01")
    assert engine_folder(tmp_path / SPEC.file) != before  # other weights, other engine


def test_what_does_not_fit_is_refused(folder, tmp_path):
    with pytest.raises(CheckpointError, match=r"expected the graph sums.onnx in .*ivm-ros export"):
        onnx.OnnxGraph(tmp_path, SPEC)
    (tmp_path / SPEC.file).write_bytes(b"no graph")
    with pytest.raises(CheckpointError, match="cannot read"):
        onnx.OnnxGraph(tmp_path, SPEC)
    other = GraphSpec("sums", SPEC.inputs, ("product",))
    with pytest.raises(CheckpointError, match="export again"):
        onnx.OnnxGraph(folder, other)
    with pytest.raises(ValueError, match=r"sums\.onnx cannot run on"):
        onnx.OnnxGraph(folder, SPEC)({"left": np.zeros((2, 4), np.float32), "right": np.zeros(3, np.float32)})
    with pytest.raises(ValueError, match="low <= typical <= high"):
        Axis("rows", 2, 1, 3)


def test_auto_is_cuda_where_it_is_asked_for_and_there_and_never_tensorrt():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pick_provider("auto", "cpu", [TENSORRT, CUDA, CPU]).name == "cpu"
        assert pick_provider("auto", "cuda", [TENSORRT, CUDA, CPU]).name == "cuda"
    with pytest.warns(UserWarning, match="runs on the CPU: pip install onnxruntime-gpu"):
        assert pick_provider("auto", "cuda", [CPU]).name == "cpu"
    assert pick_provider("tensorrt", "cuda", [TENSORRT, CUDA, CPU]).name == "tensorrt"
    with pytest.raises(
        ValueError, match=r"this onnxruntime has, cpu; got 'cuda': pip install onnxruntime-gpu"
    ):
        pick_provider("cuda", "cuda", [CPU])
    with pytest.raises(ValueError, match="auto, cpu, cuda, tensorrt; got 'tpu'"):
        pick_provider("tpu", "cpu", [CPU])


class Runtime:
    """What ONNX Runtime would be with every provider; `starts` are those whose libraries load."""

    def __init__(self, starts=(TENSORRT, CUDA, CPU)):
        self.starts, self.asked = starts, []

    def session(self, path, options, providers):
        self.asked = providers
        self.names = [name for name, _ in providers if name in self.starts]
        return self

    def get_providers(self):
        return self.names

    def get_inputs(self):
        return SPEC.inputs

    def get_outputs(self):
        return [Port(name, ()) for name in SPEC.outputs]


@pytest.fixture
def runtime(monkeypatch, tmp_path):
    def install(**options):
        runtime = Runtime(**options)
        monkeypatch.setattr(onnx.onnxruntime, "InferenceSession", runtime.session)
        monkeypatch.setattr(onnx.onnxruntime, "get_available_providers", lambda: [TENSORRT, CUDA, CPU])
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        return runtime

    return install


def test_tensorrt_keeps_its_engine_and_knows_all_sizes(folder, runtime, tmp_path, capfd):
    installed = runtime()
    onnx.OnnxGraph(folder, SPEC, "tensorrt", "cuda", gpu=1)
    (name, settings), *others = installed.asked
    assert (name, [other for other, _ in others]) == (TENSORRT, [CUDA, CPU])
    kept = engine_folder(folder / SPEC.file)
    assert kept.is_dir() and kept.is_relative_to(tmp_path)
    assert settings["trt_engine_cache_enable"] == "1" and settings["trt_engine_cache_path"] == str(kept)
    assert [settings[f"trt_profile_{end}_shapes"] for end in ("min", "opt", "max")] == [
        "left:1x3",
        "left:2x3",
        "left:5x3",
    ]
    assert settings["device_id"] == "1"
    assert "building an engine, which takes minutes" in capfd.readouterr().err
    (kept / "engine").write_bytes(b"")
    onnx.OnnxGraph(folder, SPEC, "tensorrt", "cuda")
    said = capfd.readouterr().err
    assert "reading the engine" in said and "done in" in said


def test_a_provider_that_does_not_start_is_not_replaced_in_silence(folder, runtime):
    runtime(starts=(CPU,))
    with pytest.raises(ValueError, match="expected the provider cuda to start"):
        onnx.OnnxGraph(folder, SPEC, "cuda", "cuda")


def test_long_work_says_how_long_it_has_taken(monkeypatch):
    printed = io.StringIO()
    monkeypatch.setattr("sys.stderr", printed)
    with announced("counting", every=0.01):
        deadline = time.monotonic() + 10
        while "so far" not in printed.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
    said = printed.getvalue()
    assert said.startswith("ivm_ros: counting\n") and "counting: 0 s so far" in said
    with pytest.raises(RuntimeError), announced("counting"):
        raise RuntimeError
    assert "failed after" in printed.getvalue()


def test_exporting_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setattr(export, "find_spec", lambda name: None if name == "onnxscript" else object())
    with pytest.raises(ImportError, match=r"onnxscript: pip install 'ivm-ros\[onnx\]'"):
        export.export_graph(Sums(), SPEC, example(2), tmp_path)
