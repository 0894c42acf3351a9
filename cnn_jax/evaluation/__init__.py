"""Exact evaluation: integer counts in which every example stands once."""
