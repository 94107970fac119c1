"""Tracking on rendered clips in which camera and objects move: IoU with the truth at publish time.

MUJOCO_GL=osmesa python benchmarks/tracking_clips.py OUT --clips 8 --seed 100

Renders seeded clips of four kinds (see `ivm_ros.datasets.tabletop.moving_clip`), then simulates a model that
answers a second late: `ivm-tiny`, and one that knows the truth. OUT gets the clips, `tracking.json`,
`tracking.png` (IoU over time) and `frames/` with what was published. Clips that are in OUT are not rendered
again. Seeds 0 to 7 were looked at when the tracker was made.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ivm_ros.bench.slow_model import WAYS, Curves, Model, perfect, simulate
from ivm_ros.clip import Clip, load_clip
from ivm_ros.datasets.tabletop.moving_clip import FPS, SIZE, STORIES, draw_moving_scene
from ivm_ros.datasets.tabletop.opengl import mujoco
from ivm_ros.datasets.tabletop.pool import build_pool
from ivm_ros.datasets.tabletop.renderer import PoolRenderer
from ivm_ros.datasets.tabletop.write_clip import write_clip
from ivm_ros.grounding import Grounding, Image, Mask
from ivm_ros.models import load
from ivm_ros.overlay import overlay
from ivm_ros.tracking.registry import load_tracker
from ivm_ros.tracking.tracker import Carried

CLIPS_PER_POOL = 8
POOLS = 900  # pools that no training scene is drawn from
COLORS = {"no tracking": (60, 60, 200), "tracking": (40, 150, 40), "every frame": (200, 110, 30)}  # BGR
SHOWN = (1.3, 1.9, 2.5, 3.1)  # seconds of the frames that are written as pictures


def render(folder: Path, seeds: Sequence[int], frames: int) -> list[Path]:
    """Render the clips that are not there yet; return their folders."""
    wanted = {seed: folder / f"{seed:04d}_{STORIES[seed % len(STORIES)]}" for seed in seeds}
    missing = [seed for seed in seeds if not (wanted[seed] / "clip.json").exists()]
    gl, pool_number, renderer = mujoco.GLContext(*SIZE), None, None
    gl.make_current()
    for seed in track(missing, "rendering clips"):
        number = POOLS + seed // CLIPS_PER_POOL
        if renderer is None or number != pool_number:
            pool_number, renderer = number, PoolRenderer(build_pool(number, SIZE), SIZE)
        scene = draw_moving_scene(renderer.pool, renderer, seed, STORIES[seed % len(STORIES)], frames / FPS)
        views = ((view.image, view.instances) for view in scene.frames(renderer, frames))
        names = {found[0]: text.removeprefix("the ") for text, found in scene.instructions.items()}
        write_clip(wanted[seed], views, SIZE, FPS, scene.camera(0.0).fovy, names, scene.instructions)
    if renderer is not None:
        renderer.close()
    gl.free()
    return list(wanted.values())


def measure(clip: Clip, model_of: Callable[[Sequence[str], Any], Model], pictures: Path | None) -> Curves:
    """Simulate one clip with a model that answers a second late."""
    instructions = [text for text, found in clip.instructions.items() if found]

    def truth(number: int) -> list[Mask]:
        return [clip.truth(number, text) for text in instructions]

    shown = {round(second * clip.fps) for second in SHOWN}

    def watch(number: int, image: Image, carried: Carried) -> None:
        if pictures is None or number not in shown:
            return
        picture = overlay(image, carried.groundings, f"frame {number}, made on {carried.key}")
        for mask in truth(number):
            outlines, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(picture, outlines, -1, (255, 255, 255), 1)
        cv2.imwrite(f"{pictures}_{number:03d}.jpg", picture[..., ::-1])

    model = model_of(instructions, truth)
    return simulate(clip.frames(), truth, model, load_tracker("flow")(), round(clip.fps), watch)


def draw(curves: dict[str, list[Curves]], path: Path) -> None:
    """Draw the mean IoU over time of each model, the three ways in one panel."""
    width, height, edge = 900, 330, 50
    panels = []
    for model, of_clips in curves.items():
        panel = np.full((height + 2 * edge, width + 2 * edge, 3), 255, np.uint8)
        first = of_clips[0].first
        for level in range(6):
            y = edge + height - round(height * level / 5)
            cv2.line(panel, (edge, y), (edge + width, y), (220, 220, 220), 1)
            cv2.putText(
                panel, f"{level / 5:.1f}", (12, y + 5), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (90, 90, 90), 1
            )
        title = f"mean IoU at publish time over seconds: {model}, answers after 1 s, {len(of_clips)} clips"
        cv2.putText(panel, title, (edge, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (0, 0, 0), 1, cv2.LINE_AA)
        for index, way in enumerate(WAYS):
            rows = np.concatenate([one.array(way) for one in of_clips], axis=1)
            values = np.nanmean(rows, axis=1)
            xs = edge + width * np.arange(len(values)) / max(1, len(values) - 1)
            line = np.stack([xs, edge + height * (1 - values)], axis=1).round().astype(np.int32)
            cv2.polylines(panel, [line], False, COLORS[way], 2, cv2.LINE_AA)
            at = (edge + 10 + 250 * index, height + 2 * edge - 8)
            label = f"{way}: {np.nanmean(rows):.3f}"
            cv2.putText(panel, label, at, cv2.FONT_HERSHEY_SIMPLEX, 0.55, COLORS[way], 1, cv2.LINE_AA)
        for frame in range(0, len(values), FPS):
            x = edge + round(width * frame / max(1, len(values) - 1))
            text = f"{(first + frame) / FPS:.0f} s"
            at = (x - 8, edge + height + 18)
            cv2.putText(panel, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (90, 90, 90), 1)
        panels.append(panel)
    cv2.imwrite(str(path), np.vstack(panels))


def main(
    out: Path,
    clips: Annotated[int, typer.Option(min=1, help="how many")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="of the first clip")] = 100,
    frames: Annotated[int, typer.Option(min=60, help="of each clip, at 30 per second")] = 150,
) -> None:
    """Render clips, simulate a slow model on them, and print, write and draw how good each way is."""
    folders = render(out / "clips", range(seed, seed + clips), frames)
    (out / "frames").mkdir(parents=True, exist_ok=True)
    grounder = load("ivm-tiny", device="cpu")

    def tiny(instructions: Sequence[str], truth: Any) -> Model:
        def answer(number: int, image: Image) -> tuple[Grounding, ...]:
            return tuple(grounder.ground_many(grounder.encode(image), instructions))

        return answer

    def true(instructions: Sequence[str], truth: Any) -> Model:
        return perfect(truth, instructions)

    curves: dict[str, list[Curves]] = {"ivm-tiny": [], "truth": []}
    for folder in track(folders, "simulating"):
        clip = load_clip(folder)
        curves["ivm-tiny"].append(measure(clip, tiny, None))
        curves["truth"].append(measure(clip, true, out / "frames" / folder.name))
    results: dict[str, Any] = {}
    for model, of_clips in curves.items():
        table = Table("clip", *WAYS, "tracking / every frame", title=f"mean IoU at publish time, {model}")
        for folder, one in zip([*folders, None], [*of_clips, None], strict=True):
            of_row = of_clips if one is None else [one]
            means = [
                float(np.nanmean(np.concatenate([each.array(way).ravel() for each in of_row])))
                for way in WAYS
            ]
            name = "all" if folder is None else folder.name
            table.add_row(name, *(f"{mean:.3f}" for mean in means), f"{means[1] / means[2]:.3f}")
            results[f"{model}/{name}"] = dict(zip(WAYS, means, strict=True)) | {"ratio": means[1] / means[2]}
        Console().print(table)
    (out / "tracking.json").write_text(json.dumps(results, indent=1) + "\n")
    draw(curves, out / "tracking.png")


if __name__ == "__main__":
    typer.run(main)
