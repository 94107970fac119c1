"""A tracker that is a network: SAM 2 (arXiv 2408.00714) or EdgeTAM (arXiv 2501.07256), by transformers.

The weights are a user's folder; nothing is downloaded, and only safetensors are read.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
import transformers

from ivm_ros.checkpoints import CheckpointError, read_text
from ivm_ros.grounding import Grounding, Image, Target, check_image
from ivm_ros.tracking.tracker import Carried, Tracker, remaining_existence

_CLASSES = {
    "sam2_video": ("Sam2VideoModel", "Sam2VideoInferenceSession"),
    "edgetam_video": ("EdgeTamVideoModel", "EdgeTamVideoInferenceSession"),
}
"""`model_type` of a folder's config.json -> transformers' classes."""

# ImageNet's, as both were trained with
_MEAN = np.array((0.485, 0.456, 0.406), np.float32)
_STD = np.array((0.229, 0.224, 0.225), np.float32)
_FEWEST_KEPT = 8  # frames of which a session keeps outputs, at least


@dataclass(frozen=True)
class VideoModel:
    """A network that the trackers of several cameras share; one call at a time."""

    network: Any
    session: Any
    device: torch.device
    lock: threading.Lock

    @property
    def size(self) -> int:
        """Side of the square pictures that it takes."""
        return int(self.network.config.image_size)

    @property
    def kept(self) -> int:
        """How many frames it looks back."""
        config = self.network.config
        return max(_FEWEST_KEPT, int(config.num_maskmem), int(config.max_object_pointers_in_encoder)) + 1


class VideoTracker(Tracker):
    """Carries masks on with a video segmentation network.

    An answer starts a new session at the remembered frame. The frames between that one and the newest are not
    shown to the network: it goes from one to the other directly, so the cost of a late answer is two frames.
    What a session remembers is bounded by what the network looks back at.

    A target is lost while the network says that it is not to be seen, and no longer when it says that it is.
    The heat is the network's own.
    """

    name = "video"

    def __init__(self, model: VideoModel, lost_rule: str = "drop") -> None:
        super().__init__(lost_rule)
        self._model = model
        self._number = -1
        self._newest: Image | None = None
        self._remembered: tuple[int, Image] | None = None
        self._session: Any = None
        self._key, self._groundings = -1, ()  # type: tuple[int, tuple[Grounding, ...]]
        self._last: list[Target] = []
        self._logits: npt.NDArray[np.float32] | None = None
        self._scores: npt.NDArray[np.float32] | None = None

    def see(self, image: Image) -> int:
        """Take the next frame, and run the network on it if something is followed."""
        check_image(image)
        if self._newest is not None and self._newest.shape != image.shape:
            self.forget()
        self._newest = image
        self._number += 1
        if self._session is not None:
            self._run(image, self._number)
        return self._number

    def remember(self) -> int:
        """Keep the newest frame.

        Raises:
            RuntimeError: no frame was seen since everything was forgotten.
        """
        if self._newest is None:
            raise RuntimeError("expected a frame to remember, but none was seen; call see() first")
        self._remembered = (self._number, self._newest)
        return self._number

    def adopt(self, number: int, groundings: Sequence[Grounding]) -> bool:
        """Follow these from the remembered frame on.

        Raises:
            ValueError: they are not of the frame's size.
        """
        if self._remembered is None or self._remembered[0] != number or self._newest is None:
            return False
        image = self._remembered[1]
        for grounding in groundings:
            if grounding.heatmap.shape != image.shape[:2]:
                raise ValueError(
                    f"expected groundings of shape {image.shape[:2]}, got {grounding.heatmap.shape}; "
                    "adopt what was made on the remembered frame"
                )
        self._key, self._groundings = number, tuple(groundings)
        self._last = [target for grounding in groundings for target in grounding.targets]
        self._session = self._logits = self._scores = None
        if self._last:
            self._session = self._new_session(number)
            self._run(image, number)
            if number != self._number:
                self._run(self._newest, self._number)
        return True

    def carried(self) -> Carried | None:
        """Return what is followed on the newest frame."""
        if self._key < 0 or self._newest is None:
            return None
        if self._key == self._number:
            full = tuple(tuple(1.0 for _ in grounding.targets) for grounding in self._groundings)
            return Carried(self._groundings, full, 0, self._key)
        collected, first, lost = [], 0, 0
        for grounding in self._groundings:
            last = first + len(grounding.targets)
            one, trust, missing = self._collect(grounding, range(first, last))
            collected.append((one, trust))
            first, lost = last, lost + missing
        return Carried(tuple(one for one, _ in collected), tuple(t for _, t in collected), lost, self._key)

    def forget(self) -> None:
        """Follow nothing, and forget all frames."""
        self._newest = self._remembered = self._session = self._logits = self._scores = None
        self._key, self._groundings, self._last = -1, (), []

    def _new_session(self, number: int) -> Any:
        model = self._model
        session = model.session(
            inference_device=model.device, inference_state_device=model.device, dtype=model.network.dtype
        )
        for index, target in enumerate(self._last):
            whole = target.mask.astype(np.float32)
            mask = cv2.resize(whole, (model.size, model.size), interpolation=cv2.INTER_AREA)
            session.obj_id_to_idx(index)
            session.add_mask_inputs(index, number, torch.from_numpy(mask >= 0.5)[None, None].float())
        session.obj_with_new_inputs = list(range(len(self._last)))
        return session

    @torch.inference_mode()
    def _run(self, image: Image, number: int) -> None:
        """Show the network a frame, and keep its answer."""
        model, session = self._model, self._session
        small = cv2.resize(image, (model.size, model.size), interpolation=cv2.INTER_AREA)
        pixels = (small.astype(np.float32) / np.float32(255.0) - _MEAN) / _STD
        frame = torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy()).to(model.device, model.network.dtype)
        with model.lock:
            session.video_height, session.video_width = image.shape[:2]
            answer = model.network(inference_session=session, frame=frame, frame_idx=number)
        self._logits = answer.pred_masks.float().cpu().numpy()[:, 0]
        self._scores = answer.object_score_logits.float().sigmoid().reshape(-1).cpu().numpy()
        _prune(session, number, model.kept)

    def _collect(self, source: Grounding, numbers: range) -> tuple[Grounding, tuple[float, ...], int]:
        """Return one grounding on the newest frame, the trust in its targets, and how many are lost."""
        height, width = source.heatmap.shape
        heat = np.zeros((height, width), np.float32)
        kept: list[tuple[Target, float]] = []
        lost = 0
        for number in numbers:
            target, found, trust = self._last[number], None, 0.0
            if self._logits is not None and self._scores is not None and self._scores[number] > 0.5:
                logits = cv2.resize(self._logits[number], (width, height), interpolation=cv2.INTER_LINEAR)
                found, trust = logits > 0, float(self._scores[number])
            if found is not None and found.any():
                self._last[number] = target = Target.from_mask(found, target.score, target.label)
                np.maximum(heat, 1.0 / (1.0 + np.exp(-np.clip(logits, -30, 30))), out=heat)
            else:
                lost, trust = lost + 1, 0.0
                if self.lost_rule != "hold":
                    continue
                np.maximum(heat, np.float32(target.score), out=heat, where=target.mask)
            kept.append((target, trust))
        targets = tuple(target for target, _ in kept)
        existence = remaining_existence(source, targets)
        return (
            Grounding(source.instruction, heat, targets, existence),
            tuple(trust for _, trust in kept),
            lost,
        )


def _prune(session: Any, number: int, kept: int) -> None:
    """Let a session forget what its network no longer looks at; it would keep every frame."""
    frames = session.processed_frames
    for old in [frame for frame in frames if frame < number - kept]:
        del frames[old]
    for frame in frames:
        if frame != number:
            frames[frame] = None  # it counts how many there were, and looks at no other than the newest
    for outputs in session.output_dict_per_obj.values():
        stored = outputs["non_cond_frame_outputs"]
        for old in [frame for frame in stored if frame < number - kept]:
            del stored[old]
    for tracked in session.frames_tracked_per_obj.values():
        for old in [frame for frame in tracked if frame < number - kept]:
            del tracked[old]


def load_model(folder: Path | None, device: torch.device) -> VideoModel:
    """Load a network from a folder as transformers writes it, with config.json and safetensors.

    Raises:
        CheckpointError: there is no folder, it holds another kind of model, or its weights do not fit.
        ImportError: the network needs a library that is not installed.
    """
    if folder is None or not (folder / "config.json").is_file():
        raise CheckpointError(
            f"expected a folder with config.json and model.safetensors of SAM 2 or EdgeTAM, got {folder}; "
            "fetch one, such as facebook/sam2.1-hiera-tiny, and name its folder"
        )
    try:
        kind = json.loads(read_text(folder / "config.json")).get("model_type")
    except (ValueError, AttributeError) as error:
        raise CheckpointError(f"expected JSON in {folder / 'config.json'}: {error}") from error
    if kind not in _CLASSES:
        raise CheckpointError(f"expected a model_type of {', '.join(_CLASSES)} in {folder}, got {kind!r}")
    network_class, session_class = (getattr(transformers, name) for name in _CLASSES[kind])
    try:
        network, report = network_class.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{folder} cannot be loaded: {error}") from error
    missing = sorted(report["missing_keys"]) + sorted(str(key) for key in report["mismatched_keys"])
    if missing:
        raise CheckpointError(f"expected all weights in {folder}, {len(missing)} are missing: {missing[:5]}")
    return VideoModel(network.eval().to(device), session_class, device, threading.Lock())
