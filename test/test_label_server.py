"""The labelling page's server, over real HTTP: what it gives, what it takes, and whom it does not answer."""

from __future__ import annotations

import base64
import json
import re
import socket
from pathlib import Path
from threading import Thread
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import cv2
import numpy as np
import pytest
from fakes import ColorGrounder
from rich.console import Console
from test_label import SIZE, frame, red, source

from ivm_ros.datasets.folder import Folder
from ivm_ros.labelling import server as serving
from ivm_ros.labelling.maps import decode, encode
from ivm_ros.labelling.proposals import Choice, propose
from ivm_ros.labelling.server import MAX_BODY, LabelServer
from ivm_ros.labelling.session import Session


@pytest.fixture
def server(tmp_path: Path):
    """Return a running server of a session of two frames: red is in both, blue in none."""
    with Session(tmp_path / "own") as session:
        words = ["the red square", "the blue square"]
        frames = source(frame(), frame(40, "red"))
        propose(session, frames, words, ColorGrounder(), Choice(), Console(quiet=True))
        with LabelServer(session, lambda image, words: ColorGrounder()(snapped(image), words)) as running:
            thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
            thread.start()
            yield running
            running.shutdown()
            thread.join()


def snapped(image: np.ndarray) -> np.ndarray:
    """Give a JPEG its pure red back, which the fake model looks for."""
    picture = image.copy()
    picture[(image[..., 0] > 180) & (image[..., 1] < 80)] = (255, 0, 0)
    return picture


def get(server: LabelServer, path: str, **headers: str) -> tuple[bytes, dict[str, str]]:
    with urlopen(Request(server.url + path, headers=headers), timeout=30) as answer:
        return answer.read(), dict(answer.headers)


def post(server: LabelServer, path: str, values, **headers: str):
    data = values if isinstance(values, bytes) else json.dumps(values).encode()
    own = {"Origin": "http://" + urlsplit(server.url).netloc, "Content-Type": "application/json"}
    own = {name: value for name, value in {**own, **headers}.items() if value}
    with urlopen(Request(server.url + path, data, own, method="POST"), timeout=30) as answer:
        return json.loads(answer.read())


def refused(status: int, words: str, call, *arguments, **headers) -> None:
    with pytest.raises(HTTPError) as error:
        call(*arguments, **headers)
    text = error.value.read().decode()
    assert (error.value.code, words in text) == (status, True), text


def open_count(server: LabelServer) -> int:
    return server.session.counts()["open"]


def decided(item: int, decision: str = "accepted", **more) -> dict[str, object]:
    return {"item": item, "decision": decision, "instruction": "the red square", **more}


def test_the_page_and_all_it_names_come_from_the_server_alone(server):
    page, headers = get(server, "")
    text = page.decode()
    named = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert {"page.css", "page.js"} <= set(named)
    script = get(server, "page.js")[0].decode()
    for name in [*named, *re.findall(r'from "\./([^"]+)"', script)]:
        if not name.startswith("data:"):
            assert get(server, name)[0]
    everything = text + script + get(server, "paint.js")[0].decode() + get(server, "page.css")[0].decode()
    assert not re.findall(r"https?://|//[a-z]+\.[a-z]+/", everything)
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] == "no-store"


def test_every_button_of_the_page_has_an_action_and_its_key(server):
    page, script = get(server, "")[0].decode(), get(server, "page.js")[0].decode()
    actions = script[script.index("const actions = {") : script.index("const keys = {")]
    keys = script[script.index("const keys = {") : script.index("async function act")]
    buttons = re.findall(r'data-do="(\w+)"', page)
    assert len(buttons) > 15
    for name in buttons:
        assert re.search(rf"^  (?:async )?{name}(?:\(|:)", actions, re.MULTILINE), name
        assert f'"{name}"' in keys, name


def test_state_pictures_and_masks(server):
    state = json.loads(get(server, "state")[0])
    assert [(item["frame"], item["decision"], item["found"]) for item in state["items"]] == [
        ("000000", None, True),
        ("000000", None, False),
        ("000001", None, True),
        ("000001", None, False),
    ]
    picture, headers = get(server, "picture/0")
    assert headers["Content-Type"] == "image/jpeg"
    assert cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR).shape == (*SIZE, 3)
    assert np.array_equal(decode(get(server, "mask/0")[0], SIZE), red())
    for path in (
        "picture/4",
        "mask/-1",
        "picture/x",
        "picture/99999999999",
        "../state",
        "labelling/items.jsonl",
    ):
        with pytest.raises(HTTPError):
            get(server, path)


def test_decisions_with_and_without_a_mask_and_undo(server):
    answer = post(server, "decide", decided(0))
    assert (answer["decision"], answer["instruction"]) == ("accepted", "the red square")
    mask = base64.b64encode(encode(np.roll(red(), 8, axis=1))).decode()
    post(server, "decide", decided(2, instruction="the other one", mask=mask))
    post(server, "decide", decided(1, "rejected"))
    samples = list(Folder(server.session.folder))
    assert [(s.instruction, s.boxes) for s in samples] == [
        ("the red square", ((4, 16, 20, 32),)),
        ("the red square", ()),
        ("the other one", ((12, 16, 28, 32),)),
    ]
    assert np.array_equal(decode(get(server, "mask/2")[0], SIZE), np.roll(red(), 8, axis=1))
    undone = post(server, "undo", {})
    assert (undone["number"], undone["decision"], undone["instruction"]) == (1, None, "the blue square")
    assert post(server, "undo", {})["number"] == 2
    assert np.array_equal(decode(get(server, "mask/2")[0], SIZE), np.roll(red(), 36, axis=1))  # the proposal
    assert post(server, "undo", {})["number"] == 0 and post(server, "undo", {}) == {"number": None}


