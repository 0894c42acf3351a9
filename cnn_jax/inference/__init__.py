"""Trained networks: restored, shown images, reported."""
