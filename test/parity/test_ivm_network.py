"""IVM's network, the plain way and the fast one, against the reference's numbers."""

from __future__ import annotations

import golden
import ivm_network
import pytest
import torch

from ivm_ros.checkpoints import load_strictly
from ivm_ros.models.ivm.discriminator import ConvDiscriminator, LmmDiscriminator, white_out
from ivm_ros.models.ivm.keys import canonical_names, canonical_state
from ivm_ros.models.ivm.language import image_tokens, read_instructions, read_prefix
from ivm_ros.models.ivm.postprocess import resize_logits
from ivm_ros.models.ivm.precision import PRECISIONS
from ivm_ros.models.ivm.preprocess import clip_pixels, sam_pixels, squash
from ivm_ros.models.ivm.weights import build
from ivm_ros.models.layers.lora import merge_lora


@pytest.fixture(scope="module")
def model(golden_root):
    golden.manifest(golden_root, "ivm")
    config, state = ivm_network.config(golden_root), ivm_network.merged_state(golden_root)
    return build(config, state, PRECISIONS["float32"], ivm_network.CPU)


def recorded(modules, run):
    """Return what modules put out while `run` runs, by name."""
    outputs = {}

    def keep(name):
        return lambda module, inputs, output: outputs.__setitem__(
            name, output[0] if isinstance(output, tuple) else output
        )

    handles = [module.register_forward_hook(keep(name)) for name, module in modules.items()]
    run()
    for handle in handles:
        handle.remove()
    return outputs


@torch.inference_mode()
def test_image_encoder(model, golden_root):
    case = golden.case(golden_root, "ivm", "sam_encoder")
    encoder = model.image_encoder
    case.assert_close(model.encode_image(case["in.pixels"]), "out.embedding")
    modules = {"mid.patch_embed": encoder.patch_embed}
    for index, layer in enumerate(encoder.layers):
        kind = "windowed" if layer.window_size else "global"
        modules[f"mid.block{index}"] = layer
        modules[f"mid.block{index}_{kind}_attn_out"] = layer.attn
    outputs = recorded(modules, lambda: model.encode_image(case["in.pixels"]))
    outputs["mid.after_pos_embed"] = outputs["mid.patch_embed"] + encoder.pos_embed
    checked = [name for name in case.tensors if name.startswith("mid.")]
    assert checked
    for name in checked:
        case.assert_close(outputs[name], name)


@torch.inference_mode()
def test_language_branch_the_plain_way(model, golden_root):
    case = golden.case(golden_root, "ivm", "llava_condition")
    inputs = case["in.pixel_values"], case["in.input_ids"], case["in.attention_mask"]
    encoder, real = model.prompt_encoder, case["in.attention_mask"] == 1
    case.assert_close(encoder(*inputs), "out.condition")
    hidden = encoder.hidden_states(*inputs)
    case.assert_close(hidden, "mid.last_hidden_state", where=real)
    case.assert_close(hidden[:, -2, None], "mid.selected_token")
    first = recorded({"first": encoder.model.language_model.layers[0]}, lambda: encoder(*inputs))
    case.assert_close(first["first"], "mid.hidden_after_layer0", where=real)


def split(case, item):
    """Return the ids of an item of a batch before and behind its picture."""
    ids = case["in.input_ids"][item][case["in.attention_mask"][item] == 1].tolist()
    image = case.config["image_token_id"]
    place, count = ids.index(image), ids.count(image)
    return ids[:place], ids[place + count :]


@torch.inference_mode()
def test_language_branch_the_fast_way(model, golden_root):
    case = golden.case(golden_root, "ivm", "llava_condition")
    encoder, pixels = model.prompt_encoder, case["in.pixel_values"]
    embeds = image_tokens(encoder, pixels)
    is_image = case["in.input_ids"] == case.config["image_token_id"]
    expected = case["mid.inputs_embeds"][is_image].view_as(embeds)
    torch.testing.assert_close(embeds, expected, rtol=case.rtol, atol=case.atol)
    alone = []
    for item in range(len(pixels)):
        before, after = split(case, item)
        prefix = read_prefix(encoder, pixels[item, None], before)
        assert prefix.length == len(before) + case.config["image_tokens_per_image"]
        alone.append(read_instructions(encoder, prefix, [after]))
    case.assert_close(torch.cat(alone), "out.condition")


@torch.inference_mode()
def test_instructions_on_one_picture_do_not_see_each_other(model, golden_root):
    case = golden.case(golden_root, "ivm", "llava_condition")
    before, first = split(case, 0)
    afters = [first, split(case, 1)[1], first[:2] + first]
    prefix = read_prefix(model.prompt_encoder, case["in.pixel_values"][:1], before)
    together = read_instructions(model.prompt_encoder, prefix, afters)
    alone = [read_instructions(model.prompt_encoder, prefix, [after]) for after in afters]
    torch.testing.assert_close(together, torch.cat(alone), rtol=case.rtol, atol=case.atol)


