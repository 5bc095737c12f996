"""Sends requests to an Airflow in Amazon MWAA: each is a signed call of `InvokeRestApi`.

See https://docs.aws.amazon.com/mwaa/latest/API/API_InvokeRestApi.html. MWAA answers 200 if Airflow succeeded,
and otherwise 400 with Airflow's status in the body. `send` returns Airflow's response, so that the failure
table applies. A path may have 64 characters, and the path of a run is usually longer: then the run is
searched for among the DAG's newest runs, by its exact id.
"""

import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from shared.airflow.auth.aws import AwsCredentials, AwsRole
from shared.airflow.response import AirflowResponse, Question
from shared.airflow.shapes import is_run_list
from shared.airflow.transport import Transport, segment
from shared.airflow.wire import TEXT_KEPT, Wire

if TYPE_CHECKING:
    from shared.rules import Connection
    from shared.values.json_text import Json, JsonObject

PATH_LIMIT: Final = 64
"""The most characters of a path in `InvokeRestApi` (botocore's model, `RestApiPath`)."""
PAGE: Final = 16
PAGES: Final = 6
"""Runs in one list, so that they stay under `BODY_LIMIT`, and the most lists."""
_SERVICE: Final = "airflow"
_STALE: Final = {"ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"}
_STATUSES: Final = {
    "AccessDeniedException": 403,
    "IncompleteSignature": 403,
    "InvalidSignatureException": 403,
    "RequestExpired": 403,
    "ServiceUnavailableException": 503,
    "SignatureDoesNotMatch": 403,
    "ThrottlingException": 429,
    "TooManyRequestsException": 429,
    **dict.fromkeys(_STALE, 401),
}
"""The status of the failure table for each error of AWS."""


