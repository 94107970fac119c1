"""A model in a process of its own: real processes, with every fault that one can have."""

from __future__ import annotations

import gc
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import remote_fakes
from fakes import ColorGrounder, red_square

from ivm_ros.grounding import InvalidImageError, InvalidInstructionError
from ivm_ros.models import UnknownModelError
from ivm_ros.remote import ModelProcessError, ModelUnavailableError, load_remote
from ivm_ros.remote.child import KEPT_FEATURES
from ivm_ros.remote.keeper import Backoff

AT_ONCE = 0.0
NEVER = 3600.0
PATIENCE = 120.0  # seconds that nothing here takes; a busy machine must not fail a test


class Log:
    """Lines, and a way to wait for one."""

    def __init__(self):
        self.lines = []
        self._came = threading.Condition()

    def __call__(self, line):
        with self._came:
            self.lines.append(line)
            self._came.notify_all()

    def until(self, text, count=1):
        """Wait for a line with this text, for the count-th time, and return it."""
        with self._came:
            assert self._came.wait_for(lambda: len(self._with(text)) >= count, PATIENCE), self.lines
            return self._with(text)[count - 1]

    def _with(self, text):
        return [line for line in self.lines if text in line]


def backoff(seconds):
    return Backoff(first=seconds, most=max(seconds, 1e-6))


@pytest.fixture
def log():
    return Log()


@pytest.fixture(scope="module")
def remote():
    """One process for the tests that do not end it."""
    with closing(remote_fakes.start(log=lambda line: None)) as grounder:
        pid = grounder.status.pid
        yield grounder
        assert grounder.status.pid == pid and grounder.status.restarts == 0


@pytest.fixture
def fragile(log):
    """Give a process that a test may end; it starts again at once."""
    with closing(remote_fakes.start(log=log, backoff=backoff(AT_ONCE))) as grounder:
        yield grounder


def words_of(remote, fault):
    """Return what a fault of remote_fakes answers."""
    return remote(red_square(), fault).instruction


def same(ours, theirs):
    """Hold two groundings to be the same, to the last bit."""
    assert ours.instruction == theirs.instruction and ours.existence == theirs.existence
    assert ours.heatmap.dtype == theirs.heatmap.dtype
    np.testing.assert_array_equal(ours.heatmap, theirs.heatmap)
    assert len(ours.targets) == len(theirs.targets)
    for our, their in zip(ours.targets, theirs.targets, strict=True):
        assert (our.box, our.point, our.score, our.label) == (
            their.box,
            their.point,
            their.score,
            their.label,
        )
        assert our.mask.dtype == np.bool_
        np.testing.assert_array_equal(our.mask, their.mask)


