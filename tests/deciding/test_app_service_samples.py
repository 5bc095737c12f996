"""Every App Service sample in both schemas, from its bytes to its decision."""

import re

import pytest

from shared.deciding.decide import decide
from shared.event import Event
from shared.rules import load_rules
from tests.support.samples import event_samples, read_sample

RULES = """
connections:
  stub: {url: "http://127.0.0.1:8080", auth: {kind: entra, scope: "api://airflow/.default"}}
rules:
  - name: everything-of-a-site
    when: {types: [Microsoft.Web.*], filter: [{operatorType: IsNotNull, key: app.site}]}
    start:
      dag: watch_sites
      conf: {site: "{{ app.site }}", action: "{{ app.action }}", resource: "{{ app.resource_id }}"}
"""


@pytest.mark.parametrize("name", event_samples("appservice/*"))
def test_a_sample_reaches_its_decision(name: str) -> None:
    """A sample starts a run with a valid id, the site in its conf, and its identity under `_updraft`."""
    rules = load_rules(RULES, file="rules.yaml", settings={})
    (event,) = read_sample(name)
    assert isinstance(event, Event)
    (decision,) = decide(event, rules)
    assert decision.request is not None, decision.reason
    request = decision.request
    assert re.fullmatch(r"everything-of-a-site__[A-Za-z0-9_.~:+-]+__[0-9a-z]+", request.dag_run_id)
    assert len(request.dag_run_id) <= 250
    assert request.conf["site"] == "shop"
    assert request.conf["action"]
    kept = request.conf["_updraft"]
    assert isinstance(kept, dict)
    assert kept["event"] == {
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "time": event.time,
        "subject": event.subject,
    }


def test_the_two_schemas_of_one_event_are_one_run() -> None:
    """A slot swap in both schemas has one run id."""
    rules = load_rules(RULES, file="rules.yaml", settings={})
    ids = set()
    for schema in ("eventgrid", "cloudevents"):
        for event in read_sample(f"appservice/slot_swap_completed.{schema}.json"):
            assert isinstance(event, Event)
            ids |= {decision.request.dag_run_id for decision in decide(event, rules) if decision.request}
    assert len(ids) == 1
