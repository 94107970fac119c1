"""The recipe of ivm-tiny: every stage is a program, is run once, and goes on where it stopped."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

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
    read = {stage.name: parsed(stage) for stage in stages(tmp_path, 500, 1.5, 3, 7)}
    assert read["scenes"]["scenes"] == read["scenes, varied"]["scenes"] == 500
    assert (read["scenes"]["world"], read["scenes, varied"]["world"]) == ("known", "varied")
    assert read["views"]["minutes"] == 1.5 and read["views"]["workers"] == 3 and read["views"]["seed"] == 7
    assert read["views"]["looks"] == read["crops, closer"]["output"] == read["crops, outliner"]["output"]
    assert read["pieces"]["weights"] == read["views"]["output"] / "ivm_tiny.safetensors"
    assert read["calibration"]["weights"] == read["pieces"]["output"]


def said(file: Path, word: str, status: int = 0) -> tuple[str, ...]:
    """Return a program that adds a word, and its own arguments, to a file."""
    program = f"import sys; open({str(file)!r}, 'a').write(' '.join([{word!r}, *sys.argv[1:]]) + ';')"
    return ("-c", f"{program}; sys.exit({status})")


def test_stages_are_run_in_order_and_once(tmp_path: Path) -> None:
    log, state = tmp_path / "log", tmp_path / "state"
    follow([Stage("one", said(log, "1")), Stage("two", said(log, "2"))], state, QUIET)
    follow([Stage("one", said(log, "1")), Stage("two", said(log, "2"))], state, QUIET)
    assert log.read_text() == "1;2;"


def test_a_stage_that_failed_goes_on_the_next_time(tmp_path: Path) -> None:
    log, state, left = tmp_path / "log", tmp_path / "state", tmp_path / "checkpoint.pt"
    with pytest.raises(subprocess.CalledProcessError):
        follow([Stage("one", said(log, "1")), Stage("two", said(log, "2", 3), left)], state, QUIET)
    left.touch()
    follow([Stage("one", said(log, "1")), Stage("two", said(log, "2"), left)], state, QUIET)
    assert log.read_text() == "1;2;2 --resume;"


def test_a_failure_ends_the_recipe_with_its_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = (Stage("one", ("-c", "import sys; sys.exit(5)")),)
    monkeypatch.setattr(recipe, "stages", lambda *arguments: failing)
    app = typer.Typer()
    app.command()(recipe.main)
    result = CliRunner().invoke(app, [str(tmp_path)])
    assert result.exit_code == 5 and "call again to go on" in result.output


def test_the_command_line_is_a_module_as_well() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "ivm_ros.cli", "render", "--help"], capture_output=True, text=True, check=True
    )
    assert "How many scenes" in printed.stdout
