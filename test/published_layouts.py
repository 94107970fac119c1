"""A small copy of any published dataset, by its name in the registry."""

from __future__ import annotations

from pathlib import Path

import instancevg_layout
from coco_layout import CUP, CUP_BOX
from flickr30k_layout import write_flickr30k
from instancevg_layout import write_instancevg
from plvl_layout import item, write_plvl
from reasonseg_layout import write_reasonseg
from refer_layout import write_refer

from ivm_ros.datasets import instancevg, plvl, refer


def write_published(root: Path, name: str) -> str:
    """Write the dataset under `root`; return a split of it."""
    if name in refer.SETS:
        write_refer(root, name)
    elif name in instancevg.SETS:
        write_instancevg(root, name)
        return instancevg_layout.SPLITS.get(name, "val")
    elif name in plvl.SETS:
        box = [4, 5, 12, 15] if plvl.SETS[name].corners else CUP_BOX
        write_plvl(root, name, [item(name, [*box, *CUP]), item(name, box, "left")])
    else:
        {"flickr30k-entities": write_flickr30k, "reasonseg": write_reasonseg}[name](root)
    return "val"