def gone(pid):
    """Wait until a process has ended; where nobody collects it, its entry may stay."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


# The answers are the model's


@pytest.mark.parametrize("shape", [(12, 16), (2160, 3840), (1, 1)])
def test_answers_are_those_of_the_model_itself_at_every_size(remote, shape):
    image = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    image[: shape[0] // 2, :3] = (255, 0, 0)
    image[-1:, -1:] = (0, 0, 255)
    texts = ["the red thing", "the blue thing", "the green thing"]
    here = ColorGrounder()
    features = remote.encode(image)
    for ours, theirs in zip(
        remote.ground_many(features, texts), here.ground_many(here.encode(image), texts), strict=True
    ):
        same(ours, theirs)
    assert remote.ground_many(features, []) == []


def test_ivm_tiny_answers_the_same_in_both_places(log):
    torch = pytest.importorskip("torch")
    from ivm_ros.clip import load_clip
    from ivm_ros.models import load

    clip = load_clip()
    image = next(iter(clip.frames()))
    texts = list(clip.instructions)[:4]
    here = load("ivm-tiny", device="cpu")
    expected = here.ground_many(here.encode(image), texts)
    assert any(grounding.targets for grounding in expected)
    threads = {"OMP_NUM_THREADS": str(torch.get_num_threads())}  # sums depend on how they are split
    with closing(
        load_remote(sys.executable, "ivm-tiny", device="cpu", log=log, environment=threads)
    ) as there:
        assert there.name == "ivm-tiny"
        for ours, theirs in zip(there.ground_many(there.encode(image), texts), expected, strict=True):
            same(ours, theirs)


def test_an_image_that_is_a_view_arrives_as_it_looks(remote):
    image = red_square()
    same(remote(image[:, ::-1], "red"), ColorGrounder()(image[:, ::-1], "red"))


def test_an_answer_is_not_overwritten_by_the_next(remote):
    first = remote(red_square(), "red")
    heatmap, mask = first.heatmap.copy(), first.targets[0].mask.copy()
    remote(np.full((12, 16, 3), (255, 0, 0), np.uint8), "red")
    np.testing.assert_array_equal(first.heatmap, heatmap)
    np.testing.assert_array_equal(first.targets[0].mask, mask)


def test_several_images_are_kept_and_forgotten_with_their_features(remote):
    kept = [remote.encode(np.full((4, 4, 3), (255 * (i % 2), 0, 0), np.uint8)) for i in range(KEPT_FEATURES)]
    assert [remote.ground(features, "red").found for features in kept] == [
        i % 2 == 1 for i in range(KEPT_FEATURES)
    ]
    last = kept[-1]
    kept.clear()
    gc.collect()
    assert remote.ground(last, "alive").instruction == "1"


def test_more_images_than_are_kept_push_out_the_oldest(remote):
    features = [remote.encode(red_square()) for _ in range(KEPT_FEATURES + 1)]
    with pytest.raises(ModelUnavailableError, match="encode it again"):
        remote.ground(features[0], "red")
    assert remote.ground(features[1], "alive").instruction == str(KEPT_FEATURES)


# What the model raises


@pytest.mark.parametrize(
    ("words", "kind", "text"),
    [
        ("memory", MemoryError, "all of it is gone"),
        ("cuda", MemoryError, "OutOfMemoryError: CUDA out of memory"),
        ("refused", InvalidInstructionError, "not this one"),
        ("explode", RuntimeError, "RuntimeError: boom"),
        ("odd", RuntimeError, "LookupError: nowhere"),
        ("nan", ValueError, "without NaN"),
    ],
)
def test_errors_come_back_as_what_they_are_and_the_process_goes_on(remote, words, kind, text):
    features = remote.encode(red_square())
    with pytest.raises(kind, match=text) as caught:
        remote.ground(features, words)
    assert type(caught.value) is kind
    assert remote.ground(features, "red").found


def test_unusable_images_and_instructions_are_refused_here(remote):
    with pytest.raises(InvalidImageError):
        remote.encode(np.zeros((4, 4), np.uint8))
    features = remote.encode(red_square())
    for unusable in ("", "?!", 7):
        with pytest.raises(InvalidInstructionError):
            remote.ground(features, unusable)


# Starting


@pytest.mark.parametrize("python", ["/nowhere/python", "/", "no-such-python"])
def test_a_python_that_is_not_there_is_refused(python):
    with pytest.raises(ValueError, match="expected the path of a Python"):
        load_remote(python, "ivm-tiny")


def test_what_is_no_python_is_told_by_how_it_ended(tmp_path):
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho I am a shell\nexit 7\n")
    script.chmod(0o755)
    with pytest.raises(ModelProcessError, match="exited with 7; it printed last: I am a shell"):
        remote_fakes.start(str(script))


def test_an_unknown_model_is_refused_as_it_is_here(log):
    with pytest.raises(UnknownModelError, match="got 'no-such-model'"):
        load_remote(sys.executable, "no-such-model", log=log)


def test_options_arrive(log):
    with closing(remote_fakes.start(log=log, device="cpu", options={"precision": "4bit"})):
        assert log.until("loaded") == "model: loaded faulty cpu {'precision': '4bit'}"


def test_a_loader_that_exits_or_hangs_is_ended(log):
    with pytest.raises(ModelProcessError, match="exited with 1; it printed last: no such device"):
        remote_fakes.start(loader="load_and_exit", log=log)
    with pytest.raises(ModelProcessError, match=r"was killed: expected a message within 0\.2 s"):
        remote_fakes.start(loader="load_never", start_timeout=0.2, log=log)


def test_the_process_needs_numpy_and_this_package_alone(tmp_path, log):
    """A Python without site-packages, that is shown NumPy and nothing else."""
    for folder in Path(np.__file__).parents[1].glob("numpy*"):
        (tmp_path / folder.name).symlink_to(folder)
    bare = tmp_path / "bare"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    bare.chmod(0o755)
    with closing(remote_fakes.start(str(bare), path=[tmp_path], log=log)) as remote:
        assert words_of(remote, "modules") == "of"
        same(remote(red_square(), "red"), ColorGrounder()(red_square(), "red"))


def test_where_this_python_has_its_modules_is_not_told_to_the_other(monkeypatch, log):
    monkeypatch.setenv("PYTHONPATH", "/ours")
    monkeypatch.setenv("PYTHONHOME", "/ours as well")
    with closing(remote_fakes.start(log=log)) as remote:
        assert words_of(remote, "variables") == repr(
            {"PYTHONPATH": str(remote_fakes.HERE), "PYTHONHOME": None}
        )


# Ending


@pytest.mark.parametrize(
    ("fault", "how"),
    [
        ("exit", "exited with 3; it printed last: .*the last words"),
        ("killed", "was killed by SIGKILL from outside"),
        ("crash", "was killed by SIGSEGV; it printed last: .*Segmentation fault"),
        ("forked", "was killed by SIGKILL"),
        ("garbage", "was killed: expected a message of at most"),
    ],
)
def test_a_process_that_ends_in_a_call_is_told_and_started_again(fragile, log, fault, how):
    features, pid = fragile.encode(red_square()), fragile.status.pid
    with pytest.raises(ModelProcessError, match=f"(?s)the model's process {pid} {how}") as caught:
        fragile.ground(features, fault)
    assert type(caught.value) is ModelProcessError  # it did reach the model
    log.until("works again")
    fragile.wait_until_ready(PATIENCE)
    status = fragile.status
    assert status.state == "ready" and status.restarts == 1 and status.pid != pid
    assert re.search(how, status.problem, re.DOTALL)
    with pytest.raises(ModelUnavailableError, match="encode it again"):
        fragile.ground(features, "red")
    same(fragile(red_square(), "red"), ColorGrounder()(red_square(), "red"))
    assert gone(pid)
    if fault == "forked":
        assert gone(int(log.until("left behind").split()[-1]))


def test_a_process_that_ends_between_calls_is_started_again(fragile, log):
    os.kill(fragile.status.pid, signal.SIGKILL)
    log.until("works again")
    assert fragile(red_square(), "red").found


def test_calls_fail_at_once_while_the_process_waits_to_start_again(log):
    with closing(remote_fakes.start(log=log, backoff=backoff(NEVER))) as remote:
        features = remote.encode(red_square())
        with pytest.raises(ModelProcessError):
            remote.ground(features, "exit")
        assert log.until("starts again in 3600 s")
        for call in (lambda: remote.encode(red_square()), lambda: remote.ground(features, "red")):
            with pytest.raises(
                ModelUnavailableError, match=r"exited with 3.* it starts again in 3\d\d\d\.\d s"
            ):
                call()
        status = remote.status
        assert status.state == "waiting" and status.pid is None and 0 < status.restarts_in <= NEVER
        assert not remote.interrupt()
    assert remote.status.state == "closed"


def test_a_model_that_no_longer_loads_is_tried_until_it_does(tmp_path, log):
    weights = tmp_path / "weights"
    weights.touch()
    with closing(remote_fakes.start(checkpoint=weights, log=log, backoff=backoff(AT_ONCE))) as remote:
        weights.unlink()
        with pytest.raises(ModelProcessError):
            remote(red_square(), "exit")
        line = log.until("did not start", count=2)
        assert "FileNotFoundError: no " in line
        weights.touch()
        log.until("works again")
        assert remote(red_square(), "red").found and remote.status.restarts >= 3


def test_a_hanging_call_is_interrupted(fragile, log):
    assert not fragile.interrupt()  # no call waits
    features = fragile.encode(red_square())
    with ThreadPoolExecutor(1) as worker:
        call = worker.submit(fragile.ground, features, "hang")
        log.until("hangs now")
        assert fragile.interrupt()
        with pytest.raises(ModelProcessError, match="was killed: its call was interrupted"):
            call.result(PATIENCE)
    log.until("works again")
    assert fragile(red_square(), "red").found


def test_a_call_comes_back_from_a_process_that_cannot_be_killed(fragile, log, monkeypatch):
    """As where it hangs in a driver."""
    features = fragile.encode(red_square())
    monkeypatch.setattr("ivm_ros.remote.process._GONE", 0.05)
    with monkeypatch.context() as stuck, ThreadPoolExecutor(1) as worker:
        stuck.setattr("ivm_ros.remote.process.ModelProcess._kill_group", lambda process: None)
        call = worker.submit(fragile.ground, features, "hang")
        log.until("hangs now")
        assert fragile.interrupt()
        with pytest.raises(ModelProcessError, match="its call was interrupted; it has not ended yet"):
            call.result(PATIENCE)
        with pytest.raises(ModelUnavailableError, match="it has not ended yet"):
            fragile.encode(red_square())
    os.kill(fragile.status.pid, signal.SIGKILL)  # the driver lets go
    log.until("works again")
    assert fragile(red_square(), "red").found


def test_nothing_grows_with_restarts(fragile, log):
    descriptors, threads = None, None
    for count in range(1, 6):
        with pytest.raises(ModelProcessError):
            fragile(red_square(), "exit")
        log.until("works again", count)
        if count == 1:
            descriptors, threads = len(shared_descriptors()), threading.active_count()
    assert fragile(red_square(), "red").found
    # Less is possible: what other tests had may be gone by now.
    assert len(shared_descriptors()) <= descriptors and threading.active_count() <= threads


def test_closing_ends_a_hanging_call(log):
    remote = remote_fakes.start(log=log)
    pid, features = remote.status.pid, remote.encode(red_square())
    with ThreadPoolExecutor(1) as worker:
        call = worker.submit(remote.ground, features, "hang")
        log.until("hangs now")
        remote.close()
        with pytest.raises(ModelProcessError, match="was killed"):
            call.result(PATIENCE)
    assert gone(pid)


def shared_descriptors():
    """Return this process's descriptors of shared memory and sockets."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            found.append(os.readlink(link))
        except OSError:  # that of the listing itself
            continue
    return {name for name in found if name.startswith(("/memfd:ivm_ros", "socket:", "pipe:"))}


