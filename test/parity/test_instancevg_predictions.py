"""How InstanceVG's pictures are made ready and its answers are read, against the reference's numbers."""

from __future__ import annotations

import re

import golden
import instancevg_network
import numpy as np
import pytest
import torch

from ivm_ros.models.instancevg.preprocess import pixels, scale_factor, squash, squash_mask
from ivm_ros.models.instancevg.reading import Answer, Rules, suppress

SYSTEM = instancevg_network.SYSTEM
DIFFERING = 1e-3  # "<= 0.1% differing pixels"
NMS_OVERLAP = 0.7  # published; the index has it in words only


def pytest_generate_tests(metafunc):
    def pictures(entry):
        names = entry["index"]["tensor_shapes"]["units.safetensors"]
        return sorted({match[1] for name in names if (match := re.match(r"(prep\d+)\.", name))})

    golden.parametrize(
        metafunc, "number", SYSTEM, "d_predictions", lambda e: list(range(len(e["index"]["d_cases"])))
    )

    def overlaps(entry):
        names = (re.fullmatch(r"nms_keep_iou(.+)", name) for name in entry["index"]["f_metrics"])
        return [float(match[1]) for match in names if match]

    golden.parametrize(metafunc, "overlap", SYSTEM, "f_metrics", overlaps)
    golden.parametrize(metafunc, "picture", SYSTEM, "units", pictures)


@pytest.fixture(scope="module")
def found(golden_root):
    """Return what the network says; its inputs are those of the head's file."""
    model = instancevg_network.network(golden_root)
    case = instancevg_network.case(golden_root, "bc_neck_head")
    count = (case["in.text_attention_mask"] == 0).sum(dim=1)
    with torch.inference_mode():
        return model.head(case["in.img_feat_map"], case["in.text_feat"], count)


def rules_of(index, options):
    return Rules(
        score_threshold=index["score_threshold"],
        mask_threshold=index["mask_threshold"],
        merged=options["outmask_type"],
        score_weighted=options["score_weighted"],
        nms=NMS_OVERLAP if options["with_nms"] else None,
        rescale=options["rescale"],
    )


def assert_mask(ours, case, name):
    theirs = case.numpy(name) > 0
    assert ours.shape == theirs.shape
    assert (ours != theirs).mean(axis=(-2, -1)).max() <= DIFFERING, name


def test_predictions(found, golden_root, number):
    case = instancevg_network.case(golden_root, "d_predictions")
    rules = rules_of(case.index, case.index["d_cases"][number])
    for picture, meta in enumerate(case.index["img_metas"]):
        height, width = meta["ori_shape"][:2]
        side = meta["img_shape"][0]
        np.testing.assert_array_equal(scale_factor((width, height), side), np.float32(meta["scale_factor"]))
        answer = Answer(found, picture, side, (width, height), rules)
        reading = answer.read()
        name = f"case{number}.img{picture}"
        case.assert_close(reading.boxes, f"{name}.boxes")
        case.assert_close(reading.scores, f"{name}.scores")
        assert_mask(reading.mask, case, f"{name}.mask")
        assert abs(reading.existence - case[f"{name}.nt_sigmoid"][0]) <= case.tolerance("nt_sigmoid").atol
        if f"{name}.instance_masks" in case.tensors:
            every = answer.instance_masks(np.arange(len(reading.boxes)))
            assert_mask(every, case, f"{name}.instance_masks")
        if rules.nms is not None:
            case.assert_close(reading.kept_boxes, f"{name}.nms_boxes")
            case.assert_close(reading.scores[reading.kept], f"{name}.nms_scores")


def test_suppression(golden_root, overlap):
    case = instancevg_network.case(golden_root, "f_metrics")
    for picture, expected in case.index["f_metrics"][f"nms_keep_iou{overlap}"].items():
        boxes, scores = (case.numpy(name)[int(picture)] for name in ("pred_boxes", "pred_scores"))
        assert suppress(boxes, scores, overlap).tolist() == expected


def test_preparation(golden_root, picture):
    case = instancevg_network.case(golden_root, "units")
    bgr, expected = case.numpy(f"{picture}.bgr_uint8"), case[f"{picture}.out_chw"]
    side = expected.shape[-1]
    ours = pixels(squash(np.ascontiguousarray(bgr[..., ::-1]), side))
    isolated = (ours - expected).abs() > case.tolerance(picture).atol
    assert isolated.float().mean() <= DIFFERING
    assert (ours - expected).abs().max() < 0.06  # three grey levels
    assert (
        squash_mask(case.numpy(f"{picture}.mask_in") > 0, side) == (case.numpy(f"{picture}.mask_out") > 0)
    ).all()


def test_boxes_are_scaled(golden_root, picture):
    """The index does not state the box that was scaled; it has whole numbers."""
    case = instancevg_network.case(golden_root, "units")
    height, width = case[f"{picture}.bgr_uint8"].shape[:2]
    factor = scale_factor((width, height), case[f"{picture}.out_chw"].shape[-1])
    case.assert_close(factor, f"{picture}.scale_factor", atol=0.0, rtol=0.0)
    box = case.numpy(f"{picture}.box_out") / factor
    np.testing.assert_allclose(box, box.round(), atol=1e-5)
