"""`ivm-ros eval --report`: a page that needs nothing else, and a run that survives being killed."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes import ColorGrounder, red_square
from typer.testing import CliRunner

import ivm_ros
from ivm_ros.cli import evaluate
from ivm_ros.cli.app import app
from ivm_ros.datasets.folder import Folder
from ivm_ros.datasets.samples import Sample
from ivm_ros.evaluation.fingerprint import fingerprint, package_fingerprint
from ivm_ros.evaluation.journal import Journal, JournalError
from ivm_ros.evaluation.page.picture import ANSWER, TRUTH, draw_case
from ivm_ros.evaluation.results import Skipped, measure
from ivm_ros.grounding import Grounding, Target

SAMPLES = 12
BAD = 4  # the record without a picture
KILL_AT = 7  # the grounding that does not come back
KILLED = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import ivm_ros
from fakes import ColorGrounder

class Killed(ColorGrounder):
    left = {KILL_AT}

    def ground(self, features, instruction):
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().ground(features, instruction)

ivm_ros.load = lambda *args, **options: Killed()
from ivm_ros.cli import evaluate, main
evaluate.package_fingerprint = lambda: "same"
main()
"""


class Counting(ColorGrounder):
    def __init__(self):
        super().__init__()
        self.grounded = []

    def ground(self, features, instruction):
        self.grounded.append(instruction)
        return super().ground(features, instruction)


@pytest.fixture(autouse=True)
def same_package(monkeypatch):
    """Let nobody who edits the package meanwhile change the run."""
    monkeypatch.setattr(evaluate, "package_fingerprint", lambda: "same")


@pytest.fixture
def grounder(monkeypatch):
    grounder = Counting()
    monkeypatch.setattr(ivm_ros, "load", lambda *args, **options: grounder)
    return grounder


@pytest.fixture
def dataset(tmp_path):
    """Write questions that are answered rightly, half rightly and wrongly, and one that is unusable."""
    folder = tmp_path / "data"
    folder.mkdir()
    red = np.zeros((12, 16), np.uint8)
    red[2:6, 3:7] = 255
    twice = red.copy()
    twice[2:6, 7:11] = 255
    for name, picture in (("scene", red_square()[..., ::-1]), ("red", red), ("twice", twice)):
        cv2.imwrite(str(folder / f"{name}.png"), picture)
    answers = [(["red.png"], [[3, 2, 7, 6]]), (["twice.png"], [[3, 2, 11, 6]]), ([], [])]
    lines = []
    for index in range(SAMPLES):
        masks, boxes = answers[index % 3]
        lines.append(
            {
                "image": "none.png" if index == BAD else "scene.png",
                "instruction": f"the {('red', 'green')[index % 4 == 0]} <thing> {index}",
                "masks": masks,
                "boxes": boxes,
                "tag": ("a & b", "c")[index % 2],
            }
        )
    (folder / "index.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def run(dataset, report, *options):
    arguments = ["eval", "--dataset", str(dataset), "--report", str(report), *map(str, options)]
    done = CliRunner().invoke(app, arguments)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def killed(dataset, report):
    command = [sys.executable, "-c", KILLED, "eval", "--dataset", dataset, "--report", report]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr


def numbers(report):
    return (report / "result.json").read_text()


def page(report):
    return (report / "report.html").read_text()


def test_a_run_that_was_killed_goes_on_to_the_same_numbers(dataset, tmp_path, grounder):
    run(dataset, tmp_path / "whole")
    killed(dataset, tmp_path / "killed")
    assert {file.name for file in (tmp_path / "killed").iterdir()} == {"samples.jsonl"}
    entries = (tmp_path / "killed" / "samples.jsonl").read_text().splitlines()[1:]
    assert len(entries) == KILL_AT  # six that were grounded and a bad one
    grounder.grounded.clear()
    output = run(dataset, tmp_path / "killed")
    assert f"going on after {KILL_AT} of {SAMPLES} samples" in output
    assert grounder.grounded[0].endswith(f"<thing> {KILL_AT}")
    assert numbers(tmp_path / "killed") == numbers(tmp_path / "whole")
    assert page(tmp_path / "killed") == page(tmp_path / "whole")
    samples = [(tmp_path / name / "samples.jsonl").read_bytes() for name in ("whole", "killed")]
    assert samples[0] == samples[1]


def test_what_is_measured_is_not_measured_again(dataset, tmp_path, grounder):
    run(dataset, tmp_path / "report")
    first = numbers(tmp_path / "report")
    before = len(grounder.grounded)
    output = run(dataset, tmp_path / "report")
    assert "all samples are in" in output
    drawn = len(set(re.findall(r"sample (\d+)", page(tmp_path / "report"))))
    assert len(grounder.grounded) - before == drawn
    assert numbers(tmp_path / "report") == first


@pytest.mark.parametrize(
    ("options", "difference"),
    [
        (["--strict"], "bad records: are skipped there, stop it here"),
        (["--model", "ivm"], "model: ivm-tiny there, ivm here"),
        (["-o", "dtype=float16"], "options: none there, dtype=float16 here"),
        (["--checkpoint", "{tmp}/weights.pt"], "weights: those of the package there, {tmp}/weights.pt"),
        (["--dataset", "{tmp}/other"], r"dataset: {tmp}/data \(.*\) there, {tmp}/other \("),
    ],
)
@pytest.mark.usefixtures("grounder")
def test_another_run_is_refused_by_name(dataset, tmp_path, options, difference):
    run(dataset, tmp_path / "report")
    (tmp_path / "weights.pt").write_bytes(b"weights")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "index.jsonl").write_bytes((dataset / "index.jsonl").read_bytes())
    with pytest.raises(JournalError, match=difference.format(tmp=tmp_path)):
        run(dataset, tmp_path / "report", *(option.format(tmp=tmp_path) for option in options))


