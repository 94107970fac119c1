"""The tracker that needs nothing but OpenCV: dense flow at a reduced size, shared by all instructions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ivm_ros.grounding import Grounding, Heatmap, Image, Target, check_image
from ivm_ros.tracking.anchor import Anchor
from ivm_ros.tracking.dense import DenseFlow, look_along
from ivm_ros.tracking.full_size import Window, carried_heat, carried_target
from ivm_ros.tracking.picture import Picture, difference
from ivm_ros.tracking.track import Limits, Track
from ivm_ros.tracking.tracker import Carried, Tracker, remaining_existence

_SAME = 20.0  # grey levels up to which a pixel shows what it showed a frame ago
_CUT = 0.7  # share of the pixels that show it; with less, another scene has begun
_FINE, _COARSE = 0, 1  # scales at which a target and a whole picture are searched


@dataclass(eq=False)
class _Followed:
    """An instruction's grounding with its tracks.

    Attributes:
        source: on the key frame.
        tracks: one per target.
        heat: the key's, without that of targets that are lost and dropped.
        small: the same on the small picture.
        cleared: how many targets it is without.
        last: the newest target that was trusted, for each track.
    """

    source: Grounding
    tracks: list[Track]
    heat: Heatmap
    small: Heatmap
    cleared: int
    last: list[Target]


class FlowTracker(Tracker):
    """Carries groundings along dense optical flow, on a CPU.

    Args:
        lost_rule: of `LOST_RULES`.
        side: of the small pictures on which flow is searched, the longer one, in pixels.
        limits: when a target is lost.

    Raises:
        ValueError: the side is less than 64.
    """

    name = "flow"

    def __init__(self, lost_rule: str = "drop", side: int = 320, limits: Limits | None = None) -> None:
        super().__init__(lost_rule)
        if side < 64:
            raise ValueError(f"expected small pictures with a side of at least 64 pixels, got {side}")
        self._side, self._limits = side, limits or Limits()
        self._coarse, self._fine = DenseFlow(_COARSE), DenseFlow(_FINE)
        self._number = -1
        self._shape = (0, 0)
        self._newest: Picture | None = None
        self._key: Anchor | None = None
        self._remembered: Anchor | None = None
        self._followed: list[_Followed] = []
        self._carried: Carried | None = None
        self._carried_by = ""

    def see(self, image: Image) -> int:
        """Take the next frame, and carry everything onto it."""
        shape = check_image(image).shape[:2]
        if shape != self._shape:
            self.forget()
            self._shape = (shape[0], shape[1])
        before, self._newest = self._newest, Picture.of(image, self._side)
        self._number += 1
        self._carried = None
        if before is not None:
            self._step(before, self._newest)
        return self._number

    def remember(self) -> int:
        """Keep the newest frame.

        Raises:
            RuntimeError: no frame was seen since everything was forgotten.
        """
        if self._newest is None:
            raise RuntimeError("expected a frame to remember, but none was seen; call see() first")
        self._remembered = Anchor(self._number, self._newest, self._shape)
        return self._number

    def adopt(self, number: int, groundings: Sequence[Grounding]) -> bool:
        """Follow these from the remembered frame on.

        Raises:
            ValueError: they are not of the frame's size.
        """
        anchor = self._remembered
        if anchor is None or anchor.number != number or self._newest is None:
            return False
        for grounding in groundings:
            if grounding.heatmap.shape != self._shape:
                raise ValueError(
                    f"expected groundings of shape {self._shape}, got {grounding.heatmap.shape}; "
                    "adopt what was made on the remembered frame"
                )
        self._key, self._carried = anchor, None
        self._followed = [self._start(grounding, anchor) for grounding in groundings]
        if anchor.number != self._number:
            self._update(anchor, self._newest)
        return True

    def carried(self) -> Carried | None:
        """Return what is followed on the newest frame; the same objects until the next one is seen."""
        if self._key is None:
            return None
        if self._carried is None or self._carried_by != self.lost_rule:
            self._carried, self._carried_by = self._collect(self._key), self.lost_rule
        return self._carried

    def forget(self) -> None:
        """Follow nothing, and forget all frames."""
        self._shape = (0, 0)
        self._newest = self._key = self._remembered = self._carried = None
        self._followed = []

    def _step(self, before: Picture, newest: Picture) -> None:
        """Carry the anchors from one picture to the next, and find the targets there."""
        anchors = [self._key] if self._key is not None else []
        if self._remembered is not None and self._remembered is not self._key:
            anchors.append(self._remembered)
        if not anchors:
            return
        back = self._coarse(newest.gray, before.gray)
        same = difference(newest.color, look_along(back, before.color)) < _SAME
        cut = float(same.mean()) < _CUT
        for anchor in anchors:
            anchor.cut = anchor.cut or cut
            anchor.step(back, same.astype(np.float32))
        if self._remembered is not None and self._remembered is not self._key:
            self._remembered.settle(newest, self._coarse)
        if self._key is not None:
            self._update(self._key, newest)

    def _start(self, grounding: Grounding, anchor: Anchor) -> _Followed:
        height, width = anchor.picture.gray.shape
        small = cv2.resize(grounding.heatmap, (width, height), interpolation=cv2.INTER_AREA)
        tracks = [Track(target, anchor) for target in grounding.targets]
        return _Followed(grounding, tracks, grounding.heatmap, small, 0, list(grounding.targets))

    def _update(self, anchor: Anchor, newest: Picture) -> None:
        for track in (track for followed in self._followed for track in followed.tracks):
            if anchor.cut:
                track.lose()
            if not track.lost:
                track.update(anchor, newest, self._fine, self._limits)

    def _collect(self, key: Anchor) -> Carried:
        collected = [self._collect_one(followed, key) for followed in self._followed]
        return Carried(
            groundings=tuple(grounding for grounding, _ in collected),
            trust=tuple(trust for _, trust in collected),
            lost=sum(track.lost for followed in self._followed for track in followed.tracks),
            key=key.number,
        )

    def _collect_one(self, followed: _Followed, key: Anchor) -> tuple[Grounding, tuple[float, ...]]:
        """Put together one instruction's grounding on the newest frame, and the trust in its targets."""
        if key.number == self._number:
            return followed.source, tuple(1.0 for _ in followed.tracks)
        windows = []
        for index, track in enumerate(followed.tracks):
            if track.lost or track.region is None:
                continue
            window = Window(key, track.region)
            target = carried_target(track, window, self._shape)
            if target is None:
                track.lose()
                continue
            followed.last[index] = target
            windows.append(window)
        kept = [
            (target, track.trust)
            for target, track in zip(followed.last, followed.tracks, strict=True)
            if not track.lost or self.lost_rule == "hold"
        ]
        targets = tuple(target for target, _ in kept)
        grounding = Grounding(
            instruction=followed.source.instruction,
            heatmap=self._heat(followed, key, windows),
            targets=targets,
            existence=remaining_existence(followed.source, targets),
        )
        return grounding, tuple(trust for _, trust in kept)

    def _heat(self, followed: _Followed, key: Anchor, windows: list[Window]) -> Heatmap:
        """Return the heat on the newest frame: none of targets that are dropped, the last of those held."""
        lost = [index for index, track in enumerate(followed.tracks) if track.lost]
        if key.cut:
            heat = np.zeros(self._shape, np.float32)
        else:
            _clear_lost(followed)
            heat = carried_heat(followed.heat, followed.small, key, windows)
        if self.lost_rule == "hold":
            for index in lost:
                target = followed.last[index]
                np.maximum(heat, np.float32(target.score), out=heat, where=target.mask)
        return heat


def _clear_lost(followed: _Followed) -> None:
    """Take the heat of lost targets out of what is carried on, but not that of others beside them."""
    lost = [track for track in followed.tracks if track.lost]
    if len(lost) == followed.cleared:
        return
    followed.cleared = len(lost)
    gone = np.maximum.reduce([track.small for track in lost])
    gone = cv2.dilate(gone, np.ones((7, 7), np.uint8))
    for track in followed.tracks:
        if not track.lost:
            gone = np.where(track.small > 0, np.float32(0), gone)
    height, width = followed.heat.shape
    followed.small = np.where(gone > 0, np.float32(0), followed.small)
    kept = cv2.resize((gone == 0).astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    followed.heat = followed.heat * kept.astype(np.float32)


def load(
    lost_rule: str = "drop", *, side: int = 320, visible: float = 0.05, inside: float = 0.1
) -> FlowTracker:
    """Make a flow tracker for the registry.

    Args:
        lost_rule: of `LOST_RULES`.
        side: of the small pictures on which flow is searched, in pixels.
        visible: a target is lost when less of it than this share can be seen.
        inside: a target is lost when less of it than this share is in the image.
    """
    return FlowTracker(lost_rule, side, Limits(visible, inside))
