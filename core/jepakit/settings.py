"""The base of every options model: pydantic, frozen, unknown keys refused."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Options of one component. Defaults live here, once; each field says its unit and its source."""

    model_config = ConfigDict(extra="forbid", frozen=True)
