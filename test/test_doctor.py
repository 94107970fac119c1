"""The doctor names what is broken, and is not itself broken by it."""

from __future__ import annotations

import pytest

import ivm_ros
from ivm_ros.cli import doctor


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


@pytest.mark.parametrize("subject", ["Python", "numpy", "cv2", "torch", "model ivm-tiny"])
def test_what_this_machine_has_is_ok(subject):
    assert by_subject()[subject].state == "ok"
