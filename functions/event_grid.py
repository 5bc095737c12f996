"""Events that Event Grid pushes to the webhook of this app, in either schema."""

import azure.functions as func

from shared.app import app

blueprint = func.Blueprint()


@blueprint.event_grid_trigger(arg_name="event")
def event_grid(event: str) -> None:
    """Handle one event; raising makes Event Grid deliver it again.

    With the annotation `str` the runtime passes the event's text: its event classes drop unknown members.
    """
    app().intake.receive(event, via="webhook")
