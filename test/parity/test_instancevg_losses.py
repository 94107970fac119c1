"""InstanceVG's matcher and losses against the reference's numbers."""

from __future__ import annotations

import instancevg_network
import pytest
import torch

pytest.importorskip("scipy", reason="needs the extra train")

from ivm_ros.models.instancevg.head import Predictions
from ivm_ros.models.instancevg.keys import canonical
from ivm_ros.training.instancevg.losses import (
    PUBLISHED,
    LossRules,
    detection_terms,
    losses,
    mask_terms,
    segmentation,
)
from ivm_ros.training.instancevg.matching import DISTANCE, OVERLAP, Truth, giou, match

NO_GRADIENT = (
    1e-6  # of the largest: the reference's self attention of equal values has rounding errors for it
)


@pytest.fixture(scope="module")
def case(golden_root):
    return instancevg_network.case(golden_root, "e_losses")


def answers(model, root):
    inputs = instancevg_network.case(root, "bc_neck_head")
    count = (inputs["in.text_attention_mask"] == 0).sum(dim=1)
    return model.head(inputs["in.img_feat_map"], inputs["in.text_feat"], count, auxiliary=True)


@pytest.fixture(scope="module")
def found(golden_root):
    return answers(instancevg_network.network(golden_root), golden_root)


@pytest.fixture(scope="module")
def truths(case):
    return [truth_of(case, picture) for picture in range(len(case.config["targets"]))]


def truth_of(case, picture):
    boxes = case[f"gt.img{picture}.boxes_xyxy"] / case.config["img"]
    centred = torch.cat([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], dim=1)
    return Truth(centred, case[f"gt.img{picture}.masks"] > 0)


def of_pictures(found, pictures):
    """Return what the network says about some of the pictures."""
    layered = ("classes", "boxes")
    parts = {
        name: value[:, pictures] if name in layered else value[pictures]
        for name, value in found._asdict().items()
    }
    return Predictions(**parts)


def assert_value(case, ours, expected):
    value = ours.detach() if isinstance(ours, torch.Tensor) else ours
    assert float(value) == pytest.approx(float(expected), rel=case.rtol, nan_ok=True)


def assert_losses(case, ours, expected):
    names = {"loss_det": ours.detection, "loss_mask": ours.masks, "loss_label_nt": ours.existence}
    assert names.keys() == expected.keys()
    for name, value in names.items():
        assert_value(case, value, expected[name])


def test_losses(case, found, truths):
    for picture, truth in enumerate(truths):
        assert torch.equal(truth.union, case[f"gt.img{picture}.union_mask"] > 0)
    ours = losses(found, truths, PUBLISHED)
    assert_losses(case, ours, case.index["e_losses"]["loss_dict"])
    assert_value(case, ours.total, case.index["e_losses"]["total"])


def test_pairs_and_terms_of_each_layer(case, found, truths):
    expected = case.index["e_losses"]
    pairs_expected = expected["matched_indices_per_layer_last_is_final"]
    count = sum(case.config["targets"])
    assert len(pairs_expected) == len(found.boxes)
    for layer, layer_pairs in enumerate(pairs_expected):
        pairs = match(found.classes[layer], found.boxes[layer], found.points, truths)
        assert [[each.tolist() for each in pair] for pair in pairs] == layer_pairs
        terms = detection_terms(found.classes[layer], found.boxes[layer], truths, pairs, count)
        last = layer == len(found.boxes) - 1
        weights, suffix = ((1.0, DISTANCE, OVERLAP), "") if last else ((1.0, 1.0, 1.0), f"_{layer}")
        for name, term, weight in zip(("class", "bbox", "giou"), terms, weights, strict=True):
            assert_value(case, weight * term, expected["det_terms_as_summed"][f"loss_{name}{suffix}"])


def test_terms_of_masks(case, found, truths):
    expected = case.index["e_losses"]
    pairs = match(found.classes[-1], found.boxes[-1], found.points, truths)
    terms = mask_terms(found, truths, pairs, PUBLISHED)
    assert_value(case, terms.matched + terms.unmatched, expected["loss_part_mask"])
    assert_value(case, terms.merged, expected["loss_global_seg"])
    assert_value(case, terms.attention, PUBLISHED.attention * expected["loss_coarse_attn_before_x0.1"])


