"""SAM 2's video network behind the tracker's interface, tiny and with random weights."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("transformers")

import torch
from transformers import Sam2VideoConfig, Sam2VideoModel

from ivm_ros.checkpoints import CheckpointError
from ivm_ros.grounding import Grounding, Target
from ivm_ros.tracking.registry import load_tracker
from ivm_ros.tracking.tracker import LOST_RULES
from ivm_ros.tracking.video import VideoTracker

HEIGHT, WIDTH = 96, 128
SIDE = 128


def tiny_config() -> Sam2VideoConfig:
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": 16,
        "num_attention_heads": 1,
        "blocks_per_stage": [1, 2, 2, 1],
        "embed_dim_per_stage": [16, 32, 64, 128],
        "num_attention_heads_per_stage": [1, 1, 2, 2],
        "window_size_per_stage": [8, 4, 4, 4],
        "window_positional_embedding_background_size": [4, 4],
        "global_attention_blocks": [4],
        "image_size": [SIDE, SIDE],
    }
    return Sam2VideoConfig(
        vision_config={
            "model_type": "sam2_vision_model",
            "backbone_config": backbone,
            "backbone_channel_list": [128, 64, 32, 16],
            "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]],
            "fpn_hidden_size": 128,
        },
        prompt_encoder_config={"hidden_size": 128, "image_size": SIDE},
        mask_decoder_config={"hidden_size": 128, "mlp_dim": 32, "iou_head_hidden_dim": 32},
        image_size=SIDE,
        memory_attention_hidden_size=128,
        memory_attention_feed_forward_hidden_size=32,
        memory_attention_num_layers=1,
        memory_attention_rope_feat_sizes=[8, 8],
        memory_encoder_hidden_size=128,
        memory_encoder_output_channels=64,
        mask_downsampler_embed_dim=128,
        memory_fuser_embed_dim=128,
        memory_fuser_intermediate_dim=32,
        memory_fuser_num_layers=1,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("video")
    Sam2VideoModel(tiny_config()).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def make(folder):
    return load_tracker("video", folder, "cpu")


def image(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)


def answer() -> Grounding:
    masks = np.zeros((2, HEIGHT, WIDTH), bool)
    masks[0, 20:60, 30:70] = masks[1, 40:80, 80:120] = True
    targets = tuple(Target.from_mask(mask, score) for mask, score in zip(masks, (0.9, 0.6), strict=True))
    return Grounding("two things", masks.any(axis=0).astype(np.float32), targets, 0.8)


@pytest.mark.parametrize("rule", LOST_RULES)
def test_it_runs_and_answers_validly(make, rule) -> None:
    tracker = make()
    tracker.lost_rule = rule
    assert tracker.carried() is None
    tracker.see(image(0))
    number = tracker.remember()
    tracker.see(image(1))
    assert not tracker.adopt(number + 1, [answer()])
    assert tracker.adopt(number, [answer()])
    for seed in range(2, 6):
        assert tracker.see(image(seed)) == seed
        result = tracker.carried()
        (one,) = result.groundings
        assert one.heatmap.shape == (HEIGHT, WIDTH) and result.key == number
        assert 0 <= one.existence <= 0.8
        assert len(one.targets) == (2 - result.lost if rule == "drop" else 2)


def test_the_frame_itself_gives_back_what_was_adopted(make) -> None:
    tracker = make()
    tracker.see(image(0))
    assert tracker.adopt(tracker.remember(), [answer(), answer()])
    result = tracker.carried()
    assert result.trust == ((1.0, 1.0), (1.0, 1.0)) and result.lost == 0


@pytest.mark.parametrize("rule", LOST_RULES)
def test_what_the_network_no_longer_sees_is_lost_by_the_rule(make, rule, monkeypatch) -> None:
    tracker = make()
    tracker.lost_rule = rule
    tracker.see(image(0))
    tracker.adopt(tracker.remember(), [answer()])
    tracker.see(image(1))
    shown = np.full((2, 8, 8), -5.0, np.float32)
    shown[1, 2:6, 2:6] = 5.0
    monkeypatch.setattr(tracker, "_logits", shown)
    monkeypatch.setattr(tracker, "_scores", np.array([0.1, 0.9], np.float32))
    result = tracker.carried()
    assert result.lost == 1
    (one,) = result.groundings
    if rule == "drop":
        assert [target.score for target in one.targets] == [0.6]
        assert one.existence == pytest.approx(0.8 * 0.6 / 0.9)
    else:
        assert [target.score for target in one.targets] == [0.9, 0.6] and one.existence == 0.8
        np.testing.assert_array_equal(one.targets[0].mask, answer().targets[0].mask)
        assert result.trust[0][0] == 0.0


def test_a_session_does_not_grow(make) -> None:
    def tensors(tracker: VideoTracker) -> tuple[int, int]:
        session = tracker._session
        outputs = [stored for one in session.output_dict_per_obj.values() for stored in one.values()]
        return sum(map(len, outputs)), sum(frame is not None for frame in session.processed_frames.values())

    tracker = make()
    tracker.see(image(0))
    tracker.adopt(tracker.remember(), [answer()])
    counts = []
    for seed in range(1, 61):
        tracker.see(image(seed % 5))
        counts.append(tensors(tracker))
    assert counts[-1] == counts[-20] and counts[-1][1] == 1
    assert len(tracker._session.processed_frames) <= tracker._model.kept + 1
    assert max(map(len, tracker._session.frames_tracked_per_obj.values())) <= tracker._model.kept + 1


def test_cameras_share_the_network_and_nothing_else(make) -> None:
    one, two = make(), make()
    one.see(image(0))
    one.adopt(one.remember(), [answer()])
    assert one._model is two._model and two.carried() is None
    assert one.see(image(0)[:50]) == 1 and one.carried() is None


def test_nothing_to_follow_needs_no_network(make) -> None:
    tracker = make()
    tracker.see(image(0))
    nothing = Grounding("it", np.zeros((HEIGHT, WIDTH), np.float32), (), 0.1)
    tracker.adopt(tracker.remember(), [nothing])
    tracker.see(image(1))
    assert tracker.carried().groundings[0].targets == () and tracker._session is None
    with pytest.raises(ValueError, match="expected groundings of shape"):
        tracker.adopt(tracker.remember(), [Grounding("it", np.zeros((5, 5), np.float32), (), 0.1)])


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (None, "expected a folder with config.json"),
        ("{", "expected JSON"),
        (json.dumps({"model_type": "bert"}), "sam2_video, edgetam_video .*'bert'"),
        (json.dumps({"model_type": "sam2_video"}), "cannot be loaded"),
    ],
)
def test_folders_that_cannot_be_loaded_are_refused(tmp_path, config, words) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    with pytest.raises(CheckpointError, match=words):
        load_tracker("video", tmp_path, "cpu")


def test_a_missing_library_names_the_extra(monkeypatch, tmp_path) -> None:
    import sys

    monkeypatch.delitem(sys.modules, "ivm_ros.tracking.video", raising=False)
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ImportError, match=r"ivm-ros\[transformers\]"):
        load_tracker("video", tmp_path, "cpu")
