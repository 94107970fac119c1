"""The two stages of IVM's training, as modules for the loop: a batch in, the terms of the loss out."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ivm_ros.models.ivm.discriminator import LmmDiscriminator
from ivm_ros.models.ivm.model import Ivm
from ivm_ros.models.ivm.postprocess import resize_logits
from ivm_ros.models.ivm.preprocess import clip_pixels
from ivm_ros.training.ivm.adapters import let_rest
from ivm_ros.training.ivm.dwsl import (
    VARIANTS,
    Evidence,
    discriminator_loss,
    joint_mask,
    sample_weights,
    weighted_mask_loss,
)
from ivm_ros.training.ivm.samples import LabelBatch

ETA = 0.01
"""Weight of the discriminator's loss beside the generator's, in joint training."""


class DiscriminatorTask(nn.Module):
    """Stage I: learn to tell people's labels from machines'.

    The published batch also has whole pictures, whose condition enters no term of this loss: left out here.

    Args:
        discriminator: the judge.
        reading: weight of a second loss, that of guessing the instruction's words from the masked picture. A
            LLaVA that was pretrained needs none; a small one from scratch learns to see and read by it.
        mismatched: weight of a third loss, that of taking people's masks with others' instructions for wrong;
            a small LLaVA learns by it that picture and words have to agree.
    """

    def __init__(
        self, discriminator: LmmDiscriminator, reading: float = 0.0, mismatched: float = 0.0
    ) -> None:
        super().__init__()
        self.discriminator, self.reading, self.mismatched = discriminator, reading, mismatched

    def judge(self, batch: LabelBatch) -> Tensor:
        """Return the (B,) logits of labels."""
        return self.discriminator.judge(batch.masked_pixels, *batch.judge)

    def forward(self, batch: LabelBatch) -> dict[str, Tensor]:
        """Return the loss, its terms, and the share of labels that are taken for what they are."""
        hidden = self.discriminator.hidden_states(batch.masked_pixels, *batch.judge)
        judgement = self.discriminator.discriminator_head(hidden[:, -1])[:, 0]
        terms = {"loss": discriminator_loss(judgement, batch.human)}
        terms["right"] = ((judgement > 0) == batch.human).float().mean()
        if self.reading:
            terms["reading"] = self._reading(hidden, batch.judge.ids)
            terms["loss"] = terms["loss"] + self.reading * terms["reading"]
        if self.mismatched:
            terms["mismatched"] = self._mismatched(batch)
            terms["loss"] = terms["loss"] + self.mismatched * terms["mismatched"]
        return terms

    def _mismatched(self, batch: LabelBatch) -> Tensor:
        """Return the cross entropy of people's masks, each with the next one's instruction, against 0."""
        pictures, ids, mask = (part[batch.human] for part in (batch.masked_pixels, *batch.judge))
        others = ids.roll(1, dims=0)
        judgement = self.discriminator.judge(pictures, others, mask.roll(1, dims=0))
        differ = (others != ids).any(dim=1).float()
        return (F.softplus(judgement.float()) * differ).sum() / differ.sum().clamp(min=1)

    def _reading(self, hidden: Tensor, ids: Tensor) -> Tensor:
        """Return the cross entropy of the words behind the picture, summed, on average over the prompts."""
        model = self.discriminator.model
        places = torch.arange(ids.shape[1], device=ids.device)
        ends = ((ids == model.config.image_token_id) * places).amax(dim=1, keepdim=True)
        behind = places[1:] > ends
        logits = hidden[:, :-1][behind] @ model.language_model.embed_tokens.weight.T
        return F.cross_entropy(logits.float(), ids[:, 1:][behind], reduction="sum") / len(ids)


class GeneratorTask(nn.Module):
    """Stage II: learn masks, from each label as much as it is trusted.

    Args:
        ivm: the generator.
        variant: a name of `dwsl.VARIANTS`.
        discriminator: for the variants that need one; may share the generator's LLaVA.
        trust_humans: people's labels count 1, whatever the discriminator says.

    Raises:
        ValueError: the variant is unknown, or needs a discriminator and has none.
    """

    white: Tensor

    def __init__(
        self,
        ivm: Ivm,
        variant: str = "two-stage",
        discriminator: LmmDiscriminator | None = None,
        trust_humans: bool = False,
    ) -> None:
        super().__init__()
        if variant not in VARIANTS:
            raise ValueError(f"expected one of {', '.join(VARIANTS)} for the weights, got {variant!r}")
        self.role = VARIANTS[variant].discriminator
        if (self.role is None) != (discriminator is None):
            needed = "none" if self.role is None else "one, trained before or with it"
            raise ValueError(f'expected as discriminator for the weights "{variant}": {needed}')
        self.ivm, self.variant, self.trust_humans = ivm, variant, trust_humans
        self.discriminator = discriminator
        if discriminator is not None and self.role == "frozen":
            let_rest(discriminator)
        white = clip_pixels(torch.full((1, 1, 3), 255, dtype=torch.uint8).numpy(), 1)
        self.register_buffer("white", white, persistent=False)

    def train(self, mode: bool = True) -> GeneratorTask:
        """Switch to training, but not a discriminator that is only asked."""
        super().train(mode)
        if self.discriminator is not None and self.role == "frozen":
            let_rest(self.discriminator)
        return self

    def logits(self, batch: LabelBatch) -> Tensor:
        """Return (B, S, S) mask logits, at the labels' size."""
        low = self.ivm(batch.sam_pixels, batch.clip_pixels, *batch.policy)
        return resize_logits(low.float(), *batch.heat.shape[-2:])[:, 0]

    def forward(self, batch: LabelBatch) -> dict[str, Tensor]:
        """Return the loss and its terms, and how much labels count on average."""
        logits = self.logits(batch)
        terms, judgement = self._judgement(batch, logits)
        weights = sample_weights(self.variant, Evidence(batch.human, judgement, self.trust_humans))
        terms |= weighted_mask_loss(logits, batch.heat, weights)
        loss = terms["ce"] + terms["dice"] + ETA * terms.get("discriminator", 0.0)
        return {"loss": loss, **terms, "weight": weights.mean()}

    def _judgement(self, batch: LabelBatch, logits: Tensor) -> tuple[dict[str, Tensor], Tensor | None]:
        if self.discriminator is None:
            return {}, None
        if self.role == "frozen":
            with torch.no_grad():
                return {}, self.discriminator.judge(batch.masked_pixels, *batch.judge)
        agreed = F.interpolate(
            joint_mask(logits, batch.heat)[:, None],
            size=batch.clip_pixels.shape[-2:],
            mode="bilinear",
            antialias=True,
        )
        masked = batch.clip_pixels * agreed + self.white * (1 - agreed)
        judgement = self.discriminator.judge(masked, *batch.judge)
        return {"discriminator": discriminator_loss(judgement, batch.human)}, judgement
