"""State, steps, devices, checkpoints and the loop."""
