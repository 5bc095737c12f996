"""docs/delivery.md, "The host's settings, and why": it shows what is set, and its reasons hold."""

import json
import math
import re
from typing import Any

from cli.commands.doctor import BODY_LIMIT, LARGEST_BODY
from cli.commands.subscription import DEAD_LETTER_CONTAINER, RETRY_POLICY
from local.functions_host.settings import HostSettings, read_host_settings
from shared.admission.permits import longest_request
from shared.azure.storage_account import CONNECTIONS, DEAD_LETTERS_CONTAINER
from shared.delivery.policy import Policy
from shared.http_api.events import EVENTS_LIMIT
from shared.http_api.run_reports import REPORT_LIMIT
from shared.http_api.runs import RUN_LIMIT
from shared.http_api.webhooks import HOOK_LIMIT
from shared.rules import Connection
from tests.support.paths import ROOT

THREADS = "PYTHON_THREADPOOL_THREAD_COUNT"
STORAGE_SECONDS = 60.0
"""What the page says is left for Storage."""
ROLE_SECONDS = 300.0
"""How long a role assignment takes to come into force, at most."""
PUSHED = 16
"""Threads that the page says are left for what does not come by a queue."""


def documented() -> dict[str, str]:
    """Return the settings in the page's table, each with its value."""
    page = (ROOT / "docs/delivery.md").read_text(encoding="utf-8")
    section = page.partition("## The host's settings, and why")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \| .+ \|$", section, re.MULTILINE))


def settings_of(file: str) -> Any:
    """Return what a JSON file at the root holds."""
    return json.loads((ROOT / file).read_text(encoding="utf-8"))


def host() -> HostSettings:
    """Return host.json as a host reads it."""
    return read_host_settings(ROOT)


def in_work() -> int:
    """Return how many messages of a queue an instance has in work at most."""
    return host().queues.batch_size + host().queues.new_batch_threshold


def test_the_page_shows_what_is_set() -> None:
    """The table has the settings of the queues, the time-out, the threads and the subscription, no others."""
    document = settings_of("host.json")
    wanted: dict[str, Any] = {
        "functionTimeout": document["functionTimeout"],
        **document["extensions"]["queues"],
        THREADS: settings_of("local.settings.example.json")["Values"][THREADS],
        BODY_LIMIT: settings_of("local.settings.example.json")["Values"][BODY_LIMIT],
        **RETRY_POLICY,
        "deadLetterDestination": DEAD_LETTER_CONTAINER,
    }
    assert documented() == {name: str(value) for name, value in wanted.items()}


def test_no_delivery_outlasts_the_time_out() -> None:
    """The longest tries, the longest hold of a listener and calls to Storage fit into `functionTimeout`."""
    policy, allowed = Policy(), host().function_timeout
    assert allowed is not None
    tries = longest_request(math.inf, math.inf, budget=policy.budget)
    assert tries + policy.hold_back + STORAGE_SECONDS <= allowed


def test_an_instance_fetches_what_it_can_send() -> None:
    """It has as many messages of a queue in work as a connection has requests in flight by default."""
    assert in_work() == Connection.model_fields["in_flight"].default


def test_a_new_role_is_waited_for() -> None:
    """A message is given up only after a role assignment has had the time to come into force."""
    queues = host().queues
    assert (queues.max_dequeue_count - 1) * queues.visibility_timeout > ROLE_SECONDS


def test_the_app_knows_which_delivery_is_the_last() -> None:
    """It writes the dead letter of a message at the delivery after which the host would give it up."""
    assert Policy().queue_deliveries == host().queues.max_dequeue_count


def test_every_body_reaches_the_app() -> None:
    """The host decodes no body: one that it cannot decode never reaches a function."""
    assert not host().queues.base64


def test_every_message_in_work_has_a_thread() -> None:
    """Messages of both queues that hold their listeners back leave threads for what is pushed."""
    threads = int(documented()[THREADS])
    assert threads >= 2 * in_work() + PUSHED
    assert f"set it to {threads} " in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_largest_body_that_the_app_takes_reaches_it() -> None:
    """The host's limit is what `updraft doctor` asks for, and leaves room for every body that is taken."""
    assert int(documented()[BODY_LIMIT]) == LARGEST_BODY
    assert max(EVENTS_LIMIT, HOOK_LIMIT, RUN_LIMIT, REPORT_LIMIT) < LARGEST_BODY
    assert f"set it to {LARGEST_BODY} " in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_thread_has_a_connection() -> None:
    """To Storage as many connections are kept open as there are threads that call it."""
    assert int(documented()[THREADS]) == CONNECTIONS


def test_event_grids_letters_are_not_among_our_own() -> None:
    """The app trusts its own dead letters, so Event Grid writes its dead letters into another container."""
    assert documented()["deadLetterDestination"] != DEAD_LETTERS_CONTAINER
