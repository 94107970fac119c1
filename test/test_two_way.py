"""The two-way transformer on small random tokens; `parity/` holds it against the reference's numbers."""

from __future__ import annotations

import torch

from ivm_ros.models.layers.two_way import TwoWayTransformer


@torch.inference_mode()
def test_masked_tokens_change_nothing():
    torch.manual_seed(0)
    transformer = TwoWayTransformer(depth=2, channels=16, heads=2, mlp_dim=32).eval()
    image, pe, tokens = torch.randn(1, 16, 3, 4), torch.randn(16, 3, 4), torch.randn(1, 3, 16)
    padded = torch.cat([tokens, torch.randn(1, 2, 16)], dim=1)
    mask = torch.tensor([[True, True, True, False, False]])
    expected_tokens, expected_image = transformer(image, pe, tokens)
    actual_tokens, actual_image = transformer(image, pe, padded, mask)
    torch.testing.assert_close(actual_tokens[:, :3], expected_tokens)
    torch.testing.assert_close(actual_image, expected_image)
