"""A timer that writes down each run."""

import json
import os
from pathlib import Path

import azure.functions as func

app = func.FunctionApp()


@app.timer_trigger(arg_name="timer", schedule="%SCHEDULE%", run_on_startup=True)
def on_time(timer: func.TimerRequest) -> None:
    """Append one line of JSON to the file that the setting SEEN names."""
    with Path(os.environ["SEEN"]).open("a") as file:
        file.write(json.dumps({"past_due": timer.past_due, "status": timer.schedule_status}) + "\n")
