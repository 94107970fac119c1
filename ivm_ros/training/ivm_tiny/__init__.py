"""Training of ivm-tiny on the rendered tabletop."""
