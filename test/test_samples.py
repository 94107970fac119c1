from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from ivm_ros.datasets.records import RecordError
from ivm_ros.datasets.samples import Sample

IMAGE = np.zeros((2, 3, 3), np.uint8)


def test_boxes_alone_are_not_taken_for_nothing() -> None:
    sample = Sample(IMAGE, "the cup", ((0, 0, 1, 1),), None)
    assert sample.present
    with pytest.raises(ValueError, match="has boxes alone"):
        _ = sample.masks


def test_nothing_that_matches_has_no_masks() -> None:
    sample = Sample(IMAGE, "the duck", (), ())
    assert not sample.present and sample.masks == ()


@pytest.mark.parametrize("record", [5, "ref_id 5"])
def test_an_error_travels_between_processes(record: int | str) -> None:
    error = pickle.loads(pickle.dumps(RecordError(Path("a/b"), record, "sent", "is empty")))
    assert (error.record, error.field) == (record, "sent")
    assert str(error) == f'a/b:{" " if record != 5 else ""}{record}: field "sent": is empty'
