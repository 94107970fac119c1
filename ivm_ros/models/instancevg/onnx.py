"""InstanceVG as two graphs that ONNX Runtime runs: one for the picture, one for the words."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from torch import Tensor, nn

from ivm_ros.checkpoints import CheckpointError
from ivm_ros.engines.export import export_graph, largest_difference
from ivm_ros.engines.graphs import SIZES, Axis, GraphSpec, Port, Size
from ivm_ros.engines.onnx import OnnxGraph
from ivm_ros.models.instancevg.beit3 import ImageTokens
from ivm_ros.models.instancevg.config import InstanceVgConfig
from ivm_ros.models.instancevg.folder import CONFIG, WORDS, read_checkpoint, read_config
from ivm_ros.models.instancevg.head import Predictions
from ivm_ros.models.instancevg.model import InstanceVg
from ivm_ros.models.instancevg.text import PAD, Tokenizer

TOLERANCE = 1e-3
_MOST_TEXTS = 8  # in one run; more are several
_FIRST = ("queries", "keys", "values")


def graphs(config: InstanceVgConfig) -> tuple[GraphSpec, GraphSpec]:
    """Return the graph of the picture and that of the words: any number of texts, of any length."""
    side, tokens = config.image_size, (1, config.grid**2 + 1, config.backbone.width)
    words = (
        Axis("texts", 1, 1, _MOST_TEXTS),
        Axis("words", 3, min(12, config.max_tokens), config.max_tokens),
    )
    seen = ("tokens", *_FIRST)
    return (
        GraphSpec("image", (Port("pixels", (1, 3, side, side)),), seen),
        GraphSpec(
            "words",
            (*(Port(name, tokens) for name in seen), Port("ids", words), Port("padding", words)),
            Predictions._fields,
        ),
    )


class OnnxInstanceVg:
    """The network as ONNX Runtime runs it.

    Args:
        folder: of `export`.
        provider: as `OnnxGraph` takes it.
        device: that is asked for.

    Attributes:
        config: its sizes.
        device: of inputs and results, whatever it runs on: the CPU.
        provider: what it runs on.

    Raises:
        CheckpointError: a file is missing or unusable.
        ValueError: the provider is unknown, or cannot be used here.
    """

    def __init__(self, folder: Path, provider: str, device: torch.device) -> None:
        config = read_config(folder / CONFIG)
        if config is None:
            raise CheckpointError(
                f"expected a folder that `ivm-ros export --model instancevg` made, got {folder}, "
                f"which has no {CONFIG}"
            )
        self.config = config
        self.device = torch.device("cpu")
        self._image, self._words = (
            OnnxGraph(folder, spec, provider, device.type, device.index or 0) for spec in graphs(config)
        )
        self.provider = self._words.provider

    def encode_image(self, pixels: Tensor) -> ImageTokens:
        """As `InstanceVg.encode_image`, of one picture."""
        found = self._image({"pixels": pixels.numpy()})
        queries, keys, values = (torch.from_numpy(found[name]) for name in _FIRST)
        return ImageTokens(torch.from_numpy(found["tokens"]), (queries, keys, values))

    def read(self, image: ImageTokens, ids: Tensor, padding: Tensor | None = None) -> Predictions:
        """As `InstanceVg.read`."""
        hidden = torch.zeros_like(ids, dtype=torch.bool) if padding is None else padding
        seen = {"tokens": image.tokens.numpy()}
        seen |= {name: tensor.numpy() for name, tensor in zip(_FIRST, image.first, strict=True)}
        runs = [
            self._words({**seen, "ids": some.numpy(), "padding": theirs.numpy()})
            for some, theirs in zip(ids.split(_MOST_TEXTS), hidden.split(_MOST_TEXTS), strict=True)
        ]
        return Predictions(
            *(
                torch.cat([torch.from_numpy(run[name]) for run in runs], dim=_dimension_of_texts(name))
                for name in self._words.spec.outputs
            )
        )


def _dimension_of_texts(name: str) -> int:
    return 1 if name in ("classes", "boxes") else 0


def open_folder(folder: Path, provider: str, device: torch.device) -> tuple[OnnxInstanceVg, Tokenizer]:
    """Load a folder that `export` made."""
    network = OnnxInstanceVg(folder, provider, device)
    return network, Tokenizer(folder / WORDS, network.config)


def export(checkpoint: Path, target: Path) -> float:
    """Write a checkpoint as graphs, in float32, and compare their results with PyTorch's on the CPU.

    Args:
        checkpoint: as `read_checkpoint` takes it.
        target: new folder.

    Returns:
        The largest difference of any result, for one text and for several, short and long.

    Raises:
        CheckpointError: the checkpoint is missing or unusable.
        FileExistsError: the target holds a model already.
        ImportError: a library of the extra is missing.
        ValueError: the results differ.
    """
    if (target / CONFIG).exists():
        raise FileExistsError(f"expected a new folder, but {target} holds a model already")
    model, tokenizer = read_checkpoint(checkpoint, torch.float32, torch.device("cpu"))
    target.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(tokenizer.path, target / WORDS)
    examples = {size: _example(model, size) for size in SIZES}
    largest = 0.0
    for spec, part in zip(graphs(model.config), (_Image(model), _Words(model)), strict=True):
        inputs = [{port.name: each[port.name] for port in spec.inputs} for each in examples.values()]
        export_graph(part, spec, inputs[-1], target)
        difference = largest_difference(part, OnnxGraph(target, spec, "cpu"), inputs)
        if not difference <= TOLERANCE:
            raise ValueError(
                f"expected {spec.file} to differ by at most {TOLERANCE} from PyTorch, got {difference:.2g}"
            )
        largest = max(largest, difference)
    (target / CONFIG).write_text(model.config.to_json(), encoding="utf-8")  # last: the folder is whole
    return largest


class _Image(nn.Module):
    def __init__(self, model: InstanceVg) -> None:
        super().__init__()
        self.model = model
        self.eval()

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        image = self.model.encode_image(pixels)
        return image.tokens, *image.first


class _Words(nn.Module):
    def __init__(self, model: InstanceVg) -> None:
        super().__init__()
        self.model = model
        self.eval()

    def forward(
        self, tokens: Tensor, queries: Tensor, keys: Tensor, values: Tensor, ids: Tensor, padding: Tensor
    ) -> tuple[Tensor, ...]:
        return tuple(self.model.read(ImageTokens(tokens, (queries, keys, values)), ids, padding))


def _example(model: InstanceVg, size: Size) -> dict[str, Tensor]:
    """Return inputs of both graphs at an end of their sizes: a picture of noise, words at random."""
    config = model.config
    ports = {port.name: port.sizes(size) for spec in graphs(config) for port in spec.inputs}
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randn(ports["pixels"], generator=generator)
    ids = torch.randint(PAD + 1, config.backbone.vocabulary, ports["ids"], generator=generator)
    lengths = torch.arange(len(ids)) % (ids.shape[1] - 2) + 3
    lengths[0] = ids.shape[1]
    padding = torch.arange(ids.shape[1]) >= lengths[:, None]
    with torch.inference_mode():
        tokens, *first = _Image(model)(pixels)
    found = {"pixels": pixels, "ids": ids.masked_fill(padding, PAD), "padding": padding, "tokens": tokens}
    return {**found, **dict(zip(_FIRST, first, strict=True))}
