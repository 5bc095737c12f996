"""One Event, whatever schema it came in.

model                     the Event, and the body that cannot be read
reading                   a body of any schema to events
cloud_events, event_grid, webhook_bodies  one reader for each schema
via                       how an event came
body_shapes               which kind of body a file's JSON looks like
channels                  what each kind of hook may claim
kudu                      bodies that Kudu sends
github, github_events     bodies that GitHub sends, and the name of each event
queue_bodies              the body of a queue message in any encoding
members                   checks of single attributes
app_facts                 facts about a web app in an event
app_hosts                 the site and slot in a host name
arrival                   the time by which events are ordered
caller_stamp              the verified caller, stored with the event
bursts                    several events of one key, in order
"""

from shared.event.cloud_events import read_cloud_event
from shared.event.model import Event, Unreadable
from shared.event.reading import read_events
from shared.event.via import KINDS

__all__ = ["KINDS", "Event", "Unreadable", "read_cloud_event", "read_events"]
