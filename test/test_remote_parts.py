"""What joins the two processes: messages, shared memory, answers, errors; nothing that comes is trusted."""

from __future__ import annotations

import gc
import os
import socket
import struct

import numpy as np
import pytest

from ivm_ros.checkpoints import CheckpointError
from ivm_ros.grounding import Grounding, InvalidImageError, Target
from ivm_ros.remote.answers import pack, unpack
from ivm_ros.remote.blocks import Blocks
from ivm_ros.remote.channel import MAX_MESSAGE_BYTES, BrokenMessageError, Channel, ChannelClosedError
from ivm_ros.remote.errors import ModelUnavailableError, describe, rebuild
from ivm_ros.remote.keeper import Backoff
from ivm_ros.remote.output import Output
from ivm_ros.remote.segment import Segment


@pytest.fixture
def channels():
    ends = [Channel(end) for end in socket.socketpair()]
    yield ends
    for end in ends:
        end.close()


@pytest.fixture
def raw():
    """Give a channel, and the bare socket at its other end."""
    ours, theirs = socket.socketpair()
    channel = Channel(ours)
    yield channel, theirs
    channel.close()
    theirs.close()


@pytest.fixture
def segment():
    made = Segment.create("ivm_ros test", limit=2**22)
    yield made
    made.close()


# Messages


def test_messages_arrive_one_by_one_and_exact(channels):
    one, other = channels
    messages = [
        {"number": 0.1 + 0.2, "text": "Tasse \U0001f600 \udc80", "none": None},
        {"list": [1, [2.5]]},
    ]
    for message in messages:
        one.send(message)
    assert [other.receive(), other.receive()] == messages


@pytest.mark.parametrize(
    "sent",
    [
        struct.pack("<I", MAX_MESSAGE_BYTES + 1),
        struct.pack("<I", 3) + b"{x}",
        struct.pack("<I", 2) + b"[]",
        struct.pack("<I", 2) + b"\xff\xff",
        struct.pack("<I", 200_000) + b"[" * 200_000,
    ],
)
def test_what_is_no_message_is_refused(raw, sent):
    channel, theirs = raw
    theirs.sendall(sent)
    with pytest.raises(BrokenMessageError, match="expected a message"):
        channel.receive()


def test_a_message_that_is_cut_off_is_an_end(raw):
    channel, theirs = raw
    theirs.sendall(struct.pack("<I", 10) + b"{")
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(ChannelClosedError):
        channel.receive()


def test_too_long_a_message_is_not_sent(channels):
    one, other = channels
    with pytest.raises(ValueError, match="expected a message of at most"):
        one.send({"text": "x" * MAX_MESSAGE_BYTES})
    with pytest.raises(TypeError):
        one.send({"image": np.zeros(3)})
    one.send({"next": 1})
    assert other.receive() == {"next": 1}


def test_hanging_up_ends_both_sides(channels):
    one, other = channels
    one.send({"last": 1})
    one.hang_up()
    assert other.receive() == {"last": 1}
    for end in channels:
        with pytest.raises(ChannelClosedError):
            end.receive()


def test_silence_can_be_given_up(channels):
    with pytest.raises(TimeoutError, match="expected a message within"):
        channels[0].receive(timeout=0.01)


# Shared memory


def test_two_holders_see_the_same_memory_also_when_one_has_it_grown(segment):
    other = Segment(os.dup(segment.descriptor), segment.limit)
    for size in (10, 3_000_000):
        segment.reserve(size)
        segment.array(0, (size,), np.uint8)[...] = size % 251
        assert (other.array(0, (size,), np.uint8) == size % 251).all()
    before = segment.size
    segment.reserve(10)
    assert segment.size == before
    other.close()


@pytest.mark.parametrize(
    ("offset", "shape"), [(-64, (4,)), (1, (4,)), (0, (2**21,)), (2**20, (4,)), (2**62, (4,)), (0, (0, 4))]
)
def test_a_part_outside_is_refused(segment, offset, shape):
    segment.reserve(2**20)
    with pytest.raises(ValueError, match="expected a part inside"):
        segment.array(offset, shape, np.uint8)


