"""Settings of registration: nothing beyond what every service has."""

from shared.settings import ServiceSettings


class RegistrationSettings(ServiceSettings):
    """Environment variables with the prefix `TRADEWIND_`."""
