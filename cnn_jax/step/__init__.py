"""One train step, pure and traced: state, loss, gradient, update."""
