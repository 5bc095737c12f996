"""Events that Event Grid pushes to the webhook of this app, in either schema."""

import azure.functions as func

from shared.app import app

blueprint = func.Blueprint()


@blueprint.event_grid_trigger(arg_name="event")
def event_grid(event: str) -> None:
    """Handle one event; raising makes Event Grid deliver it again.

    The annotation `str` asks the runtime for the event's own text: its event classes choose by content and
    drop what they do not know.
    """
    app().intake.receive(event, via="webhook")
