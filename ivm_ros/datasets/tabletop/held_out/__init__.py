"""A world that training never draws from: kinds in other shapes, other surfaces, other light.

Every builder here has proportions outside the ranges of the builder of its kind in `tabletop.kinds`, or a
profile that that one cannot make. Colours are the same: what is called red does not change.
"""
