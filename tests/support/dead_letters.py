"""Dead letters as Event Grid and as this app write them."""

from datetime import timedelta

from shared.stores.dead_letters import DeadLetter
from shared.values.json_text import JsonObject
from tests.support.clocks import SEEN
from tests.support.delivery import event, run_request

IN_EVENT_GRIDS_SCHEMA: JsonObject = {
    "id": "5a000384-0000-4000-8000-000000000384",
    "eventTime": "2026-08-03T04:05:06.1647001Z",
    "eventType": "Microsoft.Storage.BlobCreated",
    "dataVersion": "",
    "metadataVersion": "1",
    "topic": "/subscriptions/0/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/orders",
    "subject": "/blobServices/default/containers/orders/blobs/today.csv",
    "deadLetterReason": "MaxDeliveryAttemptsExceeded",
    "deliveryAttempts": 1,
    "lastDeliveryOutcome": "NotFound",
    "publishTime": "2026-08-03T04:05:07.0265002Z",
    "lastDeliveryAttemptTime": "2026-08-03T04:05:07.0465783Z",
    "data": {"api": "PutBlob", "contentLength": 1.10},
}


def letter(**changes: object) -> DeadLetter:
    """Return a dead letter."""
    known: dict[str, object] = {
        "subject": event(),
        "code": "BadRequest",
        "reason": "Airflow refuses the run (HTTP 400): no",
        "at": SEEN + timedelta(seconds=90),
        "first_seen": SEEN,
        "rule": "smoke",
        "request": run_request(),
        "status": 400,
        "attempts": 3,
    }
    return DeadLetter(**(known | changes))  # type: ignore[arg-type] # the tests name the letter's own fields