def test_more_than_the_limit_is_refused(segment):
    with pytest.raises(MemoryError, match="expected at most 4194304 bytes"):
        segment.reserve(2**22 + 1)
    assert segment.size == 0


def test_nobody_can_cut_it_off_under_the_other(segment):
    segment.reserve(2**20)
    with pytest.raises(PermissionError):
        os.ftruncate(segment.descriptor, 0)


def test_a_view_outlives_the_segment():
    made = Segment.create("ivm_ros test")
    made.reserve(100)
    view = made.array(0, (100,), np.uint8)
    view[...] = 7
    made.close()
    assert (view == 7).all()


# Answers


def grounding(height=5, width=7):
    heatmap = np.linspace(0, 1, height * width, dtype=np.float32).reshape(height, width)
    targets = tuple(
        Target.from_mask(heatmap > least, score, f"over {least}")
        for least, score in ((0.5, 0.7), (0.8, 0.1 + 0.2))
    )
    return Grounding("the hot part", heatmap, targets, 1 / 3)


def test_answers_come_out_as_they_went_in(segment):
    sent = [grounding(), Grounding("nothing", np.zeros((3, 1), np.float32))]
    came = unpack(pack(sent, segment), segment, Blocks())
    for theirs, ours in zip(sent, came, strict=True):
        assert (ours.instruction, ours.existence) == (theirs.instruction, theirs.existence)
        np.testing.assert_array_equal(ours.heatmap, theirs.heatmap)
        for one, other in zip(ours.targets, theirs.targets, strict=True):
            assert (one.box, one.point, one.score, one.label) == (
                other.box,
                other.point,
                other.score,
                other.label,
            )
            np.testing.assert_array_equal(one.mask, other.mask)
    assert unpack(pack([], segment), segment, Blocks()) == []


def test_answers_own_their_arrays(segment):
    (came,) = unpack(pack([grounding()], segment), segment, Blocks())
    segment.array(0, (segment.size,), np.uint8)[...] = 255
    np.testing.assert_array_equal(came.heatmap, grounding().heatmap)
    np.testing.assert_array_equal(came.targets[0].mask, grounding().targets[0].mask)


def test_a_byte_that_is_no_bool_becomes_one(segment):
    answers = pack([grounding()], segment)
    target = answers[0]["targets"][0]
    segment.array(target["mask"], (5, 7), np.uint8)[...] *= 77
    mask = unpack(answers, segment, Blocks())[0].targets[0].mask
    assert set(np.unique(mask.view(np.uint8))) == {0, 1}


def test_answers_without_room_are_refused(segment):
    with pytest.raises(MemoryError):
        pack([Grounding("large", np.zeros((2048, 2048), np.float32))], segment)


def test_what_is_no_grounding_is_refused(segment):
    with pytest.raises(TypeError, match="expected a Grounding of the model, got str"):
        pack(["red"], segment)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("heatmap",), 2**20),
        (("heatmap",), -64),
        (("heatmap",), 4),
        (("heatmap",), "0"),
        (("heatmap",), True),
        (("heatmap",), None),
        (("shape",), [5, 7, 1]),
        (("shape",), [16384, 16384]),
        (("shape",), [16385, 1]),
        (("shape",), [0, 7]),
        (("shape",), [2.0, 7]),
        (("shape",), 35),
        (("existence",), float("nan")),
        (("existence",), None),
        (("instruction",), 3),
        (("targets",), 3),
        (("targets", 0), {}),
        (("targets", 0, "box"), [0, 0, 9, 9]),
        (("targets", 0, "box"), [0, 0, 5]),
        (("targets", 0, "box"), [float("nan")] * 4),
        (("targets", 0, "point"), [0, 0]),
        (("targets", 0, "point"), [float("inf"), 0]),
        (("targets", 0, "score"), 1.5),
        (("targets", 0, "score"), 0.01),
        (("targets", 0, "score"), [1]),
        (("targets", 0, "label"), None),
        (("targets", 0, "mask"), 2**40),
    ],
)
def test_answers_that_are_wrong_are_refused(segment, path, value):
    answers = pack([grounding()], segment)
    place = answers[0]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(ValueError, match="expected"):
        unpack(answers, segment, Blocks())


