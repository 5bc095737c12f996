"""Gives a run its callback while it is started: `_updraft.callback` in its conf, with address and token.

It stands between the relay and Airflow's client, so that nothing on this side ever holds the token: a
request, a parked delivery and a dead letter are made without it, and what Airflow echoes of it is taken out.
The format is read by `for_airflow/` (`updraft_airflow.callback`).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from shared.errors import SettingsError, TokenUnavailable
from shared.runs.provenance import RESERVED
from shared.runs.ref import RunRef
from shared.values.json_text import Json, JsonObject

if TYPE_CHECKING:
    from shared.airflow.client import AirflowClient
    from shared.airflow.response import AirflowResponse
    from shared.callbacks.tokens import ReverseTokens
    from shared.runs.request import RunRequest

HIDDEN: Final = "[token]"


class ReportDesk(Protocol):
    """Where runs report."""

    def outcomes_url(self) -> str:
        """Return the address that outcomes are sent to; raises `SettingsError` where it is not known."""

    def tokens(self) -> "ReverseTokens":
        """Return the source of runs' tokens; raises `SettingsError` as `outcomes_url`."""


class CallbackAirflow:
    """An Airflow whose runs know where to report; safe to use from any thread.

    Args:
        airflow: The client.
        desk: Gives what is reported to, when the first run wants to report.
    """

    def __init__(self, airflow: "AirflowClient", desk: "Callable[[], ReportDesk]") -> None:
        self._airflow = airflow
        self._desk = desk

    def start_run(self, request: "RunRequest", *, within: float | None = None) -> "AirflowResponse":
        """Ask for a run, with its callback in the conf where its rule wants one.

        Raises:
            CredentialError: There is no token to ask with, or none to give to the run; nothing was sent.
        """
        if request.callback is None:
            return self._airflow.start_run(request, within=within)
        try:
            desk = self._desk()
            callback: JsonObject = {"url": desk.outcomes_url()}
            if request.callback.token:
                run = RunRef(request.connection, request.dag_id, request.dag_run_id)
                callback["token"] = desk.tokens().issue(run, lifetime=request.callback.lifetime)
        except SettingsError as error:
            raise TokenUnavailable(
                f"the run cannot be told where to report: {error}", permanent=True
            ) from error
        identity = request.conf[RESERVED]
        assert isinstance(identity, dict)
        conf = {**request.conf, RESERVED: {**identity, "callback": callback}}
        answer = self._airflow.start_run(replace(request, conf=conf), within=within)
        return without(answer, str(callback.get("token", "")))

    def get_run(self, dag_id: str, dag_run_id: str, *, within: float | None = None) -> "AirflowResponse":
        """Look a run up."""
        return self._airflow.get_run(dag_id, dag_run_id, within=within)

    def get_dag(self, dag_id: str, *, within: float | None = None) -> "AirflowResponse":
        """Look a DAG up."""
        return self._airflow.get_dag(dag_id, within=within)

    def newest_runs(self, dag_id: str, prefix: str, *, within: float | None = None) -> "AirflowResponse":
        """Ask for a DAG's newest runs."""
        return self._airflow.newest_runs(dag_id, prefix, within=within)


def without(answer: "AirflowResponse", token: str) -> "AirflowResponse":
    """Return an answer without the token: Airflow's refusals quote what they refuse, and may cut it off."""
    if not token:
        return answer
    beginning = token.partition(".")[0]  # the header: the same for all tokens of a key, and no secret

    def hide(text: str) -> str:
        if beginning not in text:
            return text
        before, *rest = text.split(beginning)
        return before + "".join(HIDDEN + each.lstrip(_ALPHABET) for each in rest)

    try:
        body = _mapped(answer.body, hide)
    except RecursionError:  # no run of ours is nested like that, and no error of Airflow's
        return replace(answer, body=None, text="the answer is nested too deeply")
    assert body is None or isinstance(body, dict)
    return replace(
        answer,
        body=body,
        text=hide(answer.text),
        error=hide(answer.error),
        invalid=hide(answer.invalid),
    )


_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."


def _mapped(value: Json, change: Callable[[str], str]) -> Json:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {name: _mapped(member, change) for name, member in value.items()}
    if isinstance(value, list):
        return [_mapped(member, change) for member in value]
    return value
