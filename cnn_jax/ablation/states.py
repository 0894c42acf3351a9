"""What a member is: in training, or what became of it."""

TRAINING = "training"
DONE = "done"
DIVERGED = "diverged"  # the guard stopped it
PAUSED = "paused"  # as it was asked to; it may go on
