"""What each way of doing a thing costs, against a plain way, in the same run.

A suite (`registry.py`) yields comparisons (`suite.py`): alternatives that were checked to give the same
answer, and are then timed in turns (`timing.py`). `runner.py` makes rows of them (`results.py`), which
`ivm-ros bench` prints. No absolute time is a claim of this package; ratios within one run are.
"""