@torch.inference_mode()
def test_end_to_end(model, golden_root):
    case = golden.case(golden_root, "ivm", "end_to_end")
    side = case.config["img_size"]
    count = len(case["in.input_ids"])
    squashed = [squash(case.numpy(f"in.image{index}"), side) for index in range(count)]
    for index, picture in enumerate(squashed):
        assert (torch.from_numpy(picture) == case[f"in.image{index}_resized"]).all()
    pixels = torch.stack([sam_pixels(picture) for picture in squashed])
    case.assert_close(pixels, "mid.sam_input")
    inputs = case["in.pixel_values"], case["in.input_ids"], case["in.attention_mask"]
    logits = model(pixels, *inputs)
    case.assert_close(logits, "mid.lowres_logits")
    case.assert_close(resize_logits(logits, side, side), "out.logits")


@torch.inference_mode()
def test_end_to_end_the_fast_way(model, golden_root):
    case = golden.case(golden_root, "ivm", "end_to_end")
    language = golden.case(golden_root, "ivm", "llava_condition").config
    side, logits = case.config["img_size"], []
    for index in range(len(case["in.input_ids"])):
        features = model.encode_image(sam_pixels(squash(case.numpy(f"in.image{index}"), side))[None])
        ids = case["in.input_ids"][index][case["in.attention_mask"][index] == 1].tolist()
        place = ids.index(language["image_token_id"])
        after = ids[place + language["image_tokens_per_image"] :]
        prefix = read_prefix(model.prompt_encoder, case["in.pixel_values"][index, None], ids[:place])
        condition = read_instructions(model.prompt_encoder, prefix, [after])
        logits.append(resize_logits(model.decode(features, condition), side, side))
    case.assert_close(torch.cat(logits), "out.logits")
    case.assert_close(logits[0], "out.logits_single0")


@torch.inference_mode()
def test_lmm_discriminator(golden_root):
    case = golden.case(golden_root, "ivm", "llava_discriminator")
    config = ivm_network.config(golden_root, "llava_discriminator")
    judge = LmmDiscriminator(config, head_dim=case.config["discriminator_head"][1]).eval()
    wrapped = {"model.": "prompt_encoder.model."}  # the names that the rules know
    state = {
        next((new + key.removeprefix(old) for old, new in wrapped.items() if key.startswith(old)), key): value
        for key, value in case.state().items()
    }
    merged = merge_lora(canonical_state(state), config.lora.scale)
    own = canonical_names(
        f"prompt_encoder.{key}" if key.startswith("model.") else key for key in judge.state_dict()
    )
    load_strictly(
        judge, {own[name].removeprefix("prompt_encoder."): tensor for name, tensor in merged.items()}
    )
    condition, logit = judge(case["in.pixel_values"], case["in.input_ids"], case["in.attention_mask"])
    case.assert_close(condition, "out.condition")
    case.assert_close(logit, "out.discriminator_logit")


def test_masked_pictures_of_the_discriminator(golden_root):
    case = golden.case(golden_root, "ivm", "llava_discriminator")
    names = [name for name in case.tensors if name.startswith("in.mask")]
    assert names
    for name in names:
        index = name.removeprefix("in.mask")
        masked = white_out(case.numpy(f"in.image{index}"), case.numpy(name))
        case.assert_close(masked, f"mid.masked_image{index}", atol=0.0)


@torch.inference_mode()
def test_conv_discriminator(golden_root):
    case = golden.case(golden_root, "ivm", "conv_discriminator")
    config = case.config
    judge = ConvDiscriminator(
        channels=config["transformer_dim"],
        depth=config["depth"],
        heads=config["num_heads"],
        mlp_dim=config["mlp_dim"],
        mask_channels=config["mask_in_chans"],
    ).eval()
    load_strictly(judge, case.state("discriminator."))
    # What was recorded is the reference's second call, with an empty mask: the score stayed the same.
    case.assert_close(judge.downscale(torch.zeros_like(case["in.mask"])), "mid.mask_downscaled_unused")
    case.assert_close(judge(case["in.image_embeddings"], case["in.condition"]), "out.score")


def test_preprocessing(golden_root):
    case = golden.case(golden_root, "ivm", "preprocess")
    squashed = squash(case.numpy("in.image"), 1024)
    sam, clip = sam_pixels(squashed), clip_pixels(squashed, 336)
    case.assert_close(squashed[::32, ::32], "mid.resized1024_stride32", atol=1.0)
    case.assert_close(sam[:, ::32, ::32], "out.sam_input_stride32")
    case.assert_close(clip[:, ::8, ::8], "out.clip_input_stride8")
    for pixels, name in ((sam, "out.sam_input_mean_std"), (clip, "out.clip_input_mean_std")):
        case.assert_close(torch.stack([pixels.mean((1, 2)), pixels.std((1, 2))]), name)
