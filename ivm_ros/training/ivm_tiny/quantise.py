"""Write ivm-tiny's picture graph in 8 bit integers: half the time where a processor multiplies these.

python -m ivm_ros.training.ivm_tiny.quantise PICTURES

Weights are rounded by channel, features by the range that they have on pictures. What is read from features,
far smaller and decisive, stays in float32. Unlike the other graphs this one has its weights inside, and is of
use for these alone.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer

from ivm_ros.datasets.folder import Folder
from ivm_ros.grounding import Image
from ivm_ros.models.ivm_tiny.encoder import fold_batch_norms
from ivm_ros.models.ivm_tiny.files import WEIGHTS, load_weights
from ivm_ros.models.ivm_tiny.onnx import INDEX, SHIPPED
from ivm_ros.models.ivm_tiny.parts import PicturePart, example, graphs
from ivm_ros.models.ivm_tiny.quantised import KEY, fingerprint, quantised

_PICTURES = 64
_PERCENTILE = 99.99  # of a feature's values; what is beyond is cut off


def quantise(checkpoint: Path, pictures: Sequence[Image], folder: Path) -> Path:
    """Write the quantised picture graph of weights beside the other graphs, and say so in the index.

    Args:
        checkpoint: a file of `save_weights`.
        pictures: (H, W, 3) uint8 RGB of the network's size, which features get their ranges from.
        folder: of graphs that `export` made, of the same sizes.

    Raises:
        CheckpointError: the weights are unusable.
        ImportError: a library of the extra is missing.
        ValueError: there are no pictures.
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    from ivm_ros.engines.export import export_graph, write_lean

    if not pictures:
        raise ValueError("expected pictures to take the ranges of features from, got none")
    model, _ = load_weights(checkpoint)
    mark = fingerprint(model)
    fold_batch_norms(model)
    spec = graphs(model.config)[0]
    target = folder / quantised(spec).file
    with tempfile.TemporaryDirectory() as name:
        plain, prepared = Path(name) / spec.file, Path(name) / "prepared.onnx"
        export_graph(PicturePart(model), spec, example(model, "high"), Path(name))
        quant_pre_process(str(plain), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(target),
            _Reader(pictures),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=_first_convolution(prepared),
            calibrate_method=CalibrationMethod.Percentile,
            extra_options={"CalibPercentile": _PERCENTILE},
        )
    write_lean(onnx.load(target), target)
    index = folder / INDEX
    index.write_text(json.dumps({**json.loads(index.read_text()), KEY: mark}, indent=1) + "\n")
    return target


def _first_convolution(path: Path) -> list[str]:
    """Return its name: it is cheap, and pictures are what all else is made of."""
    import onnx

    nodes = onnx.load(path).graph.node
    return [next(node.name for node in nodes if node.op_type == "Conv")]


class _Reader:
    """Hands out pictures, as ONNX Runtime asks for them."""

    def __init__(self, pictures: Sequence[Image]) -> None:
        self._inputs: Iterator[dict[str, Any]] = iter([{"picture": picture} for picture in pictures])

    def get_next(self) -> dict[str, Any] | None:
        return next(self._inputs, None)


def spread(folder: Folder, size: tuple[int, int]) -> list[Image]:
    """Return pictures of a folder, evenly spread and as the network sees them."""
    chosen = np.linspace(0, len(folder) - 1, min(_PICTURES, len(folder))).astype(int).tolist()
    return [
        np.asarray(cv2.resize(folder.read(index).image, size, interpolation=cv2.INTER_AREA), np.uint8)
        for index in chosen
    ]


def main(
    pictures: Annotated[Path, typer.Argument(help="folder dataset to take the ranges of features from")],
    checkpoint: Annotated[Path, typer.Option(help="weights; those of the package if not given")] = WEIGHTS,
    folder: Annotated[Path, typer.Option(help="of their graphs, likewise")] = SHIPPED,
) -> None:
    """Quantise ivm-tiny's picture graph."""
    config = load_weights(checkpoint)[0].config
    print(quantise(checkpoint, spread(Folder(pictures), (config.width, config.height)), folder))


if __name__ == "__main__":
    typer.run(main)
