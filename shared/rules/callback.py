"""The part `callback` of a rule: how its runs report back how they ended."""

from typing import Final, Literal

from pydantic import Field, field_validator

from shared.rules.model.base import Part

LONGEST: Final = 720 * 3_600
"""Seconds that a run's token may live: 30 days."""

_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600}


class CallbackSpec(Part):
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
        if seconds(lifetime) > LONGEST:
            raise ValueError(f"`lifetime` is {lifetime}, and 720h is the most")
        return lifetime


def seconds(duration: str) -> int:
    """Return the seconds of a duration such as `90s`, `15m` or `24h`."""
    return int(duration[:-1]) * _SECONDS[duration[-1]]
