"""ivm-tiny's objects and its matcher: each step against what it is by hand, and in any company."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from tiny_scenes import SMALL

from ivm_ros.models.ivm_tiny.encoder import Features
from ivm_ros.models.ivm_tiny.geometry import shape_of
from ivm_ros.models.ivm_tiny.model import IvmTiny, compare, maxima, strongest
from ivm_ros.models.ivm_tiny.objects import Cells, Looks, LooksHead, MaskHead, products

H, W = 8, 12


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)
    with torch.inference_mode():
        yield


def features(count: int) -> Features:
    _, w4, w8, w16 = SMALL.widths
    return Features(
        s4=torch.randn(count, w4, H, W),
        s8=torch.randn(count, w8, H // 2, W // 2),
        s16=torch.randn(count, w16, H // 4, W // 4),
        heat=torch.randn(count, H, W),
        pixels=torch.randn(count, SMALL.pixels, H, W),
        paint=torch.randn(count, 3, H, W),
    )


def cells(*places: tuple[int, int, int]) -> Cells:
    return Cells(*torch.tensor(places).T)


# Objects


def test_shape_is_place_and_size():
    mask = torch.zeros(1, 4, 8)
    mask[0, 1:3, 2:5] = 1
    expected = [-0.125, 0.0, -0.5, -0.5, 0.25, 0.5, 0.375, 0.5, (6 / 32) ** 0.5]
    torch.testing.assert_close(shape_of(mask)[0], torch.tensor(expected), atol=1e-4, rtol=0)


def test_a_mask_of_nothing_has_a_shape():
    shape = shape_of(torch.zeros(1, 4, 8))[0]
    assert shape.tolist() == [0, 0, -1, -1, 1, 1, 1, 1, 0]


def test_masks_are_two_layers_around_a_cell():
    head, pixels, (y, x) = MaskHead(SMALL), torch.randn(1, SMALL.pixels, H, W), (5, 3)
    kernels = torch.randn(1, SMALL.hidden * (SMALL.pixels + 6) + 1)
    found = head.masks(kernels, pixels, cells((0, y, x)))
    first = kernels[0, : SMALL.hidden * (SMALL.pixels + 5)].view(SMALL.hidden, -1)
    second, bias = kernels[0, first.numel() : -1], kernels[0, -1]
    for row, column in ((0, 0), (5, 3), (7, 11)):
        dx, dy = (column - x) / 16, (row - y) / 16
        places = torch.tensor([dx, dx * dx, dy, dy * dy, 1.0])
        expected = F.relu(first @ torch.cat([pixels[0, :, row, column], places])) @ second + bias
        assert found[0, row, column].item() == pytest.approx(expected.item(), abs=1e-4)


def test_objects_of_several_pictures_are_masked_as_alone():
    head, both = MaskHead(SMALL), features(2)
    together = head(both, cells((0, 1, 2), (0, 7, 11), (1, 4, 4)))
    for index, (image, y, x) in enumerate(((0, 1, 2), (0, 7, 11), (1, 4, 4))):
        own = Features(*(part[image : image + 1] for part in both))
        torch.testing.assert_close(together[index], head(own, cells((0, y, x)))[0], atol=1e-4, rtol=1e-4)


def test_products_are_with_the_matrix_of_ones_own_picture():
    left, right, image = torch.randn(4, 2, 3), torch.randn(3, 3, 5), torch.tensor([0, 2, 2, 2])
    expected = torch.stack([left[i] @ right[image[i]] for i in range(4)])
    torch.testing.assert_close(products(left, right, image), expected)
    torch.testing.assert_close(products(left, right[:1], torch.zeros(4, dtype=torch.int64)), left @ right[0])


def test_looks_of_several_pictures_objects_are_as_alone():
    head, both = LooksHead(SMALL), features(2)
    image, masks, closer = torch.tensor([0, 0, 1]), torch.rand(3, H, W), torch.randn(3, SMALL.channels)
    together = head(both, image, masks, closer)
    for index, view in enumerate(image.tolist()):
        own = Features(*(part[view : view + 1] for part in both))
        one = slice(index, index + 1)
        alone = head(own, torch.zeros(1, dtype=torch.int64), masks[one], closer[one])
        for part, expected in zip(together, alone, strict=True):
            torch.testing.assert_close(part[one], expected, atol=1e-4, rtol=1e-4)


def test_looks_are_of_what_the_mask_covers_and_of_what_a_closer_look_says():
    head, seen, image = LooksHead(SMALL), features(1), torch.zeros(1, dtype=torch.int64)
    mask, closer = squares((2, 6, 2, 6)).sigmoid(), torch.randn(1, SMALL.channels)
    looks = head(seen, image, mask, closer)
    elsewhere = Features(*(part.clone() for part in seen))
    elsewhere.s4[..., 7, 11] = elsewhere.paint[..., 7, 11] = elsewhere.s8[..., 3, 5] = 99.0
    for part, same in zip(head(elsewhere, image, mask, closer), looks, strict=True):
        torch.testing.assert_close(part, same, atol=1e-4, rtol=1e-4)
    inside = Features(*(part.clone() for part in seen))
    inside.s4[..., 4, 4] = 99.0
    assert not torch.allclose(head(inside, image, mask, closer).kinds, looks.kinds, atol=1e-2)
    without = head(seen, image, mask, torch.zeros_like(closer))
    torch.testing.assert_close(looks.embedding, without.embedding + closer)
    torch.testing.assert_close(looks.kinds, head.kinds(looks.embedding.relu()))


# Which cells, which masks


def test_cells_are_the_local_maxima_the_surest_first():
    heat = torch.full((1, H, W), -8.0)
    heat[0, 2, 3], heat[0, 2, 4], heat[0, 6, 9] = 1.0, 0.5, 2.0  # the second lies beside the first
    found, sure = strongest(maxima(heat))
    assert (found.y.tolist(), found.x.tolist()) == ([6, 2], [9, 3])
    assert sure.tolist() == pytest.approx([torch.tensor(v).sigmoid().item() for v in (2.0, 1.0)])


def test_a_cell_is_tried_where_nothing_is_seen():
    found, _ = strongest(maxima(torch.full((1, H, W), -9.0)))
    assert len(found.y) == 1


def squares(*boxes: tuple[int, int, int, int]) -> torch.Tensor:
    masks = torch.full((len(boxes), H, W), -20.0)
    for mask, (top, bottom, left, right) in zip(masks, boxes, strict=True):
        mask[top:bottom, left:right] = 20
    return masks


def test_one_mask_of_each_object_is_kept():
    model = IvmTiny(SMALL)
    touching = squares((0, 4, 0, 4), (0, 4, 4, 8))
    again = squares((0, 4, 0, 3))  # the first object, found from another of its cells
    sure, overlap = compare(torch.cat([touching, again]), torch.tensor([0.6, 0.7, 0.9]))
    assert overlap[0, 2].item() == pytest.approx(12 / 16) and overlap[0, 1] == 0
    assert sure.tolist() == pytest.approx([0.6, 0.7, 0.9], abs=1e-4)
    assert model.keep(sure, overlap) == [2, 1]


def test_something_is_kept_and_no_more_than_fits():
    model = IvmTiny(SMALL)
    assert len(model.keep(*compare(squares((0, 1, 0, 1)), torch.tensor([0.9])))) == 1  # too small, but all
    many = squares(*((0, 2, x, x + 1) for x in range(W)))
    assert len(model.keep(*compare(many, torch.full((W,), 0.9)))) == SMALL.most


# Matching


def looks(count: int) -> Looks:
    return Looks(
        torch.randn(count, SMALL.channels),
        torch.randn(count, len(SMALL.kinds)),
        torch.randn(count, len(SMALL.colors)),
        torch.randn(count, len(SMALL.materials) + 1),
        shape_of(torch.rand(count, H, W).round()),
    )


@pytest.fixture
def model():
    model = IvmTiny(SMALL).eval()
    torch.nn.init.normal_(model.matcher.target.weight)  # it starts at zero
    return model


TEXTS = ["the red cup", "all the things left of the blue plate", "giraffe"]


def test_padding_changes_no_answer(model):
    seen, sure = looks(5), torch.linspace(0.9, 0.4, 5)
    two = Looks(*(part[:2] for part in seen))
    asked = model.read([*TEXTS, *TEXTS])
    both = model.match(model.matcher.arrange(seen, sure, torch.tensor([0, 0, 1, 1, 1]), 2), asked)
    first = model.matcher.arrange(two, sure[:2], torch.zeros(2, dtype=torch.int64), 1)
    alone = model.match(first, model.read(TEXTS))
    torch.testing.assert_close(both.target[:3, :2], alone.target, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(both.anchor[:3, :2], alone.anchor, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(both.existence[:3], alone.existence, atol=1e-4, rtol=1e-4)
    assert (both.target[:3, 2] < -20).all()


def test_another_order_of_objects_gives_the_answers_in_that_order(model):
    seen, sure = looks(4), torch.tensor([0.9, 0.7, 0.5, 0.3])
    order = torch.tensor([2, 0, 3, 1])
    zeros, asked = torch.zeros(4, dtype=torch.int64), model.read(TEXTS)
    plain = model.match(model.matcher.arrange(seen, sure, zeros, 1), asked)
    turned = Looks(*(part[order] for part in seen))
    mixed = model.match(model.matcher.arrange(turned, sure[order], zeros, 1), asked)
    torch.testing.assert_close(mixed.target, plain.target[:, order], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(mixed.existence, plain.existence, atol=1e-4, rtol=1e-4)
    assert plain.target.std() > 0.1


def test_texts_are_answered_together_as_one_by_one(model):
    scene = model.matcher.arrange(looks(4), torch.full((4,), 0.8), torch.zeros(4, dtype=torch.int64), 1)
    together = model.match(scene, model.read(TEXTS))
    for index, text in enumerate(TEXTS):
        alone = model.match(scene, model.read([text]))
        for part, own in zip(together, alone, strict=True):
            torch.testing.assert_close(part[index], own[0], atol=1e-4, rtol=1e-4)


def test_pictures_are_laid_out_each_with_its_own_objects(model):
    seen, sure = looks(5), torch.linspace(0.9, 0.4, 5)
    scene = model.matcher.arrange(seen, sure, torch.tensor([0, 0, 2, 2, 2]), 3)
    assert scene.there.tolist() == [[True, True, False], [False] * 3, [True] * 3]
    last = Looks(*(part[2:] for part in seen))
    alone = model.matcher.arrange(last, sure[2:], torch.zeros(3, dtype=torch.int64), 1)
    for part, own in zip(scene, alone, strict=True):
        torch.testing.assert_close(part[2], own[0])
    kinds, count = scene.kinds[0], len(SMALL.kinds)
    assert (kinds[:2, count] == 1).all() and (kinds[:2, count + 1] == 0).all()
    assert kinds[:2, :count].sum(dim=1).tolist() == pytest.approx([1, 1])
