"""Features of one scale to a pyramid of four; spec section 5."""

from __future__ import annotations

from torch import Tensor, nn

from ivm_ros.models.layers.two_way import LayerNorm2d


class ConvNorm(nn.Module):
    """A convolution without bias and a norm over channels; no activation."""

    def __init__(self, before: int, after: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, kernel, padding=kernel // 2, bias=False)
        self.norm_layer = LayerNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, before, H, W) to (B, after, H, W)."""
        return self.norm_layer(self.conv(x))


class SimpleFpn(nn.Module):
    """The pyramid: four times and twice as fine, as it is, half as fine; no path between the levels.

    Args:
        width: channels of the input and of every level.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fpn1 = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 2, stride=2),
            LayerNorm2d(width // 2),
            nn.GELU(),
            nn.ConvTranspose2d(width // 2, width // 4, 2, stride=2),
        )
        self.fpn2 = nn.Sequential(nn.ConvTranspose2d(width, width // 2, 2, stride=2))
        self.fpn3 = nn.Identity()
        self.fpn4 = nn.MaxPool2d(2, stride=2)
        widths = (width // 4, width // 2, width, width)
        self.lateral_convs = nn.ModuleList(ConvNorm(each, width, 1) for each in widths)
        self.fpn_convs = nn.ModuleList(ConvNorm(width, width, 3) for _ in widths)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return levels of (B, C, 4g, 4g), (B, C, 2g, 2g), (B, C, g, g), (B, C, g/2, g/2) of (B, C, g, g)."""
        levels = self.fpn1(x), self.fpn2(x), self.fpn3(x), self.fpn4(x)
        return [
            output(lateral(level))
            for level, lateral, output in zip(levels, self.lateral_convs, self.fpn_convs, strict=True)
        ]
