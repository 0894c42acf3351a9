"""How fast things are: the step, the input, and comparisons of both."""
