"""Settings of matching."""

from pydantic import Field

from shared.settings import ServiceSettings


class MatchingSettings(ServiceSettings):
    """Environment variables with the prefix `TRADEWIND_`."""

    internal_url: str = Field(
        "http://127.0.0.1:8000",
        description="Where registration answers matching, which asks it for names and keys.",
    )
