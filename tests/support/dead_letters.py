"""A dead letter as Event Grid writes it."""

from datetime import timedelta

from shared.stores.dead_letters import DeadLetter
from shared.values.json_text import JsonObject
from tests.support.clocks import SEEN
from tests.support.delivery import event, run_request

IN_EVENT_GRIDS_SCHEMA: JsonObject = {
    "id": "93902694-901e-008f-6f95-7153a806873c",
    "eventTime": "2020-08-13T17:18:13.1647262Z",
    "eventType": "Microsoft.Storage.BlobCreated",
    "dataVersion": "",
    "metadataVersion": "1",
    "topic": "/subscriptions/0/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/orders",
    "subject": "/blobServices/default/containers/orders/blobs/today.csv",
    "deadLetterReason": "MaxDeliveryAttemptsExceeded",
    "deliveryAttempts": 1,
    "lastDeliveryOutcome": "NotFound",
    "publishTime": "2020-08-13T17:18:14.0265758Z",
    "lastDeliveryAttemptTime": "2020-08-13T17:18:14.0465788Z",
    "data": {"api": "PutBlob", "contentLength": 1.10},
}


def letter(**changes: object) -> DeadLetter:
    """Return a dead letter."""
    known: dict[str, object] = {
        "subject": event(),
        "code": "Refused",
        "reason": "Airflow refuses the run (HTTP 400): no",
        "at": SEEN + timedelta(seconds=90),
        "first_seen": SEEN,
        "rule": "smoke",
        "request": run_request(),
        "status": 400,
        "attempts": 3,
    }
    return DeadLetter(**(known | changes))  # type: ignore[arg-type] # the tests name the letter's own fields
