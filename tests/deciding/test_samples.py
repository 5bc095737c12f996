"""Every sample gets a decision."""

from typing import Final

from shared.deciding.decide import decide, decide_for
from shared.event import read_cloud_event
from shared.rules import load_rules
from tests.support.samples import readable_events

RULES: Final = load_rules(
    """
connections: {main: {url: "https://airflow.example", auth: {kind: entra, scope: s}}}
rules:
  - name: app-service
    when: {types: [Microsoft.Web.*], filter: {operatorType: IsNotNull, key: app.site}}
    start: {dag: check, conf: {site: "{{ app.site }}", slot: "{{ app.slot | default('production') }}"}}
  - name: everything
    when: {types: ["*"]}
    start: {dag: log, conf: {type: "{{ type | slug }}", about: "{{ subject | default(source) }}"}}
""",
    file="rules.yaml",
    settings={},
)


def test_every_app_service_sample_starts_a_run_about_its_site() -> None:
    """Both schemas and every spelling of the site's name make a request with the site."""
    for name, event in readable_events("appservice/*"):
        decision = decide_for(event, RULES, "app-service")
        assert decision.request is not None, (name, decision.reason)
        assert decision.request.conf["site"] == "shop", name


def test_every_sample_has_the_same_decision_again() -> None:
    """Each event has the same decision after it was parked."""
    for name, event in readable_events():
        decisions = decide(event, RULES)
        assert decisions[-1].rule == "everything"
        assert decisions[-1].request is not None, (name, decisions[-1].reason)
        again = decide(read_cloud_event(event.to_cloud_event(), event.via), RULES)
        assert [each.request for each in again] == [each.request for each in decisions], name
