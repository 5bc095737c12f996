"""How requests reach an Airflow in Amazon MWAA: each is wrapped into a signed call of `InvokeRestApi`.

See https://docs.aws.amazon.com/mwaa/latest/API/API_InvokeRestApi.html. MWAA answers 200 where Airflow did
well, and 400 with Airflow's real status inside where it did not; unwrapped, every answer is one of Airflow's,
so that the failure table applies unchanged. A path may have 64 characters, which a run's address rarely keeps
to: a run is then looked for among the DAG's newest, by its exact id.
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
"""Characters of a path that `InvokeRestApi` takes (botocore's model of it, `RestApiPath`)."""
PAGE: Final = 16
PAGES: Final = 6
"""Runs that are asked for at once, so that they stay under `BODY_LIMIT`, and how often at most."""
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
"""The status that stands for an error of AWS's own, where HTTP's may say something else."""


class MwaaTransport(Transport[AwsCredentials]):
    """Sends requests to one MWAA environment; safe to use from any thread.

    Args:
        connection: Where MWAA's API is, and how long to wait for it.
        role: Gives the credentials that requests are signed with.
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
        """Send a signed request; see `Transport`. A path that is too long is an answer too."""
        inner = path.split("?", maxsplit=1)[0].split("/", 3)[-1]
        fits = len(inner) < PATH_LIMIT  # the slash before it counts as well
        if question.what == "run" and not (fits and "%" not in inner):
            return self._find_run(path.rpartition("/")[0], question, within)
        if not fits:
            reason = f"Amazon MWAA takes paths of {PATH_LIMIT} characters, and /{inner} has {len(inner) + 1}"
            return AirflowResponse(sent=False, invalid=reason, question=question)
        return super().ask(method, path, body, question=question, within=within)

    def send(
        self, method: str, path: str, body: object, proof: AwsCredentials, within: float | None
    ) -> AirflowResponse:
        """Wrap one request, sign it, and unwrap the answer; see `Transport`."""
        inner, _, query = path.partition("?")
        call: dict[str, object] = {"Path": "/" + inner.split("/", 3)[-1], "Method": method}
        if query:
            call["QueryParameters"] = dict(parse_qsl(query))
        if body is not None:
            call["Body"] = body
        plain = self._wire.client().sanitize_for_serialization(call)
        address = f"/restapi/{self._environment}"
        signed = self._signed(address, json.dumps(plain), proof)
        return self._unwrapped(self._wire.send("POST", address, plain, signed, within))

    def _signed(self, address: str, body: str, proof: AwsCredentials) -> dict[str, str]:
        """Return the headers of a signed request (Signature Version 4), made by AWS's own library."""
        # At DEBUG it logs what it signs, the session token included.
        logging.getLogger("botocore.auth").setLevel(logging.INFO)
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        url = self._wire.connection.url.rstrip("/") + address
        request: Any = AWSRequest("POST", url, {"Content-Type": "application/json"}, body.encode())
        SigV4Auth(proof, _SERVICE, self._region).add_auth(request)
        return {name: value for name, value in request.headers.items() if name != "Content-Type"}

    def _unwrapped(self, answer: AirflowResponse) -> AirflowResponse:
        """Return what Airflow answered; an error of AWS's own as the status that stands for it."""
        body, status = answer.body or {}, answer.status
        if status is None or answer.error:
            return answer
        inner = body.get("RestApiStatusCode")
        if isinstance(inner, int) and not isinstance(inner, bool):
            return _airflows(answer, inner, body.get("RestApiResponse"))
        if answer.code == "RestApiServerException":
            return _airflows(answer, 502, body.get("RestApiResponse"))
        if status < 300:
            return replace(
                answer, body=None, text="no answer of MWAA's InvokeRestApi: check the connection's url"
            )
        said = str(body.get("message", body.get("Message", answer.text)))
        told = f"{answer.code}: {said}" if answer.code else said
        if status == 404:
            told += (
                f"; see that {self._environment} is an MWAA environment in {self._region}, and url MWAA's API"
            )
            return replace(answer, status=403, body={"message": told})
        if answer.code == "AccessDeniedException":
            told += "; allow the role airflow:InvokeRestApi on the environment and its Airflow role"
        return replace(answer, status=_STATUSES.get(answer.code, status), body={"message": told})

    def _find_run(self, runs: str, question: Question, within: float | None) -> AirflowResponse:
        """Look for a run among a DAG's, newest first, by its exact id.

        Airflow 3 may search for the id, and then one page is all; one that does not know how, and Airflow 2,
        list the newest. A list that ends without the run means 404. One that goes on leaves the doubt, which
        asking for the same run once more resolves: its id is taken, or it is not.
        """
        # As a pattern the id finds itself at least: `_` stands for any character. Airflow 2 refuses the key.
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
        doubt = (
            f"the run is not among the DAG's {PAGES * PAGE} newest, and MWAA takes no address of its length"
        )
        return replace(answer, status=None, body=None, error=doubt, question=question)


def _airflows(answer: AirflowResponse, status: int, response: "Json") -> AirflowResponse:
    """Return an answer with what Airflow said in place of MWAA's wrapping."""
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
    """Return what Airflow itself answers about a run that is not there."""
    detail = f"DAGRun with DAG ID: '{question.dag_id}' and DagRun ID: '{question.dag_run_id}' not found"
    if question.api == "v1":
        return {"type": "about:blank", "title": "Not Found", "status": 404, "detail": detail}
    return {"detail": detail}
