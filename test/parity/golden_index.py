"""The forms in which the systems' golden numbers are indexed, read into one: what each says about a file.

`describe(folder, file)` picks the form by the index that lies in the folder:

| index | tolerances are stated |
|---|---|
| `manifest.json` | per file, as numbers |
| `golden.json` | per phrase ("dec.*, out.pred_class"), in words |
| `meta.json` with `tolerance` | once, as numbers |
| `meta.json` with `tolerances` | per phrase, in words |
| `<file>.json`, before any of these | in that file, as numbers |
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest


class Tolerance(NamedTuple):
    """|a-b| <= atol + rtol*|b| + of_max*max|b|."""

    atol: float = 0.0
    rtol: float = 0.0
    of_max: float = 0.0


Rules = list[tuple[str, Tolerance]]  # pattern of tensor names -> tolerance; the first that matches holds
Entry = dict[
    str, Any
]  # `config`, `tolerances` (Rules), `index` (all of the index file), the form's own fields

# The phrases of golden.json's and meta.json's tolerances -> the file and the tensors that each speaks about.
# What they state in other terms ("<= 0.1% differing pixels") is not here: tests hold it themselves.
GOLDEN_PHRASES: dict[str, tuple[str, tuple[str, ...]]] = {
    "a_backbone": ("a_backbone", ("*",)),
    "neck.c1": ("*", ("neck.c1",)),
    "neck.c2-c4": ("*", ("neck.c[234]",)),
    "aqsm.*": ("*", ("aqsm.*",)),
    "dec.*, out.pred_class": ("*", ("dec.*", "out.pred_class")),
    "out.pred_bbox": ("*", ("out.pred_bbox",)),
    "unet_out/global_mask": ("*", ("unet_out", "global_mask*", "out.pred_global_mask")),
    "out.pred_mask, instance_mask_lowres": ("*", ("out.pred_mask", "instance_mask_lowres")),
    "d boxes": ("d_predictions", ("*boxes",)),
    "d scores": ("d_predictions", ("*scores", "*nt_sigmoid")),
    "e grads": ("e_losses", ("grad.*",)),
    "e losses": ("e_losses", ("*",)),
    "f metrics": ("f_metrics", ("*",)),
    "prep": ("units", ("prep*",)),
}
META_PHRASES: dict[str, tuple[str, tuple[str, ...]]] = {
    "ppm/losses/mask_prompt": (r"ppm|losses|mask_prompt", ("*",)),
    "prep stride samples": ("prep", ("*stride_sample",)),
    "gradients": ("training", ("grad.*",)),
    "sam embedding / dense / low_res / pred_mask_logits": (
        "*",
        ("sam_image_embedding*", "dense*", "low_res*", "*pred_mask_logits"),
    ),
    "hidden states, embeddings": (r"generate|teacher_forced|training", ("*",)),
    "metrics": ("metrics", ("*",)),
}


def describe(folder: Path, file: str) -> Entry:
    """Return what the index of `folder` says about `file` (without its ending)."""
    own = folder / f"{file}.json"
    if own.is_file():
        return _own(json.loads(own.read_text()))
    path = index_path(folder)
    index = json.loads(path.read_text())
    described = {Path(name).stem: about for name, about in index["files"].items()}
    if file not in described:
        raise KeyError(f"{path}: expected a file {file}, got {', '.join(described)}")
    about = described[file]
    entry = dict(about) if isinstance(about, dict) else {"description": about}
    entry.setdefault("config", index.get("config"))
    entry["index"] = index
    entry["tolerances"] = _tolerances(entry, index, file)
    return entry


def index_path(folder: Path) -> Path:
    """Return the folder's index; skip the test where there is no such folder."""
    if not folder.is_dir():
        pytest.skip(f"no golden numbers of {folder.name} in {folder.parent}")
    for name in ("manifest.json", "golden.json", "meta.json"):
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"{folder}: expected manifest.json, golden.json, meta.json or one json per file")


def _tolerances(entry: Entry, index: dict[str, Any], file: str) -> Rules:
    if "atol" in entry:
        return [("*", Tolerance(entry["atol"], entry["rtol"]))]
    if "tolerance" in index:
        return [("*", Tolerance(index["tolerance"]["atol"], index["tolerance"]["rtol"]))]
    if "tolerances_float32_cpu" in index:
        return list(_phrases(index["tolerances_float32_cpu"], GOLDEN_PHRASES, file))
    return list(_phrases(index["tolerances"], META_PHRASES, file))


def _phrases(
    stated: dict[str, str], known: dict[str, tuple[str, tuple[str, ...]]], file: str
) -> Iterable[tuple[str, Tolerance]]:
    """Turn "atol 1e-4 rtol 1e-3" for "gradients" into a tolerance for gradients, where `file` has them."""
    for phrase, (files, tensors) in known.items():
        if phrase in stated and (files == "*" or re.fullmatch(files, file)):
            tolerance = _in_words(stated[phrase])
            yield from ((pattern, tolerance) for pattern in tensors)


def _in_words(text: str) -> Tolerance:
    found = re.findall(r"(atol|rtol|abs|<=)\s*(\d[\d.]*(?:e-?\d+)?)(?!\s*%)( of tensor max| abs)?", text)
    if not found:
        raise ValueError(f"expected a tolerance such as 'atol 1e-4 rtol 1e-3', got {text!r}")
    fields: dict[str, float] = {}
    for kind, number, unit in found:
        field = "of_max" if unit == " of tensor max" else "rtol" if kind == "rtol" else "atol"
        fields.setdefault(field, float(number))  # what follows in brackets is for other ways of computing it
    return Tolerance(**fields)


def _own(index: dict[str, Any]) -> Entry:
    """Read an index that describes one file; its tolerances are named by what they are of."""
    stated = index["tolerance"]
    absolute = next(
        stated[key] for key in ("float32_abs", "abs", "percent_abs", "pixel_abs", "atol") if key in stated
    )
    relative = next((stated[key] for key in ("float32_rel", "rel", "rtol") if key in stated), 0.0)
    rules = [("*", Tolerance(absolute, relative))]
    of_max = re.search(r"(\S+) with rtol (\S+) of tensor max", stated.get("note", ""))
    if of_max:
        rules.insert(0, (of_max[1], Tolerance(of_max=float(of_max[2]))))
    return {**index, "config": index, "index": index, "tolerances": rules}
