"""Permits as leases on blobs, on a stub with responses that Azurite does not give."""

import pytest

from local.stand_ins.identity_endpoint import IdentityEndpoint
from local.stand_ins.lease_stub import LeaseStub
from local.stand_ins.loopback_server import Reply, Request
from shared.admission.permit_blobs import LONGEST_WAIT, PermitBlobs, permits_of
from shared.admission.permit_store import View
from shared.azure.credential import azure_credential
from shared.errors import StorageUnavailable
from tests.support.permit_blobs import PLACES


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://airflow.contoso.example", "https://Airflow.contoso.example/", True),
        ("https://airflow.contoso.example/a", "https://airflow.contoso.example/b", False),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8081", False),
    ],
)
def test_an_airflow_has_one_set_of_permits(one: str, other: str, same: bool) -> None:  # noqa: FBT001 - a case
    """Connections to the same address in any form share its permits; others have their own."""
    assert (permits_of(one) == permits_of(other)) is same


class TestOnAStub:
    """Responses of a blob service that Azurite does not give."""

    @pytest.fixture
    def store(self, identity: IdentityEndpoint, leases: LeaseStub) -> PermitBlobs:
        """The permits on a stub."""
        assert identity.url
        return PermitBlobs(lambda: leases.url, azure_credential, name="airflow", places=PLACES)

    def test_a_missing_role_is_told(self, store: PermitBlobs, leases: LeaseStub) -> None:
        """A refusal names the role that the identity needs."""
        leases.inject(403, headers={"x-ms-error-code": "AuthorizationPermissionMismatch"})
        with pytest.raises(StorageUnavailable, match=r"403 AuthorizationPermission.*Blob Data Contributor"):
            store.acquire(0)

    def test_no_token_is_no_storage(
        self, store: PermitBlobs, leases: LeaseStub, identity: IdentityEndpoint
    ) -> None:
        """Without a token no request is sent, and the error is the same as for an outage."""
        identity.inject(500, times=20)
        with pytest.raises(StorageUnavailable):
            store.acquire(0)
        assert not leases.seen

    def test_an_acquire_without_an_answer_is_asked_again_under_its_id(
        self, store: PermitBlobs, leases: LeaseStub
    ) -> None:
        """A lease that was acquired without a response is not lost."""
        asked: list[str | None] = []
        handle = leases.handle

        def watch(request: Request) -> Reply:
            asked.append(request.headers.get("x-ms-proposed-lease-id"))
            return handle(request)

        leases.handle = watch  # type: ignore[method-assign] # the wire is watched
        leases.inject(0, after_handling=True)
        with pytest.raises(StorageUnavailable):
            store.acquire(1)
        lease = store.acquire(1)
        assert asked == [lease, lease]
        assert store.acquire(1) != lease

    def test_old_tickets_are_thrown_away(self, store: PermitBlobs, leases: LeaseStub) -> None:
        """A ticket that waits for hours is of an ended instance, and is deleted."""
        old = "Sun, 01 Jan 2023 00:00:00 GMT"
        listing = (
            '<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs><Blob>'
            f"<Name>airflow/line/dead</Name><Properties><Last-Modified>{old}</Last-Modified></Properties>"
            "</Blob></Blobs></EnumerationResults>"
        )
        leases.inject(200, body=listing)
        leases.inject(202, when=lambda request: request.method == "DELETE")
        assert store.look() == View(frozenset(range(PLACES)))
        assert LONGEST_WAIT > 0
