"""`rules` of rules.yaml.

The author of a rule reads the descriptions in an editor, through the JSON Schema (`json_schema.py`).
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
"""Seconds of the longest `max_age`: a week."""
LONGEST_WINDOW: Final = 24 * 3_600
"""Seconds of the longest window."""
LONGEST_CALLBACK: Final = 720 * 3_600
"""Seconds of the longest lifetime of a run's token: 30 days."""
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
"""The channels in `when.via`; `call` is not among them, because such a run has no rule."""


def _or_one(schema: dict[str, Any]) -> None:
    """Allow one value instead of a list in the schema."""
    schema["anyOf"].insert(0, schema["anyOf"][0]["items"])


class SubjectMatch(StrictModel):
    """A condition on the event's subject, as in an Event Grid subscription."""

    begins_with: Text | None = Field(
        default=None,
        description="The beginning of the subject: whole segments of a path; `*` at the end matches the "
        "rest of a segment.",
        examples=["/blobServices/default/containers/orders/"],
    )
    ends_with: Text | None = Field(default=None, description="The end of the subject.", examples=[".csv"])
    case_sensitive: bool = Field(default=False, description="Whether letter case must match.")

    @model_validator(mode="after")
    def _something(self) -> "SubjectMatch":
        if self.begins_with is None and self.ends_with is None:
            raise ValueError("`subject` has no condition; write `begins_with`, `ends_with` or both")
        return self


class When(StrictModel):
    """Which events start a run: all conditions must be true."""

    types: list[Text] | None = Field(
        default=None,
        min_length=1,
        description="Event types, in any letter case; `*` at the end accepts a whole family.",
        examples=[["Microsoft.Web.SlotSwapCompleted"], ["Microsoft.Storage.*"]],
    )
    sources: list[Text] | None = Field(
        default=None,
        min_length=1,
        description="The beginning of the event's source (Event Grid's topic), in any letter case: whole "
        "segments of a path; `*` at the end matches the rest of a segment.",
        examples=[["/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/web"]],
    )
    subject: SubjectMatch | None = Field(default=None, description="A condition on the event's subject.")
    via: list[AskedVia] | None = Field(
        default=None,
        min_length=1,
        json_schema_extra=_or_one,
        description="The channel by which the event came; `hook/*` accepts every hook. By default any "
        "channel.",
        examples=["hook/github", ["queue", "webhook"]],
    )
    filter: Any = Field(
        default=None,
        description="Event Grid's advanced filters, combined with `all`, `any` and `not`; a list means all.",
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
                    f"{shown(name)}: `*` is allowed only at the end; write the beginning, or use `filter`"
                )
        return names

    @model_validator(mode="after")
    def _something(self) -> "When":
        if all(part is None for part in (self.types, self.via, self.sources, self.subject, self.filter)):
            raise ValueError("without a condition every event would start a run; if so, write `types: ['*']`")
        return self


class Start(StrictModel):
    """The run that a rule starts."""

    connection: Text | None = Field(
        default=None, description="The name of a connection; optional if there is only one."
    )
    dag: str = Field(
        description="The DAG's id.",
        examples=["smoke_tests"],
        json_schema_extra={"pattern": PATTERN},
    )
    conf: dict[str, Any] = Field(
        default_factory=dict,
        description="The run's conf. Texts are Jinja templates; a single {{ expression }} keeps the type of "
        "its value.",
        examples=[{"site": "{{ app.site }}"}],
    )
    note: Text | None = Field(
        default=None, description="A template for the run's note; by default a sentence about the event."
    )
    logical_date: Text | None = Field(
        default=None,
        description="A template for the run's logical date, RFC 3339; by default the run has no logical "
        "date.",
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
                "the key `_updraft` is reserved: the app writes the event's identity there; write another key"
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
        description="`reverse`: each run gets its own token, which can only report how this run ended; "
        "`none`: Airflow reports with its own identity.",
    )
    lifetime: str = Field(
        default="24h",
        pattern=DURATION,
        description="How long the token is valid after the run's start; at most 720h.",
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
        default="", max_length=500, description="What the rule is for; shown together with its name."
    )
    enabled: bool = Field(default=True, description="Whether the rule is enabled.")
    when: When = Field(description="Which events start a run: all conditions must be true.")
    start: Start = Field(description="The run that the rule starts.")
    dedupe_by: Text | None = Field(
        default=None,
        description="A template; events with the same value share one run. By default the value is the "
        "event's source and id.",
        examples=["{{ data.correlationRequestId }}"],
    )
    latest_by: Text | None = Field(
        default=None,
        description="A template; of the events with the same value, an older one starts no run after a "
        "newer one.",
        examples=["{{ app.site }}"],
    )
    coalesce: Coalesce | None = Field(default=None, description="How a burst of events becomes one run.")
    when_paused: Literal["start", "hold", "reject"] = Field(
        default="start",
        description="While the DAG is paused or draining: `start` a run, which waits in Airflow or delays "
        "the pause; `hold` the event until the DAG is active; or `reject` it.",
    )
    max_age: str = Field(
        default="24h",
        pattern=DURATION,
        description="How long an event may wait after its first arrival; at most 168h.",
        examples=["24h"],
    )
    track: Literal["callback", "none"] = Field(
        default="none", description="`callback`: the run reports how it ended."
    )
    callback: CallbackSpec | None = Field(
        default=None, description="How the run reports; for `track: callback`."
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
            raise ValueError(f"Airflow reserves run ids that begin with `{name}__`; write another name")
        if name == CALL:
            raise ValueError(f"the name `{CALL}` is reserved for runs that callers start; write another name")
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
