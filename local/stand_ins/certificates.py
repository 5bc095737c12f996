"""Makes a certificate authority and one server certificate for this machine's loopback names.

Clients trust it through standard variables (`REQUESTS_CA_BUNDLE`), so the product needs no switch for local
use.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path

import certifi
import trustme

from local.processes.private import private_folder, write_private


@dataclass(frozen=True, slots=True)
class Certificates:
    """The paths of the PEM files.

    Attributes:
        authority: The authority's certificate, for clients to trust.
        certificate: The server's certificate chain, for 127.0.0.1, ::1 and localhost.
        key: The server's private key, which only its owner can read.
    """

    authority: Path
    certificate: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        """Return a TLS context for a server of this process."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.certificate, self.key)
        return context

    def environment(self) -> dict[str, str]:
        """Return the variables that make a process trust the authority, and it alone."""
        return _trusting(self.authority)

    def environment_of_a_shell(self) -> dict[str, str]:
        """Return the same for a person's shell: `az` and `pip` in it still trust the public authorities."""
        bundle = self.authority.with_name("public-and-local.pem")
        bundle.write_text(
            f"{Path(certifi.where()).read_text(encoding='utf-8')}\n{self.authority.read_text()}"
        )
        return _trusting(bundle)


def _trusting(authorities: Path) -> dict[str, str]:
    return {"REQUESTS_CA_BUNDLE": str(authorities), "SSL_CERT_FILE": str(authorities)}


def make_certificates(folder: Path) -> Certificates:
    """Make an authority and a server certificate, and write them into `folder`.

    Args:
        folder: The folder, created if missing and closed to other users; earlier certificates are replaced.

    Returns:
        The paths of the PEM files.
    """
    private_folder(folder)
    authority = trustme.CA(organization_name="Updraft local")
    server = authority.issue_cert("127.0.0.1", "::1", "localhost")
    made = Certificates(folder / "authority.pem", folder / "server.pem", folder / "server-key.pem")
    authority.cert_pem.write_to_path(made.authority)
    made.certificate.write_bytes(b"".join(part.bytes() for part in server.cert_chain_pems))
    write_private(made.key, server.private_key_pem.bytes().decode())
    return made
