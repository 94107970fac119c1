"""Whatever stands in an annotation file, reading it ends in samples and in errors that name it."""

from __future__ import annotations

import copy
import json
import pickle
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from published_layouts import write_published

from ivm_ros.datasets.registry import open_dataset

pytest.importorskip("pycocotools", reason="needs the extra datasets")

JUNK: tuple[Any, ...] = (
    *(None, True, 0, -1, 7, 1e300, float("nan"), 10**400, "", "x", "\ud800", "../../x", "a\0b"),
    *([], [[]], [None], [1, 2, 3], [[1, 2], [3, 4]], {}, {"raw": 3}, {"size": [30, 40], "counts": [1200]}),
)
Save = Callable[[Path, Any], object]


def save_text(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content))


FILES: dict[str, tuple[str, Callable[[Path], Any], Save]] = {
    "refcoco-unc": (
        "refs(unc).p",
        lambda file: pickle.loads(file.read_bytes()),
        lambda file, content: file.write_bytes(pickle.dumps(content)),
    ),
    "grefcoco-unc": ("instances.json", lambda file: json.loads(file.read_text()), save_text),
    "r-refcoco": (
        "refs(unc_exclude_unified).p",
        lambda file: pickle.loads(file.read_bytes()),
        lambda file, content: file.write_bytes(pickle.dumps(content)),
    ),
    "instancevg-mixed": ("instances_nogoogle.json", lambda file: json.loads(file.read_text()), save_text),
    "instancevg-rrefcoco": ("instance.json", lambda file: json.loads(file.read_text()), save_text),
    "plvl-unc": (
        "unc_val.pth",
        lambda file: torch.load(file, weights_only=True),
        lambda file, content: torch.save(content, file),
    ),
    "reasonseg": ("3.json", lambda file: json.loads(file.read_text()), save_text),
}


def places(content: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container in a content with each of its keys."""
    if isinstance(content, (list, dict)):
        for key, value in content.items() if isinstance(content, dict) else enumerate(content):
            yield content, key
            yield from places(value)


def thawed(content: Any) -> Any:
    """Return a copy with lists for tuples."""
    if isinstance(content, dict):
        return {key: thawed(value) for key, value in content.items()}
    return [thawed(value) for value in content] if isinstance(content, (list, tuple)) else content


@pytest.mark.parametrize("name", FILES)
def test_junk_anywhere_is_named_or_harmless(tmp_path: Path, name: str) -> None:
    split = write_published(tmp_path, name)
    stem, load, save = FILES[name]
    (file,) = tmp_path.rglob(stem)
    whole = thawed(load(file))
    chance = random.Random(0)
    problems: list[str] = []
    for _ in range(80):
        content = copy.deepcopy(whole)
        container, key = chance.choice(list(places(content)))
        container[key] = chance.choice(JUNK)
        save(file, content)
        try:
            dataset = open_dataset(name, split, tmp_path, skip_bad=True)
        except (ValueError, FileNotFoundError) as error:
            problems.append(str(error))
            continue
        samples = list(dataset)
        assert len(samples) + len(dataset.skipped) == len(dataset)
        assert all('field "' in str(error) for error in dataset.skipped)
        problems += map(str, dataset.skipped)
    assert len(problems) > 20 and all(str(tmp_path) in problem for problem in problems)
