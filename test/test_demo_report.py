"""What the demo reports, from a handful of made-up sightings; and the pictures that it leaves."""

from __future__ import annotations

import math
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from ivm_ros.cli.demo_pictures import Album
from ivm_ros.cli.demo_report import demo_report

FULL = np.ones((1, 4), bool)
LEFT = np.array([[True, True, False, False]])


def seen(stamp, mask):
    return SimpleNamespace(stamp=stamp, unpack=lambda: mask)


def aged(*seconds):
    return [SimpleNamespace(age=age) for age in seconds]


def test_counts_ages_and_overlap():
    report = demo_report(
        seconds=2.0,
        positions={10: 0.0, 20: 0.5, 30: 1.0},
        groundings=aged(0.010, 0.020, 0.030, math.nan),
        masks=[seen(10, FULL), seen(20, LEFT), seen(99, FULL)],  # 99: no such frame
        truth_at=lambda position: LEFT if position < 1 else FULL,
    )
    assert report["frames_in"] == 3
    assert report["groundings_out"] == 4
    assert report["fps"] == 2.0
    assert report["age_ms_p50"] == 20.0
    assert report["age_ms_p99"] == pytest.approx(29.8)
    assert report["masks_compared"] == 2
    assert report["mask_iou_mean"] == pytest.approx((0.5 + 1.0) / 2)


@pytest.mark.parametrize(("mask", "iou"), [(~FULL, 1.0), (LEFT, 0.0)])
def test_rightly_finding_nothing_counts_as_right(mask, iou):
    report = demo_report(1.0, {10: 0.0}, aged(0.01), [seen(10, mask)], lambda position: ~FULL)
    assert report["mask_iou_mean"] == iou


def test_what_was_not_measured_is_none():
    report = demo_report(1.0, {}, [], [], None)
    assert report["age_ms_p50"] is None
    assert report["age_ms_p99"] is None
    assert report["mask_iou_mean"] is None
    assert report["fps"] == 0.0


def test_the_album_writes_a_video_and_a_sheet(tmp_path):
    album = Album(tmp_path / "out" / "demo.mp4", fps=10)
    assert album.newest() is None
    for level in range(40):
        album.add("masked_image", np.full((48, 64, 3), 255, np.uint8))
        album.add("overlay", np.full((48, 64, 3), 5 * level, np.uint8))
    assert album.newest().shape == (48, 128, 3)
    assert album.close(tmp_path / "out" / "demo.png")
    video = cv2.VideoCapture(str(tmp_path / "out" / "demo.mp4"))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 40
    sheet = cv2.imread(str(tmp_path / "out" / "demo.png"))
    assert sheet.shape == (4 * 24, 2 * 64, 3)
    assert int(sheet[-1, 66:90].mean()) > int(sheet[0, 2:26].mean()) + 100  # first to last


def test_an_empty_album_writes_nothing(tmp_path):
    assert Album(tmp_path / "demo.mp4", fps=10).close(tmp_path / "demo.png") is False
    assert list(tmp_path.iterdir()) == []
