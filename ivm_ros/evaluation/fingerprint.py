"""Tell files apart by their content, without reading gigabytes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from pathlib import Path

import ivm_ros

_WHOLE = 64 << 20
_END = 1 << 20


def package_fingerprint() -> str:
    """Return the fingerprint of this package's own code and weights."""
    return fingerprint(Path(ivm_ros.__file__).parent, (".py", ".safetensors"))


def fingerprint(path: Path, suffixes: Collection[str] = ()) -> str:
    """Return 12 hexadecimal digits that depend on names and contents.

    Of a file over 64 MiB, size and the first and last MiB count: those of a checkpoint have its table of
    contents and weights of the first and the last layer.

    Args:
        path: a file, or a folder with all that is in it.
        suffixes: of the files in a folder that count; all if empty.

    Raises:
        OSError: it is not there, or not readable.
    """
    digest = hashlib.sha256()
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    for file in files:
        if file is not path and suffixes and file.suffix not in suffixes:
            continue
        size = file.stat().st_size
        digest.update(f"{file.relative_to(path)}\0{size}\0".encode())
        with file.open("rb") as content:
            digest.update(content.read(_END if size > _WHOLE else _WHOLE))
            if size > _WHOLE:
                content.seek(-_END, os.SEEK_END)
                digest.update(content.read(_END))
    return digest.hexdigest()[:12]
