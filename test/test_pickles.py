from __future__ import annotations

import collections
import datetime
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ivm_ros.datasets.pickles import read_pickle

PLAIN = [
    {"ref_id": 3, "text": "café", "numbers": (1.5, -2, 10**30), "raw": b"\0\xff", "no": None, "yes": True}
]


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_builtin_types_are_read(tmp_path: Path, protocol: int) -> None:
    (tmp_path / "refs.p").write_bytes(pickle.dumps(PLAIN, protocol))
    assert read_pickle(tmp_path / "refs.p") == PLAIN


def test_what_python_2_wrote_is_read(tmp_path: Path) -> None:
    (tmp_path / "refs.p").write_bytes(b"(lp0\n(dp1\nS'sent'\np2\nS'caf\\xc3\\xa9'\np3\nsS'id'\np4\nI5\nsa.")
    assert read_pickle(tmp_path / "refs.p") == [{"sent": "café", "id": 5}]


class _Call:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    ("content", "name"),
    [
        (lambda file: _Call(os.system, f"touch {file}"), "system"),
        (lambda file: _Call(eval, f"open({str(file)!r}, 'w')"), "eval"),
        (lambda file: [{"sent": _Call(os.mkdir, str(file))}], "mkdir"),
        (lambda file: _Call(getattr, "", "__class__"), "getattr"),
        (lambda file: collections.OrderedDict(a=1), "OrderedDict"),
        (lambda file: datetime.date(2020, 1, 1), "date"),
        (lambda file: np.float64(1.0), "numpy"),
    ],
    ids=["system", "eval", "mkdir", "getattr", "OrderedDict", "date", "numpy"],
)
def test_a_malicious_pickle_is_refused_and_runs_nothing(
    tmp_path: Path, content: Any, name: str, protocol: int
) -> None:
    file, proof = tmp_path / "refs.p", tmp_path / "it_ran"
    file.write_bytes(pickle.dumps(content(proof), protocol))
    with pytest.raises(ValueError, match=rf"{file}: expected a pickle of builtin types, got: .*{name}"):
        read_pickle(file)
    assert not proof.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no pickle",
        pickle.dumps(PLAIN)[:-5],
        b"\x80\x02]q\x00h\x05.",
        b"\x80\x02X\xff\xff\xff\x7fa.",
        b"\x80\x02U\x02\xff\xfe.",
        b"\x80\x02cos\nsystem\nq\x00X\x02\x00\x00\x00lsq\x01\x85q\x02Rq\x03.",
        b"\x80\x02(i__builtin__\neval\n.",
        b"\x80\x02Pan id\n.",
        b"\x80\x02\x82\x01.",
    ],
)
def test_a_damaged_pickle_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "refs.p").write_bytes(data)
    with pytest.raises(ValueError, match=r"refs\.p: expected a pickle of builtin types"):
        read_pickle(tmp_path / "refs.p")
