"""One Event, whatever the schema it came in."""

from shared.event.model import Event, Unreadable

__all__ = ["Event", "Unreadable"]
