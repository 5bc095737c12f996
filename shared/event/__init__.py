"""One Event, whatever the schema it came in."""

from shared.event.cloud_events import read_cloud_event
from shared.event.model import Event, Unreadable
from shared.event.reading import read_events
from shared.event.webhook_bodies import KINDS
from shared.values.json_text import ExactFloat

__all__ = ["KINDS", "Event", "ExactFloat", "Unreadable", "read_cloud_event", "read_events"]
