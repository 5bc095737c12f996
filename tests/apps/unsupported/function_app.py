"""An app with triggers that the local host does not have."""

import azure.functions as func

app = func.FunctionApp()


@app.blob_trigger(arg_name="blob", path="in/{name}", connection="AzureWebJobsStorage")
def on_blob(blob: func.InputStream) -> None:
    """Never run."""


@app.timer_trigger(arg_name="timer", schedule="0 */5 * * * *")
def on_time(timer: func.TimerRequest) -> None:
    """Never run."""
