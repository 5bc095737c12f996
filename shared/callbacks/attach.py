"""Adds the callback, with address and token, to `_updraft.callback` in a run's conf just before sending.

Airflow's client calls it for the request that starts the run. So nothing else in this app has the token:
requests, parked deliveries and dead letters never contain it, and it is removed from Airflow's response.
`for_airflow/` reads the format (`updraft_airflow.callback`).
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
    """Adds callbacks to the runs of one process; safe to use from any thread.

    Args:
        environment: The application settings.
        secrets: The vault with the signing key.
    """

    def __init__(self, environment: Mapping[str, str], secrets: "Secrets") -> None:
        self._settings = InboundSettings(environment)
        self._secrets = secrets
        self._lock = threading.Lock()
        self._tokens: ReverseTokens | None = None

    def tokens(self) -> "ReverseTokens":
        """Return the signer and verifier of run tokens.

        Raises:
            SettingsError: The address of this app is unknown.
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
        """Send the request for a run, with a callback in the conf if its rule has one.

        Args:
            request: The run.
            send: Sends a request to Airflow.

        Raises:
            CredentialError: No token could be made for the run, and nothing was sent; or as `send`.
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
                f"the run gets no address to report to: {error}", permanent=True
            ) from error
        conf = {**request.conf, RESERVED: {**identity, "callback": callback}}
        return without(send(replace(request, conf=conf)), str(callback.get("token", "")))

    def _callback(self, run: RunRef, terms: "CallbackTerms") -> JsonObject:
        callback: JsonObject = {"url": self._settings.outcomes_url()}
        if terms.token:
            callback["token"] = self.tokens().issue(run, lifetime=terms.lifetime)
        return callback


def without(answer: "AirflowResponse", token: str) -> "AirflowResponse":
    """Return a response without the token: Airflow's refusals quote the refused value, also in part."""
    if not token:
        return answer
    beginning = token.partition(".")[0]  # the header: the same for all tokens of a key, and not secret

    def hide(text: str) -> str:
        if beginning not in text:
            return text
        before, *rest = text.split(beginning)
        return before + "".join(HIDDEN + each.lstrip(_ALPHABET) for each in rest)

    try:
        body = _mapped(answer.body, hide)
    except RecursionError:  # no run of this app and no error of Airflow is nested so deep
        return replace(answer, body=None, text="the response is nested too deep")
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
