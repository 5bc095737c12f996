"""The receiving end of outcomes, and a managed-identity endpoint, on loopback."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CODES = {400: "bad_body", 401: "no_token", 403: "wrong_run", 409: "already_reported", 413: "too_large"}


class Receiver(ThreadingHTTPServer):
    """Takes outcomes, and answers with the statuses it was given, then 200.

    Attributes:
        answers: Each a status, which is answered as Updraft does, or a status with another server's body.
        retry_after: The header's value.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/api/outcomes"
        self.answers: list[int | tuple[int, bytes]] = []
        self.retry_after = "86400"
        self.taken: list[tuple[dict[str, str], Any]] = []


def _as_updraft(status: int, said: Any) -> bytes:
    """Write the body of Updraft's own answer: a receipt, or a problem document."""
    if status < 300:
        run = {name: said["run"][name] for name in ("dag_id", "dag_run_id")}
        receipt = {"run": run, "state": said["state"], "reported_at": "2026-01-02T00:00:01Z"}
        return json.dumps(receipt).encode()
    problem = {
        "type": "about:blank",
        "title": "x",
        "status": status,
        "code": CODES.get(status, "temporarily_unavailable"),
    }
    return json.dumps(problem | {"detail": "y"}).encode()


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        said = json.loads(body)
        self.server.taken.append((dict(self.headers), said))
        answer = self.server.answers.pop(0) if self.server.answers else 200
        if answer == 0:  # hang up without a word
            self.close_connection = True
            return
        status, content = (answer, _as_updraft(answer, said)) if isinstance(answer, int) else answer
        self.send_response(status)
        self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.send_header("Retry-After", self.server.retry_after)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        """Answer as App Service's managed-identity endpoint."""
        token = {"access_token": "made-up-entra-token", "expires_on": str(int(time.time()) + 3600)}
        body = json.dumps(token | {"resource": "x", "token_type": "Bearer"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    """Take outcomes until the block ends."""
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
