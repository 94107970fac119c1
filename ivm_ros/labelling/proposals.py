"""From a source to a session's items: frames are chosen, and the model proposes a mask for each question."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from ivm_ros.grounding import Grounder
from ivm_ros.labelling.frames import block_is_for_validation, chosen
from ivm_ros.labelling.items import ACCEPTED, PARTS, STATE, Item, write_bytes
from ivm_ros.labelling.maps import label_map
from ivm_ros.labelling.session import Session
from ivm_ros.sources import Source


@dataclass(frozen=True)
class Choice:
    """Which frames are labelled.

    Attributes:
        every: seconds between frames.
        different: see `chosen`.
        most: frames at most; 0 is all.
        validation: share of the time that goes into a folder of its own; 0 is none, and one folder.
        block: seconds that stay together in one of the two.
    """

    every: float = 1.0
    different: float = 12.0
    most: int = 0
    validation: float = 0.0
    block: float = 10.0


def check_same(session: Session, about: Mapping[str, str], choice: Choice) -> None:
    """Note what a session's items are made of; raise `ValueError` where it was begun with something else.

    Instructions and model may differ: they add items, and change the proposals of new ones.
    """
    path = session.folder / STATE / "session.json"
    here = {**about, **{name: str(value) for name, value in asdict(choice).items()}}
    if path.exists():
        there = json.loads(path.read_text())
        differ = [f"{n}: {there.get(n)} there, {here[n]} here" for n in here if there.get(n) != here[n]]
        if differ:
            raise ValueError(
                f"{session.folder} was begun with something else: {'; '.join(differ)}; repeat that, or "
                "choose another folder"
            )
        return
    write_bytes(path, (json.dumps(here, indent=1) + "\n").encode())


def propose(
    session: Session,
    source: Source,
    instructions: Sequence[str],
    grounder: Grounder,
    choice: Choice,
    console: Console,
) -> int:
    """Add the items that the session does not have yet; return how many. What is there is not made again."""
    done: dict[str, set[str]] = {}
    for item in session.items:
        done.setdefault(item.frame, set()).add(item.instruction)
    before = len(session.items)
    columns = (TextColumn("proposing"), BarColumn(), TextColumn("{task.completed} frames"))
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("proposing", total=choice.most or None)
        for number, frame in enumerate(chosen(source.play(), choice.every, choice.different)):
            if choice.most and number >= choice.most:
                break
            name, have = f"{number:06d}", done.get(f"{number:06d}", set())
            missing = [words for words in dict.fromkeys(instructions) if words not in have]
            if missing:
                validation = block_is_for_validation(frame.position, choice.validation, choice.block)
                part = PARTS[validation] if choice.validation > 0 else "."
                groundings = grounder.ground_many(grounder.encode(frame.image), missing)
                first = len(session.items)
                items = [
                    Item(
                        number=first + place,
                        frame=name,
                        part=part,
                        position=frame.position,
                        instruction=words,
                        existence=round(grounding.existence, 4),
                        found=grounding.found,
                    )
                    for place, (words, grounding) in enumerate(zip(missing, groundings, strict=True))
                ]
                session.add_items(
                    frame.image, [(i, label_map(g)) for i, g in zip(items, groundings, strict=True)]
                )
            progress.advance(bar)
    return len(session.items) - before


def accept_all(session: Session, least: float) -> int:
    """Accept every open proposal of at least this existence that found something; return how many."""
    accepted = 0
    for item in session.items:
        if session.decision(item.number) is None and item.found and item.existence >= least:
            session.decide(item.number, ACCEPTED, item.instruction)
            accepted += 1
    return accepted
