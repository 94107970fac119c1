"""Reads the pages of the documentation: sections, and tables as rows."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
NODES = {"grounding": DOCS / "grounding_node.md", "camera": DOCS / "camera_node.md"}


def section(page, title):
    """Return the text under the heading `## title`, up to the next one."""
    match = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", page.read_text(), re.MULTILINE | re.DOTALL)
    assert match, f"{page.name} has no section {title!r}"
    return match.group(1)


def tables(text):
    """Return every table as a list of rows, each a dict from column to text without backticks."""
    result = []
    for block in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        head, _, *rows = [
            [cell.strip() for cell in row.strip("|\n").split(" | ")] for row in block.splitlines()
        ]
        head = [name.strip("| ") for name in head]
        result.append(
            [
                dict(zip(head, (cell.strip("| ").replace("`", "") for cell in row), strict=True))
                for row in rows
            ]
        )
    return result


def table(page, title):
    """Return the only table of a section; empty where the section says None."""
    found = tables(section(page, title))
    if not found:
        assert section(page, title).strip().startswith("None")
        return []
    (rows,) = found
    return rows
