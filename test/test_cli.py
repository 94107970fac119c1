"""`ivm-ros` as people call it: what it writes, what it says, and one clear line for every mistake."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from fakes import ColorGrounder, red_square

import ivm_ros
from ivm_ros.cli import main

PATIENCE = 60.0  # seconds; far more than anything here takes
CLI = [sys.executable, "-c", "from ivm_ros.cli import main; main()"]


@pytest.fixture
def cli(monkeypatch, capsys):
    """Call `ivm-ros` in this process; return its exit status, standard output and standard error."""

    def cli(*arguments):
        monkeypatch.setattr(sys, "argv", ["ivm-ros", *map(str, arguments)])
        status = 0
        try:
            main()
        except SystemExit as end:
            status = end.code or 0
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return cli


@pytest.fixture
def color_model(monkeypatch):
    monkeypatch.setattr(ivm_ros, "load", lambda *args, **options: ColorGrounder())


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "scene.png"
    cv2.imwrite(str(path), cv2.cvtColor(red_square(), cv2.COLOR_RGB2BGR))
    return path


def read(path):
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


@pytest.mark.usefixtures("color_model")
def test_ground_writes_its_five_files(cli, picture, tmp_path):
    output = tmp_path / "out"
    status, out, _ = cli("ground", picture, "the red thing", "--output", output)
    assert status == 0
    assert "found box (3, 2, 7, 6)" in out
    assert {path.name for path in output.iterdir()} == {
        "masked.png", "mask.png", "heatmap.png", "overlay.png", "grounding.json",
    }  # fmt: skip
    for name in ("masked", "overlay"):
        assert read(output / f"{name}.png").shape == (12, 16, 3)
    for name in ("mask", "heatmap"):
        expected = np.zeros((12, 16), np.uint8)
        expected[2:6, 3:7] = 255
        np.testing.assert_array_equal(read(output / f"{name}.png"), expected)
    result = json.loads((output / "grounding.json").read_text())
    assert result["found"] and result["image"] == {"width": 16, "height": 12}
    (target,) = result["targets"]
    assert (target["box"], target["pixels"], target["score"]) == ([3, 2, 7, 6], 16, 0.9)


@pytest.mark.usefixtures("color_model")
def test_ground_prints_json_and_nothing_else(cli, picture, tmp_path):
    status, out, _ = cli("ground", picture, "the green thing", "--json", "--output", tmp_path / "out")
    assert status == 0
    assert json.loads(out) == json.loads((tmp_path / "out" / "grounding.json").read_text())
    assert json.loads(out)["targets"] == []


@pytest.mark.usefixtures("color_model")
def test_ground_says_that_nothing_is_there(cli, picture, tmp_path):
    status, out, _ = cli("ground", picture, "the green thing", "--output", tmp_path / "out")
    assert (status, "not found" in out) == (0, True)


@pytest.mark.usefixtures("color_model")
def test_ground_has_pictures_with_alpha(cli, picture, tmp_path):
    cli("ground", picture, "the red thing", "--mode", "hard_alpha", "--output", tmp_path / "out")
    assert read(tmp_path / "out" / "masked.png").shape == (12, 16, 4)


def one_error_line(err):
    (line,) = err.strip().splitlines()
    assert line.startswith("error: ")
    return line


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["ground", "{tmp}/none.png", "red"], "there is no such file"),
        (["ground", "{tmp}", "red"], "there is no such file"),
        (["ground", "{tmp}/notes.txt", "red"], "expected a picture that OpenCV can read"),
        (["ground", "{tmp}/[/b]none.png", "red"], "[/b]none.png"),
        (["ground", "{picture}", "red", "--mode", "sparkle"], "sparkle"),
        (["ground", "{picture}", "red", "--model", "no-such"], "expected a model of"),
        (["ground", "{picture}", "red", "--checkpoint", "{tmp}/none"], "none"),
        (["ground", "{picture}", "red", "--checkpoint", "{tmp}/notes.txt"], "notes.txt"),
        (["ground", "{picture}", "red", "--device", "abacus"], "expected a device"),
        (["ground", "{picture}", "?!"], "expected an instruction in words"),
        (["ground", "{picture}", ""], "expected an instruction in words"),
        (["ground", "{picture}", "red", "--output", "{tmp}/notes.txt"], "notes.txt"),
        (["eval", "--dataset", "{tmp}/none"], "none"),
        (["eval", "--dataset", "{tmp}"], "index.jsonl"),
        (["eval", "--dataset", "{tmp}/empty"], "expected at least one sample"),
        (["demo", "--headless", "--source", "{tmp}/notes.txt"], "expected --instruction"),
    ],
    ids=lambda value: None if isinstance(value, list) else value[:20],
)
def test_a_mistake_is_one_clear_line(cli, picture, tmp_path, arguments, reason):
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "index.jsonl").write_text("")
    status, _, err = cli(*(text.format(tmp=tmp_path, picture=picture) for text in arguments))
    assert status == 2
    assert reason in one_error_line(err)


def write_dataset(folder):
    """Three samples: one found exactly, one found by half, one that is not there."""
    folder.mkdir()
    cv2.imwrite(str(folder / "scene.png"), cv2.cvtColor(red_square(), cv2.COLOR_RGB2BGR))
    red = np.zeros((12, 16), np.uint8)
    red[2:6, 3:7] = 255
    twice = red.copy()
    twice[2:6, 7:11] = 255
    cv2.imwrite(str(folder / "red.png"), red)
    cv2.imwrite(str(folder / "twice.png"), twice)
    samples = [
        {"instruction": "the red thing", "masks": ["red.png"], "boxes": [[3, 2, 7, 6]]},
        {"instruction": "red and more", "masks": ["twice.png"], "boxes": [[3, 2, 11, 6]]},
        {"instruction": "the green thing", "masks": [], "boxes": []},
    ]
    lines = [json.dumps({"image": "scene.png", **sample}) for sample in samples]
    (folder / "index.jsonl").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.usefixtures("color_model")
def test_eval_measures_a_dataset(cli, tmp_path):
    report = tmp_path / "reports" / "eval.json"
    status, out, _ = cli("eval", "--dataset", write_dataset(tmp_path / "data"), "--json", report)
    assert status == 0
    assert "gIoU" in out
    result = json.loads(report.read_text())
    assert result["samples"] == 3
    metrics = result["metrics"]
    assert metrics["giou"] == pytest.approx((1 + 0.5) / 2)  # of what is there
    assert metrics["ciou"] == pytest.approx(32 / 48)
    assert metrics["acc_50"] == pytest.approx(1.0)
    assert metrics["n_acc"] == 1.0


@pytest.mark.usefixtures("color_model")
def test_eval_skips_and_names_bad_records_unless_it_is_strict(cli, tmp_path):
    folder = write_dataset(tmp_path / "data")
    with (folder / "index.jsonl").open("a") as index:
        index.write('{"image": "none.png", "instruction": "red", "masks": [], "boxes": []}\n')
    status, out, _ = cli("eval", "--dataset", folder, "--json", tmp_path / "eval.json")
    assert status == 0
    assert "none.png" in out
    result = json.loads((tmp_path / "eval.json").read_text())
    assert result["samples"] == 3 and len(result["skipped"]) == 1
    status, _, err = cli("eval", "--dataset", folder, "--strict")
    assert status == 2
    assert "none.png" in err


def test_help_and_mistakes_in_the_command_line(cli):
    status, out, _ = cli("--help")
    assert status == 0
    assert all(command in out for command in ("demo", "ground", "eval", "doctor"))
    status, _, err = cli("ground")
    assert status == 2 and "Missing argument" in err


def test_the_demo_runs_on_a_real_graph(graph, tmp_path):
    report = tmp_path / "report.json"
    command = [*CLI, "demo", "--headless", "--seconds", "3"]
    done = subprocess.run(
        [*command, "--report", report, "--output", tmp_path / "out"],
        env={**os.environ, **graph.environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    result = json.loads(report.read_text())
    assert result["frames_in"] > 0 and result["groundings_out"] > 0  # how many depends on what runs beside
    assert result["fps"] == pytest.approx(result["groundings_out"] / result["seconds"], rel=0.01)
    assert 0 < result["age_ms_p50"] <= result["age_ms_p99"]
    assert 0 <= result["mask_iou_mean"] <= 1 and result["masks_compared"] > 0
    sheet = cv2.imread(str(tmp_path / "out" / "demo.png"))
    assert sheet is not None and sheet.shape[1] > 1000
    video = cv2.VideoCapture(str(tmp_path / "out" / "demo.mp4"))
    assert video.read()[0]


def test_a_demo_whose_node_cannot_start_says_why(graph, tmp_path):
    command = [*CLI, "demo", "--headless", "--instruction", "red"]
    done = subprocess.run(
        [*command, "--source", tmp_path / "none.mp4", "--output", tmp_path / "out"],
        env={**os.environ, **graph.environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 1
    assert "none.mp4" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr + done.stdout


@pytest.mark.parametrize(("by", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_demo_takes_its_nodes_along(graph, tmp_path, by, status):
    with (tmp_path / "log").open("w") as log:
        demo = subprocess.Popen(
            [*CLI, "demo", "--headless", "--seconds", "100", "--output", tmp_path / "out"],
            env={**os.environ, **graph.environment},
            stdout=log,
            stderr=log,
            start_new_session=True,
            # or it ignores SIGINT wherever this suite does, as in a shell's background
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    try:
        wait_until(lambda: (tmp_path / "out" / "demo.mp4").exists() or demo.poll() is not None)
        demo.send_signal(by)
        assert demo.wait(PATIENCE) == status, (tmp_path / "log").read_text()
        wait_until(lambda: not group_lives(demo.pid))
    finally:
        if group_lives(demo.pid):
            os.killpg(demo.pid, signal.SIGKILL)
    assert "Traceback" not in (tmp_path / "log").read_text()


def group_lives(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)