@pytest.mark.usefixtures("grounder")
def test_another_version_of_the_package_is_another_run(dataset, tmp_path, monkeypatch):
    run(dataset, tmp_path / "report")
    monkeypatch.setattr(evaluate, "package_fingerprint", lambda: "other")
    with pytest.raises(JournalError, match=r"package: ivm_ros \(files same\) there, .*other\) here"):
        run(dataset, tmp_path / "report")


@pytest.mark.usefixtures("grounder")
def test_a_dataset_that_changed_is_another(dataset, tmp_path):
    run(dataset, tmp_path / "report")
    index = dataset / "index.jsonl"
    index.write_text(index.read_text().replace("<thing> 1", "<thing> one"))
    with pytest.raises(JournalError, match="dataset: "):
        run(dataset, tmp_path / "report")


def journal(path, count=3, **run):
    return Journal(path, run, range(1, 2 * count, 2))


@pytest.fixture
def entries(dataset):
    samples, grounder = Folder(dataset), ColorGrounder()
    answers = {index: samples.read(index) for index in (1, 3)}
    results = [measure(i, s, grounder(s.image, s.instruction)) for i, s in answers.items()]
    return [*results, Skipped(5, "bad")]


@pytest.fixture
def written(tmp_path, entries):
    path = tmp_path / "samples.jsonl"
    with journal(path, model="a") as book:
        for entry in entries:
            book.add(entry)
    return path


def test_a_journal_gives_back_what_was_written(written, entries):
    with journal(written, model="a") as book:
        assert book.done == 3
        assert list(book.entries()) == entries


@pytest.mark.parametrize("last", [1, 2, 3, 4])
def test_a_last_line_that_was_cut_off_goes(written, entries, last):
    lines = written.read_bytes().splitlines(keepends=True)[:last]
    for length in sorted({1, len(lines[-1]) // 2, len(lines[-1]) - 1}):
        written.write_bytes(b"".join(lines[:-1]) + lines[-1][:length])
        with journal(written, model="a") as book:
            assert book.done == max(last - 2, 0)
            for entry in entries[book.done :]:
                book.add(entry)
            assert list(book.entries()) == entries


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'{"index": 3', b'{"index": 4', ":3: expected sample 3, got 4"),
        (b'{"index": 3', b'{"indx": 3', ":3: .*indx"),
        (b'{"index": 3', b'"index": 3', ":3: "),
        (b"ivm-ros eval 1", b"something else", "of format 'ivm-ros eval 1'"),
    ],
)
def test_a_damaged_journal_is_refused(written, old, new, reason):
    written.write_bytes(written.read_bytes().replace(old, new))
    with pytest.raises(JournalError, match=reason), journal(written, model="a") as book:
        list(book.entries())