def test_nothing_is_left_when_it_is_closed(log):
    before = shared_descriptors()
    remote = remote_fakes.start(log=log)
    pid = remote.status.pid
    maps = words_of(remote, "memories")
    assert "/memfd:ivm_ros images" in maps and "/dev/shm" not in maps
    remote.close()
    remote.close()
    assert not Path(f"/proc/{pid}").exists()  # not even a zombie
    assert shared_descriptors() <= before
    for call in (lambda: remote.encode(red_square()), lambda: remote.wait_until_ready(PATIENCE)):
        with pytest.raises(ModelUnavailableError, match="is closed"):
            call()
    assert not any("starts again" in line for line in log.lines)


def test_a_grounder_that_is_forgotten_ends_its_process(log):
    remote = remote_fakes.start(log=log)
    pid = remote.status.pid
    del remote
    gc.collect()
    assert gone(pid)


@pytest.mark.parametrize("hangs", [False, True])
def test_the_process_ends_with_the_one_that_started_it(hangs):
    """Whose memory the kernel has freed by then: it has no name to be found by."""
    script = (
        "import remote_fakes, fakes\n"
        "remote = remote_fakes.start(log=lambda line: print(line, flush=True))\n"
        "print('pid', remote.status.pid, flush=True)\n"
        f"remote(fakes.red_square(), 'hang') if {hangs} else input()\n"
    )
    path = os.pathsep.join([str(remote_fakes.HERE), str(remote_fakes.HERE.parent)])
    with subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        seen = {}
        for line in parent.stdout:
            seen[line.split()[0]] = line.split()[-1]
            if "pid" in seen and (not hangs or "hangs now" in line):
                break
        assert not gone_already(seen["pid"])
        parent.kill()
        parent.wait()
        assert gone(seen["pid"])


def gone_already(pid):
    return not Path(f"/proc/{pid}").exists()


# What it prints


def test_what_the_model_prints_goes_to_the_log_and_breaks_nothing(log):
    with closing(remote_fakes.start(log=log)) as remote:
        same(remote(red_square(), "noise red"), ColorGrounder()(red_square(), "noise red"))
        for text in ("to stdout", "to stderr", "half", '{"answer": 1}'):
            assert log.until(text) == f"model: {text}"
        assert max(map(len, log.lines)) < 2500


def test_a_log_that_fails_stops_nothing():
    def broken(line):
        raise OSError("the disk is full")

    with closing(remote_fakes.start(log=broken, backoff=backoff(AT_ONCE))) as remote:
        assert remote(red_square(), "noise red").found
        with pytest.raises(ModelProcessError):
            remote(red_square(), "exit")
        remote.wait_until_ready(PATIENCE)
