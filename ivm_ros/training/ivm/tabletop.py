"""A scaled-down IVM from scratch on the rendered tabletop, some of whose labels are wrong: is DWSL worth it?

Both stages as in the large one, with three differences that its size asks for: all weights are trained, for
nothing is pretrained; the generator's LLaVA is a copy of the discriminator's to start with, not the same; and
the discriminator has two losses more, by which it learns to see and to read at all (`DiscriminatorTask`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, SamVisionConfig

from ivm_ros.datasets.tabletop.mislabelled import Label, Labels
from ivm_ros.evaluation.metrics import area_under_roc
from ivm_ros.models.ivm.config import DecoderConfig, IvmConfig
from ivm_ros.models.ivm.discriminator import LmmDiscriminator
from ivm_ros.models.ivm.model import Ivm
from ivm_ros.models.ivm.prompt import PromptTokenizer
from ivm_ros.models.ivm.small import write_small
from ivm_ros.training.batches import Batches, Items
from ivm_ros.training.ivm.dwsl import VARIANTS
from ivm_ros.training.ivm.export import write_whole
from ivm_ros.training.ivm.samples import Preparation, Prepared, collator
from ivm_ros.training.ivm.scores import HeldOut, judgements, mask_scores, mask_sheet
from ivm_ros.training.ivm.tasks import DiscriminatorTask, GeneratorTask
from ivm_ros.training.loop import Hooks, LoopSettings, cosine, train

SIDE = 64
"""Of the pictures, in pixels."""

_READING, _MISMATCHED = 0.3, 1.0


@dataclass(frozen=True)
class Effort:
    """How long the two stages of the small IVM last.

    Attributes:
        judge_steps: of stage I.
        judge_batch: labels a step, half of them people's.
        steps: of stage II.
        batch: labels a step.
        rate: highest learning rate of both.
    """

    judge_steps: int = 600
    judge_batch: int = 32
    steps: int = 700
    batch: int = 16
    rate: float = 1e-3


def tabletop_config() -> IvmConfig:
    """Return an IVM of a million weights for pictures of 64 pixels."""
    width, heads, vocabulary, clip_side, patch = 64, 4, 512, 32, 8
    common = {"hidden_size": width, "num_attention_heads": heads}
    return IvmConfig(
        vision=SamVisionConfig(
            **common,
            num_hidden_layers=3,
            image_size=SIDE,
            patch_size=patch,
            global_attn_indexes=[0, 1, 2],
            window_size=0,
            output_channels=width,
            mlp_dim=3 * width,
            initializer_range=0.08,  # the usual 0.02 is for wide models; this one would hardly begin to learn
        ),
        llava=LlavaConfig(
            vision_config=CLIPVisionConfig(
                **common,
                intermediate_size=3 * width,
                num_hidden_layers=4,
                image_size=clip_side,
                patch_size=patch,
                projection_dim=width,
                hidden_act="quick_gelu",
                initializer_factor=2.0,
            ),
            text_config=LlamaConfig(
                **common,
                intermediate_size=3 * width,
                num_hidden_layers=3,
                num_key_value_heads=heads,
                vocab_size=vocabulary,
                pad_token_id=vocabulary - 1,
                rms_norm_eps=1e-5,
                initializer_range=0.1,
            ),
            image_token_id=vocabulary - 2,
            vision_feature_layer=-2,
            vision_feature_select_strategy="default",
            image_seq_length=(clip_side // patch) ** 2,
        ),
        projection_dim=width,
        decoder=DecoderConfig(heads=heads, mlp_dim=2 * width),
    )


class Small:
    """One comparison: the same labels, steps and seed for every way to weigh.

    Args:
        labels: to train on, people's and machines', some of them wrong.
        clean: held-out labels, all right.
        spoilt: held-out labels, some of them wrong, to see whether the discriminator knows which.
        output: folder of the runs.
        seed: of weights and order.
        effort: steps and sizes.
    """

    def __init__(
        self,
        labels: Sequence[Label],
        clean: Sequence[Label],
        spoilt: Sequence[Label],
        output: Path,
        seed: int = 0,
        effort: Effort = Effort(),
    ) -> None:
        self.labels, self.spoilt, self.output, self.seed, self.effort = labels, spoilt, output, seed, effort
        texts = sorted({label.instruction for label in labels})
        self.config = write_small(output / "start", tabletop_config(), texts, seed)
        self.tokenizer_file = output / "start" / "tokenizer.json"
        self.tokenizer = PromptTokenizer(self.tokenizer_file, self.config)
        self.clean = HeldOut(self._prepared(clean), len(clean))

    def train_judge(self, resume: bool = False) -> tuple[LmmDiscriminator, dict[str, float]]:
        """Train the discriminator; return it and how well it tells right labels from wrong ones.

        The scores are `auc` on held-out labels, `auc_machine` on the machines' labels of the training, which
        is what the weights are made of, and the mean weights of machines' right and wrong labels in it.
        """
        torch.manual_seed(self.seed)
        task = DiscriminatorTask(LmmDiscriminator(self.config, 128), _READING, _MISMATCHED)
        parts = [[label for label in self.labels if label.human is human] for human in (True, False)]
        prepared = [_Remembered(self._prepared(part)) for part in parts]
        self._train(
            task, prepared, "judge", self.effort.judge_steps, self.effort.judge_batch, Hooks(), resume
        )
        return task.discriminator, {"auc": self._auc(task, self.spoilt)[0], **self._weights(task, parts[1])}

    def train_generator(
        self, weights: str, judge: LmmDiscriminator, resume: bool = False
    ) -> dict[str, float]:
        """Train a generator with a way to weigh; return gIoU and cIoU on the clean held-out labels.

        Whatever the way, its LLaVA starts as a copy of the discriminator's, for want of a pretrained one;
        people's labels count 1 where a discriminator weighs the machines'.
        """
        torch.manual_seed(self.seed)
        ivm = Ivm(self.config)
        ivm.prompt_encoder.model.load_state_dict(judge.model.state_dict())
        asked = judge if VARIANTS[weights].discriminator is not None else None
        task = GeneratorTask(ivm, weights, asked, trust_humans=True)
        hooks = Hooks(
            score=lambda module: mask_scores(task, self.clean),
            draw=lambda module: mask_sheet(task, self.clean),
            export=lambda module, path: None if path.name == "best" else self._export(task.ivm, path),
        )
        prepared = [_Remembered(self._prepared(self.labels))]
        return self._train(task, prepared, weights, self.effort.steps, self.effort.batch, hooks, resume)

    def _export(self, ivm: Ivm, path: Path) -> None:
        write_whole(ivm, self.tokenizer_file, path)

    def _prepared(self, labels: Sequence[Label]) -> Preparation:
        return Preparation(Labels(list(labels)), self.config, self.tokenizer, crop=False)

    def _train(
        self,
        task: nn.Module,
        sources: Sequence[Items[Any]],
        name: str,
        steps: int,
        batch: int,
        hooks: Hooks,
        resume: bool,
    ) -> dict[str, float]:
        trained = [weight for weight in task.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=self.effort.rate, weight_decay=0.05, betas=(0.9, 0.98))
        settings = LoopSettings(
            self.output / name,
            steps,
            device="cpu",
            log_every=max(1, steps // 20),
            save_every=max(1, steps // 4),
            score_every=steps,
            title=f"{name}, seed {self.seed}",
        )
        batches = Batches(sources, collator(self.tokenizer), batch, self.seed)
        return train(task, batches, optimizer, cosine(optimizer, steps), settings, hooks, resume=resume)

    def _auc(self, task: DiscriminatorTask, labels: Sequence[Label]) -> tuple[float, Any, Any]:
        """Return how well right labels are told from wrong ones, and the logits of both."""
        logits, _ = judgements(task.eval(), HeldOut(self._prepared(labels), len(labels)))
        wrong = np.array([bool(label.fault) for label in labels])
        return area_under_roc(logits[~wrong], logits[wrong]), logits[~wrong], logits[wrong]

    def _weights(self, task: DiscriminatorTask, machine: Sequence[Label]) -> dict[str, float]:
        auc, right, wrong = self._auc(task, machine[:2000])
        weights = (np.clip(1 / (1 + np.exp(-logits)), 0.1, 0.9).mean() for logits in (right, wrong))
        return {
            "auc_machine": auc,
            **dict(zip(("weight_right", "weight_wrong"), map(float, weights), strict=True)),
        }


class _Remembered:
    """Prepared items without chance, each made once."""

    def __init__(self, items: Preparation) -> None:
        self.items, self._made = items, dict[int, Prepared]()

    def __len__(self) -> int:
        return len(self.items)

    def item(self, index: int, random: Random) -> Prepared:
        if index not in self._made:
            self._made[index] = self.items.item(index, random)
        return self._made[index]
