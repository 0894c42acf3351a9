"""Ablations: factor grids trained as populations, their statistics, and search."""
