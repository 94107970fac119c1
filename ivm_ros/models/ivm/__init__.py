"""IVM: instruction-guided visual masking with SAM ViT-H and LLaVA-1.5-7B (arXiv 2405.19783)."""