def test_gradients(case, golden_root, truths):
    head = instancevg_network.network(golden_root).requires_grad_()
    losses(answers(head, golden_root), truths, PUBLISHED).total.backward()
    ours = {f"head.{name}": weight.grad for name, weight in head.head.named_parameters()}
    expected = case.index["e_losses"]
    assert {canonical(f"head.{name}") for name in expected["head_grad_l2"]} == set(ours)
    share, rounding = case.tolerance("grad.norm").of_max, NO_GRADIENT * max(expected["head_grad_l2"].values())
    for name, norm in expected["head_grad_l2"].items():
        gradient = ours[canonical(f"head.{name}")]
        length = 0.0 if gradient is None else float(gradient.norm())
        assert length == pytest.approx(norm, rel=share, abs=rounding), name
    for name in (name for name in case.tensors if name.startswith("grad.")):
        case.assert_close(ours[canonical("head." + name.removeprefix("grad."))], name)


def test_what_the_reference_gives_no_gradient_we_leave_out(case, golden_root):
    names = {name for name, _ in instancevg_network.network(golden_root).named_parameters()}
    assert (
        not {canonical(f"head.{name}") for name in case.index["e_losses"]["head_params_without_grad"]} & names
    )


def test_one_query(case, golden_root, truths):
    expected = case.index["e_losses"]["single_query"]
    found = answers(instancevg_network.network(golden_root, queries=1), golden_root)
    first = [Truth(truths[each].boxes[:1], truths[each].masks[:1]) for each in expected["images"]]
    ours = losses(of_pictures(found, expected["images"]), first, LossRules(unmatched=0.0))
    assert_losses(case, ours, expected["loss_dict"])


def test_a_batch_without_targets(case, found, truths):
    """The index does not say which pictures are in it: those that have none."""
    empty = [picture for picture, truth in enumerate(truths) if not len(truth.boxes)]
    found, truths = of_pictures(found, empty), [truths[picture] for picture in empty]
    assert_losses(
        case,
        losses(found, truths, PUBLISHED),
        case.index["e_losses"]["all_no_target_batch_reference_behaviour"],
    )
    finite, published = losses(found, truths), losses(found, truths, PUBLISHED)
    assert finite.masks.isfinite() and torch.equal(finite.detection, published.detection)


def test_layers_that_weigh_equally(case, found, truths):
    published, equal = (losses(found, truths, LossRules(equal_layers=each)) for each in (False, True))
    terms = case.index["e_losses"]["det_terms_as_summed"]
    factors = {"loss_class": 1.0, "loss_bbox": DISTANCE, "loss_giou": OVERLAP}
    extra = [
        (factors[name.rpartition("_")[0]] - 1) * value for name, value in terms.items() if name[-1].isdigit()
    ]
    assert_value(case, equal.detection - published.detection, 0.1 * sum(extra))
    assert (equal.masks, equal.existence) == (published.masks, published.existence)


def test_matcher_alone(case):
    expected = case.index["e_losses"]["matcher_case"]
    classes, boxes, points = (case[f"matcher.{name}"] for name in ("logits", "boxes_cxcywh", "points_xy"))
    targets = [case[f"matcher.target{index}.boxes_cxcywh"] for index in range(len(boxes))]
    truths = [Truth(target, torch.zeros(len(target), 1, 1, dtype=torch.bool)) for target in targets]
    pairs = match(classes, boxes, points, truths)
    assert [[each.tolist() for each in pair] for pair in pairs] == expected["indices"]
    terms = detection_terms(classes, boxes, truths, pairs, sum(map(len, targets)))
    for name, term in zip(("class", "bbox", "giou"), terms, strict=True):
        assert_value(case, term, expected["unweighted_losses"][f"loss_{name}"])


def test_overlap_of_boxes(golden_root):
    units = instancevg_network.case(golden_root, "units")
    units.assert_close(
        giou(units["giou.a"][:, None], units["giou.b"][None]), "giou.out", atol=1e-6, rtol=1e-5
    )


def test_segmentation(golden_root):
    units = instancevg_network.case(golden_root, "units")
    expected = float(units["segloss.dice"] + units["segloss.bce"])
    ours = segmentation(units["segloss.logits"][:, 0], units["segloss.target"][:, 0].float())
    assert float(ours) == pytest.approx(expected, rel=1e-5)
