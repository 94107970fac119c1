"""`ivm-ros label`: a dataset of one's own pictures, from a model's proposals and a person's decisions."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ivm_ros.cli.choice import ModelChoice
from ivm_ros.datasets.folder import INDEX
from ivm_ros.grounding import check_instructions
from ivm_ros.labelling.items import PARTS
from ivm_ros.labelling.proposals import Choice, accept_all, check_same, propose
from ivm_ros.labelling.server import LabelServer
from ivm_ros.labelling.session import Session
from ivm_ros.sources import Source, open_source


def run_label(
    spec: str,
    folder: Path,
    instructions: Sequence[str],
    model: ModelChoice,
    choice: Choice,
    topic: str = "",
    accept_from: float | None = None,
    port: int = 0,
    browser: bool = False,
) -> None:
    """Propose masks, then serve the page until Ctrl+C; or accept what is sure enough, and return.

    Args:
        spec: a video, a folder of pictures, a bag, or "clip".
        folder: of the session and the dataset.
        instructions: what is asked about each frame; none goes on with what the folder has.
        model: that proposes.
        choice: of frames.
        topic: of a bag with several image topics.
        accept_from: accept proposals of at least this existence, without a page.
        port: of the page; 0 takes a free one.
        browser: open the page.

    Raises:
        ValueError: nothing to label, or the folder was begun with something else.
        OSError: another process works in the folder, or the port is taken.
    """
    words = check_instructions(instructions)
    if folder.is_dir() and (folder / INDEX).exists() and not (folder / "labelling").is_dir():
        raise ValueError(f"expected a new folder, or one of ivm-ros label; {folder} has another dataset")
    source = _open(spec, topic, choice.every)
    console = Console(stderr=True)
    grounder = model.load()
    with Session(folder) as session:
        about = {"source": spec if spec == "clip" else str(Path(spec).resolve()), "topic": topic}
        check_same(session, about, choice)
        added = propose(session, source, words, grounder, choice, console) if words else 0
        if not session.items:
            raise ValueError("expected --instruction with what to ask about each frame, or frames; got none")
        _say(console, f"{added} new items, {len(session.items)} in all")
        if accept_from is not None:
            _say(console, f"accepted {accept_all(session, accept_from)} proposals")
        else:
            _serve(LabelServer(session, grounder, port), browser, console)
        counts = session.counts()
    _say(console, ", ".join(f"{count} {name}" for name, count in counts.items()))
    for part in PARTS if choice.validation > 0 else (".",):
        _say(Console(), f"written to {folder / part / INDEX}")


def _serve(server: LabelServer, browser: bool, console: Console) -> None:
    with server:
        _say(console, f"label at {server.url} (Ctrl+C ends; everything is saved at once)")
        if browser:
            webbrowser.open(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            console.print()


def _open(spec: str, topic: str, every: float) -> Source:
    """Open a recording; the pictures of a folder are as far apart as frames are wanted, so all are taken."""
    from ivm_ros.nodes.bag_source import is_bag, open_bag

    rate = 1 / every if every > 0 and Path(spec).is_dir() else 0.0
    source = open_bag(spec, topic) if is_bag(spec) else open_source(spec, rate)
    if source.live:
        raise ValueError(f"expected a recording, got {source.name}; record it first, so that it can go on")
    return source


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True, markup=False)
