"""The cost of deciding: reading and deciding one event, with few and many rules."""

import json
from statistics import median
from time import process_time
from typing import Final

from bench.child import swap_event
from bench.results import Figure, show
from local.processes import default_signals
from shared.deciding.decide import decide
from shared.event import Event, read_events
from shared.rules import Rules, load_rules

EVENTS: Final = 500
REPEATS: Final = 7
BAR_MILLISECONDS: Final = 0.2
BAR_GROWTH: Final = 2.0

_HEAD: Final = """
connections:
  stub: {url: "http://127.0.0.1:8080", auth: {kind: entra, scope: "api://airflow/.default"}}
rules:
"""
_RULE: Final = """
  - name: rule-%(number)d
    when:
      types: [%(type)s]
      filter:
        - {operatorType: StringIn, key: data.targetSlot, values: [production]}
    start:
      dag: smoke_tests
      conf: {site: "{{ app.site }}", swapped_at: "{{ time }}"}
"""


def rules_of(count: int) -> Rules:
    """Return `count` rules of one type each; the first one is for slot swaps."""
    types = [
        "Microsoft.Web.SlotSwapCompleted",
        *(f"Contoso.Orders.Kind{number}" for number in range(1, count)),
    ]
    text = _HEAD + "".join(_RULE % {"number": number, "type": type_} for number, type_ in enumerate(types))
    return load_rules(text, file="rules.yaml", settings={})


def measure() -> list[Figure]:
    """Time reading and deciding one event, alternating between 1, 10, 100 and 1,000 rules.

    It is CPU time, because deciding does not wait: other programs on the machine do not count.
    """
    rules = {count: rules_of(count) for count in (1, 10, 100, 1000)}
    bodies = [json.dumps(swap_event()) for _ in range(EVENTS)]
    events = [event for body in bodies for event in read_events(body) if isinstance(event, Event)]
    whole: dict[int, list[float]] = {count: [] for count in rules}
    alone: dict[int, list[float]] = {count: [] for count in rules}
    for _ in range(REPEATS):
        for count, rule_set in rules.items():
            started = process_time()
            for body in bodies:
                for event in read_events(body):
                    if isinstance(event, Event):
                        decide(event, rule_set)
            read = process_time()
            for event in events:
                decide(event, rule_set)
            whole[count].append((read - started) / EVENTS)
            alone[count].append((process_time() - read) / EVENTS)
    return [
        *(
            Figure(f"decisions_per_second_{count}_rules", 1 / median(alone[count]), "1/s")
            for count in (1, 100, 1000)
        ),
        Figure("read_and_decide_100_rules", median(whole[100]) * 1000, "ms", BAR_MILLISECONDS),
        Figure(
            "decide_growth_10_to_1000_rules", median(alone[1000]) / median(alone[10]), "ratio", BAR_GROWTH
        ),
    ]


if __name__ == "__main__":
    default_signals.restore()
    show(measure())
