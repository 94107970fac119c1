"""InstanceVG run as its specification describes the reference, before any simplification; spec section 17.

The weights are those of a network of `models/instancevg`, not copies. What the reference does that costs time
and changes nothing is a habit; each can be left alone, to see what it costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ivm_ros.bench.sharing import sharing_copy
from ivm_ros.grounding import Image
from ivm_ros.models.instancevg.beit3 import EncoderLayer, JointAttention, Streams
from ivm_ros.models.instancevg.decoder import DecoderLayer, DeformableAttention, DeformableDecoder
from ivm_ros.models.instancevg.head import GroundingHead, Predictions
from ivm_ros.models.instancevg.model import InstanceVg
from ivm_ros.models.instancevg.pixel_decoder import upsample
from ivm_ros.models.instancevg.preprocess import pixels, squash
from ivm_ros.models.instancevg.queries import WordReader
from ivm_ros.models.instancevg.reading import Answer, Reading, Rules
from ivm_ros.models.instancevg.text import Tokenizer, batch


@dataclass(frozen=True)
class Habits:
    """What the reference does at every instruction.

    Attributes:
        padded_text: texts have the greatest length, whatever theirs.
        eager_attention: the encoder's attention with its matrix in memory, not torch's fused one.
        project_first: all of the pyramid is projected in each decoder layer, then a few places are read.
        whole_head: classes and boxes of all decoder layers, existence of every pixel before the mean,
            attention among equal queries.
        large_masks: the masks of all queries at the network's size, targets or not.
    """

    padded_text: bool = True
    eager_attention: bool = True
    project_first: bool = True
    whole_head: bool = True
    large_masks: bool = True


class PlainInstanceVg:
    """The network of `model`, run as the reference runs it.

    Args:
        model: its tensors are used, not copied.
        tokenizer: of its words.
        rules: how answers are read.
        habits: what it does.
    """

    def __init__(
        self, model: InstanceVg, tokenizer: Tokenizer, rules: Rules, habits: Habits = Habits()
    ) -> None:
        self.tokenizer, self.rules, self.habits = tokenizer, rules, habits
        self._model = sharing_copy(model)
        head = self._model.head
        if habits.eager_attention:
            for layer in cast("list[EncoderLayer]", self._model.backbone.encoder.layers):
                layer.self_attn = _EagerAttention(layer.self_attn)  # type: ignore[assignment]
        if habits.project_first:
            head.decoder = _ProjectingDecoder(head.decoder)  # type: ignore[assignment]
        if habits.whole_head:
            head.queries.reader = _WholeReader(head.queries.reader)  # type: ignore[assignment]
            head.exists = _WholeExistence(head)  # type: ignore[method-assign, assignment]

    @torch.inference_mode()
    def look(self, image: Image, instruction: str) -> Predictions:
        """Return what the network says of an instruction in an (H, W, 3) uint8 RGB image."""
        config, device = self._model.config, self._model.device
        ready = pixels(squash(image, config.image_size))[None].to(device)
        length = config.max_tokens if self.habits.padded_text else None
        ids, padding = batch([self.tokenizer.ids(instruction)], length)
        hidden = None if padding is None else padding.to(device)
        found = self._model(ready, ids.to(device), hidden, auxiliary=self.habits.whole_head)
        if self.habits.large_masks:
            size = (config.image_size, config.image_size)
            found = found._replace(
                instance_masks=upsample(found.instance_masks, size),
                global_mask=upsample(found.global_mask, size),
            )
        return cast(Predictions, found)

    def __call__(self, image: Image, instruction: str) -> tuple[Reading, npt.NDArray[np.bool_]]:
        """Return boxes, scores and merged mask, and the (N, H, W) masks of targets, at the image's size."""
        found = self.look(image, instruction)
        size = image.shape[1], image.shape[0]
        answer = Answer(found, 0, self._model.config.image_size, size, self.rules)
        reading = answer.read()
        return reading, answer.instance_masks(reading.masks[reading.above])


