"""The documentation says what the code does: tables, links, pictures, examples."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from itertools import islice

import numpy as np
import pytest
from mix_layout import write_mix
from pages import DOCS, NODES, ROOT, table
from refer_layout import write_refer

import ivm_ros
from ivm_ros.cli.ground import read_image, write_image
from ivm_ros.clip import load_clip
from ivm_ros.evaluation.metrics import Metrics
from ivm_ros.rendering import MODES, NAMED_FILLS, RenderSettings, render

PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md"))]
NO_ROS = "needs ROS 2 and the interfaces: pip install -e ."
LINK = re.compile(r"\]\(([^)\s]+)\)")


def anchors(page):
    """Return the anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.fixture(scope="module")
def ros():
    """Skip where there is no ROS 2, before a graph is asked for."""
    pytest.importorskip("rclpy", reason=NO_ROS)
    pytest.importorskip("ivm_ros.msg", reason=NO_ROS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for link in LINK.findall(page.read_text()):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        file = (page.parent / path) if path else page
        assert file.exists(), f"{page.name} links to {link}"
        if anchor:
            assert anchor in anchors(file), f"{page.name} links to {link}"


def test_every_page_is_in_the_readme():
    linked = {link.partition("#")[0] for link in LINK.findall((ROOT / "README.md").read_text())}
    assert {f"docs/{page.name}" for page in DOCS.glob("*.md")} <= linked


def test_every_mode_is_on_the_page_of_policies():
    rows = {row["Mode"]: row for row in table(DOCS / "policies.md", "Modes")}
    assert list(rows) == list(MODES)


def test_every_picture_is_made_by_the_command(tmp_path):
    subprocess.run([sys.executable, DOCS / "make_pictures.py", tmp_path], check=True)
    made, kept = ({file.name for file in folder.iterdir()} for folder in (tmp_path, DOCS / "images"))
    assert made == kept


def test_every_metric_is_on_the_page_of_datasets():
    rows = table(DOCS / "datasets.md", "Measuring a model")
    assert {name for row in rows for name in row["Key"].split(", ")} == set(Metrics().fractions())


def test_every_launch_argument_is_on_the_page_of_robots():
    rows = table(DOCS / "robot.md", "Start")
    source = ast.parse((ROOT / "launch" / "grounding.launch.py").read_text())
    (names,) = (
        set(ast.literal_eval(node.value))
        for node in source.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "ARGUMENTS"
    )
    assert {name for row in rows for name in row["Argument"].split(", ")} == {*names, "params_file"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_run(page, tmp_path, monkeypatch):
    write_image(tmp_path / "table.jpg", next(load_clip().frames()))
    write_mix(tmp_path / "mix")
    if page.name == "ivm.md":
        pytest.importorskip("transformers", reason="needs the extra transformers")
        from ivm_ros.models.ivm.small import write_small

        write_small(tmp_path / "ivm-converted")
    if page.name == "published_datasets.md":
        pytest.importorskip("pycocotools", reason="needs the extra datasets")
        write_refer(tmp_path / "grounding", "refcoco-unc")
    monkeypatch.chdir(tmp_path)
    for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        exec(compile(block, str(page), "exec"), {})


@pytest.mark.parametrize("name", NODES)
def test_parameters(ros, name):
    from ivm_ros.nodes import camera_node, grounding_parameters

    parameters = {"grounding": grounding_parameters, "camera": camera_node}[name].PARAMETERS
    rows = table(NODES[name], "Parameters")
    assert [row["Name"] for row in rows] == [parameter.name for parameter in parameters]
    for row, parameter in zip(rows, parameters, strict=True):
        kinds = {bool: "bool", int: "int", float: "double", str: "string"}
        default = {"": "empty", True: "true", False: "false"}.get(parameter.default)
        if default is None or type(parameter.default) in (int, float):
            default = (
                f"{parameter.default:g}"
                if isinstance(parameter.default, (int, float))
                else str(parameter.default)
            )
        assert (row["Type"], row["Default"]) == (kinds[type(parameter.default)], default), parameter.name
        assert row["Changes"] == ("live" if parameter.live else "read-only"), parameter.name
        if parameter.minimum is not None:
            expected = f"{parameter.minimum:g} to {parameter.maximum:g}"
            assert row["Range"].removesuffix(", odd") == expected, parameter.name
            if row["Range"].endswith(", odd"):
                from ivm_ros.nodes.grounding_parameters import check_values

                values = {other.name: other.default for other in parameters}
                with pytest.raises(ValueError, match="odd"):
                    check_values({**values, parameter.name: 2})
        elif isinstance(parameter.default, bool):
            assert row["Range"] == "true, false", parameter.name
        elif parameter.choices:
            assert row["Range"] == ", ".join(parameter.choices), parameter.name


def test_fills_are_those_that_exist():
    (row,) = [row for row in table(NODES["grounding"], "Parameters") if row["Name"] == "display.fill"]
    assert row["Range"] == ", ".join([*NAMED_FILLS, "mean", "#rrggbb"])


def test_transitions(ros):
    from rclpy.lifecycle import LifecycleNode

    callbacks = {name.removeprefix("on_") for name in dir(LifecycleNode) if name.startswith("on_")}
    documented = {row["Transition"] for row in table(NODES["grounding"], "Lifecycle")}
    assert documented == callbacks - {"error"}


def test_the_options_of_ivm_are_those_that_exist():
    pytest.importorskip("transformers", reason="needs the extra transformers")
    from ivm_ros.models.ivm.grounder import load

    parameters = inspect.signature(load).parameters.values()
    options = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    rows = table(DOCS / "ivm.md", "Use it")
    assert {row["Option"]: row["Default"] for row in rows} == {n: str(value) for n, value in options.items()}


# -- the example of masking recordings -------------------------------------------------------------


def test_a_recording_is_masked_as_the_node_does_it(tmp_path):
    (tmp_path / "in").mkdir()
    frames = [next(islice(load_clip().frames(), index, None)) for index in (0, 60)]
    for index, frame in enumerate(frames):
        write_image(tmp_path / "in" / f"{index}.png", frame)
    script = DOCS / "examples" / "mask_recording.py"
    words = "pick up the red cup"
    subprocess.run([sys.executable, script, tmp_path / "in", words, tmp_path / "out"], check=True)
    grounder = ivm_ros.load("ivm-tiny")
    for index, frame in enumerate(frames):
        picture = read_image(tmp_path / "out" / f"{index:06d}.png")
        np.testing.assert_array_equal(picture, render(frame, grounder(frame, words), RenderSettings()))
