"""The recipe of ivm-tiny: every stage is a program, is run once, and goes on where it stopped."""

from __future__ import annotations

import importlib
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from click.testing import Result
from rich.console import Console
from typer.testing import CliRunner

from ivm_ros.datasets.folder import INDEX
from ivm_ros.training.ivm_tiny import recipe
from ivm_ros.training.ivm_tiny.recipe import Stage, follow, stages

QUIET = Console(quiet=True)


def parsed(stage: Stage) -> dict[str, Any]:
    """Return the options of a stage, as its program reads them."""
    dash, module, *arguments = stage.arguments
    assert dash == "-m"
    if module == "ivm_ros.cli":
        app = importlib.import_module("ivm_ros.cli.app").app
        group: Any = typer.main.get_command(app)
        command = group.commands[arguments.pop(0)]
    else:
        app = typer.Typer()
        app.command()(importlib.import_module(module).main)
        command = typer.main.get_command(app)
    return command.make_context(module, arguments).params


def test_every_stage_is_a_program_that_takes_its_options(tmp_path: Path) -> None:
    read = {stage.name: parsed(stage) for stage in stages(tmp_path, 500, 40, 1.5, 3, 7)}
    assert read["scenes"]["scenes"] == read["scenes, varied"]["scenes"] == 500
    assert (read["scenes"]["world"], read["scenes, varied"]["world"]) == ("known", "varied")
    assert (read["crops, closer"]["steps"], read["crops, outliner"]["steps"]) == (40, 8)
    assert read["views"]["minutes"] == 1.5 and read["views"]["workers"] == 3 and read["views"]["seed"] == 7
    assert read["views"]["looks"] == read["crops, closer"]["output"] == read["crops, outliner"]["output"]
    assert read["pieces"]["weights"] == read["views"]["output"] / "ivm_tiny.safetensors"
    assert read["calibration"]["weights"] == read["pieces"]["output"]


def said(file: Path, word: str, needs: Path | None = None) -> tuple[str, ...]:
    """Return a program that adds a word, and its own arguments, to a file; it fails without what it needs."""
    program = f"import os, sys; open({str(file)!r}, 'a').write(' '.join([{word!r}, *sys.argv[1:]]) + ';')"
    return ("-c", program if needs is None else f"{program}; sys.exit(not os.path.exists({str(needs)!r}))")


def test_stages_are_run_in_order_and_once(tmp_path: Path) -> None:
    log, state = tmp_path / "log", tmp_path / "state"
    follow([Stage("one", said(log, "1")), Stage("two", said(log, "2"))], state, QUIET)
    follow([Stage("one", said(log, "1")), Stage("two", said(log, "2"))], state, QUIET)
    assert log.read_text() == "1;2;"


def test_a_stage_that_failed_goes_on_the_next_time(tmp_path: Path) -> None:
    log, state, left = tmp_path / "log", tmp_path / "state", tmp_path / "checkpoint.pt"
    recipe = [Stage("one", said(log, "1")), Stage("two", said(log, "2", needs=left), resumes=left)]
    with pytest.raises(subprocess.CalledProcessError):
        follow(recipe, state, QUIET)
    left.touch()
    follow(recipe, state, QUIET)
    assert log.read_text() == "1;2;2 --resume;"


@pytest.mark.parametrize("fails", [False, True])
def test_a_folder_is_of_one_recipe(tmp_path: Path, fails: bool) -> None:
    log, state, needed = tmp_path / "log", tmp_path / "state", tmp_path / "needed"
    first, second = (Stage("one", said(log, word, needed)) for word in ("old", "new"))
    if fails:
        with pytest.raises(subprocess.CalledProcessError):
            follow([first], state, QUIET)
    else:
        needed.touch()
        follow([first], state, QUIET)
    with pytest.raises(ValueError, match="choose another folder, or remove this file") as raised:
        follow([second], state, QUIET)
    for stage in (first, second):
        assert shlex.join(stage.arguments) in str(raised.value)
    assert log.read_text() == "old;"


def test_a_stage_that_was_killed_after_its_end_is_done(tmp_path: Path) -> None:
    log, state, proof = tmp_path / "log", tmp_path / "state", tmp_path / "index.jsonl"
    recipe = [Stage("one", said(log, "1", needs=tmp_path / "nothing"), proof=proof)]
    for _ in range(2):  # it is not without its proof
        with pytest.raises(subprocess.CalledProcessError):
            follow(recipe, state, QUIET)
    proof.touch()
    follow(recipe, state, QUIET)
    follow(recipe, state, QUIET)
    assert log.read_text() == "1;1;"


def test_what_another_call_left_is_no_proof(tmp_path: Path) -> None:
    log, proof = tmp_path / "log", tmp_path / "index.jsonl"
    proof.touch()
    follow([Stage("one", said(log, "1"), proof=proof)], tmp_path / "state", QUIET)
    assert log.read_text() == "1;"


def test_renders_are_proved_by_the_index(tmp_path: Path) -> None:
    proofs = {stage.name: stage.proof for stage in stages(tmp_path, 500, 40, 1.5, 3, 7) if stage.proof}
    assert proofs == {f"scenes for {name}": tmp_path / name / INDEX for name in ("validation", "test")}


@pytest.fixture
def command() -> Callable[..., Result]:
    app = typer.Typer()
    app.command()(recipe.main)
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))


def test_another_call_in_the_folder_is_refused(
    tmp_path: Path, command: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        recipe, "stages", lambda folder, scenes, *others: (Stage("one", ("-c", f"print({scenes})")),)
    )
    assert command(tmp_path, "--scenes", 3).exit_code == 0
    assert command(tmp_path, "--scenes", 3).exit_code == 0
    refused = command(tmp_path, "--scenes", 4)
    assert refused.exit_code == 2
    assert "print(3)" in refused.output and "print(4)" in refused.output


def test_a_failure_ends_the_recipe_with_its_status(
    tmp_path: Path, command: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = (Stage("one", ("-c", "import sys; sys.exit(5)")),)
    monkeypatch.setattr(recipe, "stages", lambda *arguments: failing)
    result = command(tmp_path)
    assert result.exit_code == 5 and "call again to go on" in result.output


def test_the_command_line_is_a_module_as_well() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "ivm_ros.cli", "render", "--help"], capture_output=True, text=True, check=True
    )
    assert "How many scenes" in printed.stdout
