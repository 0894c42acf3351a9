"""The error of every image that cannot be had; `data.unreadable` says what becomes of it."""

from __future__ import annotations


class UnreadableError(ValueError):
    """An image that cannot be fetched or decoded; the text says why."""
