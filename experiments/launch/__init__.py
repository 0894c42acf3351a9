"""Ways to start a run of several processes."""
