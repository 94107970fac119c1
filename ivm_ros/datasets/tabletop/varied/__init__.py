"""A second world for training: several designs of each kind, more patterns, harder light.

Networks that saw one design of a cup know that design. What is held out stays held out: nothing here was
made after a look at it.
"""
