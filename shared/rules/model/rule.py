"""The model of rules.yaml: what may stand in it, and what each part means.

The same classes check a file (`load.py`) and yield the JSON Schema that an editor completes with
(`schema.py`), so the descriptions here are what the author of a rule reads.
"""

from typing import Any, Final, Literal

from pydantic import Field, field_validator, model_validator

from shared.rules.model.base import StrictModel, Text
from shared.runs.ids import CALL, MAX_RULE_NAME, RESERVED_RULE_NAMES
from shared.runs.provenance import RESERVED
from shared.values.dag_ids import PATTERN, dag_id_problem
from shared.values.wording import shown

RULE_NAME: Final = rf"^[a-z0-9][a-z0-9-]{{0,{MAX_RULE_NAME - 1}}}$"
DURATION: Final = r"^[1-9][0-9]{0,5}(s|m|h)$"
LONGEST_AGE: Final = 168 * 3_600
"""Seconds of the greatest `max_age`: a week."""
LONGEST_WINDOW: Final = 24 * 3_600
"""Seconds of the longest window."""
LONGEST_CALLBACK: Final = 720 * 3_600
"""Seconds that a run's token may live: 30 days."""
UNIT_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600}
"""Seconds of each unit of durations and rates."""


type AskedVia = Literal[
    "queue",
    "webhook",
    "hook/*",
    "hook/acr",
    "hook/azure-devops",
    "hook/github",
    "hook/kudu",
    "events",
    "replay",
]
"""What `when.via` may say; a caller's run by name (`call`) has no rule."""


def _or_one(schema: dict[str, Any]) -> None:
    """Let an editor take one value where a list may stand."""
    schema["anyOf"].insert(0, schema["anyOf"][0]["items"])


class SubjectMatch(StrictModel):
    """What the event's subject has to look like, as in an Event Grid subscription."""

    begins_with: Text | None = Field(
        default=None,
        description="How the subject begins, up to the end of a path's segment; `*` at the end leaves the "
        "rest of the segment open.",
        examples=["/blobServices/default/containers/orders/"],
    )
    ends_with: Text | None = Field(default=None, description="How the subject ends.", examples=[".csv"])
    case_sensitive: bool = Field(default=False, description="Whether letter case counts.")

    @model_validator(mode="after")
    def _something(self) -> "SubjectMatch":
        if self.begins_with is None and self.ends_with is None:
            raise ValueError("`subject` has no condition; write `begins_with`, `ends_with` or both")
        return self


class When(StrictModel):
    """Which events start a run: every part that is given has to hold."""

    types: list[Text] | None = Field(
        default=None,
        min_length=1,
        description="Event types, letter case aside; a `*` at the end takes a whole family.",
        examples=[["Microsoft.Web.SlotSwapCompleted"], ["Microsoft.Storage.*"]],
    )
    sources: list[Text] | None = Field(
        default=None,
        min_length=1,
        description="How the event's source (Event Grid's topic) begins, letter case aside, up to the end of "
        "a path's segment; `*` at the end leaves the rest of the segment open.",
        examples=[["/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/web"]],
    )
    subject: SubjectMatch | None = Field(
        default=None, description="What the event's subject has to look like."
    )
    via: list[AskedVia] | None = Field(
        default=None,
        min_length=1,
        json_schema_extra=_or_one,
        description="How the event has to have come; `hook/*` takes every kind of hook. Without it any way.",
        examples=["hook/github", ["queue", "webhook"]],
    )
    filter: Any = Field(
        default=None,
        description="Event Grid's advanced filters, and `all`, `any`, `not` round them; a list means all.",
        examples=[[{"operatorType": "StringIn", "key": "data.targetSlot", "values": ["production"]}]],
    )

    @field_validator("via", mode="before")
    @classmethod
    def _list(cls, via: object) -> object:
        return [via] if isinstance(via, str) else via

    @field_validator("types", "sources")
    @classmethod
    def _stars(cls, names: list[str] | None) -> list[str] | None:
        for name in names or ():
            if "*" in name[:-1]:
                raise ValueError(
                    f"{shown(name)}: a `*` stands at the end only; write the beginning, or use `filter`"
                )
        return names

    @model_validator(mode="after")
    def _something(self) -> "When":
        if all(part is None for part in (self.types, self.via, self.sources, self.subject, self.filter)):
            raise ValueError("without a condition every event would start a run; if so, write `types: ['*']`")
        return self


class Start(StrictModel):
    """What is started."""

    connection: Text | None = Field(
        default=None, description="The name of a connection; may be left out where there is only one."
    )
    dag: str = Field(
        description="The DAG to run.",
        examples=["smoke_tests"],
        json_schema_extra={"pattern": PATTERN},
    )
    conf: dict[str, Any] = Field(
        default_factory=dict,
        description="The run's conf. Texts are Jinja templates; one that is a single {{ expression }} keeps "
        "its type.",
        examples=[{"site": "{{ app.site }}"}],
    )
    note: Text | None = Field(
        default=None, description="A template for the run's note; without it a sentence about the event."
    )
    logical_date: Text | None = Field(
        default=None,
        description="A template for the run's logical date, RFC 3339; without it the run has none.",
        examples=["{{ time }}"],
    )
    run_after: Text | None = Field(
        default=None, description="A template for the earliest start of the run, RFC 3339."
    )

    @field_validator("dag")
    @classmethod
    def _dag_id(cls, dag: str) -> str:
        problem = dag_id_problem(dag)
        if problem is not None:
            raise ValueError(
                f"{shown(dag)} is not allowed as a DAG's id: {problem}; write the id as Airflow shows it"
            )
        return dag

    @field_validator("conf")
    @classmethod
    def _reserved(cls, conf: dict[str, Any]) -> dict[str, Any]:
        if RESERVED in conf:
            raise ValueError(
                "the key `_updraft` is reserved: this app writes the event's identity there; rename it"
            )
        return conf


