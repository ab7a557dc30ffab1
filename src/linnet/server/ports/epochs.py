"""Epochs: the highest epoch ever begun, kept where a restored backup does not overwrite it."""

from __future__ import annotations

from typing import Protocol


class Epochs(Protocol):
    """Only ever rises."""

    @property
    def highest(self) -> int:
        """The highest epoch ever begun; 0 if none was."""

    def begin(self, epoch: int) -> None:
        """This epoch is about to be used. Durable when it returns; blocks for a sync of the disk.
        Raises Unavailable: it must not be used."""