class MwaaTransport(Transport[AwsCredentials]):
    """Sends requests to one MWAA environment; safe to use from any thread.

    Args:
        connection: The address of MWAA's API, and the time-outs.
        role: Returns the credentials that sign requests.
    """

    def __init__(self, connection: "Connection", role: AwsRole) -> None:
        super().__init__(role.credentials, role.renewed)
        self._wire = Wire(connection)
        self._environment, self._region = role.auth.environment, role.auth.region

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        question: Question,
        within: float | None = None,
    ) -> AirflowResponse:
        """Send a signed request; see `Transport`. A path that is too long gives a response too."""
        inner = path.split("?", maxsplit=1)[0].split("/", 3)[-1]
        fits = len(inner) < PATH_LIMIT  # the slash before it counts too
        if question.what == "run" and not (fits and "%" not in inner):
            return self._find_run(path.rpartition("/")[0], question, within)
        if not fits:
            reason = f"Amazon MWAA allows paths of {PATH_LIMIT} characters, and /{inner} has {len(inner) + 1}"
            return AirflowResponse(sent=False, invalid=reason, question=question)
        return super().ask(method, path, body, question=question, within=within)

    def send(
        self, method: str, path: str, body: object, credential: AwsCredentials, within: float | None
    ) -> AirflowResponse:
        """Sign and send one call of `InvokeRestApi`, and return Airflow's response; see `Transport`."""
        inner, _, query = path.partition("?")
        call: dict[str, object] = {"Path": "/" + inner.split("/", 3)[-1], "Method": method}
        if query:
            call["QueryParameters"] = dict(parse_qsl(query))
        if body is not None:
            call["Body"] = body
        plain = self._wire.client().sanitize_for_serialization(call)
        address = f"/restapi/{self._environment}"
        signed = self._signed(address, json.dumps(plain), credential)
        return self._unwrapped(self._wire.send("POST", address, plain, signed, within))

    def _signed(self, address: str, body: str, credential: AwsCredentials) -> dict[str, str]:
        """Return the headers of a signed request (Signature Version 4), made by AWS's library."""
        # At DEBUG it logs the signed text with the session token.
        logging.getLogger("botocore.auth").setLevel(logging.INFO)
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        url = self._wire.connection.url.rstrip("/") + address
        request: Any = AWSRequest("POST", url, {"Content-Type": "application/json"}, body.encode())
        SigV4Auth(credential, _SERVICE, self._region).add_auth(request)
        return {name: value for name, value in request.headers.items() if name != "Content-Type"}

    def _unwrapped(self, answer: AirflowResponse) -> AirflowResponse:
        """Return Airflow's response, or an error of AWS with its status in the failure table."""
        body, status = answer.body or {}, answer.status
        if status is None or answer.error:
            return answer
        inner = body.get("RestApiStatusCode")
        if isinstance(inner, int) and not isinstance(inner, bool):
            return _airflows(answer, inner, body.get("RestApiResponse"))
        if answer.code == "RestApiServerException":
            return _airflows(answer, 502, body.get("RestApiResponse"))
        if status < 300:
            return replace(answer, body=None, text="the response is not MWAA's: check the connection's url")
        said = str(body.get("message", body.get("Message", answer.text)))
        message = f"{answer.code}: {said}" if answer.code else said
        if status == 404:
            message += (
                f"; check that {self._environment} is an MWAA environment in {self._region}, "
                "and that url is MWAA's API"
            )
            return replace(answer, status=403, body={"message": message})
        if answer.code == "AccessDeniedException":
            message += "; allow the role airflow:InvokeRestApi on the environment and its Airflow role"
        return replace(answer, status=_STATUSES.get(answer.code, status), body={"message": message})

    def _find_run(self, runs: str, question: Question, within: float | None) -> AirflowResponse:
        """Search for a run among a DAG's newest runs, by its exact id.

        Airflow 3 can search for the id, and returns one page; older versions and Airflow 2 list the newest
        runs. If a list ends without the run, the result is 404. If the list is longer, the run is in doubt,
        and the next request for the same run resolves it: its id is taken or not.
        """
        # As a pattern, the id also matches other ids: `_` is any character. Airflow 2 refuses the key.
        dag_run_id = question.dag_run_id
        search = f"&run_id_pattern={segment(dag_run_id)}" if question.api == "v2" else ""
        listing = replace(question, what="runs", dag_run_id="")
        seconds = token_seconds = 0.0
        for page in range(PAGES):
            left = None if within is None else within - seconds - token_seconds
            query = f"?order_by=-id&limit={PAGE}&offset={page * PAGE}{search}"
            answer = self.ask("GET", runs + query, question=listing, within=left)
            seconds += answer.seconds
            token_seconds += answer.token_seconds
            answer = replace(answer, seconds=seconds, token_seconds=token_seconds)
            if not is_run_list(answer):
                return replace(answer, question=question)
            listed = (answer.body or {})["dag_runs"]
            assert isinstance(listed, list)
            for run in listed:
                if isinstance(run, dict) and run.get("dag_run_id") == dag_run_id:
                    return replace(answer, body=run, question=question)
            if len(listed) < PAGE:
                return replace(answer, status=404, body=_no_such_run(question), question=question)
        doubt = f"the run is not among the DAG's {PAGES * PAGE} newest, and its path is too long for MWAA"
        return replace(answer, status=None, body=None, error=doubt, question=question)


def _airflows(answer: AirflowResponse, status: int, response: "Json") -> AirflowResponse:
    """Return a response with Airflow's status and body."""
    body: JsonObject | None = response if isinstance(response, dict) else None
    text = ""
    if isinstance(response, str):
        try:
            decoded = json.loads(response)
        except (ValueError, RecursionError):
            decoded = None
        body = decoded if isinstance(decoded, dict) else None
        text = "" if body is not None else " ".join(response.split())[:TEXT_KEPT]
    return replace(answer, status=status, body=body, text=text)


def _no_such_run(question: Question) -> "JsonObject":
    """Return Airflow's response about a run that does not exist."""
    detail = f"DAGRun with DAG ID: '{question.dag_id}' and DagRun ID: '{question.dag_run_id}' not found"
    if question.api == "v1":
        return {"type": "about:blank", "title": "Not Found", "status": 404, "detail": detail}
    return {"detail": detail}
