"""What the demo shows: a live window where there is a screen, else a video and a contact sheet."""

from __future__ import annotations

import importlib
import os
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ivm_ros.grounding import Image

_SHEET_ROWS, _SHEET_COLUMNS = 4, 2


class Album:
    """Keeps the newest pictures; side by side they are one frame of video.

    Args:
        path: the video to write.
        fps: the video's rate.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self._path = path
        self._fps = fps
        self._lock = threading.Lock()
        self._newest: dict[str, Image] = {}
        self._video: cv2.VideoWriter | None = None
        self._frames: list[Image] = []
        self._every = 1  # of how many frames one is kept for the contact sheet
        self._count = 0

    def add(self, topic: str, picture: Image) -> None:
        """Take a picture; an overlay completes a frame."""
        with self._lock:
            self._newest[topic] = picture
            if topic == "overlay":
                self._append(self.side_by_side())

    def newest(self) -> Image | None:
        """Return the newest frame, or None before the first."""
        with self._lock:
            return self.side_by_side() if "overlay" in self._newest else None

    def side_by_side(self) -> Image:
        """Return overlay and masked image beside each other; the caller holds the lock."""
        overlay = self._newest["overlay"]
        masked = self._newest.get("masked_image", np.zeros_like(overlay))
        if masked.shape != overlay.shape:  # cropped to the target
            masked = cv2.resize(masked, overlay.shape[1::-1])
        return np.hstack((overlay, masked))

    def _append(self, frame: Image) -> None:
        if self._video is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            code = cv2.VideoWriter.fourcc(*"mp4v")
            self._video = cv2.VideoWriter(str(self._path), code, self._fps, frame.shape[1::-1])
        self._video.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        if self._count % self._every == 0:
            self._frames.append(cv2.resize(frame, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
            if len(self._frames) >= 2 * _SHEET_ROWS * _SHEET_COLUMNS:
                self._frames = self._frames[::2]
                self._every *= 2
        self._count += 1

    def clear(self) -> None:
        """Drop what was kept for the contact sheet."""
        with self._lock:
            self._frames.clear()
            self._count, self._every = 0, 1

    def close(self, sheet: Path) -> bool:
        """Finish the video and write the contact sheet; return whether there was anything to write."""
        with self._lock:
            if self._video is not None:
                self._video.release()
            wanted = _SHEET_ROWS * _SHEET_COLUMNS
            if not self._frames:
                return False
            chosen = np.linspace(0, len(self._frames) - 1, wanted).round().astype(int)
            tiles = [self._frames[index] for index in chosen]
        rows = [np.hstack(tiles[i : i + _SHEET_COLUMNS]) for i in range(0, wanted, _SHEET_COLUMNS)]
        sheet.parent.mkdir(parents=True, exist_ok=True)
        return bool(cv2.imwrite(str(sheet), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)))


class Window:
    """A live window, made with Tk, which comes with Python: OpenCV's headless build has none."""

    def __init__(self, title: str) -> None:
        self._tk: Any = importlib.import_module("tkinter")
        self._root = self._tk.Tk()
        self._root.title(title)
        self._label = self._tk.Label(self._root)
        self._label.pack()
        self.closed = False
        self._root.protocol("WM_DELETE_WINDOW", self._close)

    def _close(self) -> None:
        self.closed = True

    def show(self, picture: Image) -> None:
        """Show an (H, W, 3) RGB picture and handle the window's events."""
        height, width = picture.shape[:2]
        data = b"P6 %d %d 255 " % (width, height) + picture.tobytes()
        photo = self._tk.PhotoImage(data=data, format="PPM")
        self._label.configure(image=photo)
        self._label.image = photo  # Tk keeps no reference of its own
        self._root.update()

    def destroy(self) -> None:
        """Close the window."""
        self._root.destroy()


def open_window(title: str) -> tuple[Window | None, str]:
    """Return a window, or None and why there is none."""
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return None, "no screen"
    try:
        return Window(title), ""
    except Exception as error:  # no tkinter, or a display that refuses us
        return None, f"no window: {error}"
