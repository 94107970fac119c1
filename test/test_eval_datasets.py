"""`ivm-ros eval` on published datasets, with a real model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fakes import ColorGrounder
from pages import DOCS, tables
from published_layouts import write_published
from refer_layout import references, write_refer, write_references
from typer.testing import CliRunner

import ivm_ros
from ivm_ros.cli.app import app
from ivm_ros.datasets.registry import available, open_any

pytest.importorskip("pycocotools", reason="needs the extra datasets")


def evaluated(root: Path, dataset: str, *options: str) -> dict[str, Any]:
    report = root / "report.json"
    arguments = ["eval", "--dataset", dataset, "--root", str(root), "--json", str(report), *options]
    CliRunner().invoke(app, arguments, catch_exceptions=False)
    return json.loads(report.read_text())


def test_a_model_is_measured_on_a_split_by_name(tmp_path: Path) -> None:
    write_refer(tmp_path, "grefcoco-unc")
    result = evaluated(tmp_path, "grefcoco-unc:val")
    assert (result["dataset"], result["samples"], result["skipped"]) == ("grefcoco-unc:val", 4, [])
    samples = {tag: part["samples"] for tag, part in result["by_tag"].items()}
    assert samples == {"several targets": 2, "no target": 1, "one target": 1}


def test_what_is_bad_is_skipped_and_named_or_stops_it(tmp_path: Path) -> None:
    folder = write_refer(tmp_path, "refcoco-unc")
    content = references("refcoco-unc")
    content[1]["ann_id"] = 99
    write_references(folder, "refs(unc)", content)
    result = evaluated(tmp_path, "refcoco-unc:val")
    assert result["samples"] == 3
    assert len(result["skipped"]) == 1 and 'ref_id 1: field "ann_id"' in result["skipped"][0]
    with pytest.raises(ValueError, match="ann_id"):
        evaluated(tmp_path, "refcoco-unc:val", "--strict")


@pytest.mark.parametrize("name", available())
def test_every_dataset_can_be_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(ivm_ros, "load", lambda *arguments, **options: ColorGrounder())
    result = evaluated(tmp_path, f"{name}:{write_published(tmp_path, name)}")
    assert result["samples"] > 0 and result["skipped"] == []
    assert result["metrics"]["acc_50"] is not None
    assert (result["metrics"]["giou"] is None) is (name == "flickr30k-entities")  # which has boxes alone


def test_every_dataset_is_on_its_page() -> None:
    page = DOCS / "published_datasets.md"
    rows = [row for rows in tables(page.read_text()) for row in rows if "Name" in row]
    assert [name for row in rows for name in row["Name"].split(", ")] == list(available())


@pytest.mark.parametrize(
    ("dataset", "root", "error", "words"),
    [
        ("refcoco-unc:val", False, ValueError, "expected --root"),
        (
            "refcoco-unc",
            True,
            ValueError,
            "NAME:SPLIT with --root, such as refcoco-unc:testA; got 'refcoco-unc'",
        ),
        ("refcoco-unc:", True, ValueError, "NAME:SPLIT"),
        ("cocoref:val", True, ValueError, "expected a dataset of refcoco-unc"),
        ("refcoco-unc:val", True, FileNotFoundError, "refs"),
    ],
)
def test_a_mistake_in_the_name_is_explained(
    tmp_path: Path, dataset: str, root: bool, error: type[Exception], words: str
) -> None:
    arguments = ["eval", "--dataset", dataset, *(["--root", str(tmp_path)] if root else [])]
    with pytest.raises(error, match=words):
        CliRunner().invoke(app, arguments, catch_exceptions=False)


@pytest.mark.parametrize(
    "name", ["refcoco-unc", "instancevg-rrefcoco", "plvl-unc", "flickr30k-entities", "reasonseg"]
)
def test_a_run_does_not_go_on_with_other_annotations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(ivm_ros, "load", lambda *arguments, **options: ColorGrounder())
    dataset = f"{name}:{write_published(tmp_path, name)}"
    evaluated(tmp_path, dataset, "--report", str(tmp_path / "report"))
    for file in open_any(dataset, tmp_path).annotations:
        changed = next(file.glob("*[lnt]")) if file.is_dir() else file  # xml, json or txt
        changed.write_bytes(changed.read_bytes().replace(b"the", b"any").replace(b"red", b"six") + b"\n")
    with pytest.raises(ValueError, match=r"dataset: .*\(index .*\) there"):
        evaluated(tmp_path, dataset, "--report", str(tmp_path / "report"))
