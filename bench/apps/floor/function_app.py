"""The floor: a bare function app with one Event Grid function that does nothing."""

import azure.functions as func

app = func.FunctionApp()


@app.event_grid_trigger(arg_name="event")
def event_grid(event: str) -> None:
    """Do nothing with the event."""
