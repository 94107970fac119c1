"""`ivm-ros` itself: its commands with their options, and how errors reach people."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer
from rich.console import Console
from rich.markup import escape

from ivm_ros.cli.train import train

app = typer.Typer(
    name="ivm-ros",
    help="Tell the robot's camera what matters: instructions in plain words, grounded in images.",
    epilog="Begin with: ivm-ros demo",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
)

OUTPUT = "ivm_ros_output"
"""The folder for results where none is named."""

Model = Annotated[str, typer.Option(help="Name of the model; `ivm-ros doctor` lists them.")]
Checkpoint = Annotated[
    Optional[Path],  # noqa: UP045 - typer reads this at run time, on Python 3.10 too
    typer.Option(help="The model's weights, a file or folder; else those that ship with it."),
]
OptionalFile = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(help="JSON file for the numbers; the demo's goes to its output folder by itself."),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 ...")]
Option = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--option", "-o", metavar="NAME=VALUE", help="The model's own options, one each time."),
]


@app.command()
def demo(
    headless: Annotated[bool, typer.Option(help="No window, even where there is a screen.")] = False,
    seconds: Annotated[float, typer.Option(min=1.0, help="How long to run.")] = 10.0,
    instruction: Annotated[str, typer.Option(help="What to find; else the clip's first instruction.")] = "",
    model: Model = "ivm-tiny",
    checkpoint: Checkpoint = None,
    device: Device = "auto",
    option: Option = None,
    source: Annotated[
        str, typer.Option(help="clip, a webcam's number, a video, a folder or a bag.")
    ] = "clip",
    tracker: Annotated[
        str, typer.Option(help="Carries answers onto newer frames: none, flow, video (docs/tracking.md).")
    ] = "none",
    grounding_rate: Annotated[
        float, typer.Option(min=0.0, help="With a tracker, ask the model so often a second; 0: all it can.")
    ] = 0.0,
    report: OptionalFile = None,
    output: Annotated[Path, typer.Option(help="For video, contact sheet and numbers.")] = Path(OUTPUT),
) -> None:
    """Run camera node and grounding node as processes on a real ROS 2 graph, and watch them work."""
    from ivm_ros.cli.choice import ModelChoice
    from ivm_ros.cli.demo import run_demo

    raise typer.Exit(
        run_demo(
            headless=headless,
            seconds=seconds,
            instruction=instruction,
            choice=ModelChoice(model, checkpoint, device, option or ()),
            source=source,
            tracking={"tracker": tracker, "grounding_rate": grounding_rate},
            report=report,
            output=output,
        )
    )


@app.command()
def ground(
    image: Annotated[Path, typer.Argument(help="The picture.")],
    instruction: Annotated[str, typer.Argument(help="What to find in it, in words.")],
    model: Model = "ivm-tiny",
    checkpoint: Checkpoint = None,
    device: Device = "auto",
    option: Option = None,
    output: Annotated[Path, typer.Option(help="Folder for the results.")] = Path(OUTPUT),
    mode: Annotated[str, typer.Option(help="How masked.png shows the target.")] = "highlight",
    as_json: Annotated[bool, typer.Option("--json", help="Print grounding.json and nothing else.")] = False,
) -> None:
    """Ground one instruction in one picture, and write masked image, mask, heatmap, overlay and JSON."""
    from ivm_ros.cli.choice import ModelChoice
    from ivm_ros.cli.ground import run_ground

    choice = ModelChoice(model, checkpoint, device, option or ())
    run_ground(image, instruction, choice, output, mode, as_json)


@app.command("eval")
def evaluate(
    dataset: Annotated[
        str,
        typer.Option(help="Folder with an index.jsonl, or with --root NAME:SPLIT (docs/datasets.md)."),
    ],
    root: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Folder that a published dataset lies in."),
    ] = None,
    model: Model = "ivm-tiny",
    checkpoint: Checkpoint = None,
    device: Device = "auto",
    option: Option = None,
    json: OptionalFile = None,
    report: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Folder for an HTML report; a run that was killed goes on from what is in it."),
    ] = None,
    strict: Annotated[bool, typer.Option(help="Stop at a bad record; else it is skipped and named.")] = False,
) -> None:
    """Measure a model on a dataset: gIoU, cIoU, Acc@0.5 of boxes, no-target accuracy."""
    from ivm_ros.cli.choice import ModelChoice
    from ivm_ros.cli.evaluate import run_eval

    run_eval(dataset, root, ModelChoice(model, checkpoint, device, option or ()), json, report, strict)


@app.command()
def label(
    source: Annotated[str, typer.Argument(help="A video, a folder of pictures, or a bag.")],
    folder: Annotated[Path, typer.Argument(help="For the dataset; the same again goes on where it was.")],
    instruction: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="What to ask about each frame; may be repeated, and added to later."),
    ] = None,
    model: Model = "ivm-tiny",
    checkpoint: Checkpoint = None,
    device: Device = "auto",
    option: Option = None,
    topic: Annotated[str, typer.Option(help="Of a bag with several image topics.")] = "",
    every: Annotated[float, typer.Option(min=0.0, help="Seconds between frames; 0: every frame.")] = 1.0,
    different: Annotated[
        float,
        typer.Option(min=0.0, help="Grey levels that some part of a frame must differ by; 0: take all."),
    ] = 12.0,
    most: Annotated[int, typer.Option(min=0, help="Frames at most; 0: all.")] = 0,
    validation: Annotated[
        float,
        typer.Option(min=0.0, max=0.5, help="Share of the time for FOLDER/validation; 0: one folder."),
    ] = 0.0,
    block: Annotated[
        float, typer.Option(min=0.1, help="Seconds that stay together on one side of that.")
    ] = 10.0,
    accept_all: Annotated[
        bool,
        typer.Option("--accept-all", help="No page: accept proposals from --score on; the rest is open."),
    ] = False,
    score: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Least existence that --accept-all accepts.")
    ] = 0.8,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page; 0: a free one.")] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page.")] = False,
) -> None:
    """Label frames on a local page: accept, fix or reject what a model proposes (docs/labelling.md)."""
    from ivm_ros.cli.choice import ModelChoice
    from ivm_ros.cli.label import run_label
    from ivm_ros.labelling.proposals import Choice

    run_label(
        source,
        folder,
        instruction or (),
        ModelChoice(model, checkpoint, device, option or ()),
        Choice(every, different, most, validation, block),
        topic=topic,
        accept_from=score if accept_all else None,
        port=port,
        browser=browser,
    )


@app.command()
def render(
    output: Annotated[Path, typer.Argument(help="New folder for the dataset.")],
    scenes: Annotated[int, typer.Option(min=1, help="How many scenes.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first scene.")] = 1_000_000,
    width: Annotated[int, typer.Option(min=64, max=4096)] = 640,
    height: Annotated[int, typer.Option(min=64, max=4096)] = 480,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    instances: Annotated[
        str, typer.Option(help="known: as in training; new: shapes, surfaces and lights that it never has.")
    ] = "known",
    wording: Annotated[
        str, typer.Option(help="usual, or paraphrased: plain and then in words that training never uses.")
    ] = "usual",
) -> None:
    """Render a tabletop dataset with instructions, masks, boxes and depth (needs the extra "sim")."""
    from ivm_ros.cli.render import run_render

    run_render(output, scenes, seed, (width, height), workers, instances, wording)


@app.command()
def bench(
    suites: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(metavar="[SUITE]...", help="Which to run; else all. docs/bench.md has a list."),
    ] = None,
    json: OptionalFile = None,
    long: Annotated[bool, typer.Option(help="Repeat until ratios are known to 2 %; minutes.")] = False,
    device: Device = "auto",
    size: Annotated[str, typer.Option(help="Of IVM with random weights: small or published.")] = "small",
    checkpoint: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Folder of IVM's weights, to measure those instead."),
    ] = None,
) -> None:
    """Time each way of doing a thing against a plain way, in turns, after checking that they agree."""
    from ivm_ros.bench.suite import Options
    from ivm_ros.cli.bench import run_bench

    raise typer.Exit(run_bench(suites or [], Options(device, size, checkpoint), long, json))


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(help="Folder with the model's released files.")],
    target: Annotated[Path, typer.Argument(help="New folder.")],
    model: Model = "ivm",
    dtype: Annotated[
        str, typer.Option(help="float32, float16 or bfloat16 for all large weights; else as released.")
    ] = "",
) -> None:
    """Make one safetensors folder of a published model's released files: smaller, faster to load, checked."""
    from ivm_ros.cli.convert import run_convert

    run_convert(source, target, model, dtype)


@app.command()
def export(
    checkpoint: Annotated[Path, typer.Argument(help="The model's weights, a file or folder.")],
    target: Annotated[Path, typer.Argument(help="New folder.")],
    model: Model = "instancevg",
) -> None:
    """Make graphs for ONNX Runtime of a model's weights, and check that they give PyTorch's results."""
    from ivm_ros.cli.export import run_export

    run_export(checkpoint, target, model)


@app.command()
def doctor(
    memory: Annotated[bool, typer.Option("--memory", help="Print which model runs where, instead.")] = False,
) -> None:
    """Say which ROS 2, device, packages, models and weights are usable, and what to do about the others."""
    from ivm_ros.cli.doctor import run_doctor
    from ivm_ros.cli.memory import print_memory

    raise typer.Exit(print_memory() if memory else run_doctor())


app.command()(train)


def main() -> None:
    """Run the command line; a mistake of the user's ends in one line, not in a traceback."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except (ValueError, OSError, ImportError) as error:
        Console(stderr=True).print(
            f"[bold red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True
        )
        sys.exit(2)
