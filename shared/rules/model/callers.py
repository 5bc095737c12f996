"""`callers` of rules.yaml: who may call this app over HTTP, and what each may do."""

from typing import Annotated, Final, Literal

from pydantic import Field, field_validator, model_validator

from shared.rules.model.base import StrictModel, Text
from shared.values.app_settings import setting_names
from shared.values.guids import is_guid
from shared.values.wording import shown

RATE: Final = r"^[1-9][0-9]{0,5}/(s|m|h)$"
SCOPE: Final = r"^[\x21\x23-\x29\x2b-\x5b\x5d-\x7e]+$"
"""One scope of RFC 6749 section 3.3; spaces separate scopes, and `*` is not a wildcard."""
NAME: Final = r"^[a-z0-9][a-z0-9-]{0,62}$"

_WHO: Final = ("app_id", "object_id", "group", "role")
_MOST_STARS: Final = 4

type Scope = Annotated[Text, Field(pattern=SCOPE)]
type Patterns = Annotated[list[Text], Field(min_length=1)]


class CallerSpec(StrictModel):
    """One entry of `callers`: an identity and what it may do. Anything that is not listed is denied."""

    name: str = Field(
        pattern=NAME,
        description="The entry's name, for logs and notes: lower-case letters, digits and `-`, at most 63.",
        examples=["release-pipeline"],
    )
    app_id: Text | None = Field(
        default=None,
        description="The client id of an application or a managed identity.",
        examples=["%PIPELINE_CLIENT_ID%"],
    )
    object_id: Text | None = Field(
        default=None, description="The object id of a user, service principal or managed identity."
    )
    group: Text | None = Field(
        default=None, description="The object id of a group; its members' tokens must list groups."
    )
    role: Text | None = Field(
        default=None,
        description="An app role of this app's registration, as assigned to the caller.",
        examples=["Runs.Start"],
    )
    scopes: Annotated[list[Scope], Field(min_length=1)] | None = Field(
        default=None,
        description="Also accepts users whose token has one of these scopes of this app's registration; by "
        "default only applications are accepted.",
        examples=[["Runs.Start"]],
    )
    clients: Patterns | None = Field(
        default=None,
        description="The client ids of the applications through which users may call; by default any.",
        examples=[["%PORTAL_CLIENT_ID%"]],
    )
    connection: Text | None = Field(
        default=None,
        description="The connection of `dags` and `outcomes`; optional if there is only one.",
    )
    dags: Patterns | None = Field(
        default=None,
        description="The DAGs that it may start; `*` matches any characters.",
        examples=[["smoke_tests", "load_*"]],
    )
    conf: Patterns | None = Field(
        default=None,
        description="The keys that the conf of a started run may have; `*` matches any characters. By "
        "default conf must be empty.",
        examples=[["site", "version"], ["*"]],
    )
    events: Patterns | None = Field(
        default=None,
        description="The types of events that it may send, in any letter case; `*` matches any characters.",
        examples=[["Contoso.Orders.*"]],
    )
    sources: Patterns | None = Field(
        default=None,
        description="The sources of these events, in any letter case; by default any.",
        examples=[["/contoso/orders/*"]],
    )
    outcomes: Patterns | None = Field(
        default=None,
        description="The DAGs whose runs it may report on; `*` matches any characters.",
        examples=[["*"]],
    )
    status: bool = Field(
        default=False,
        description="Whether it may read the app's status: version, number of rules, connections and counts.",
    )
    rate: str = Field(
        default="60/m",
        pattern=RATE,
        description="The requests that each identity may send to each instance of this app in a second, "
        "minute or hour.",
        examples=["60/m"],
    )
    track: Literal["callback", "none"] = Field(
        default="none", description="Whether started runs get a token to report how they ended."
    )

    @field_validator("app_id", "object_id", "group")
    @classmethod
    def _guid(cls, value: str | None) -> str | None:
        return None if value is None else _guid_text(value)

    @field_validator("clients")
    @classmethod
    def _guids(cls, values: list[str] | None) -> list[str] | None:
        return None if values is None else [_guid_text(value) for value in values]

    @field_validator("scopes")
    @classmethod
    def _as_tokens_name_them(cls, scopes: list[str] | None) -> list[str] | None:
        for scope in scopes or ():
            if "://" in scope:
                raise ValueError(
                    f"{shown(scope)} is not the scope's name in tokens; write `{scope.rpartition('/')[2]}`"
                )
        return scopes

    @field_validator("dags", "conf", "events", "sources", "outcomes")
    @classmethod
    def _bounded(cls, patterns: list[str] | None) -> list[str] | None:
        for pattern in patterns or ():
            if pattern.count("*") > _MOST_STARS:
                raise ValueError(f"{shown(pattern)} has more than {_MOST_STARS} `*`; write two patterns")
        return patterns

    @model_validator(mode="after")
    def _possible(self) -> "CallerSpec":
        if sum(getattr(self, who) is not None for who in _WHO) != 1:
            raise ValueError(
                "a caller has exactly one identity; write one of `app_id`, `object_id`, `group` and `role`"
            )
        if self.scopes is not None and self.app_id is not None:
            raise ValueError("`scopes` accepts users, but `app_id` is an application itself; leave one out")
        if self.clients is not None and self.scopes is None:
            raise ValueError(
                "`clients` has no effect without `scopes`, which accepts users; write `scopes`, or delete it"
            )
        if self.dags is None and self.events is None and self.outcomes is None and not self.status:
            raise ValueError("the caller may do nothing; write `dags`, `events`, `outcomes` or `status`")
        if self.dags is None and (self.conf is not None or self.track != "none"):
            raise ValueError(
                "`conf` and `track` need `dags`, the DAGs that the caller may start; write `dags`"
            )
        if self.events is None and self.sources is not None:
            raise ValueError(
                "`sources` needs `events`, the types that it may send; write `events`, or delete `sources`"
            )
        return self


def _guid_text(value: str) -> str:
    """Return a GUID in lower case, and a text with `%NAME%` unchanged."""
    if setting_names(value):
        return value
    if not is_guid(value):
        raise ValueError(
            f"must be a GUID, not {shown(value)}; write a GUID such as 00000000-0000-0000-0000-000000000000"
        )
    return value.lower()
