"""Pickles that datasets are published as, read without trusting them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, NoReturn


def read_pickle(file: Path) -> Any:
    """Read a pickle of builtin types: dicts, lists, tuples, sets, text, bytes, numbers, true, false, None.

    Anything else would have to be imported and called, and is refused: a pickle can name any function.

    Args:
        file: to read; text that Python 2 wrote counts as UTF-8.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no pickle, is cut off, or has something else in it.
    """
    with file.open("rb") as opened:
        unpickler = _BuiltinTypes(opened, encoding="utf-8")
        try:
            return unpickler.load()
        except Exception as error:  # damaged pickles raise exceptions of all kinds
            raise ValueError(f"{file}: expected a pickle of builtin types, got: {error}") from error


class _BuiltinTypes(pickle.Unpickler):
    """Imports nothing; builtin types have codes of their own."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"{module}.{name}, which is refused because it could run any code")
