"""What ivm-tiny's training looks at closely: its objects in the larger views, and their outlines there."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny_scenes import PAINTS, SMALL, drawn_scene, twice

from ivm_ros.models.ivm_tiny.glimpses import SIDE, cut, places, windows
from ivm_ros.training.ivm_tiny.data import Batch, make_batch
from ivm_ros.training.ivm_tiny.losses import losses, total
from ivm_ros.training.ivm_tiny.task import TinyTask, look_at_all, outlines


def close_batch() -> tuple[Batch, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two larger views; their objects and a false one in the first: view, masks, and which are true."""
    scenes = [twice(drawn_scene(seed)) for seed in (0, 1)]
    batch = make_batch(scenes, Random(0), 1, SMALL, split="validation")
    true = torch.tensor([True] * 3 + [False] + [True] * 3)
    masks = torch.zeros(7, 16, 16)
    masks[true] = F.avg_pool2d(batch.masks[:, None].float(), 4)[:, 0]
    masks[3, 14:, 14:] = 1
    return batch, torch.tensor([0, 0, 0, 0, 1, 1, 1]), masks, true


def test_all_objects_are_looked_at_in_their_own_larger_views():
    batch, image, masks, true = close_batch()
    glimpses, where, seen = look_at_all(batch, image, masks)
    assert (seen == windows(masks, (128, 128))).all()
    assert torch.equal(where, places(seen, (128, 128)))
    for index, view in enumerate(image.tolist()):
        assert torch.equal(glimpses[index], cut(batch.pictures[view], seen[index, None])[0])
    for glimpse, looks in zip(glimpses[true], batch.looks, strict=True):
        paint = torch.tensor(PAINTS[SMALL.colors[int(looks[1])]])
        assert (glimpse[SIDE // 2, SIDE // 2] == paint).all()


def test_outlines_are_the_true_masks_in_the_windows():
    batch, image, masks, true = close_batch()
    _, _, seen = look_at_all(batch, image, masks)
    chosen = torch.tensor([6, 0, 4])
    drawn = outlines(batch, image, true, chosen, seen)
    assert drawn.shape == (3, SIDE, SIDE) and drawn.dtype == torch.float32
    assert drawn.min() >= 0 and drawn.max() <= 1
    for mask, number, item in zip(drawn.numpy(), chosen.tolist(), (3, 1, 1), strict=True):
        left, top, right, bottom = seen[number].tolist()
        steps = (np.arange(SIDE) + 0.5) / SIDE
        rows, columns = (
            (top + (bottom - top) * steps).astype(int),
            (left + (right - left) * steps).astype(int),
        )
        there = batch.maps[int(image[number])][np.ix_(rows, columns)] == item
        clear = (mask == 0) | (mask == 1)
        assert clear.mean() > 0.8 and (mask[clear] == there[clear]).all()
        assert 0.3 < mask.mean() < 0.9  # the object, and a margin


def test_a_large_windows_outlines_are_shares_of_pixels():
    batch, image, _, true = close_batch()
    seen = np.array([[16, 16, 112, 112]] * 7)  # 2 x 2 pixels of the view are one of the glimpse
    drawn = outlines(batch, image, true, torch.tensor([1]), seen)[0]
    inside = batch.maps[0][16:112, 16:112] == 2
    np.testing.assert_allclose(drawn, inside.reshape(SIDE, 2, SIDE, 2).mean(axis=(1, 3)), atol=1e-6)
    assert drawn.sum() > 0


@pytest.mark.parametrize("close_ups", [False, True])
def test_larger_views_are_learned_from(close_ups):
    torch.manual_seed(0)
    task, rng = TinyTask(SMALL), Random(0)
    scenes = [twice(drawn_scene(seed)) for seed in range(4)]
    batch = make_batch(scenes, rng, 2, SMALL, close_ups=close_ups)
    perceived, answered = task(batch, rng)
    fine, truth = perceived.fine
    assert fine.shape == truth.shape and fine.shape[1:] == (SIDE, SIDE)
    assert len(perceived.masks) == len(batch.ids) >= len(fine) > 0
    total(losses(perceived, answered, batch)).backward()
    for name in ("closer.say", "outliner.change"):  # these start at zero, but learn
        gradient = task.model.get_submodule(name).weight.grad
        assert gradient.isfinite().all() and gradient.any(), name
