"""The numbers and the words of deliveries, as docs/delivery.md and docs/monitoring.md have them."""

import importlib
import math
import pkgutil
from dataclasses import astuple, fields
from typing import Final

import shared.delivery
from shared.backoff import Backoff
from shared.delivery.outcomes import OutcomeKind
from shared.delivery.paused_dags import Scheduling
from shared.delivery.policy import Budget, Policy

CONSTANTS: Final[dict[str, dict[str, object]]] = {
    "arrivals": {"UNREADABLE": "Unreadable", "GIVEN_UP": "MaxDeliveryAttemptsExceeded", "_ERROR_SHOWN": 500},
    "attempts": {"_LEAST_SECONDS": 0.5},
    "bursts": {"_UNREADABLE": "Unreadable"},
    "hops": {
        "PUBLISHED": "published",
        "WAITED": "waited",
        "READ": "read",
        "DECIDE": "decide",
        "SLOT": "slot",
        "TOKEN": "token",
        "AIRFLOW": "airflow",
        "PAUSE": "pause",
        "STORAGE": "storage",
        "OTHER": "other",
        "TOTAL": "total",
    },
    "outcomes": {"AIRFLOW_NOT_ANSWERING": "AirflowNotAnswering", "NO_RULE": "-"},
    "paused_dags": {"KEPT": 60.0, "FAILURE_KEPT": 5.0},
    "policy": {"_NO_BACKOFF": (0.0, 0.0, 0.0)},
    "preconditions": {"_WARNING_TIMEOUT": 2.0, "_SUPERSEDED": "Superseded", "_ORDER_UNKNOWN": "OrderUnknown"},
    "relay": {
        "_RULE_CHANGED": "RuleChanged",
        "_TEMPLATE_ERROR": "TemplateError",
        "_TOO_OLD": "TimeToLiveExceeded",
    },
    "repeats": {"EVERY": 300.0},
    "rights": {"PERMISSION_REVOKED": "PermissionRevoked"},
    "unverified_hooks": {
        "MOST": 100,
        "WITHIN": 600.0,
        "LONGEST_WAIT": 86_400.0,
        "_BACKOFF": (10.0, 600.0, 0.0),
        "_BAD_SIGNATURE": "BadSignature",
        "_UNVERIFIED": "SignatureUnverified",
    },
}


def plain(value: object) -> object:
    """Return a number or a word, or the three times of a backoff."""
    return astuple(value)[:3] if isinstance(value, Backoff) else value


def test_the_default_numbers_are_those_of_the_documentation() -> None:
    """The tables of docs/delivery.md, and `maxDequeueCount` of host.json."""
    policy = Policy()
    assert {each.name: plain(getattr(policy, each.name)) for each in fields(policy)} == {
        "budget": 18.0,
        "hold_back": 60.0,
        "later": (5.0, 900.0, 1.0),
        "alarm": (1_800.0, 1_800.0, 900.0),
        "dag_not_found": (30.0, 300.0, 15.0),
        "rule_changed": (30.0, 300.0, 15.0),
        "grace": 3_600.0,
        "grace_attempts": 12,
        "paused": (120.0, 120.0, 60.0),
        "max_age": math.inf,
        "breaker_rest": 30.0,
        "queue_deliveries": 12,
    }
    budget = Budget(deadline=1.0)
    assert (budget.tries, plain(budget.pauses), budget.slot_wait) == (6, (0.25, 4.0, 0.0), 4.0)


def test_codes_and_times_are_those_that_operators_read() -> None:
    """Alerts and dashboards compare these words; a time has its reason where it is defined."""
    for module in pkgutil.iter_modules(shared.delivery.__path__):
        whole = importlib.import_module(f"shared.delivery.{module.name}")
        own = CONSTANTS.get(module.name, {})
        assert {name: plain(getattr(whole, name)) for name in own} == own
    assert {kind.name for kind in OutcomeKind} == {kind.value.upper() for kind in OutcomeKind}
    assert [state.value for state in Scheduling] == ["active", "paused", "draining"]
