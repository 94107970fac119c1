"""Checkpoint files to state dicts to modules: strict, without pickle, with errors that name every key.

Two formats are read: safetensors, and torch files whose content is tensors and plain containers
(`weights_only=True`). Nothing is ever downloaded.
"""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

_INDEX_SUFFIX = ".safetensors.index.json"
_TORCH_SUFFIXES = {".pt", ".pth", ".bin", ".ckpt"}
_SHOWN = 20
_SCALAR: Any = np.float64(0).__reduce__()[0]
_NUMBERS: list[Any] = [
    np.dtype,
    *(type(np.dtype(code)) for code in "?bhilqBHILQefd"),
    *((_SCALAR, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
]
"""Of NumPy's, what a number in a file of a training run is made of; they hold data and run nothing."""


class CheckpointError(ValueError):
    """A checkpoint that is missing, unreadable, or does not fit the model."""


@dataclass(frozen=True)
class FitReport:
    """How a state dict fits a module.

    Attributes:
        missing: keys that the module has and the state dict lacks.
        unexpected: keys that the state dict has and the module lacks.
        misshapen: (key, shape in the module, shape in the state dict).
    """

    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    misshapen: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...] = ()

    @property
    def fits(self) -> bool:
        """Whether every key and every shape agrees."""
        return not (self.missing or self.unexpected or self.misshapen)

    def __str__(self) -> str:
        wrong = [f"{key}: expected {expected}, got {got}" for key, expected, got in self.misshapen]
        parts = {"missing": self.missing, "unexpected": self.unexpected, "wrong shape": wrong}
        return (
            "\n".join(f"{len(keys)} {name}: {_listed(keys)}" for name, keys in parts.items() if keys)
            or "fits"
        )


def _listed(keys: Sequence[str]) -> str:
    more = f", and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return ", ".join(keys[:_SHOWN]) + more


def read_state_dict(path: Path | str, mapped: bool = False, inside: Sequence[str] = ()) -> dict[str, Tensor]:
    """Read a checkpoint's tensors, on the CPU.

    Args:
        path: a `.safetensors` file, its `.safetensors.index.json` where it is in several parts, or a torch
            file (`.pt`, `.pth`, `.bin`, `.ckpt`) that holds a state dict.
        mapped: whether tensors may stay in the file until they are used, for files larger than memory; the
            file must not change as long as they are.
        inside: of a torch file, keys under which the state dict may lie beside what else a training run
            keeps; the first that there is counts, and where there is none, the file is the state dict.

    Raises:
        CheckpointError: the file is missing, of another format, corrupt, or holds more than tensors.
    """
    path = _existing(path)
    if path.suffix == ".safetensors":
        return _open_safetensors(path)[0]
    if path.name.endswith(_INDEX_SUFFIX):
        return _read_parts(path)
    if path.suffix not in _TORCH_SUFFIXES:
        known = ", ".join([".safetensors", *sorted(_TORCH_SUFFIXES)])
        raise CheckpointError(f"expected a checkpoint that ends with one of {known}, got {path}")
    _check_archive(path)
    try:
        # Mapped in any case: a tensor that claims more than the file has cannot be made then.
        with torch.serialization.safe_globals(_NUMBERS):
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, OSError, RecursionError) as error:
        raise CheckpointError(
            f"cannot read {path}: it is corrupt, or holds more than tensors, which is refused ({error})"
        ) from error
    if isinstance(state, Mapping):
        state = next((state[key] for key in inside if key in state), state)
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise CheckpointError(f"expected {path} to hold a state dict of tensors, got {type(state).__name__}")
    _check_claims(state, path)
    return {key: value if mapped else value.clone() for key, value in state.items()}


def read_metadata(path: Path | str) -> dict[str, str]:
    """Read the text that a safetensors file carries beside its tensors; may be empty.

    Raises:
        CheckpointError: the file is missing or corrupt.
    """
    return _open_safetensors(_existing(path), tensors=False)[1]


def write_state_dict(state: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str]) -> None:
    """Write a safetensors file, by rename, so that a reader never sees half of it."""
    partial = path.with_suffix(".partial")
    save_file({key: value.contiguous() for key, value in state.items()}, partial, dict(metadata))
    partial.chmod(0o644)  # safetensors makes it readable to this user alone
    partial.replace(path)


