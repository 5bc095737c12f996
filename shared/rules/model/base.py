"""The base class of the model of rules.yaml."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

type Text = Annotated[str, Field(min_length=1)]


class StrictModel(BaseModel):
    """A part of rules.yaml: unknown keys are errors, and values are not converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)
