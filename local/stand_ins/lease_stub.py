"""A blob service that grants every lease at once, for tests and measurements."""

from local.stand_ins.loopback_server import LoopbackServer, Reply, Request

_NOTHING = '<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs/></EnumerationResults>'


class LeaseStub(LoopbackServer):
    """The stub; a context manager. It needs TLS, because azure-core sends bearer tokens only over HTTPS."""

    def handle(self, request: Request) -> Reply:
        """Answer one request of `shared/admission/permit_blobs.py`."""
        if request.method == "GET":
            return Reply(200, _NOTHING, {"Content-Type": "application/xml"})
        return Reply(201 if request.headers.get("x-ms-lease-action") == "acquire" else 200)