@pytest.mark.parametrize("answers", [None, 3, [3], {"a": 1}, [None]])
def test_what_is_no_list_of_answers_is_refused(segment, answers):
    segment.reserve(1)
    with pytest.raises(ValueError, match="expected groundings of the model's process"):
        unpack(answers, segment, Blocks())


# Memory for arrays


def test_memory_is_used_again_only_when_no_view_of_it_is_left():
    blocks = Blocks()
    first = blocks.take((4, 6), np.float32)
    address = first.ctypes.data
    kept = first[1:3].T.view(np.uint32)
    del first
    gc.collect()
    assert blocks.free_bytes == 0 and blocks.take((4, 6), np.float32).ctypes.data != address
    del kept
    gc.collect()
    taken = [blocks.take((96,), np.bool_) for _ in range(3)]
    assert address in [array.ctypes.data for array in taken] and blocks.free_bytes == 0


def test_free_memory_is_bounded():
    blocks = Blocks(limit=100)
    for size in (40, 60, 50, 200):
        blocks.take((size,), np.uint8)
        gc.collect()
        assert blocks.free_bytes == {40: 40, 60: 100, 50: 50, 200: 0}[size]


def test_groundings_give_their_memory_back(segment):
    blocks = Blocks()
    (came,) = unpack(pack([grounding()], segment), segment, blocks)
    assert blocks.free_bytes == 0
    heatmap = came.heatmap
    del came
    gc.collect()
    assert blocks.free_bytes == 2 * 35
    del heatmap
    gc.collect()
    assert blocks.free_bytes == 35 * (4 + 2)


# Errors


class OwnImageError(InvalidImageError):
    pass


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (OwnImageError("gray"), InvalidImageError, "gray"),
        (CheckpointError("torn"), CheckpointError, "torn"),
        (ModuleNotFoundError("No module named 'torch'"), ImportError, "No module named 'torch'"),
        (UnicodeError("odd"), ValueError, "odd"),
        (KeyError("name"), RuntimeError, "KeyError: 'name'"),
        (ModelUnavailableError("old"), ModelUnavailableError, "old"),
    ],
)
def test_errors_are_rebuilt(error, kind, text):
    rebuilt = rebuild(describe(error))
    assert type(rebuilt) is kind and str(rebuilt) == text


@pytest.mark.parametrize(
    "message",
    [None, 3, {}, {"kinds": 3}, {"kinds": ["os.system", "builtins.exit"], "text": "true"}, {"kinds": [[]]}],
)
def test_no_other_class_is_made_of_a_message(message):
    assert type(rebuild(message)) is RuntimeError


# Waiting and printing


def test_restarts_wait_twice_as_long_until_one_has_worked():
    backoff = Backoff(first=0.5, most=3.0, settled=60.0)
    assert [backoff.after(1.0) for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    assert backoff.after(61.0) == 0.5
    assert backoff.after(59.0) == 1.0


def test_lines_are_cut_where_they_end_or_are_too_long():
    read, write = os.pipe()
    lines = []
    output = Output(os.fdopen(read, "rb"), lines.append)
    with os.fdopen(write, "wb") as pipe:
        pipe.write(b"one\r\n\r10%\r20%\n" + b"x" * 5000 + b"\n\xff\nlast")
    assert output.finish(60.0).startswith("one | 10% | 20% | x")
    assert [line for line in lines if "x" not in line] == ["one", "10%", "20%", "\ufffd", "last"]
    assert sum(line.count("x") for line in lines) == 5000 and max(map(len, lines)) <= 2000
