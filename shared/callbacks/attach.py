"""Gives a run its callback while it is started: `_updraft.callback` in its conf, with address and token.

Airflow's client calls it around the one request that starts the run. So nothing else in this app ever holds
the token: requests, parked deliveries and dead letters are made without it, and what Airflow echoes of it is
taken out. The format is read by `for_airflow/` (`updraft_airflow.callback`).
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from shared.errors import SettingsError, TokenUnavailable
from shared.runs.provenance import RESERVED
from shared.runs.ref import RunRef
from shared.settings import InboundSettings
from shared.values.json_text import Json, JsonObject

if TYPE_CHECKING:
    from shared.airflow.response import AirflowResponse
    from shared.azure.key_vault import Secrets
    from shared.callbacks.tokens import ReverseTokens
    from shared.runs.request import CallbackTerms, RunRequest

HIDDEN: Final = "[token]"


class RunCallbacks:
    """Where the runs of one process report, and with which tokens; safe to use from any thread.

    Args:
        environment: The application settings.
        secrets: The vault that has the signing key.
    """

    def __init__(self, environment: Mapping[str, str], secrets: "Secrets") -> None:
        self._settings = InboundSettings(environment)
        self._secrets = secrets
        self._lock = threading.Lock()
        self._tokens: ReverseTokens | None = None

    def tokens(self) -> "ReverseTokens":
        """Return what runs' own tokens are signed and verified with.

        Raises:
            SettingsError: The address of this app is not known.
        """
        from shared.callbacks.tokens import ReverseTokens

        with self._lock:
            if self._tokens is None:
                self._tokens = ReverseTokens(
                    self._secrets,
                    secret=self._settings.callback_key_secret(),
                    audience=self._settings.outcomes_url(),
                )
            return self._tokens

    def start(
        self, request: "RunRequest", send: "Callable[[RunRequest], AirflowResponse]"
    ) -> "AirflowResponse":
        """Send the request for a run, with its callback in the conf where its rule wants one.

        Args:
            request: The run.
            send: Sends a request to Airflow.

        Raises:
            CredentialError: There is no token to give to the run, and nothing was sent; or as `send`.
        """
        if request.callback is None:
            return send(request)
        identity = request.conf[RESERVED]
        assert isinstance(identity, dict)
        event = identity.get("event")
        event_id = event.get("id") if isinstance(event, dict) else None
        run = RunRef(request.connection, request.dag_id, request.dag_run_id, str(event_id or ""))
        try:
            callback = self._callback(run, request.callback)
        except SettingsError as error:
            raise TokenUnavailable(
                f"the run cannot be told where to report: {error}", permanent=True
            ) from error
        conf = {**request.conf, RESERVED: {**identity, "callback": callback}}
        return without(send(replace(request, conf=conf)), str(callback.get("token", "")))

    def _callback(self, run: RunRef, terms: "CallbackTerms") -> JsonObject:
        callback: JsonObject = {"url": self._settings.outcomes_url()}
        if terms.token:
            callback["token"] = self.tokens().issue(run, lifetime=terms.lifetime)
        return callback


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
