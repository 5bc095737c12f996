"""Events of App Service about its sites: slot swaps, restarts, changed settings, deployments."""

import azure.functions as func

from shared.app import app

blueprint = func.Blueprint()


@blueprint.event_grid_trigger(arg_name="event")
def app_service(event: str) -> None:
    """Handle one event of a site's system topic; raising makes Event Grid deliver it again.

    A function of its own scales on its own: a storm of blob events does not keep a deployment waiting.
    """
    app().intake.receive(event, via="webhook")
