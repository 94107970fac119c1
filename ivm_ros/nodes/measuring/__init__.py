"""What the suite `overhead` runs: the grounding node with an instant model, a plain node, a camera for both.

Each is a program of its own; `ivm_ros.bench.overhead` starts them and reads what they write when they end.
"""
