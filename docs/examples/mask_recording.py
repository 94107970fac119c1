"""Mask recorded pictures as the node masks live ones, for training: the same functions, the same pixels.

python docs/examples/mask_recording.py episode.mp4 "pick up the red cup" masked/
"""

import sys
from pathlib import Path

import cv2
from rich.progress import track

import ivm_ros
from ivm_ros.rendering import RenderSettings, render
from ivm_ros.sources import open_source  # bags: ivm_ros.nodes.bag_source.open_bag

recording, instruction, folder = sys.argv[1:]
output = Path(folder)
output.mkdir(parents=True, exist_ok=True)
grounder = ivm_ros.load("ivm-tiny")
settings = RenderSettings(mode="highlight", fill="white")  # what the robot's display.* will say

for index, frame in enumerate(track(open_source(recording).play(), recording)):
    picture = render(frame.image, grounder(frame.image, instruction), settings)
    cv2.imwrite(str(output / f"{index:06d}.png"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
