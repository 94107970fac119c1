"""Checkpoints from anywhere: no code of theirs runs, and no size that they claim is believed."""

from __future__ import annotations

import ast
import io
import json
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import ivm_ros
from ivm_ros.checkpoints import CheckpointError, check_file_size, read_state_dict, read_text
from ivm_ros.models.ivm_tiny.config import TinyConfig
from ivm_ros.models.limits import MAX_TEXT, read_sizes

PACKAGE = Path(ivm_ros.__file__).parent


class Code:
    """What a pickle can hold: a call of any function, made while it is read."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return Path.touch, (self.file,)


def torch_zip(path, state, change=None, compression=zipfile.ZIP_STORED):
    """Write a torch file again, its records changed or compressed."""
    saved = io.BytesIO()
    torch.save(state, saved)
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(path, "w", compression) as new:
        for item in old.infolist():
            data = old.read(item)
            new.writestr(item.filename, change(item.filename, data) if change else data)


@pytest.mark.parametrize("legacy", [False, True])
def test_no_code_of_a_torch_file_runs(tmp_path, legacy):
    path, touched = tmp_path / "x.pt", tmp_path / "touched"
    state = {"weight": torch.zeros(2), "hook": Code(touched)}
    torch.save(state, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(CheckpointError, match=r"more than tensors|before 1\.6"):
        read_state_dict(path)
    assert not touched.exists()
    torch.load(path, weights_only=False)
    assert touched.exists(), "the file would have run it"


def test_nothing_in_the_package_reads_a_pickle_unguarded_or_runs_text():
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            wrong = (
                name in ("eval", "exec", "pickle.load", "pickle.loads", "yaml.load", "os.system", "os.popen")
                or (name == "torch.load" and given.get("weights_only") != "True")
                or (name == "np.load" and given.get("allow_pickle", "False") != "False")
                or given.get("shell", "False") != "False"
                or given.get("trust_remote_code", "False") != "False"
            )
            if wrong:
                found.append(f"{path.relative_to(PACKAGE)}:{node.lineno}: {name}")
    assert found == []


def test_a_compressed_record_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "x.pt"
    torch_zip(path, {"weight": torch.zeros(10**7)}, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 10**5
    with pytest.raises(CheckpointError, match=r"got 4\d{7} bytes in a file of \d{5}, compressed: .*data/0"):
        read_state_dict(path)


def test_records_that_lie_over_each_other_are_refused(tmp_path):
    """The list of a zip file may name the same bytes many times, each as a record of its own."""
    path = tmp_path / "x.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", b"\x80\x02}.")
        archive.writestr("x/data/0", bytes(1000))
        first = archive.infolist()[-1]
        for number in range(1, 50):
            copy = zipfile.ZipInfo(f"x/data/{number}")
            for field in ("header_offset", "file_size", "compress_size", "CRC"):
                setattr(copy, field, getattr(first, field))
            archive.filelist.append(copy)
    with pytest.raises(CheckpointError, match="got 5"):
        read_state_dict(path)


def test_a_record_that_is_shorter_than_its_tensor_is_refused(tmp_path):
    """Else a tensor of it would show whatever lies behind it in memory."""
    path = tmp_path / "x.pt"
    state = {"weight": torch.arange(10000.0)}
    torch_zip(path, state, lambda name, data: data[:16] if name.endswith("data/0") else data)
    for mapped in (False, True):
        with pytest.raises(CheckpointError, match="cannot read"):
            read_state_dict(path, mapped=mapped)


@pytest.mark.parametrize(
    ("tensor", "says"),
    [
        (torch.zeros(1).expand(10**6, 10**6), "got 4000000000000 bytes of them"),
        (torch.zeros(0, 4, device="meta"), "plain tensors, got others: weight"),
        (torch.zeros(10**5, 10**5, device="meta"), "plain tensors, got others: weight"),
        (torch.eye(2).to_sparse(), "plain tensors|cannot read"),
    ],
    ids=["a number for all", "empty on no device", "on no device", "sparse"],
)
def test_tensors_that_claim_more_than_the_file_has_are_refused(tmp_path, tensor, says):
    path = tmp_path / "x.pt"
    torch.save({"weight": tensor}, path)
    with pytest.raises(CheckpointError, match=says):
        read_state_dict(path)


def test_weights_that_two_names_share_are_no_lie(tmp_path):
    path = tmp_path / "x.pt"
    words = torch.arange(6.0).reshape(2, 3)
    torch.save({"embed": words, "head": words, "turned": words[:, :1]}, path)
    state = read_state_dict(path)
    assert torch.equal(state["embed"], words) and torch.equal(state["head"], words)
    state["embed"].zero_()
    assert torch.equal(read_state_dict(path)["embed"], words), "what was read is not the file's memory"


def safetensors(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.mark.parametrize(
    "content",
    [
        struct.pack("<Q", 2**62) + b"{}",
        struct.pack("<Q", 2**30) + b"{}",
        safetensors({"w": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4 * 10**12]}}, bytes(8)),
        safetensors({"w": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 8]}}, bytes(8)),
        safetensors({"w": {"dtype": "F32", "shape": [2**63, 4], "data_offsets": [0, 8]}}, bytes(8)),
        safetensors({"w": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}}, bytes(8)),
        safetensors(
            {name: {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} for name in "ab"}, bytes(8)
        ),
        safetensors(b"[" * 100_000),
    ],
    ids=["header", "large header", "offsets", "shape", "overflow", "backwards", "overlap", "depth"],
)
def test_what_a_safetensors_file_claims_is_held_against_its_size(tmp_path, content):
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="corrupt or not a safetensors file"):
        read_state_dict(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[" * 100_000, "no index"),
        ('{"weight_map": [1]}', "no index"),
        ('{"weight_map": {"a": "../other.safetensors"}}', "files beside it"),
        ('{"weight_map": {"a": "/etc/passwd"}}', "files beside it"),
    ],
)
def test_an_index_names_files_beside_it_and_nothing_else(tmp_path, text, says):
    path = tmp_path / "model.safetensors.index.json"
    path.write_text(text)
    with pytest.raises(CheckpointError, match=says):
        read_state_dict(path)


def test_small_files_are_read_only_where_they_are_small(tmp_path):
    path = tmp_path / "config.json"
    with path.open("wb") as file:
        file.truncate(2**33)  # a hole: it takes no room on the disk
    with pytest.raises(CheckpointError, match=f"at most {2**24} bytes, got {2**33}"):
        read_text(path)
    with pytest.raises(CheckpointError, match="at most 10 bytes"):
        check_file_size(path, 10)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(CheckpointError, match="UTF-8"):
        read_text(path)


# -- configurations ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[" * 100_000, "nested too deeply"),
        ("[1]", "as a JSON object, got list"),
        ("7", "as a JSON object, got int"),
        ('{"a": "' + "x" * MAX_TEXT + '"}', "at most 1048576 characters"),
        ('{"size": 5}', "size from 1 to 4, got 5"),
        ('{"size": 0}', "size from 1 to 4, got 0"),
        ('{"size": true}', "size from 1 to 4, got True"),
        ('{"size": 2.5}', "size from 1 to 4, got 2.5"),
        ('{"size": "2"}', "size from 1 to 4, got '2'"),
        ('{"size": null}', "size from 1 to 4, got None"),
        ('{"size": [1, 9]}', "size from 1 to 4"),
        ('{"size": []}', "size from 1 to 4"),
        ('{"size": {"a": 1}}', "size from 1 to 4"),
        ('{"deep": [{"size": 5}]}', "deep.size from 1 to 4"),
        ('{"other": [1, 1048577]}', "other of at most 1048576"),
        ('{"other": -1048577}', "other of at most 1048576"),
        ('{"other": ' + "9" * 4000 + "}", "other of at most 1048576"),
        ('{"auto_map": {"AutoModel": "evil.Model"}}', "may name code"),
        ('{"deep": {"_attn_implementation": "someone/kernel"}}', "deep._attn_implementation"),
    ],
)
def test_configurations_out_of_bounds_are_refused_by_name(text, says):
    with pytest.raises(ValueError, match="expected") as caught:
        read_sizes(text, {"size": (1, 4)})
    assert says in str(caught.value)


def test_configurations_within_bounds_are_read():
    text = '{"size": [1, 4], "other": {"rate": 0.1, "on": true, "none": null, "auto_map": null, "low": -2}}'
    assert read_sizes(text, {"size": (1, 4)}) == json.loads(text)


def changed(values, path, value):
    """Return nested values with the one at a dotted path replaced."""
    key, _, rest = path.partition(".")
    return {**values, key: changed(values[key], rest, value) if rest else value}


def tiny_file(path, config):
    metadata = {"format": "ivm-tiny 4", "config": config, "calibration": "{}"}
    save_file({"weight": torch.zeros(1)}, path, metadata)


@pytest.mark.parametrize(
    "field", ["width", "height", "channels", "heads", "text_depth", "buckets", "embedding"]
)
def test_ivm_tiny_of_an_absurd_size_is_refused_by_name(tmp_path, field):
    values = json.loads(TinyConfig().to_json())
    tiny_file(tmp_path / "x.safetensors", json.dumps({**values, field: 10**9}))
    with pytest.raises(CheckpointError, match=rf"expected {field} from .* got 1000000000"):
        ivm_ros.load("ivm-tiny", tmp_path / "x.safetensors", "cpu")


def test_ivm_tiny_takes_no_memory_for_weights_that_the_file_lacks(tmp_path):
    """Within the bounds there is a model of 60 GB: the file's tensors are looked at first."""
    values = json.loads(TinyConfig().to_json())
    tiny_file(tmp_path / "x.safetensors", json.dumps({**values, "channels": 4096, "text_depth": 64}))
    with pytest.raises(CheckpointError, match="does not fit IvmTiny"):
        ivm_ros.load("ivm-tiny", tmp_path / "x.safetensors", "cpu")


