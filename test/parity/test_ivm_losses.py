"""The loss of training, equal to the numbers of the published one."""

from __future__ import annotations

import golden
import torch

from ivm_ros.training.ivm.dwsl import mask_losses, weighted_mask_loss


def test_ce_and_dice_per_sample(golden_root):
    case = golden.case(golden_root, "ivm", "end_to_end")
    logits, heat = case["out.logits"][:, 0], case["in.gt_mask"]
    ce, dice = mask_losses(logits, heat)
    case.assert_close(ce, "out.loss_ce_per_sample")
    case.assert_close(dice, "out.loss_dice_per_sample")
    terms = weighted_mask_loss(logits, heat, torch.ones(len(logits)))
    case.assert_close((terms["ce"] + terms["dice"])[None], "out.loss_total")
