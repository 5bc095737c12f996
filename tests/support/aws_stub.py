"""Amazon's side on loopback: STS's query protocol, and MWAA's `InvokeRestApi` before a stub of Airflow.

Signatures are checked as AWS describes it, by code of our own and not botocore's
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).
"""

import hashlib
import hmac
import json
import re
import urllib.parse
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import jwt

from local.stand_ins.airflow_stub import AirflowStub
from local.stand_ins.loopback_server import LoopbackServer, Reply, Request
from shared.values.json_text import Json, JsonObject

if TYPE_CHECKING:
    from tests.support.endpoints import Watch

ROLE = "arn:aws:iam::123456789012:role/updraft"
REGION = "eu-central-1"
ENVIRONMENT = "data-platform"
AUDIENCE = "api://aws-federation"
_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
_LISTED = re.compile(r"/api/v[12]/dags/([^/]+)/dagRuns")


class Sts(LoopbackServer):
    """AWS's token service, for one action.

    Attributes:
        trusts: Whether the role trusts the identity.
        lifetime: Seconds that credentials live.
        secrets: The secret key of each session token.
    """

    def __init__(self, watch: "Watch", clock: Callable[[], float]) -> None:
        super().__init__()
        self.trusts = True
        self.lifetime = 3_600.0
        self.secrets: dict[str, tuple[str, str]] = {}
        self._watch = watch
        self._clock = clock

    def handle(self, request: Request) -> Reply:
        """Answer `AssumeRoleWithWebIdentity`."""
        form = dict(urllib.parse.parse_qsl(request.body.decode()))
        assert (request.method, request.path) == ("POST", "/")
        assert "authorization" not in request.headers
        assert form.pop("Action") == "AssumeRoleWithWebIdentity"
        assert form.pop("Version") == "2011-06-15"
        assert form["RoleArn"] == ROLE
        assert 900 <= int(form["DurationSeconds"]) <= 43_200
        token = form["WebIdentityToken"]
        known = token in self._watch.secrets
        claims = jwt.decode(token, options={"verify_signature": False}) if known else {}
        if claims.get("aud") != AUDIENCE:
            return failure(400, "InvalidIdentityToken", f"Incorrect token audience {token}")
        if not self.trusts:
            return failure(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
        return self._granted()

    def _granted(self) -> Reply:
        number = len(self.secrets)
        key, secret, session = (
            f"ASIAMADEUP{number:010}",
            f"made-up/secret+key{number}",
            f"made/up+session=={number}",
        )
        self.secrets[session] = (key, secret)
        self._watch.secrets |= {secret, session}
        until = datetime.fromtimestamp(self._clock() + self.lifetime, UTC)
        return Reply(
            200,
            f'<AssumeRoleWithWebIdentityResponse xmlns="{_NAMESPACE}"><AssumeRoleWithWebIdentityResult>'
            f"<AssumedRoleUser><Arn>{ROLE.replace('iam', 'sts')}/updraft</Arn></AssumedRoleUser><Credentials>"
            f"<SessionToken>{session}</SessionToken><SecretAccessKey>{secret}</SecretAccessKey>"
            f"<Expiration>{until:%Y-%m-%dT%H:%M:%SZ}</Expiration><AccessKeyId>{key}</AccessKeyId>"
            "</Credentials></AssumeRoleWithWebIdentityResult><ResponseMetadata><RequestId>made-up</RequestId>"
            "</ResponseMetadata></AssumeRoleWithWebIdentityResponse>",
            {"Content-Type": "text/xml"},
        )


def failure(status: int, code: str, message: str) -> Reply:
    """Return an error of STS's."""
    return Reply(
        status,
        f'<ErrorResponse xmlns="{_NAMESPACE}"><Error><Type>Sender</Type><Code>{code}</Code>'
        f"<Message>{message}</Message></Error><RequestId>made-up</RequestId></ErrorResponse>",
        {"Content-Type": "text/xml"},
    )


class Mwaa(LoopbackServer):
    """MWAA's API before an Airflow.

    Args:
        sts: Whose credentials sign.
        good: As the attribute.

    Attributes:
        airflow: The Airflow behind, which answers without being started.
        good: Returns whether a session token is accepted.
        refused: Session tokens that have expired.
        credentials: The session tokens that came, in order.
        calls: The calls that came, in order.
        version: Airflow's.
        searches: Whether Airflow knows `run_id_pattern`.
    """

    def __init__(self, sts: Sts, good: Callable[[str], bool] = lambda _: True) -> None:
        super().__init__()
        self._sts = sts
        self.airflow = AirflowStub()
        self.good = good
        self.refused: set[str] = set()
        self.credentials: list[str] = []
        self.calls: list[JsonObject] = []
        self.version = "3.0.6"
        self.searches = True

    def stop(self) -> None:
        """Stop, and give back the port of the Airflow behind."""
        super().stop()
        self.airflow.stop()

    def handle(self, request: Request) -> Reply:
        """Answer `InvokeRestApi`."""
        return self._refusal(request) or self._invoke(request)

    def _refusal(self, request: Request) -> Reply | None:
        token = request.headers.get("x-amz-security-token", "")
        self.credentials.append(token)
        if token in self.refused:
            return error(
                403, "ExpiredTokenException", "The security token included in the request is expired"
            )
        if token not in self._sts.secrets:
            text = "The security token included in the request is invalid."
            return error(403, "UnrecognizedClientException", text)
        if not signed_well(request, *self._sts.secrets[token]):
            return error(
                403, "InvalidSignatureException", "The request signature we calculated does not match"
            )
        if not self.good(token):
            text = "User: x is not authorized to perform: airflow:InvokeRestApi"
            return Reply(
                403, {"Message": text}, {"x-amzn-ErrorType": "AccessDeniedException:http://internal/"}
            )
        return None

    def _invoke(self, request: Request) -> Reply:
        if (request.method, request.path) != ("POST", f"/restapi/{ENVIRONMENT}"):
            return error(404, "ResourceNotFoundException", "Environment not found")
        call = request.json()
        assert isinstance(call, dict)
        self.calls.append(call)
        path = str(call["Path"])
        if not set(call) <= {"Path", "Method", "QueryParameters", "Body"} or not 1 <= len(path) <= 64:
            return error(400, "ValidationException", "Path must have length less than or equal to 64")
        return wrapped(self._airflows(call, path))

    def _airflows(self, call: JsonObject, path: str) -> Reply:
        api = "/api/v1" if self.version.startswith("2.") else "/api/v2"
        if path == "/version":
            return Reply(200, {"version": self.version, "git_version": None})
        query = call.get("QueryParameters", {})
        assert isinstance(query, dict)
        if api == "/api/v1" and "run_id_pattern" in query:
            return Reply(400, {"title": "Bad Request", "detail": "Extra query parameter(s) in the request"})
        if call["Method"] == "GET" and (found := _LISTED.fullmatch(api + path)):
            return self._listed(found[1], query)
        inner = Request(
            str(call["Method"]),
            f"/api/v2{path}",
            {name: str(value) for name, value in query.items()},
            {"authorization": "Bearer of-mwaas-own"},
            json.dumps(call["Body"]).encode() if "Body" in call else b"",
        )
        return self.airflow.handle(inner)

    def _listed(self, dag_id: str, query: JsonObject) -> Reply:
        assert query["order_by"] == "-id"
        pattern = str(query.get("run_id_pattern", "")) if self.searches else ""
        runs: list[Json] = [
            run
            for (known, run_id), run in reversed(self.airflow.runs.items())
            if known == dag_id and pattern in run_id
        ]
        first = int(str(query.get("offset", 0)))
        return Reply(
            200, {"dag_runs": runs[first : first + int(str(query["limit"]))], "total_entries": len(runs)}
        )


def error(status: int, code: str, message: str) -> Reply:
    """Return an error of MWAA's."""
    return Reply(status, {"message": message}, {"x-amzn-ErrorType": code})


def wrapped(reply: Reply) -> Reply:
    """Return Airflow's answer as MWAA passes it on."""
    body: JsonObject = {"RestApiStatusCode": reply.status, "RestApiResponse": _document(reply.body)}
    if reply.status < 400:
        return Reply(200, body)
    name = "RestApiClientException" if reply.status < 500 else "RestApiServerException"
    return Reply(400, body, {"x-amzn-ErrorType": name})


def _document(body: bytes | str | JsonObject | list[Json]) -> Json:
    return body.decode() if isinstance(body, bytes) else body


def signed_well(request: Request, key: str, secret: str) -> bool:
    """Return whether a request has a valid signature of its key, for MWAA in the region, now."""
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/((\d{8})/([^/]+)/([^/]+)/aws4_request), "
        r"SignedHeaders=([^,]+), Signature=([0-9a-f]{64})",
        request.headers.get("authorization", ""),
    )
    if found is None:
        return False
    named, scope, day, region, service, names, signature = found.groups()
    headers = "".join(f"{name}:{request.headers[name].strip()}\n" for name in names.split(";"))
    payload = hashlib.sha256(request.body).hexdigest()
    canonical = f"{request.method}\n{request.path}\n\n{headers}\n{names}\n{payload}"
    at = request.headers["x-amz-date"]
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    signing = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        signing = hmac.digest(signing, part.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashed}"
    right = hmac.new(signing, text.encode(), "sha256").hexdigest()
    recent = abs(
        (datetime.strptime(at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) - datetime.now(UTC)).total_seconds()
    )
    return (
        (named, region, service) == (key, REGION, "airflow")
        and {"host", "x-amz-date", "x-amz-security-token"} <= set(names.split(";"))
        and recent < 300
        and hmac.compare_digest(right, signature)
    )
