"""What a run keeps on disk: its directory, checkpoints, logs and weights."""
