"""What is trained of a pretrained IVM: low-rank adapters of the language layers, projections, heads, decoder.

Generator and discriminator share LLaVA's weights, which rest; each has adapters of its own in it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from transformers import LlavaModel

from ivm_ros.models.ivm.config import IvmConfig, LoraConfig
from ivm_ros.models.ivm.discriminator import LmmDiscriminator
from ivm_ros.models.ivm.model import Ivm, TwoLinear

GENERATOR, DISCRIMINATOR = "default", "discriminator"
"""Names of the adapters; the generator's is the released files'."""

_TARGETS = r"language_model\.layers\.\d+\.self_attn\.[qv]_proj"  # CLIP has layers of the same names
_DROPOUT = 0.05


def adapt(llava: LlavaModel, lora: LoraConfig, name: str) -> list[nn.Parameter]:
    """Put fresh adapters on q_proj and v_proj of every language layer, and return their weights, in float32.

    Everything else in `llava` rests from now on. The adapters that were put in last are at work until
    `at_work` says otherwise.

    Raises:
        ImportError: peft is not installed.
    """
    peft = _peft()
    config = peft.LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, lora_dropout=_DROPOUT, bias="none", target_modules=_TARGETS
    )
    flags = _flags(llava)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Already found a `peft_config`")  # two sets are meant
        peft.inject_adapter_in_model(config, llava, name)  # everything else rests, other adapters too
    _restore(flags)
    _put_to_work([[name]] * len(_adapted(llava)), llava)
    weights = adapter_weights(llava, name)
    for weight in weights.values():
        weight.data = weight.data.float()
        weight.requires_grad_(True)
    return list(weights.values())


def adapter_weights(llava: LlavaModel, name: str) -> dict[str, nn.Parameter]:
    """Return the weights of one set of adapters by their names in `llava`; empty where there is none."""
    return {
        key: weight
        for key, weight in llava.named_parameters()
        if ".lora_" in key and key.split(".")[-2] == name
    }


@contextmanager
def at_work(llava: LlavaModel, name: str) -> Iterator[None]:
    """Let one set of adapters work, then those again that did before; which weights are trained stays."""
    before = [list(layer.active_adapters) for layer in _adapted(llava)]
    _put_to_work([[name]] * len(before), llava)
    try:
        yield
    finally:
        _put_to_work(before, llava)


def _put_to_work(names: list[list[str]], llava: LlavaModel) -> None:
    """Set the adapters that work in each adapted layer; which weights are trained stays."""
    flags = _flags(llava)
    for layer, active in zip(_adapted(llava), names, strict=True):
        layer.set_adapter(active)  # the others rest
    _restore(flags)


def _adapted(llava: LlavaModel) -> list[Any]:
    base = _peft().tuners.tuners_utils.BaseTunerLayer
    return [module for module in llava.modules() if isinstance(module, base)]


def _flags(llava: LlavaModel) -> list[tuple[nn.Parameter, bool]]:
    return [(weight, weight.requires_grad) for key, weight in llava.named_parameters() if ".lora_" in key]


def _restore(flags: list[tuple[nn.Parameter, bool]]) -> None:
    for weight, trained in flags:
        weight.requires_grad_(trained)


def _peft() -> Any:
    try:
        import peft
    except ImportError as error:
        raise ImportError(
            f"training adapters needs the extra: pip install 'ivm-ros[train]' ({error})"
        ) from error
    return peft


class AdaptedDiscriminator(LmmDiscriminator):
    """The discriminator as adapters of a LLaVA that it shares.

    Args:
        llava: the body; its generator's adapters, if any, are not used.
        config: the sizes.
        head_dim: hidden width of the judging head.
    """

    def __init__(self, llava: LlavaModel, config: IvmConfig, head_dim: int = 1024) -> None:
        nn.Module.__init__(self)  # without a body of its own
        width = config.llava.text_config.hidden_size
        self.model = llava
        self.text_proj = TwoLinear(width, config.projection_dim, config.vision.output_channels)
        self.discriminator_head = TwoLinear(width, head_dim, 1)
        adapt(llava, config.lora, DISCRIMINATOR)

    def hidden_states(self, clip_pixels: Tensor, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the language model's (N, L, D) final hidden states, with the discriminator's adapters."""
        with at_work(self.model, DISCRIMINATOR):
            return super().hidden_states(clip_pixels, input_ids, attention_mask)


def adapt_generator(ivm: Ivm) -> None:
    """Make of a network at rest one whose adapters, projection and decoder are trained."""
    ivm.requires_grad_(False)
    adapt(ivm.prompt_encoder.model, ivm.config.lora, GENERATOR)
    for part in (ivm.prompt_encoder.text_proj, ivm.mask_decoder):
        part.requires_grad_(True)


def let_rest(discriminator: LmmDiscriminator) -> None:
    """Train a discriminator no more, and let nothing of it drop out; a shared LLaVA stays as it is."""
    weights = adapter_weights(discriminator.model, DISCRIMINATOR)
    if not weights:
        discriminator.requires_grad_(False).eval()
        return
    for weight in weights.values():
        weight.requires_grad_(False)
    for part in (discriminator.text_proj, discriminator.discriminator_head):
        part.requires_grad_(False)
    for module in discriminator.model.modules():
        dropout = getattr(module, "lora_dropout", {})
        if DISCRIMINATOR in dropout:
            dropout[DISCRIMINATOR].eval()
