"""Which scenes belong to which split, by their seeds."""

TRAIN_SEEDS = range(0, 1_000_000)
VALIDATION_SEEDS = range(1_000_000, 2_000_000)
TEST_SEEDS = range(2_000_000, 3_000_000)
SPLITS = {"train": TRAIN_SEEDS, "validation": VALIDATION_SEEDS, "test": TEST_SEEDS}
"""Scene seeds of each split; nothing is trained on seeds from 1,000,000 on, nor on their object pools."""
