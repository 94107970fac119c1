"""`ivm-ros ground`: one instruction in one picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console

from ivm_ros.cli.choice import ModelChoice
from ivm_ros.grounding import Grounding, Image
from ivm_ros.overlay import overlay
from ivm_ros.rendering import RenderSettings, render


def read_image(path: Path) -> Image:
    """Read a picture as (H, W, 3) uint8 RGB; ValueError where it is none."""
    if not path.is_file():
        raise ValueError(f"expected a picture at {path}, there is no such file")
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError(f"expected a picture that OpenCV can read, got {path}")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def write_image(path: Path, picture: np.ndarray) -> None:
    """Write (H, W), RGB or RGBA uint8 pixels as a picture."""
    codes = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
    pixels = picture if picture.ndim == 2 else cv2.cvtColor(picture, codes[picture.shape[2]])
    if not cv2.imwrite(str(path), pixels):
        raise OSError(f"cannot write {path}")


def grounding_json(grounding: Grounding) -> dict[str, Any]:
    """Return a grounding without its pictures as plain values."""
    width, height = grounding.size
    return {
        "instruction": grounding.instruction,
        "found": grounding.found,
        "existence": round(grounding.existence, 4),
        "image": {"width": width, "height": height},
        "targets": [
            {
                "box": [round(value, 2) for value in target.box],
                "point": list(target.point),
                "score": round(target.score, 4),
                "label": target.label,
                "pixels": int(np.count_nonzero(target.mask)),
            }
            for target in grounding.targets
        ],
    }


def run_ground(
    path: Path,
    instruction: str,
    choice: ModelChoice,
    output: Path,
    mode: str,
    as_json: bool,
) -> None:
    """Ground, write the five files into `output`, and say what was found."""
    settings = RenderSettings(mode=mode)
    image = read_image(path)
    grounding = choice.load()(image, instruction)
    output.mkdir(parents=True, exist_ok=True)
    write_image(output / "masked.png", render(image, grounding, settings))
    write_image(output / "mask.png", grounding.mask.view(np.uint8) * np.uint8(255))
    write_image(output / "heatmap.png", np.rint(grounding.heatmap * 255).astype(np.uint8))
    write_image(output / "overlay.png", overlay(image, [grounding]))
    text = json.dumps(grounding_json(grounding), indent=2)
    (output / "grounding.json").write_text(text + "\n")
    if as_json:
        print(text)
        return
    console = Console()
    if grounding.found:
        for target in grounding.targets:
            box = ", ".join(f"{value:.0f}" for value in target.box)
            console.print(f"[green]found[/] box ({box})  score {target.score:.2f}", highlight=False)
    else:
        console.print(f"[yellow]not found[/] (existence {grounding.existence:.2f})", highlight=False)
    console.print(f"pictures are in {output}/, see {output / 'overlay.png'}", highlight=False, soft_wrap=True)
