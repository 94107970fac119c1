"""InstanceVG's encoder and head as ONNX Runtime runs them, against the golden numbers."""

from __future__ import annotations

import instancevg_network
import pytest
import torch
from torch import nn

pytest.importorskip("onnxruntime", reason="pip install 'ivm-ros[onnx]'")
pytest.importorskip("onnxscript", reason="pip install 'ivm-ros[onnx]'")

from ivm_ros.engines.export import export_graph
from ivm_ros.engines.graphs import GraphSpec, Port
from ivm_ros.engines.onnx import OnnxGraph
from ivm_ros.models.instancevg.head import Predictions
from ivm_ros.models.instancevg.pixel_decoder import upsample

UNSTATED = 2e-5  # for what the index states no tolerance for: its tightest


class Encoded(nn.Module):
    """Pictures and words to their tokens."""

    def __init__(self, model):
        super().__init__()
        self.backbone = model.backbone
        self.eval()

    def forward(self, pixels, ids, padding):
        return tuple(self.backbone(pixels, ids, padding))


class Answered(nn.Module):
    """Encoded pictures and words to answers."""

    def __init__(self, model):
        super().__init__()
        self.head = model.head
        self.eval()

    def forward(self, image, text, count):
        return tuple(self.head(image, text, count))


def run(module, name, inputs, outputs, folder):
    """Return what the graph of a module says."""
    ports = tuple(Port(key, tuple(tensor.shape)) for key, tensor in inputs.items())
    spec = GraphSpec(name, ports, outputs)
    export_graph(module, spec, inputs, folder)
    found = OnnxGraph(folder, spec, "cpu")({key: tensor.numpy() for key, tensor in inputs.items()})
    return {key: torch.from_numpy(array) for key, array in found.items()}


@torch.inference_mode()
def test_encoder(golden_root, tmp_path):
    case = instancevg_network.case(golden_root, "a_backbone")
    inputs = {
        "pixels": case["img"],
        "ids": case["ref_expr_inds"],
        "padding": case["text_attention_mask"] == 1,
    }
    module = Encoded(instancevg_network.network(golden_root))
    found = run(module, "encoder", inputs, ("image", "text"), tmp_path)
    case.assert_close(found["image"][:, 0], "cls_feat")
    case.assert_close(found["image"][:, 1:], "img_feat")
    case.assert_close(found["text"], "text_feat")


@torch.inference_mode()
def test_head(golden_root, tmp_path):
    case = instancevg_network.case(golden_root, "bc_neck_head")
    model = instancevg_network.network(golden_root)
    inputs = {
        "image": case["in.img_feat_map"],
        "text": case["in.text_feat"],
        "count": (case["in.text_attention_mask"] != 1).sum(dim=1),
    }
    found = run(Answered(model), "head", inputs, Predictions._fields, tmp_path)
    side = (model.config.image_size, model.config.image_size)
    case.assert_close(found["classes"][-1], "out.pred_class")
    case.assert_close(found["boxes"][-1], "out.pred_bbox")
    case.assert_close(upsample(found["instance_masks"], side), "out.pred_mask")
    case.assert_close(upsample(found["global_mask"], side), "out.pred_global_mask")
    case.assert_close(found["existence"], "out.nt_label", atol=UNSTATED, rtol=0.0)
    case.assert_close(found["points"], "aqsm.points_xy")
    case.assert_close(found["attention"], "aqsm.global_attn")