def test_a_box_becomes_a_mask_and_other_words_an_answer(server):
    cut = post(server, "cut", {"item": 0, "box": [1, 12, 26, 38]})
    mask = decode(base64.b64decode(cut["mask"]), SIZE)
    true = red() > 0
    assert cut["pixels"] == mask.sum()
    assert (mask & true).sum() / (mask | true).sum() > 0.75  # JPEG blurs colours by a pixel
    clicked = decode(
        base64.b64decode(post(server, "cut", {"item": 0, "box": None, "point": [12, 24]})["mask"]), SIZE
    )
    assert clicked[24, 12] == 1
    asked = post(server, "ask", {"item": 0, "instruction": "something red"})
    assert asked["found"] and decode(base64.b64decode(asked["mask"]), SIZE)[20, 10] == 1
    assert not post(server, "ask", {"item": 0, "instruction": "something blue"})["found"]
    assert open_count(server) == 4  # none of these decides anything


@pytest.mark.parametrize(
    ("path", "values", "words"),
    [
        ("decide", b"{", "expected JSON"),
        ("decide", b"[" * 100_000, "expected JSON"),
        ("decide", [], "a JSON object"),
        ("decide", {}, "number of an item"),
        ("decide", {"item": True}, "number of an item"),
        ("decide", decided(7), "item from 0 to 3"),
        ("decide", decided(0, "perhaps"), "expected a decision"),
        ("decide", decided(0, instruction=""), "instruction in words"),
        ("decide", decided(0, instruction="x" * 1001), "1000 characters"),
        ("decide", decided(0, instruction=None), "expected text for 'instruction'"),
        ("decide", decided(0, mask="%%%"), "base64"),
        ("decide", decided(0, mask="aGVsbG8="), "expected a PNG"),
        ("decide", decided(1), "mask with a target"),
        ("cut", {"item": 0}, "a box or a point"),
        ("cut", {"item": 0, "box": [1, 2, 3]}, "4 numbers for 'box'"),
        ("cut", b'{"item": 0, "point": [1, NaN]}', "2 numbers for 'point'"),
        ("cut", {"item": 0, "box": [1e8, 1e8, 2e8, 2e8]}, "with an area"),
        ("ask", {"item": 0}, "as text"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason_and_changes_nothing(server, path, values, words):
    refused(400, words, post, server, path, values)
    assert open_count(server) == 4
    assert post(server, "decide", decided(0))["decision"] == "accepted"  # and it goes on


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        ({"Origin": "http://evil.example"}, 403, "another Origin"),
        ({"Origin": "null"}, 403, "another Origin"),
        ({"Origin": ""}, 403, "another Origin"),
        ({"Origin": "https://{host}"}, 403, "another Origin"),
        ({"Host": "evil.example"}, 421, "own name in Host"),
        ({"Host": "127.0.0.1:1"}, 421, "own name in Host"),
        ({"Content-Type": "text/plain"}, 415, "application/json"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415, "application/json"),
    ],
)
def test_other_pages_cannot_decide(server, headers, status, words):
    host = urlsplit(server.url).netloc
    given = {name: value.format(host=host) for name, value in headers.items()}
    refused(status, words, post, server, "decide", decided(0, "rejected"), **given)
    assert open_count(server) == 4


def test_who_does_not_know_the_token_sees_nothing(server):
    base = f"http://127.0.0.1:{server.server_port}/"
    for token in ("", "x", server.token[:-1], server.token + "x"):
        for path in ("", "state", "picture/0", "page.js"):
            with pytest.raises(HTTPError) as error:
                urlopen(f"{base}{token}/{path}", timeout=30)
            assert error.value.code == 404
    assert len(server.token) >= 40
    refused(421, "own name", get, server, "state", Host="evil.example")  # a name that points here


def test_it_listens_on_this_machine_alone(server):
    assert server.server_address[0] == "127.0.0.1"


def test_a_body_is_bounded_before_it_is_read(server, monkeypatch):
    monkeypatch.setattr(serving._Handler, "timeout", 0.3)
    address = urlsplit(server.url)
    lines = (
        f"POST {address.path}decide HTTP/1.1",
        f"Host: {address.netloc}",
        f"Origin: http://{address.netloc}",
        "Content-Type: application/json",
    )
    for more, status in (
        ((f"Content-Length: {MAX_BODY + 1}",), b"413"),
        (("Content-Length: -5",), b"411"),
        (("Transfer-Encoding: chunked",), b"411"),
        (("Content-Length: 500",), b"500"),  # which never come: the server does not wait for ever
    ):
        with socket.create_connection(("127.0.0.1", server.server_port), timeout=30) as connection:
            connection.sendall("\r\n".join((*lines, *more, "", "")).encode())
            assert connection.recv(64).startswith(b"HTTP/1.1 " + status), more
    assert open_count(server) == 4
