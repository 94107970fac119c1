"""The suite `instancevg`: the grounder, by PyTorch and by ONNX Runtime, against the plain network."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from ivm_ros.bench.plain_instancevg import Habits, PlainInstanceVg
from ivm_ros.bench.random_instancevg import INSTRUCTIONS, scaled_down, write_random
from ivm_ros.bench.suite import Alternative, Comparison, Options, require_agreement
from ivm_ros.clip import load_clip
from ivm_ros.evaluation.overlap import mask_overlap
from ivm_ros.grounding import Image
from ivm_ros.models.instancevg.config import InstanceVgConfig
from ivm_ros.models.instancevg.folder import build, read_checkpoint
from ivm_ros.models.instancevg.grounder import REPAIRED, InstanceVgGrounder
from ivm_ros.models.instancevg.head import Predictions
from ivm_ros.models.instancevg.model import InstanceVg
from ivm_ros.models.instancevg.network import Network
from ivm_ros.models.instancevg.onnx import OnnxInstanceVg, export
from ivm_ros.models.instancevg.pixel_decoder import upsample
from ivm_ros.models.instancevg.reading import Rules
from ivm_ros.models.instancevg.text import Tokenizer
from ivm_ros.models.registry import pick_device

_TOLERANCE = 1e-3  # of probabilities, and of shares of the picture, in float32
_LEFT = {
    "padded_text": ("text as long as it is", "instead of padded to 50"),
    "eager_attention": ("sdpa", "torch's fused attention instead of eager"),
    "project_first": ("sample first", "then project what was sampled"),
    "whole_head": ("last layer alone", "and existence after the mean"),
    "large_masks": ("masks of targets alone", "at the picture's size"),
}
"""What is done better without a habit, for the table."""


@dataclass(frozen=True, eq=False)
class Subject:
    """What is measured.

    Attributes:
        about: it, in a few words.
        model: the network in float32, on its device.
        graphs: the same by ONNX Runtime; None where it shall be brief.
        tokenizer: of its words.
        rules: how answers are read; about half of the queries are targets.
    """

    about: str
    model: InstanceVg
    graphs: OnnxInstanceVg | None
    tokenizer: Tokenizer
    rules: Rules

    def grounder(self, network: Network) -> InstanceVgGrounder:
        """Return a grounder of a network."""
        return InstanceVgGrounder(network, self.tokenizer, self.rules, "all")

    def plain(self, habits: Habits | None = None) -> PlainInstanceVg:
        """Return the plain way."""
        rules = Rules(score_threshold=self.rules.score_threshold, rescale=True)
        return PlainInstanceVg(self.model, self.tokenizer, rules, habits or Habits())


def choose_subject(options: Options, image: Image) -> Subject:
    """Return the network that the options ask for, and its graphs; its weights are the same every time.

    Raises:
        ValueError: the device is not usable here.
    """
    device = pick_device(options.device)
    published = options.size == "published"
    with tempfile.TemporaryDirectory() as folder:
        weights, graphs = Path(folder) / "weights", Path(folder) / "graphs"
        write_random(weights, InstanceVgConfig.base() if published else scaled_down())
        model, tokenizer = read_checkpoint(weights, torch.float32, device)
        network = None
        if not options.brief:  # the export takes longer than all else
            export(weights, graphs)
            network = OnnxInstanceVg(graphs, "auto", device)
    plain = PlainInstanceVg(model, tokenizer, Rules(rescale=True))
    threshold = _between(plain(image, INSTRUCTIONS[0])[0].scores)
    about = "InstanceVG base" if published else "InstanceVG scaled to 1/35 of its work"
    rules = replace(REPAIRED, score_threshold=threshold)
    return Subject(f"{about}, random weights", model, network, tokenizer, rules)


def _between(scores: npt.NDArray[np.float32]) -> float:
    """Return a threshold that about half of the scores are above, as far from any as can be."""
    middle = np.sort(scores)[len(scores) // 4 : len(scores) - len(scores) // 4]
    gap = int(np.argmax(np.diff(middle)))
    return float(np.clip(middle[gap : gap + 2].mean(), 0.01, 0.99))


def suite(options: Options) -> Iterator[Comparison]:
    """Compare plain, ours and ONNX Runtime, which must agree; then each ingredient by itself.

    If it shall be brief, plain and ours alone.
    """
    image = next(load_clip().frames())
    subject = choose_subject(options, image)
    plain, ours = subject.plain(), subject.grounder(subject.model)
    graphs = subject.grounder(subject.graphs) if subject.graphs is not None else None
    instructions = INSTRUCTIONS[:1] if options.brief else INSTRUCTIONS
    expected = [plain.look(image, instruction) for instruction in instructions]
    apart = {}
    for name, grounder in {"ours": ours, "ONNX Runtime": graphs}.items():
        if grounder is None:
            continue
        got = grounder.look(grounder.encode(image), instructions)
        apart[name] = max(_difference(one, got, index) for index, one in enumerate(expected))
        require_agreement(f"InstanceVG's answers, plain and {name}, in float32,", apart[name], _TOLERANCE)
    yield _one_instruction(subject, plain, ours, graphs, image, apart)
    if graphs is None:
        return
    yield _four_instructions(plain, ours, graphs, image, apart)
    yield _habits(subject, plain, image, expected[0])
    yield _precision(subject, ours, image)


def _one_instruction(
    subject: Subject,
    plain: PlainInstanceVg,
    ours: InstanceVgGrounder,
    graphs: InstanceVgGrounder | None,
    image: Image,
    apart: dict[str, float],
) -> Comparison:
    first, second = INSTRUCTIONS[:2]
    features = ours.encode(image)
    words = len(subject.tokenizer.ids(first))
    by_graphs = []
    if graphs is not None and subject.graphs is not None:
        by_graphs.append(
            Alternative(
                "ONNX Runtime",
                f"the same on {subject.graphs.provider.name}",
                lambda: graphs(image, first),
                key="onnx",
                numbers={"difference": apart["ONNX Runtime"]},
            )
        )
    return Comparison(
        f"{subject.about}; one instruction of {words} tokens",
        (
            Alternative("plain", "as the specification says", lambda: plain(image, first)),
            Alternative(
                "first instruction",
                "ours, to targets",
                lambda: ours(image, first),
                key="",
                numbers={"difference": apart["ours"]},
            ),
            *by_graphs,
            Alternative(
                "second instruction",
                "ground alone",
                lambda: ours.ground(features, second),
                against="first instruction",
            ),
        ),
        share=0.5,
    )


def _four_instructions(
    plain: PlainInstanceVg,
    ours: InstanceVgGrounder,
    graphs: InstanceVgGrounder,
    image: Image,
    apart: dict[str, float],
) -> Comparison:
    return Comparison(
        "four instructions on one frame",
        (
            Alternative(
                "plain, four instructions",
                "everything four times",
                lambda: [plain(image, instruction) for instruction in INSTRUCTIONS],
            ),
            Alternative(
                "four instructions",
                "ours, one batch",
                lambda: ours.ground_many(ours.encode(image), INSTRUCTIONS),
                numbers={"difference": apart["ours"]},
            ),
            Alternative(
                "ONNX Runtime, four instructions",
                "the same",
                lambda: graphs.ground_many(graphs.encode(image), INSTRUCTIONS),
                key="onnx_four_instructions",
                numbers={"difference": apart["ONNX Runtime"]},
            ),
        ),
        share=0.5,
    )


def _habits(subject: Subject, plain: PlainInstanceVg, image: Image, expected: Predictions) -> Comparison:
    """Compare the plain way with itself without one of its habits, and without all."""
    names = [habit.name for habit in fields(Habits)]
    variants = {_LEFT[name]: Habits(**{name: False}) for name in names}
    variants["all of these", "still everything for each instruction"] = Habits(**dict.fromkeys(names, False))
    alternatives = [Alternative("plain, all habits", "", lambda: plain(image, INSTRUCTIONS[0]))]
    for (name, what), habits in variants.items():
        other = subject.plain(habits)
        difference = _difference(expected, other.look(image, INSTRUCTIONS[0]), 0)
        require_agreement(f"InstanceVG's answers with {name!r}", difference, _TOLERANCE)
        alternatives.append(
            Alternative(
                name,
                what,
                lambda other=other: other(image, INSTRUCTIONS[0]),  # type: ignore[misc]
                numbers={"difference": difference},
            )
        )
    title = "plain, one instruction, with one thing done better"
    return Comparison(title, tuple(alternatives), share=0.5)


def _precision(subject: Subject, ours: InstanceVgGrounder, image: Image) -> Comparison:
    """Compare float32 with the encoder in bfloat16."""
    model = build(subject.model.config, subject.model.state_dict(), torch.bfloat16, subject.model.device)
    half = subject.grounder(model)
    expected, got = (grounder(image, INSTRUCTIONS[0]) for grounder in (ours, half))
    shared, either = mask_overlap(expected.mask, got.mask)
    return Comparison(
        "ours, one instruction, the encoder in another precision",
        (
            Alternative("float32", "", lambda: ours(image, INSTRUCTIONS[0])),
            Alternative(
                "bfloat16",
                "the head stays float32",
                lambda: half(image, INSTRUCTIONS[0]),
                numbers={"mask_iou": shared / either if either else 1.0},
            ),
        ),
        share=0.5,
    )


def _difference(plain: Predictions, other: Predictions, index: int) -> float:
    """Return the largest difference of a probability, box or point, for one text of `other`."""
    pairs = [
        (plain.classes[-1, 0].softmax(dim=-1), other.classes[-1, index].softmax(dim=-1)),
        (plain.boxes[-1, 0], other.boxes[-1, index]),
        (plain.existence[0].softmax(dim=-1), other.existence[index].softmax(dim=-1)),
        (plain.points[0], other.points[index]),
    ]
    for mine, theirs in (
        (plain.instance_masks[0], other.instance_masks[index]),
        (plain.global_mask[0], other.global_mask[index]),
    ):
        size = max(mine.shape[-2:], theirs.shape[-2:])
        sized = (upsample(each[None], (size[0], size[1])).sigmoid() for each in (mine, theirs))
        pairs.append(tuple(sized))  # type: ignore[arg-type]
    return max(float((one.cpu() - two.cpu()).abs().max()) for one, two in pairs)
