from __future__ import annotations

import math

import pytest
import torch

from ivm_ros.training.ivm.dwsl import (
    VARIANTS,
    Evidence,
    discriminator_loss,
    joint_mask,
    mask_losses,
    sample_weights,
    weighted_mask_loss,
)

HUMAN = torch.tensor([True, True, False, False])
JUDGEMENT = torch.tensor([9.0, 0.0, -9.0, 0.0])


@pytest.mark.parametrize(
    ("variant", "trust_humans", "expected"),
    [
        ("two-stage", False, [0.9, 0.5, 0.1, 0.5]),
        ("two-stage", True, [1.0, 1.0, 0.1, 0.5]),
        ("joint", False, [0.9, 0.5, 0.1, 0.5]),
        ("joint", True, [1.0, 1.0, 0.1, 0.5]),
        ("label", False, [1.0, 1.0, 0.2, 0.2]),
        ("none", False, [1.0, 1.0, 1.0, 1.0]),
    ],
)
def test_every_variant_weighs_by_its_rule(variant, trust_humans, expected):
    judgement = JUDGEMENT.clone().requires_grad_()
    weights = sample_weights(variant, Evidence(HUMAN, judgement, trust_humans))
    torch.testing.assert_close(weights, torch.tensor(expected))
    assert not weights.requires_grad


def test_the_variants_that_judge_need_a_judgement():
    for name, variant in VARIANTS.items():
        if variant.discriminator is None:
            sample_weights(name, Evidence(HUMAN))
        else:
            with pytest.raises(ValueError, match="expected the discriminator's logits"):
                sample_weights(name, Evidence(HUMAN))


def test_an_unknown_variant_is_named():
    with pytest.raises(ValueError, match=r"expected one of two-stage, joint, label, none .* got 'some'"):
        sample_weights("some", Evidence(HUMAN))


def test_losses_of_masks_by_hand():
    logits = torch.tensor([[[100.0, -100.0]], [[0.0, 0.0]], [[-100.0, -100.0]]])
    heat = torch.tensor([[[1.0, 0.0]], [[1.0, 0.5]], [[0.0, 0.0]]])
    ce, dice = mask_losses(logits, heat)
    torch.testing.assert_close(ce, torch.tensor([0.0, math.log(2), 0.0]))
    half = 1 - (2 * 0.75 / 1000 + 1e-6) / (1.0 / 1000 + 1.5 / 1000 + 1e-6)
    torch.testing.assert_close(dice, torch.tensor([0.0, half, 0.0]), rtol=0, atol=1e-6)


def test_a_sample_that_counts_nothing_teaches_nothing():
    logits = torch.randn(2, 4, 4, requires_grad=True)
    terms = weighted_mask_loss(logits, torch.rand(2, 4, 4), torch.tensor([1.0, 0.0]))
    (terms["ce"] + terms["dice"]).backward()
    assert logits.grad[0].abs().sum() > 0
    assert logits.grad[1].abs().sum() == 0


def test_the_joint_discriminator_sees_how_far_the_generator_agrees():
    logits = torch.tensor([[[2.0, 2.0, -1.0]]], requires_grad=True)
    seen = joint_mask(logits, torch.tensor([[[1.0, 0.5, 0.0]]]))
    up, down = torch.sigmoid(torch.tensor([2.0, -1.0]))
    torch.testing.assert_close(seen, torch.stack([up, 1 - up, 1 - down])[None, None])
    assert not seen.requires_grad


def test_the_discriminator_is_rewarded_for_telling_people_from_machines():
    right, wrong = discriminator_loss(JUDGEMENT[[0, 2]], HUMAN[[0, 2]]), discriminator_loss(-JUDGEMENT, HUMAN)
    assert right < 0.01 < 1 < wrong
