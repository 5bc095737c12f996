"""Events of App Service about sites: slot swaps, restarts, changed settings, deployments."""

import azure.functions as func

from shared.app import app

blueprint = func.Blueprint()


@blueprint.event_grid_trigger(arg_name="event")
def app_service(event: str) -> None:
    """Handle one event of a site's system topic; raising makes Event Grid deliver it again.

    It is a separate function, so that many blob events do not delay a deployment's event.
    """
    app().intake.receive(event, via="webhook")
