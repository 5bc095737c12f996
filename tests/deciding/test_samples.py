"""Every published sample is taken to a decision; left out where the samples are not there."""

import os
from pathlib import Path
from typing import Final

import pytest

from shared.deciding.decide import decide, decide_for
from shared.event import Event, read_cloud_event, read_events
from shared.rules import load_rules
from tests.support.paths import ROOT

SAMPLES: Final = Path(os.environ.get("UPDRAFT_EVENT_SAMPLES", ROOT.parent / "shared" / "events"))
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

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the published samples are not here")


def events_of(pattern: str) -> list[tuple[str, Event]]:
    """Return the events of the samples that can be read."""
    return [
        (path.relative_to(SAMPLES).as_posix(), event)
        for path in sorted(SAMPLES.glob(pattern))
        for event in read_events(path.read_bytes())
        if isinstance(event, Event)
    ]


def test_every_app_service_sample_starts_a_run_about_its_site() -> None:
    """Both schemas and every spelling of the site's name end in a request that names the site."""
    found = events_of("appservice/**/*.json")
    assert found
    plans = [name for name, event in found if "AppServicePlan" in event.type]
    for name, event in found:
        decision = decide_for(event, RULES, "app-service")
        if name in plans:
            continue
        assert decision.request is not None, (name, decision.reason)
        assert decision.request.conf["site"], name


def test_every_sample_has_the_same_decision_again() -> None:
    """Each event is decided, and the same once it was parked."""
    found = events_of("**/*.json")
    assert found
    for name, event in found:
        decisions = decide(event, RULES)
        assert decisions[-1].rule == "everything"
        assert decisions[-1].request is not None, (name, decisions[-1].reason)
        again = decide(read_cloud_event(event.to_cloud_event()), RULES)
        assert [each.request for each in again] == [each.request for each in decisions], name
