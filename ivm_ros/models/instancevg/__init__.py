"""InstanceVG: several targets with boxes, points and masks from a BEiT-3 encoder (arXiv 2509.13747)."""
