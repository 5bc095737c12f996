"""Stores how runs ended: one report for each run, in a blob that is written once.

The blob is created only if it does not exist (https://learn.microsoft.com/rest/api/storageservices/put-blob,
`If-None-Match: *`), so that one of two reports at the same moment is the first, also on different instances.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from shared.azure.storage_account import create_if_missing, storage_errors
from shared.errors import StorageUnavailable
from shared.log import FIELDS, LOGGER
from shared.runs.ref import RunRef
from shared.values.json_text import JsonObject
from shared.values.wording import MAX_SHOWN
from shared.visible_text import visible

if TYPE_CHECKING:
    from shared.azure.storage_account import Storage

FORMAT: Final = 1
"""The version of a report's format in its blob."""
REPORTS_CONTAINER: Final = "updraft-run-reports"

type State = Literal["success", "failed"]


@dataclass(frozen=True, slots=True)
class RunReport:
    """How a run ended.

    Attributes:
        run: The run.
        state: Airflow's state of the run.
        reported_by: `run` for the run's token, otherwise the caller's object id.
        reported_at: When the report arrived, RFC 3339.
        started_at: RFC 3339; None if the run never started.
        ended_at: RFC 3339.
        detail: A few words for people.
    """

    run: RunRef
    state: State
    reported_by: str
    reported_at: str
    started_at: str | None = None
    ended_at: str | None = None
    detail: str | None = None

    @property
    def name(self) -> str:
        """The blob's name: the DAG as a folder, and a hash of the whole identity."""
        folder = re.sub(r"[^A-Za-z0-9._-]", "-", self.run.dag_id).strip(".") or "-"
        return f"{folder}/{hashlib.sha256(str(self.run).encode()).hexdigest()[:32]}.json"

    def to_document(self) -> JsonObject:
        """Return the report as a JSON object."""
        return {
            "updraft": FORMAT,
            "connection": self.run.connection,
            "dag_id": self.run.dag_id,
            "dag_run_id": self.run.dag_run_id,
            "state": self.state,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "detail": self.detail,
            "reported_by": self.reported_by,
            "reported_at": self.reported_at,
        }


class BlobRunReports:
    """Stores run reports in a blob container.

    Args:
        storage: The app's own Storage account.
        container: The container's name.
    """

    def __init__(self, storage: "Storage", *, container: str = REPORTS_CONTAINER) -> None:
        self._storage = storage
        self._container = container

    def record(self, report: RunReport) -> JsonObject:
        """Store a report if it is the run's first.

        Returns:
            The stored document: this report or the first one.

        Raises:
            StorageUnavailable: It is not stored; the sender has to send it again.
        """
        from azure.core.exceptions import ResourceExistsError
        from azure.storage.blob import ContentSettings

        document = report.to_document()
        container = self._storage.container(self._container)
        with storage_errors(f"a run report cannot be stored in the container {self._container}"):
            try:
                create_if_missing(
                    container.create_container,
                    lambda: container.upload_blob(
                        report.name,
                        json.dumps(document, indent=1).encode(),
                        overwrite=False,
                        content_settings=ContentSettings(content_type="application/json"),
                    ),
                )
            except ResourceExistsError:
                first = json.loads(container.download_blob(report.name).readall())
                if not isinstance(first, dict) or first.get("updraft") != FORMAT:
                    raise StorageUnavailable(
                        f"the blob {report.name} does not hold a run report of format {FORMAT}"
                    ) from None
                return first
        return document


def log_report(report: RunReport) -> None:
    """Log how a run ended: a sentence for people, and members for queries."""
    run = report.run
    rule = run.dag_run_id.partition("__")[0]
    fields = {
        "rule": rule,
        "report": report.state,
        "event": run.event_id or None,
        "connection": run.connection,
        "dag": run.dag_id,
        "run": run.dag_run_id,
        "started_at": report.started_at,
        "ended_at": report.ended_at,
        "reported_by": report.reported_by,
    }
    LOGGER.info(
        "ended: run %s of DAG %s on %s with %s%s",
        run.dag_run_id,
        run.dag_id,
        run.connection,
        report.state,
        f", for event {visible(run.event_id, MAX_SHOWN)}" if run.event_id else "",
        extra={FIELDS: {name: value for name, value in fields.items() if value is not None}},
    )
