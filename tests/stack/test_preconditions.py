"""The requests of `latest_by` and `when_paused` to a real Airflow."""

import uuid

from local.servers.airflow_process import Airflow
from shared.deciding.decide import decide
from shared.delivery.outcomes import Outcome
from shared.event import Event
from shared.rules import load_rules
from tests.support.delivery import DAG, Delivering, Tokens

RULES = load_rules(
    "connections: {analytics: {url: 'https://airflow.example', auth: {kind: entra, scope: s}}}\n"
    "rules:\n"
    "- name: latest\n"
    "  when: {types: [Shop.Changed]}\n"
    f"  start: {{dag: {DAG}, conf: {{site: shop}}}}\n"
    "  latest_by: '{{ data.shop }}'\n"
    "  when_paused: hold\n",
    file="rules.yaml",
    settings={},
)


def test_an_older_event_is_superseded(real_airflow: Airflow) -> None:
    """A real Airflow lists the runs of a key by their ids, and reports that the DAG is not paused."""
    real_airflow.wait_for_dags(DAG)
    tokens = Tokens(f"Bearer {real_airflow.token()}")
    delivering = Delivering(real_airflow.url, tokens=tokens, read_timeout=10)
    mark = uuid.uuid4().hex

    def deliver(number: int, shop: str = "north_1") -> Outcome:
        one = Event(
            id=f"{mark}-{number}",
            source="/shops",
            type="Shop.Changed",
            time=f"2026-11-01T12:00:0{number}Z",
            data={"shop": f"{mark} {shop}"},
        )
        (decision,) = decide(one, RULES)
        return delivering.deliver(one, decision)

    ended = [deliver(2), deliver(5), deliver(3), deliver(2), deliver(1, "north-1")]
    kinds = ["started", "started", "superseded", "duplicate", "started"]
    assert [outcome.kind.value for outcome in ended] == kinds, [outcome.reason for outcome in ended]
