"""The doctor names what is broken, and is not itself broken by it."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
import torch
from pages import DOCS, section

import ivm_ros
from ivm_ros.cli import doctor, main, memory
from ivm_ros.models import registry
from ivm_ros.models.memory import MemoryNeed
from ivm_ros.models.registry import ModelEntry

NO_TRANSFORMERS = "needs the extra: pip install 'ivm-ros[transformers]'"
GB = 10**9


def by_subject():
    return {finding.subject: finding for finding in doctor.examine()}


def test_every_optional_package_is_reported_with_a_remedy(monkeypatch):
    monkeypatch.setattr(doctor, "_installed", lambda module: False)
    findings = by_subject()
    for module in doctor._OPTIONAL:
        assert findings[module].state == "absent"
        assert findings[module].remedy


def test_a_model_that_cannot_load_is_broken_and_the_exit_status_says_so(monkeypatch, capsys):
    def refuse(name, **options):
        raise ValueError("the weights [are] torn")

    monkeypatch.setattr(ivm_ros, "load", refuse, raising=False)
    finding = by_subject()["model ivm-tiny"]
    assert finding.state == "broken"
    assert finding.text == "the weights [are] torn"
    assert doctor.run_doctor() == 1
    printed = capsys.readouterr().out
    assert "[are]" in printed
    assert "not usable" in printed


def test_a_check_that_raises_is_a_finding(monkeypatch):
    def explode():
        raise OSError("libfoo.so: no such file")
        yield

    monkeypatch.setattr(doctor, "_CHECKS", {"ROS 2": (explode, "install it")})
    (finding,) = doctor.examine()
    assert finding.state == "broken"
    assert "libfoo" in finding.text
    assert finding.remedy == "install it"


def test_a_model_that_does_not_ship_is_not_loaded(monkeypatch):
    loaded = []
    monkeypatch.setattr(ivm_ros, "load", lambda name: loaded.append(name) or (lambda *asked: None))
    findings = by_subject()
    ships = {entry.name: entry.ships for entry in ivm_ros.available()}
    assert loaded == [name for name in ships if ships[name]]
    for name in set(ships) - set(loaded):
        finding = findings[f"model {name}"]
        assert finding.state == "absent"
        assert "--checkpoint" in finding.remedy and f"docs/{name}.md" in finding.remedy
        assert (DOCS / f"{name}.md").exists()


@pytest.mark.parametrize("memory", ["", ".big:memory"])
def test_a_model_without_its_library_names_the_extra(monkeypatch, memory):
    entry = ModelEntry("big", "a large one", ".big:load", extra="whales", memory=memory)
    monkeypatch.setitem(registry._BY_NAME, "big", entry)
    monkeypatch.setattr(ivm_ros, "available", lambda: (entry,))
    finding = by_subject()["model big"]
    assert finding.state == "absent"
    assert "pip install 'ivm-ros[whales]'" in finding.text


@pytest.mark.parametrize(
    ("gigabytes", "integrated", "said"),
    [
        (80, False, "precision=float32 fits Some GPU, 80.0 GB: it needs 33.0 GB"),
        (8, False, "precision=4bit with pip install 'ivm-ros[quantised]' fits Some GPU, 8.0 GB"),
        (8, True, "too large for Some GPU, 8.0 GB: 4bit needs 6.5 GB beside 2.5 GB"),
    ],
)
def test_the_precision_that_fits_the_gpu_is_named(monkeypatch, gigabytes, integrated, said):
    gpu = SimpleNamespace(name="Some GPU", total_memory=gigabytes * GB, is_integrated=integrated)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: gpu)
    needs = [
        MemoryNeed("float32", {"all": 31 * GB}, 0, 2 * GB),
        MemoryNeed("4bit", {"all": 5 * GB}, 0, 3 * GB // 2, extra="quantised"),
    ]
    assert memory.fit_here(needs).startswith(said)


def test_without_a_gpu_the_memory_of_the_machine_counts(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    machine = memory.this_machine()
    assert machine.memory > GB / 2 and machine.reserve == memory.RESERVE


def test_what_runs_where_is_on_the_page(monkeypatch, capsys):
    pytest.importorskip("transformers", reason=NO_TRANSFORMERS)
    monkeypatch.setattr(sys, "argv", ["ivm-ros", "doctor", "--memory"])
    with pytest.raises(SystemExit) as end:
        main()
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert not end.value.code
    assert max(map(len, printed)) <= 100
    ends = [index for index, line in enumerate(printed) if line.startswith("Here: ")]
    starts = [0, *(end + 1 for end in ends[:-1])]
    tables = {
        printed[start].split(":")[0]: printed[start:end] for start, end in zip(starts, ends, strict=True)
    }
    assert ends[-1] == len(printed) - 1 and [*tables] == ["ivm", "instancevg"]
    for model, lines in tables.items():
        assert "\n".join(lines) in section(DOCS / f"{model}.md", "What runs where")


@pytest.mark.parametrize("subject", ["Python", "numpy", "cv2", "torch", "model ivm-tiny"])
def test_what_this_machine_has_is_ok(subject):
    assert by_subject()[subject].state == "ok"
