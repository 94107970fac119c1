"""How InstanceVG is trained."""
