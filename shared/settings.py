"""Settings that every service has.

A service adds its own in its `settings.py`. Read once, in `__main__`.
"""

from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PostgresDsn, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.log.security import Mechanism, Security

SECRET_LENGTH_MIN = 32


def _networks(given: str) -> str:
    """Check a list of networks; everybody is none: then whoever asks could say who he is."""
    parts = [part.strip() for part in given.split(",") if part.strip()]
    if not all(ip_network(part).prefixlen for part in parts):
        raise ValueError("Name the gateway's own network, not everybody's.")
    return ",".join(parts)


class ServiceSettings(BaseSettings):
    """Environment variables with the prefix `TRADEWIND_`."""

    model_config = SettingsConfigDict(env_prefix="TRADEWIND_", frozen=True, extra="ignore")

    mode: Literal["development", "production"] = Field(
        "production", description="`production` refuses a weak secret."
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, description="Port to listen on.")
    database_url: PostgresDsn = Field(description="This service's own database and role.")
    log_url: str = Field(
        description="`kafka://host:port`, with `/prefix` behind it where the topics are not to be "
        "called `tradewind.…`; or for the Postgres log `postgresql:` and nothing more: "
        "each publisher's outbox is then read from the addresses in `log_databases`."
    )
    log_databases: dict[str, str] = Field(
        default_factory=dict,
        description="Postgres log only: JSON object, publisher name to its database address.",
    )
    log_tls: bool = Field(default=False, description="Speak to Kafka by TLS.")
    log_tls_authorities: str = Field(
        "", description="File with the certificates of who vouches for Kafka; empty: the system's."
    )
    log_user: str = Field("", description="User to sign in to Kafka as; empty: do not sign in.")
    log_password: SecretStr = Field(SecretStr(""), description="That user's password.")
    log_mechanism: Mechanism = Field(
        "SCRAM-SHA-512", description="How that user signs in (SASL); `PLAIN` only with TLS."
    )
    secret_key: SecretStr = Field(
        description="Signs sessions and links; the same in all three services."
    )
    public_url: str = Field(
        "http://127.0.0.1:8000",
        description="Where users reach the gateway. With `https:`, cookies are marked Secure.",
    )
    gateways: Annotated[str, AfterValidator(_networks)] = Field(
        "127.0.0.1",
        description="Addresses or networks, with commas between them, of the gateway and of what "
        "ends TLS before it: their `X-Forwarded-For` says who asks. Nobody else's is believed.",
    )
    outward_allowed: str = Field(
        "",
        description="Hosts and networks, with commas between them, of partners within your own "
        "network: webhooks and connections may lead there, also by http. What a listed host's name "
        "leads to is not looked at. Anywhere else it is public addresses by https alone.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least important lines to write."
    )

    @property
    def has_kafka(self) -> bool:
        """Say whether events go through Kafka."""
        return self.log_url.startswith("kafka://")

    @property
    def log_security(self) -> Security:
        """Say how Kafka is spoken to."""
        return Security(
            tls=self.log_tls,
            authorities=self.log_tls_authorities,
            user=self.log_user,
            password=self.log_password.get_secret_value(),
            mechanism=self.log_mechanism,
        )

    @model_validator(mode="after")
    def _refuse_a_readable_password(self) -> "ServiceSettings":
        if self.log_user and self.log_mechanism == "PLAIN" and not self.log_tls:
            raise ValueError("TRADEWIND_LOG_MECHANISM=PLAIN sends the password as it is: use TLS.")
        return self

    @model_validator(mode="after")
    def _refuse_a_weak_secret(self) -> "ServiceSettings":
        if (
            self.mode == "production"
            and len(self.secret_key.get_secret_value()) < SECRET_LENGTH_MIN
        ):
            raise ValueError(
                f"TRADEWIND_SECRET_KEY needs at least {SECRET_LENGTH_MIN} characters in production."
            )
        return self
