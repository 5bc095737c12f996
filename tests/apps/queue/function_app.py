"""A queue function that logs each message, and fails or waits if the message requests it."""

import json
import os
import time
from pathlib import Path

import azure.functions as func

app = func.FunctionApp()


@app.queue_trigger(arg_name="message", queue_name="%QUEUE%", connection="AzureWebJobsStorage")
def on_message(message: func.QueueMessage) -> None:
    """Append one line of JSON to the file that the setting SEEN names."""
    body = message.get_body().decode()
    seen = {
        "id": message.id,
        "body": body,
        "dequeue_count": message.dequeue_count,
        "inserted": message.insertion_time.isoformat(),
        "expires": message.expiration_time.isoformat(),
        "visible": message.time_next_visible.isoformat(),
        "receipt": bool(message.pop_receipt),
    }
    with Path(os.environ["SEEN"]).open("a") as file:
        file.write(json.dumps(seen) + "\n")
    if body.startswith("wait"):
        time.sleep(float(body.split()[1]))
    if body.startswith("fail"):
        raise ValueError(body)