def fit(wanted: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> FitReport:
    """Compare a state dict with the one that is wanted, such as a module's; shapes alone count."""
    common = [key for key in wanted if key in state]
    return FitReport(
        missing=tuple(key for key in wanted if key not in state),
        unexpected=tuple(key for key in state if key not in wanted),
        misshapen=tuple(
            (key, tuple(wanted[key].shape), tuple(state[key].shape))
            for key in common
            if wanted[key].shape != state[key].shape
        ),
    )


def load_strictly(module: nn.Module, state: Mapping[str, Tensor], source: Path | str = "checkpoint") -> None:
    """Load a state dict into a module; dtypes become the module's.

    Args:
        module: the module.
        state: its tensors.
        source: where they come from, for the error.

    Raises:
        CheckpointError: any key is missing, unexpected or of another shape; all of them are named.
    """
    check_fits(module, state, source)
    module.load_state_dict(dict(state))


def check_fits(module: nn.Module, state: Mapping[str, Tensor], source: Path | str) -> None:
    """Raise CheckpointError, naming all of them, if any key is missing, unexpected or of another shape."""
    report = fit(module.state_dict(), state)
    if not report.fits:
        raise CheckpointError(f"{source} does not fit {type(module).__name__}:\n{report}")


def read_text(path: Path, limit: int = 2**24) -> str:
    """Return the text of a small file beside the weights, such as a configuration.

    Raises:
        CheckpointError: it is missing, has more than `limit` bytes, or is no text in UTF-8.
    """
    check_file_size(path, limit)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"cannot read {path}: it is no text in UTF-8 ({error})") from error


def check_file_size(path: Path, limit: int) -> None:
    """Raise CheckpointError if a file is missing or has more than `limit` bytes."""
    size = _existing(path).stat().st_size
    if size > limit:
        raise CheckpointError(f"expected {path} to have at most {limit} bytes, got {size}")


def _check_archive(path: Path) -> None:
    """Refuse a torch file whose records unpack to more than it is: torch.save does not compress."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise CheckpointError(
            f"cannot read {path}: it is corrupt, or of a torch before 1.6; then save it anew ({error})"
        ) from error
    packed = [entry.filename for entry in entries if entry.compress_type != zipfile.ZIP_STORED]
    unpacked = sum(entry.file_size for entry in entries)
    if packed or unpacked > path.stat().st_size:
        raise CheckpointError(
            f"expected {path} to hold its records as torch.save writes them, got {unpacked} bytes "
            f"in a file of {path.stat().st_size}, compressed: {_listed(packed) or 'none'}"
        )


def _check_claims(state: Mapping[str, Tensor], path: Path) -> None:
    """Refuse tensors that are larger than what the file holds of them; weights may be shared by two."""
    odd = [key for key, value in state.items() if value.layout != torch.strided or value.is_meta]
    if odd:
        raise CheckpointError(f"expected {path} to hold plain tensors, got others: {_listed(odd)}")
    claimed = sum(value.numel() * value.element_size() for value in state.values())
    if claimed > 2 * path.stat().st_size:
        raise CheckpointError(
            f"expected tensors that fit in {path} of {path.stat().st_size} bytes, got {claimed} bytes of them"
        )


def _read_parts(index: Path) -> dict[str, Tensor]:
    try:
        parts = sorted(set(json.loads(read_text(index))["weight_map"].values()))
    except CheckpointError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"cannot read {index}: it is no index of safetensors files ({error!r})"
        ) from error
    outside = [part for part in parts if not isinstance(part, str) or Path(part).name != part]
    if outside:
        raise CheckpointError(f"expected {index} to name files beside it, got {outside[0]!r}")
    state: dict[str, Tensor] = {}
    for part in parts:
        state.update(_open_safetensors(_existing(index.parent / part))[0])
    return state


def _existing(path: Path | str) -> Path:
    path = Path(path).expanduser()
    if not path.is_file():
        raise CheckpointError(f"expected a checkpoint file, but there is none at {path}")
    return path


def _open_safetensors(path: Path, tensors: bool = True) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            state = {key: file.get_tensor(key) for key in file.keys()} if tensors else {}  # noqa: SIM118
            return state, dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"cannot read {path}: it is corrupt or not a safetensors file ({error})"
        ) from error
