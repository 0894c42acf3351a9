"""Factors, populations of members, their statistics, and search."""
