"""A direct run, and the rules that allow it."""

from shared.rules import Rules, load_rules
from shared.runs.direct_run import DirectRun

RULES = """
connections:
  main: {url: "https://airflow.example", auth: {kind: entra, scope: s}}
rules:
  - name: everything
    when: {types: ['*']}
    start: {dag: audit}
    track: callback
    callback: {lifetime: 2h, token: none}
callers:
  - name: pipeline
    object_id: 00000000-0000-4000-8000-00000000000a
    dags: [smoke_*]
    conf: [site]
    track: callback
  - {name: agent, object_id: 00000000-0000-4000-8000-00000000000b, dags: [smoke_tests]}
"""


OBJECT_ID = "00000000-0000-4000-8000-00000000000a"
CALLED = DirectRun(
    caller={"entry": "pipeline", "kind": "application", "object_id": OBJECT_ID, "app_id": "a"},
    dag_id="smoke_tests",
    connection="main",
    id="k-1",
    time="2026-11-01T12:00:00Z",
    conf={"site": "shop"},
    note="release 7",
    run_after="2026-01-01T00:00:00Z",
)


def rules(text: str = RULES) -> Rules:
    """Return the rules of these tests."""
    return load_rules(text, file="rules.yaml", settings={})
