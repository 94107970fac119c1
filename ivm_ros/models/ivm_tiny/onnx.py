"""ivm-tiny as graphs that ONNX Runtime runs.

The graphs that ship with the package have no weights inside: they get those of the file that is loaded, so
that there is one set of weights, and any other of the same sizes does as well.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ivm_ros.checkpoints import CheckpointError
from ivm_ros.engines.graphs import SIZES, GraphSpec
from ivm_ros.engines.onnx import OnnxGraph
from ivm_ros.grounding import Image
from ivm_ros.models.ivm_tiny.config import TinyConfig
from ivm_ros.models.ivm_tiny.encoder import fold_batch_norms
from ivm_ros.models.ivm_tiny.files import WEIGHTS, Logits, load_weights
from ivm_ros.models.ivm_tiny.matcher import Scene
from ivm_ros.models.ivm_tiny.model import Asked, IvmTiny, strongest
from ivm_ros.models.ivm_tiny.network import Seen, look_at
from ivm_ros.models.ivm_tiny.parts import PARTS, READ, SCENE, example, graphs, said

TOLERANCE = 1e-3
SHIPPED = Path(__file__).parent / "graphs"
"""The graphs without weights that ship with the package."""
INDEX = "graphs.json"
"""Beside graphs: the sizes that they are for, and the names of the weights that they lack."""


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


class OnnxEngine:
    """ONNX Runtime; what a few rows of numbers decide is PyTorch's.

    Args:
        model: in eval mode, on the CPU; is folded, and gives its weights to graphs that have none.
        graphs: folder of `find_graphs`.
        device: that is asked for.
        provider: as `OnnxGraph` takes it.
        picture: graph to see with instead of the float32 one.

    Raises:
        CheckpointError: a graph is missing or does not fit.
        ValueError: the provider is unknown, or cannot be used here.
    """

    name = "onnx"

    def __init__(
        self,
        model: IvmTiny,
        graphs: Path,
        device: torch.device,
        provider: str = "auto",
        picture: GraphSpec | None = None,
    ) -> None:
        fold_batch_norms(model)
        self.model = model  # keeps the weights alive: graphs without any read them where they are
        self._picture, self._masks, self._looks, self._outlines, self._words = open_graphs(
            model, graphs, device, provider, picture
        )
        self.precision = "float32" if picture is None else "int8"

    def see(self, small: Image, picture: Image) -> Seen:
        """Find the objects of a picture."""
        seen = self._picture({"picture": small})
        read = {name: seen[name] for name in READ}
        cells, heat = strongest(torch.from_numpy(seen["maxima"]))
        places = {"y": cells.y.numpy(), "x": cells.x.numpy()}
        tried = self._masks({**read, "pixels": seen["pixels"], **places})
        found = self.model.choose(torch.from_numpy(tried["masks"]), heat)
        through, glimpses, where = look_at(picture, found)
        objects = {"masks": found.masks.numpy(), "sure": found.sure.numpy()}
        objects |= {"glimpses": glimpses.numpy(), "where": where.numpy()}
        scene = self._looks({**read, "paint": seen["paint"], **objects})
        there = torch.ones(1, len(found.sure), dtype=torch.bool)
        return Seen(
            found,
            Scene(**{name: torch.from_numpy(scene[name]) for name in SCENE}, there=there),
            through,
            glimpses,
            where,
        )

    def match(self, scene: Scene, asked: Asked) -> tuple[Logits, Logits]:
        """Match words with objects."""
        tensors = {**dict(zip(SCENE, scene, strict=False)), **said(asked)}
        found = self._words({name: tensor.numpy() for name, tensor in tensors.items()})
        return found["target"], found["existence"]

    def draw(self, seen: Seen, objects: Sequence[int]) -> Logits:
        """Refine masks."""
        chosen = list(objects)
        inputs = {"masks": seen.found.masks, "glimpses": seen.glimpses, "where": seen.where}
        return self._outlines({name: part[chosen].numpy() for name, part in inputs.items()})["outlines"]


def open_graphs(
    model: IvmTiny,
    folder: Path,
    device: torch.device,
    provider: str = "auto",
    picture: GraphSpec | None = None,
) -> list[OnnxGraph]:
    """Open the graphs of a folder, one for each of `PARTS`; arguments as of `OnnxEngine`."""
    lacking = json.loads((folder / INDEX).read_text())["weights"]
    state = _state(model)
    first, *others = graphs(model.config)
    return [
        OnnxGraph(
            folder,
            spec,
            provider,
            device.type,
            device.index or 0,
            # those that are quantised have theirs
            {name: state[name].numpy() for name in lacking[spec.name]} if spec.name in lacking else None,
        )
        for spec in (picture or first, *others)
    ]


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
    examples = [example(model, size) for size in SIZES]
    state, largest, lacking = _state(model), 0.0, {}
    for spec, part in zip(graphs(model.config), PARTS, strict=True):
        module = part(model)
        inputs = [{port.name: each[port.name] for port in spec.inputs} for each in examples]
        export_graph(module, spec, inputs[-1], target)
        weights = None
        if bare:
            lacking[spec.name] = leave_out_weights(target / spec.file, state)
            weights = {name: state[name].numpy() for name in lacking[spec.name]}
        difference = largest_difference(module, OnnxGraph(target, spec, "cpu", weights=weights), inputs)
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


def _state(model: IvmTiny) -> dict[str, Tensor]:
    """Return the weights under the names that they have in graphs."""
    return {f"model.{name}": tensor.detach() for name, tensor in model.state_dict().items()}
