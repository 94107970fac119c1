"""Other ways to run a network than PyTorch's own: graphs that ONNX Runtime runs, compiled functions.

Nothing here knows a model by name.
"""
