"""ivm-tiny as two graphs that ONNX Runtime runs: one for the picture, one for the words.

The graphs that ship with the package have no weights inside: they get those of the file that is loaded, so
that there is one set of weights, and any other of the same sizes does as well.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from torch import Tensor, nn

from ivm_ros.checkpoints import CheckpointError
from ivm_ros.engines.graphs import SIZES, Axis, GraphSpec, Port, Size
from ivm_ros.engines.onnx import OnnxGraph
from ivm_ros.grounding import MAX_INSTRUCTIONS, Image
from ivm_ros.models.ivm_tiny.concepts import Concepts, Wanted
from ivm_ros.models.ivm_tiny.config import TinyConfig
from ivm_ros.models.ivm_tiny.encoder import fold_batch_norms, normalise
from ivm_ros.models.ivm_tiny.files import WEIGHTS, load_weights
from ivm_ros.models.ivm_tiny.model import Asked, IvmTiny, Seen
from ivm_ros.models.ivm_tiny.network import Logits, Picture, Words
from ivm_ros.models.ivm_tiny.text import MAX_WORDS

TOLERANCE = 1e-3
SHIPPED = Path(__file__).parent / "graphs"
"""The graphs without weights that ship with the package."""
INDEX = "graphs.json"
"""Beside graphs: the sizes that they are for, and the names of the weights that they lack."""

_SEEN = (*Concepts._fields, "shared4", "shared8", "shared16", "blend")
_ASKED = ("tokens", "mask", *(f"{who}_{what}" for who in ("target", "anchor") for what in Wanted._fields))


def graphs(config: TinyConfig) -> tuple[GraphSpec, GraphSpec]:
    """Return the graph of the picture and that of the words: any number of texts, of any length."""
    texts = Axis("texts", 1, 1, MAX_INSTRUCTIONS)
    words = Axis("words", 3, 8, MAX_WORDS + 2)
    kinds, colors, materials = len(config.kinds), len(config.colors), len(config.materials)
    at4, at8, at16 = ((config.height // stride, config.width // stride) for stride in (4, 8, 16))
    seen: tuple[tuple[int, ...], ...] = (
        (1, kinds + 1, *at4),
        (1, colors, *at4),
        (1, materials, *at4),
        (1, config.pixels, *at4),
        (1, config.decision, *at8),
        (1, config.channels, *at16),
        (1, 9, 4, *at4),
    )
    said = ((texts, kinds + 2), (texts, colors + 1), (texts, materials + 1))
    asked: tuple[tuple[int | Axis, ...], ...] = (
        (texts, words, config.channels),
        (texts, words),
        *said,
        *said,
    )
    ports = [
        *(Port(name, shape) for name, shape in zip(_SEEN, seen, strict=True)),
        *(Port(name, shape) for name, shape in zip(_ASKED, asked, strict=True)),
    ]
    return (
        GraphSpec("image", (Port("picture", (config.height, config.width, 3)),), _SEEN),
        GraphSpec("words", tuple(ports), ("mask_logits", "existence")),
    )


def find_graphs(config: TinyConfig, folder: Path | None = None) -> Path | None:
    """Return the folder with graphs of these sizes, the one given or the one that ships, or None."""
    for place in (folder, SHIPPED):
        index = place / INDEX if place else None
        if place and index and index.is_file():
            try:
                if TinyConfig.from_json(json.loads(index.read_text())["config"]) == config:
                    return place
            except (KeyError, TypeError, ValueError) as error:
                raise CheckpointError(f"{index} is unusable: {error}; export again") from error
    return None


def onnx_halves(
    model: IvmTiny, folder: Path, device: torch.device, provider: str = "auto"
) -> tuple[Picture, Words]:
    """Return both halves as ONNX Runtime runs them.

    Args:
        model: in eval mode; is folded, and gives its weights to graphs that have none.
        folder: of `find_graphs`.
        device: that is asked for.
        provider: as `OnnxGraph` takes it.

    Raises:
        CheckpointError: a graph is missing or does not fit.
        ValueError: the provider is unknown, or cannot be used here.
    """
    fold_batch_norms(model)
    lacking = json.loads((folder / INDEX).read_text())["weights"]
    state = _state(model)
    image, words = (
        OnnxGraph(
            folder,
            spec,
            provider,
            device.type,
            device.index or 0,
            {name: state[name].numpy() for name in lacking[spec.name]} if lacking else None,
        )
        for spec in graphs(model.config)
    )

    def see(picture: Image) -> Seen:
        found = image({"picture": picture})
        kinds, colors, materials, *rest = (torch.from_numpy(found[name]) for name in _SEEN)
        return Seen(Concepts(kinds, colors, materials), *rest)

    def answer(seen: Seen, asked: Asked) -> tuple[Logits, Logits]:
        found = words({name: tensor.numpy() for name, tensor in _inputs(seen, asked).items()})
        return found["mask_logits"], found["existence"]

    return see, answer


def export(checkpoint: Path, target: Path, bare: bool = False) -> float:
    """Write a checkpoint's graphs, and compare their results with PyTorch's on the CPU.

    Args:
        checkpoint: a file of `save_weights`, or a folder with one.
        target: new folder; the weights go there, too.
        bare: leave weights out of the graphs, and do not copy them: they fit all weights of these sizes.

    Returns:
        The largest difference of any result, for one text and for several, short and long.

    Raises:
        CheckpointError: the checkpoint is missing or unusable.
        FileExistsError: the target holds a model already.
        ImportError: a library of the extra is missing.
        ValueError: the results differ.
    """
    from ivm_ros.engines.export import export_graph, largest_difference, leave_out_weights

    if (target / INDEX).exists():
        raise FileExistsError(f"expected a new folder, but {target} holds a model already")
    file = checkpoint / WEIGHTS.name if checkpoint.is_dir() else checkpoint
    model, _ = load_weights(file)
    fold_batch_norms(model)
    target.mkdir(parents=True, exist_ok=True)
    examples = {size: _example(model, size) for size in SIZES}
    state, largest, lacking = _state(model), 0.0, {}
    for spec, part in zip(graphs(model.config), (_Image(model), _Words(model)), strict=True):
        inputs = [{port.name: each[port.name] for port in spec.inputs} for each in examples.values()]
        export_graph(part, spec, inputs[-1], target)
        weights = None
        if bare:
            lacking[spec.name] = leave_out_weights(target / spec.file, state)
            weights = {name: state[name].numpy() for name in lacking[spec.name]}
        difference = largest_difference(part, OnnxGraph(target, spec, "cpu", weights=weights), inputs)
        if not difference <= TOLERANCE:
            raise ValueError(
                f"expected {spec.file} to differ by at most {TOLERANCE} from PyTorch, got {difference:.2g}"
            )
        largest = max(largest, difference)
    if not bare:
        shutil.copyfile(file, target / WEIGHTS.name)
    index = {"config": model.config.to_json(), "weights": lacking}
    (target / INDEX).write_text(json.dumps(index, indent=1) + "\n")  # last: the folder is whole
    return largest


class _Image(nn.Module):
    def __init__(self, model: IvmTiny) -> None:
        super().__init__()
        self.model = model
        self.eval()

    def forward(self, picture: Tensor) -> tuple[Tensor, ...]:
        concepts, *rest = self.model.encode(normalise(picture[None])).seen
        return (*concepts, *rest)


class _Words(nn.Module):
    def __init__(self, model: IvmTiny) -> None:
        super().__init__()
        self.model = model
        self.eval()

    def forward(
        self,
        kinds: Tensor,
        colors: Tensor,
        materials: Tensor,
        shared4: Tensor,
        shared8: Tensor,
        shared16: Tensor,
        blend: Tensor,
        tokens: Tensor,
        mask: Tensor,
        target_kind: Tensor,
        target_color: Tensor,
        target_material: Tensor,
        anchor_kind: Tensor,
        anchor_color: Tensor,
        anchor_material: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Take each input by itself: the exporter knows the sizes of no others."""
        seen = Seen(Concepts(kinds, colors, materials), shared4, shared8, shared16, blend)
        target = Wanted(target_kind, target_color, target_material)
        anchor = Wanted(anchor_kind, anchor_color, anchor_material)
        answer = self.model.answer(seen, Asked(tokens, mask, target, anchor))
        return answer.mask, answer.existence


