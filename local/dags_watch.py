"""Reports the DAG files that the local Airflow cannot import, and when they are fixed.

Airflow itself shows the error only on a page of its user interface. Its API is asked for some time after a
DAG file has changed, and not at other times.
Source: `GET /api/v2/importErrors`, Airflow 3.3; a parsed file gets a new `timestamp` there.
"""

import contextlib
import re
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from local.processes.processes import shown
from local.servers.airflow_process import Airflow
from local.timeline import moment
from shared.values.wording import clipped
from shared.visible_text import visible

_EVERY: Final = 2.0
"""Seconds between two questions."""
_LONG_ENOUGH: Final = 90.0
"""Seconds after a change in which Airflow reads a file again, also on a busy machine."""
_SHOWN: Final = 300
_FRAME: Final = re.compile(r'^\s*File "(?P<file>[^"]+)", line (?P<line>\d+)', re.MULTILINE)

type _Files = dict[Path, tuple[float, int]]


@dataclass(frozen=True, slots=True)
class ImportFailure:
    """A DAG file that Airflow cannot import.

    Attributes:
        file: The file.
        trace: Python's traceback, or what Airflow says of the file.
        at: When Airflow tried.
    """

    file: Path
    trace: str
    at: datetime

    @property
    def place(self) -> str:
        """The file, with the last line of it that the traceback names."""
        lines = [found["line"] for found in _FRAME.finditer(self.trace) if Path(found["file"]) == self.file]
        return f"{shown(self.file)}:{lines[-1]}" if lines else str(shown(self.file))

    @property
    def report(self) -> str:
        """What a person should read."""
        last = next(reversed(self.trace.strip().splitlines()), "no reason was given")
        return (
            f"{visible(str(shown(self.file)))}: Airflow cannot import this DAG file.\n"
            f"  {visible(self.place)}: {visible(clipped(last.strip(), _SHOWN))}\n"
            "  fix: correct the file and save it; Airflow then reads it again"
        )


class DagsWatch:
    """The DAG files of a running stack.

    Args:
        airflow: The stack's Airflow.
    """

    def __init__(self, airflow: Airflow) -> None:
        self._airflow = airflow
        self._token = ""
        self._files: _Files = {}
        self._until = self._next = 0.0
        self._reported: dict[Path, ImportFailure] = {}

    def look(self) -> str:
        """Ask Airflow if a file has changed a short time ago.

        Returns:
            What a person should read: each failure once per change, and each file that is fixed; or an
            empty text.
        """
        now = time.monotonic()
        if now < self._next:
            return ""
        self._next = now + _EVERY
        files = self._changed_at()
        if files != self._files:
            self._files, self._until = files, now + _LONG_ENOUGH
        if now > self._until or not self._airflow.is_running:
            return ""
        try:
            failures = self._failures()
        except OSError:  # the token has expired, or Airflow is too busy to answer
            self._token = ""
            return ""
        return "\n".join([*self._new(failures), *self._gone(failures)])

    def _changed_at(self) -> _Files:
        """Return the files of the DAG folders, with their times and sizes."""
        found: _Files = {}
        for folder in self._airflow.dag_folders.values():
            for file in folder.rglob("*.py"):
                with contextlib.suppress(OSError):  # an editor has just replaced it
                    status = file.stat()
                    found[file] = (status.st_mtime, status.st_size)
        return found

    def _failures(self) -> dict[Path, ImportFailure]:
        """Return the files that Airflow could not import."""
        self._token = self._token or self._airflow.token()
        answer = self._airflow.call("GET", "/api/v2/importErrors?limit=100", token=self._token)
        return {failure.file: failure for failure in map(self._failure, answer["import_errors"])}

    def _failure(self, found: dict[str, Any]) -> ImportFailure:
        folder = self._airflow.dag_folders.get(found["bundle_name"], Path())
        return ImportFailure(
            folder / found["filename"], str(found["stack_trace"]), moment(found["timestamp"])
        )

    def _new(self, failures: dict[Path, ImportFailure]) -> list[str]:
        """Return the reports of failures that a person has not read."""
        told = []
        for file, failure in failures.items():
            before = self._reported.get(file)
            changed, _ = self._files.get(file, (0.0, 0))
            # Until Airflow has tried the changed file, its answer is about the earlier content.
            if (
                before is None
                or before.trace != failure.trace
                or before.at.timestamp() < changed < failure.at.timestamp()
            ):
                self._reported[file] = failure
                told.append(failure.report)
        return told

    def _gone(self, failures: dict[Path, ImportFailure]) -> list[str]:
        """Return the message about failures that have ended."""
        gone = [file for file in self._reported if file not in failures]
        for file in gone:
            del self._reported[file]
        return [
            f"{visible(str(shown(file)))}: "
            + ("Airflow can import this DAG file now." if file.exists() else "the DAG file was deleted.")
            for file in gone
        ]
