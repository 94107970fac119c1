"""Carry groundings from the frame that they were made on to newer ones, at the camera's rate."""
