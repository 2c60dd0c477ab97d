"""Section: what the sections of the settings have in common."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """The settings of one part: frozen, and refusing names it does not have."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
