"""How often one client may ask for what everybody may ask for. Nothing else is limited."""

from dataclasses import dataclass, field
from typing import Self

from services.registration.settings import RegistrationSettings
from shared.limits import DAY, HOUR, MINUTE, Limit

MEGABYTE = 1_048_576


def _unlimited() -> Limit:
    return Limit(0, MINUTE)


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of this process."""

    registrations: Limit = field(default_factory=_unlimited)
    tickets: Limit = field(default_factory=_unlimited)
    links: Limit = field(default_factory=_unlimited)
    links_to_address: Limit = field(default_factory=_unlimited)
    files: Limit = field(default_factory=_unlimited)
    file_bytes: Limit = field(default_factory=_unlimited)
    """Of files that no answer names; when one does, they are given back."""
    drafts: Limit = field(default_factory=_unlimited)

    @classmethod
    def of(cls, settings: RegistrationSettings) -> Self:
        """Make them as the settings say."""

        def a_minute(count: int) -> Limit:
            return Limit(count, MINUTE, burst=2 * count)

        return cls(
            registrations=a_minute(settings.limit_registrations),
            tickets=a_minute(settings.limit_tickets),
            links=Limit(settings.limit_links, HOUR),
            links_to_address=Limit(settings.limit_links_to_address, HOUR),
            files=a_minute(settings.limit_files),
            file_bytes=Limit(settings.limit_file_megabytes * MEGABYTE, DAY),
            drafts=a_minute(settings.limit_drafts),
        )
