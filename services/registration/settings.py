"""Settings of registration."""

from pydantic import Field

from shared.settings import ServiceSettings


class RegistrationSettings(ServiceSettings):
    """Environment variables with the prefix `TRADEWIND_`."""

    matching_url: str = Field(
        "http://127.0.0.1:8000",
        description="Where matching answers registration, which asks it what it holds of a person.",
    )
    notify_url: str = Field(
        "http://127.0.0.1:8000", description="Where notify answers registration, for the same."
    )
