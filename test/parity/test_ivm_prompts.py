"""The prompts that IVM was trained with, to the letter (spec section 4)."""

from __future__ import annotations

import golden
import pytest

from ivm_ros.models.ivm.prompt import TEMPLATES


def test_templates(golden_root):
    expected = golden.manifest(golden_root, "ivm")["prompt_templates_checked"]
    assert {name: TEMPLATES[name].format("XX") for name in expected} == expected


@pytest.mark.parametrize(
    ("file", "templates"),
    [("llava_condition", ["policy"]), ("llava_discriminator", ["complex_policy", "discriminator"])],
)
def test_prompts(golden_root, file, templates):
    config = golden.entry(golden_root, "ivm", file)["config"]
    prompts = [TEMPLATES[name].format(words) for name in templates for words in config["instructions"]]
    assert prompts == config["prompts"]
