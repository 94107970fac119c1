"""A second world for training: several designs of each kind, more patterns, harder light.

Networks that saw one design of a cup know that design. What is held out stays held out: the designs were
drawn without a look at it, and four that came out like one of it were then taken away.
"""
