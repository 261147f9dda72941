"""Settings of registration."""

from typing import Annotated

from pydantic import Field

from shared.settings import ServiceSettings

Limited = Annotated[int, Field(ge=0, le=1_000_000)]


class RegistrationSettings(ServiceSettings):
    """Environment variables with the prefix `TRADEWIND_`."""

    matching_url: str = Field(
        "http://127.0.0.1:8000",
        description="Where matching answers registration, which asks it what it holds of a person.",
    )
    notify_url: str = Field(
        "http://127.0.0.1:8000", description="Where notify answers registration, for the same."
    )
    waiting_room_seconds: Annotated[float, Field(ge=0)] = Field(
        0.5,
        description="A waiting room opens by itself when a registration waits so long to be "
        "written; 0: staff alone opens one.",
    )
    waiting_room_crowd: Annotated[int, Field(ge=1)] = Field(
        100,
        description="Or when so many wait for the moment registration opens; they are called in "
        "an order drawn by lot.",
    )
    import_bytes: Annotated[int, Field(ge=1_024, le=256 * 1024 * 1024)] = Field(
        32 * 1024 * 1024,
        description="How many bytes a partner's list may have that is sent as a file.",
    )
    limit_registrations: Limited = Field(
        120,
        description="Public registrations a minute from one address, and twice as many at once: a "
        "whole hall may share one. 0, here and below: no limit.",
    )
    limit_tickets: Limited = Field(
        120,
        description="Waiting rooms' tickets a minute from one address; twice as many at once.",
    )
    limit_links: Limited = Field(
        30, description="Sign-in links that are asked for in an hour from one address."
    )
    limit_links_to_address: Limited = Field(
        5, description="Sign-in links that are asked for in an hour to one mail address."
    )
    limit_files: Limited = Field(
        60, description="Files announced a minute from one address; twice as many at once."
    )
    limit_file_megabytes: Limited = Field(
        64, description="Megabytes of files a day from one address that no form names yet."
    )
    limit_drafts: Limited = Field(
        30, description="Applications begun a minute from one address; twice as many at once."
    )
