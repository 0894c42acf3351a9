"""Learning-rate schedules and optimizers, with every hyper-parameter traced."""