class _EagerAttention(nn.Module):
    """Attention in three steps, its matrix kept between them."""

    def __init__(self, attention: JointAttention) -> None:
        super().__init__()
        self.inner = attention

    def project_image(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.inner.project_image(image)

    def forward(self, image: tuple[Tensor, Tensor, Tensor], text: Tensor, padding: Tensor | None) -> Streams:
        inner, length = self.inner, text.shape[1]
        words = inner.q_proj.B(text), inner.k_proj.B(text), inner.v_proj.B(text)
        q, k, v = (
            torch.cat(pair, dim=1).unflatten(-1, (inner.heads, -1)).transpose(1, 2)
            for pair in zip(image, words, strict=True)
        )
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
        if padding is not None:
            hidden = F.pad(padding, (k.shape[2] - length, 0))[:, None, None]
            scores = scores.masked_fill(hidden, -torch.inf)
        mixed = (scores.softmax(dim=-1) @ v).transpose(1, 2).flatten(2)
        return inner.out_proj(inner.inner_attn_ln(Streams(mixed[:, :-length], mixed[:, -length:])))


class _ProjectingDecoder(nn.Module):
    """The decoder whose layers project the whole pyramid."""

    def __init__(self, decoder: DeformableDecoder) -> None:
        super().__init__()
        self.inner = decoder
        for layer in cast("list[DecoderLayer]", decoder.layers):
            layer.cross_attn = _ProjectFirst(layer.cross_attn)  # type: ignore[assignment]

    def forward(self, content: Tensor, points: Tensor, levels: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        positions = self.inner.positions(points)
        references = points + self.inner.references(positions).sigmoid()
        states = []
        for layer in self.inner.layers:
            content = layer(content, positions, references, levels)
            states.append(content)
        return torch.stack(states), references


class _ProjectFirst(nn.Module):
    """Multi-scale deformable attention as it is published: values of all places, then samples."""

    def __init__(self, attention: DeformableAttention) -> None:
        super().__init__()
        self.inner = attention

    def forward(self, query: Tensor, references: Tensor, levels: Sequence[Tensor]) -> Tensor:
        inner = self.inner
        shape = (*query.shape[:2], inner.heads, inner.levels, inner.points)
        offsets = inner.sampling_offsets(query).view(*shape, 2)
        weights = inner.attention_weights(query).view(*shape[:3], -1).softmax(dim=-1).view(shape)
        memory = torch.cat([level.flatten(2).transpose(1, 2) for level in levels], dim=1)
        counts = [level.shape[2] * level.shape[3] for level in levels]
        read = []
        for index, value in enumerate(inner.value_proj(memory).split(counts, dim=1)):
            height, width = levels[index].shape[2:]
            of_head = value.unflatten(-1, (inner.heads, -1)).permute(0, 2, 3, 1).flatten(0, 1)
            size = query.new_tensor([width, height])
            places = references[:, :, None, None] + offsets[:, :, :, index] / size  # (B, Q, heads, points, 2)
            grid = (2 * places - 1).transpose(1, 2).flatten(0, 1)
            read.append(F.grid_sample(of_head.unflatten(2, (height, width)), grid, align_corners=False))
        shares = weights.permute(0, 2, 1, 3, 4).flatten(0, 1).flatten(2)[:, None]
        mixed = (torch.cat(read, dim=3) * shares).sum(dim=3)  # (B * heads, C / heads, Q)
        return inner.output_proj(mixed.unflatten(0, (-1, inner.heads)).flatten(1, 2).transpose(1, 2))


class _WholeReader(nn.Module):
    """The words' reader that mixes its queries, which are equal, before they read."""

    def __init__(self, reader: WordReader) -> None:
        super().__init__()
        self.inner = reader

    def forward(self, words: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        content = torch.zeros_like(words)
        self.inner.self_attn(content + words, content + words, content)
        return self.inner(words, image)


class _WholeExistence:
    """Existence with the last layer at every pixel."""

    def __init__(self, head: GroundingHead) -> None:
        self.existence = head.existence

    def __call__(self, found: Tensor) -> Tensor:
        return cast(Tensor, self.existence(found.flatten(2).transpose(1, 2)).mean(dim=1))