def test_two_runs_do_not_write_one_journal(tmp_path):
    with journal(tmp_path / "samples.jsonl"), pytest.raises(JournalError, match="another run does"):
        journal(tmp_path / "samples.jsonl")
    journal(tmp_path / "samples.jsonl").__exit__(None, None, None)


@pytest.mark.usefixtures("grounder")
def test_the_page_stands_alone_and_shows_everything(dataset, tmp_path):
    run(dataset, tmp_path / "report", "--json", tmp_path / "numbers.json")
    assert (tmp_path / "numbers.json").read_text() == numbers(tmp_path / "report")
    html = page(tmp_path / "report")
    assert not re.search(r"<script|<link|https?://|url\(|@import", html)
    pictures = re.findall(r'<img src="data:image/jpeg;base64,([^"]+)" alt="([^"]+)"', html)
    assert html.count("<img") == len(pictures) == html.count("<figure>")
    for data, words in pictures:
        assert cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), 1).shape == (12, 16, 3)
        assert words.startswith("the ") and "&lt;thing&gt;" in words
    assert "<thing>" not in html
    assert "<td>a &amp; b</td>" in html
    assert f"index.jsonl:{BAD + 1}" in html and "none.png" in html
    assert html.count("<svg") == html.count("</svg>") == 4
    assert html.index("Worst where something is there") < html.index("Best where something is there")
    giou = json.loads(numbers(tmp_path / "report"))["metrics"]["giou"]
    assert f"<td>{giou:.3f}</td>" in html
    curve = json.loads(numbers(tmp_path / "report"))["curves"]["mask"]
    middle = curve["threshold"].index(0.5)
    assert f"gIoU {curve['giou'][middle]:.3f} at 0.50" in html


@pytest.mark.usefixtures("grounder")
def test_a_page_without_a_usable_sample(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "index.jsonl").write_text('{"image": "none.png", "instruction": "x"}\n')
    with pytest.raises(ValueError, match="at least one usable sample"):
        run(tmp_path / "data", tmp_path / "report")
    assert "none.png" in page(tmp_path / "report")


def test_a_case_shows_truth_over_answer():
    image = np.full((600, 1200, 3), 120, np.uint8)
    mask = np.zeros((600, 1200), bool)
    mask[100:500, 100:500] = True
    sample = Sample(image, "x", ((700, 100, 1100, 500),), (mask[:, ::-1],))
    answer = Grounding("x", mask.astype(np.float32), (Target.from_mask(mask, 0.9),), 0.9)
    picture = draw_case(sample, answer)
    assert picture.shape == (210, 420, 3)
    left, right = picture[:, :210], picture[:, 210:]
    assert (left == ANSWER).all(axis=2).any() and not (left == TRUTH).all(axis=2).any()
    assert (right == TRUTH).all(axis=2).any() and not (right == ANSWER).all(axis=2).any()
    assert (picture[105, 315] == 120).all()
    boxes = draw_case(Sample(image, "x", ((700, 100, 1100, 500),), None), answer)
    assert (boxes[60, 244:247] == TRUTH).all(axis=1).any()


def test_fingerprints_tell_contents_apart(tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    with (folder / "large.bin").open("wb") as large:
        large.truncate(65 << 20)  # sparse: no disk is used
    (folder / "notes.txt").write_text("one")
    seen = {fingerprint(folder), fingerprint(folder, (".bin",)), fingerprint(folder / "large.bin")}
    with (folder / "large.bin").open("r+b") as large:
        large.seek(-1, os.SEEK_END)
        large.write(b"1")
    seen |= {fingerprint(folder), fingerprint(folder, (".bin",)), fingerprint(folder / "large.bin")}
    assert len(seen) == 6
    assert re.fullmatch("[0-9a-f]{12}", package_fingerprint())
    before = fingerprint(folder, (".bin",))
    (folder / "notes.txt").write_text("two")  # as long as before
    assert fingerprint(folder, (".bin",)) == before
    os.rename(folder, tmp_path / "b")
    assert fingerprint(tmp_path / "b", (".bin",)) == before
