"""The one way in which tests read golden numbers: a folder per system, with an index and safetensors files.

The folder is `--golden-root`; nothing about its contents is assumed beyond the index that lies in it, in any
form that `golden_index` reads.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from golden_index import Entry, Tolerance, describe, index_path
from safetensors.torch import load_file
from torch import Tensor


@dataclass(frozen=True)
class GoldenCase:
    """One file of golden numbers.

    Attributes:
        path: the safetensors file.
        tensors: by name: `sd.*` state dict, `in.*` inputs, `mid.*` intermediates, `out.*` outputs.
        entry: what the index says about the file: `config`, `index` (all of it), and more.
    """

    path: Path
    tensors: dict[str, Tensor]
    entry: Entry

    @property
    def config(self) -> dict[str, Any]:
        return self.entry["config"]

    @property
    def index(self) -> dict[str, Any]:
        """Return the whole index: expected values that are no tensors lie there."""
        return self.entry["index"]

    def tolerance(self, name: str) -> Tolerance:
        """Return how close the index wants the tensor `name`, or a value of it that is no tensor."""
        for pattern, tolerance in self.entry["tolerances"]:
            if fnmatchcase(name, pattern):
                return tolerance
        raise KeyError(f"{self.path}: its index states no tolerance for {name}; give the test's own")

    @property
    def rtol(self) -> float:
        return self.tolerance("*").rtol

    @property
    def atol(self) -> float:
        return self.tolerance("*").atol

    def __getitem__(self, name: str) -> Tensor:
        if name not in self.tensors:
            raise KeyError(f"{self.path}: expected a tensor {name}, got {', '.join(sorted(self.tensors))}")
        return self.tensors[name]

    def numpy(self, name: str) -> np.ndarray:
        return self[name].numpy()

    def state(self, prefix: str = "", under: str = "sd.") -> dict[str, Tensor]:
        """Return the state dict under `under` + `prefix`, with both stripped from the names."""
        prefix = f"{under}{prefix}"
        state = {
            name[len(prefix) :]: value for name, value in self.tensors.items() if name.startswith(prefix)
        }
        if not state:
            raise KeyError(f"{self.path}: expected tensors under {prefix}, got none")
        return state

    def assert_close(
        self,
        actual: Tensor | np.ndarray,
        name: str,
        *,
        where: Tensor | None = None,
        atol: float | None = None,
        rtol: float | None = None,
        extra: float = 0.0,
    ) -> None:
        """Hold |a-b| <= atol + rtol*|b| for every element, or report the worst one. Integers have no rtol.

        Args:
            actual: what our code computed, of the golden tensor's shape.
            name: of the golden tensor.
            where: bool, the leading dimensions of the tensor: compare only there.
            atol, rtol: replace the index's, where a note of the index gives a tighter one or it has none.
            extra: added to atol, for what our code rounds on purpose.
        """
        stated = self.tolerance(name) if atol is None or rtol is None else Tolerance()
        relative = 0.0 if not self[name].is_floating_point() else stated.rtol if rtol is None else rtol
        expected = self[name].double()
        actual = torch.as_tensor(actual).detach().cpu().double()
        label = f"{self.path.parent.name}/{self.path.name} {name}"
        assert actual.shape == expected.shape, (
            f"{label}: expected shape {tuple(expected.shape)}, got {tuple(actual.shape)}"
        )
        if where is not None:
            mask = where.bool()
            assert mask.any(), f"{label}: nothing to compare"
            actual, expected = actual[mask], expected[mask]
        absolute = (stated.atol if atol is None else atol) + extra
        if stated.of_max and expected.numel():
            absolute += stated.of_max * expected.abs().max().item()
        tolerance = absolute + relative * expected.abs()
        excess = (actual - expected).abs() / tolerance
        excess[actual == expected] = 0.0  # equal infinities
        excess = excess.nan_to_num(nan=torch.inf)
        if not (excess > 1.0).any():
            return
        flat = int(excess.argmax())
        index = tuple(int(i) for i in np.unravel_index(flat, excess.shape))
        got, wanted = actual[index].item(), expected[index].item()
        raise AssertionError(
            f"{label}: {int((excess > 1.0).sum())} of {excess.numel()} elements are off; worst at {index}: "
            f"got {got!r}, expected {wanted!r}, |a-b| = {abs(got - wanted):.3g} > "
            f"{absolute:g} + {relative:g}*|b| = {tolerance[index].item():.3g}"
        )


def manifest(root: Path, system: str) -> dict[str, Any]:
    """Return the index of a system's golden numbers; skip the test where the root has none of them."""
    return json.loads(index_path(root / system).read_text())


def entry(root: Path, system: str, file: str) -> Entry:
    """Return what the index says about `file` (no ending); skip the test if there is no such system."""
    return describe(root / system, file)


def case(root: Path, system: str, file: str) -> GoldenCase:
    """Read one golden file.

    Args:
        root: what `--golden-root` says (fixture `golden_root`).
        system: folder under it, such as "ivm".
        file: name without its ending, such as "mask_decoder".
    """
    about = entry(root, system, file)
    path = root / system / f"{file}.safetensors"
    if not path.is_file():
        pytest.fail(f"the index names {path}, which does not exist", pytrace=False)
    return GoldenCase(path, load_file(path), about)


def parametrize(
    metafunc: pytest.Metafunc,
    argument: str,
    system: str,
    file: str,
    values: Callable[[dict[str, Any]], list[Any]],
) -> None:
    """Give a test one value per thing that the index names; call it from `pytest_generate_tests`.

    Args:
        metafunc: of the test; left alone unless it takes `argument`.
        argument: the test's parameter.
        system: folder under `--golden-root`.
        file: name without its ending.
        values: the file's entry -> the values. Without the system's folder the test is skipped.
    """
    if argument not in metafunc.fixturenames:
        return
    root = metafunc.config.getoption("golden_root")
    try:
        metafunc.parametrize(argument, values(entry(root, system, file)))
    except pytest.skip.Exception as reason:
        metafunc.parametrize(argument, [pytest.param(None, marks=pytest.mark.skip(reason=str(reason)))])
