"""The permits of one Airflow, as one process sees them in Storage."""

from shared.admission.permit_blobs import PermitBlobs, permits_of
from shared.azure.credential import azure_credential
from shared.azure.storage_account import Storage

PLACES = 4


def blobs(storage: Storage, prefix: str, places: int = PLACES) -> PermitBlobs:
    """Return the permits as one process sees them, in a container of this test."""
    return PermitBlobs(
        lambda: storage.address("blob"),
        azure_credential,
        name=permits_of("https://airflow.contoso.example"),
        places=places,
        container=prefix,
    )