def _inputs(seen: Seen, asked: Asked) -> dict[str, Tensor]:
    """Return the inputs of the graph of the words."""
    concepts, *rest = seen
    tensors = (*concepts, *rest, asked.tokens, asked.mask, *asked.target, *asked.anchor)
    return dict(zip((*_SEEN, *_ASKED), tensors, strict=True))


def _state(model: IvmTiny) -> dict[str, Tensor]:
    """Return the weights under the names that they have in graphs."""
    return {f"model.{name}": tensor.detach() for name, tensor in model.state_dict().items()}


@torch.inference_mode()
def _example(model: IvmTiny, size: Size) -> dict[str, Tensor]:
    """Return inputs of both graphs at an end of their sizes: a picture of noise, words that mean nothing."""
    config = model.config
    ports = {port.name: port.sizes(size) for spec in graphs(config) for port in spec.inputs}
    generator = torch.Generator().manual_seed(0)
    picture = torch.randint(0, 256, ports["picture"], generator=generator, dtype=torch.uint8)
    texts, words, _ = ports["tokens"]
    texts = max(texts, 2) if size == "high" else texts
    lengths = [max(1, words - 2 - index) for index in range(texts)]
    asked = model.read([" ".join(["cup"] * length) for length in lengths])
    seen = model.encode(normalise(picture[None])).seen
    return {"picture": picture, **_inputs(seen, asked)}