@pytest.mark.parametrize(
    "field", ["image_size", "max_tokens", "backbone.width", "backbone.layers", "head.queries", "head.width"]
)
def test_instancevg_of_an_absurd_size_is_refused_by_name(tmp_path, field):
    pytest.importorskip("sentencepiece", reason="needs the extra instancevg")
    from ivm_ros.models.instancevg.config import InstanceVgConfig

    values = changed(json.loads(InstanceVgConfig.small().to_json()), field, 10**9)
    (tmp_path / "config.json").write_text(json.dumps(values))
    save_file({"weight": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=rf"expected {field} from .* got 1000000000"):
        ivm_ros.load("instancevg", tmp_path, "cpu")


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("vision.hidden_size", 10**9, "expected vision.hidden_size from"),
        ("vision.patch_size", 0, "expected vision.patch_size from 1"),
        ("llava.text_config.num_hidden_layers", 10**9, "expected llava.text_config.num_hidden_layers from"),
        ("llava.text_config.max_position_embeddings", 10**9, "of at most 1048576, got 1000000000"),
        ("llava.vision_config.image_size", 10**9, "expected llava.vision_config.image_size from"),
        ("decoder.depth", 10**9, "expected decoder.depth from"),
        ("llava.text_config.model_type", "qwen2", "of type 'llama', got 'qwen2'"),
        ("llava.vision_config.model_type", "siglip", "of type 'clip_vision_model'"),
        (
            "llava.text_config.auto_map",
            {"AutoModel": "a--b.C"},
            "llava.text_config.auto_map, which may name code",
        ),
    ],
)
def test_ivm_of_an_absurd_size_or_kind_is_refused_by_name(tmp_path, field, value, says):
    pytest.importorskip("transformers", reason="needs the extra transformers")
    from ivm_ros.models.ivm.config import IvmConfig

    values = changed(json.loads(IvmConfig.small().to_json()), field, value)
    (tmp_path / "config.json").write_text(json.dumps(values))
    save_file({"weight": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError) as caught:
        ivm_ros.load("ivm", tmp_path, "cpu")
    assert says in str(caught.value)