class Coalesce(StrictModel):
    """How a burst of events becomes one run."""

    window: str = Field(pattern=DURATION, description="How long events are collected.", examples=["5m"])
    by: Text = Field(
        description="A template; events with the same value are collected together.",
        examples=["{{ app.site }}"],
    )

    @field_validator("window")
    @classmethod
    def _bounded(cls, window: str) -> str:
        if seconds(window) > LONGEST_WINDOW:
            raise ValueError(f"`window` is {window}, and 24h is the most; write at most `24h`")
        return window


class CallbackSpec(StrictModel):
    """How the runs of a rule with `track: callback` report back."""

    token: Literal["reverse", "none"] = Field(
        default="reverse",
        description="`reverse` gives each run a token of its own, which can do nothing but report that run's "
        "outcome; `none` is for an Airflow that reports with its own identity.",
    )
    lifetime: str = Field(
        default="24h",
        pattern=r"^[1-9][0-9]{0,5}(s|m|h)$",
        description="How long the token is good, from the run's start on; at most 720h.",
        examples=["24h"],
    )

    @field_validator("lifetime")
    @classmethod
    def _bounded(cls, lifetime: str) -> str:
        if seconds(lifetime) > LONGEST_CALLBACK:
            raise ValueError(f"`lifetime` is {lifetime}, and 720h is the most; write at most `720h`")
        return lifetime


def seconds(duration: str) -> int:
    """Return the seconds of a duration such as `90s`, `15m` or `24h`."""
    return int(duration[:-1]) * UNIT_SECONDS[duration[-1]]


class RuleSpec(StrictModel):
    """One rule: which events start which DAG."""

    name: str = Field(
        pattern=RULE_NAME,
        description=f"The rule's name, the beginning of its runs' ids: lower-case letters, digits and `-`, "
        f"at most {MAX_RULE_NAME}.",
        examples=["smoke-test-after-swap"],
    )
    description: str = Field(
        default="", max_length=500, description="What the rule is for; shown wherever the rule is."
    )
    enabled: bool = Field(default=True, description="Whether the rule is in force.")
    when: When = Field(description="Which events start a run: every part that is given has to hold.")
    start: Start = Field(description="What is started.")
    dedupe_by: Text | None = Field(
        default=None,
        description="A template; events with the same value have one run together. Without it every event, "
        "known by its source and id, has one.",
        examples=["{{ data.correlationRequestId }}"],
    )
    latest_by: Text | None = Field(
        default=None,
        description="A template; among events with the same value an older one never overtakes a newer one.",
        examples=["{{ app.site }}"],
    )
    coalesce: Coalesce | None = Field(default=None, description="How a burst of events becomes one run.")
    when_paused: Literal["start", "hold", "reject"] = Field(
        default="start",
        description="While the DAG is paused or draining: `start` a run, which waits in Airflow or delays "
        "the drain; `hold` the event until the DAG is active; or `reject` it.",
    )
    max_age: str = Field(
        default="24h",
        pattern=DURATION,
        description="How long after it first arrived an event that still waits is given up; at most 168h.",
        examples=["24h"],
    )
    track: Literal["callback", "none"] = Field(
        default="none", description="How the app learns how the run ended."
    )
    callback: CallbackSpec | None = Field(
        default=None, description="How the run reports back; for `track: callback`."
    )

    @field_validator("max_age")
    @classmethod
    def _bounded(cls, max_age: str) -> str:
        if seconds(max_age) > LONGEST_AGE:
            raise ValueError(f"`max_age` is {max_age}, and 168h is the most; write at most `168h`")
        return max_age

    @field_validator("name")
    @classmethod
    def _not_reserved(cls, name: str) -> str:
        if name in RESERVED_RULE_NAMES:
            raise ValueError(
                f"Airflow keeps run ids that begin with `{name}__` for itself; choose another name"
            )
        if name == CALL:
            raise ValueError(f"the name `{CALL}` is taken by runs that callers ask for; choose another name")
        return name

    @model_validator(mode="after")
    def _possible(self) -> "RuleSpec":
        if self.coalesce is not None and self.dedupe_by is not None:
            raise ValueError(
                "`coalesce` and `dedupe_by` exclude each other: a burst has its window's identity; delete one"
            )
        if self.coalesce is not None and self.latest_by is not None:
            raise ValueError(
                "`coalesce` and `latest_by` exclude each other: a burst's run has all its events; delete one"
            )
        if self.callback is not None and self.track != "callback":
            raise ValueError("`callback` has no effect without `track: callback`; write `track: callback`")
        return self
