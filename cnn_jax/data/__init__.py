"""Sources of labelled images, their order, and what happens to an image before the network."""
