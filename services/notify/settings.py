"""Settings of notify."""

from pydantic import Field, SecretStr

from shared.settings import ServiceSettings


class NotifySettings(ServiceSettings):
    """Environment variables with the prefix `TRADEWIND_`."""

    redis_url: str = Field("redis://127.0.0.1:6379/0", description="Redis with the live state.")
    internal_url: str = Field(
        "http://127.0.0.1:8000",
        description="Where registration answers notify, which asks it for names and addresses.",
    )
    mailbox: bool = Field(
        default=False,
        description="Keep all mail in the embedded mailbox (page /mailbox) instead of sending it.",
    )
    mail_from: str = Field(
        "Tradewind <no-reply@localhost>", description="Sender and organiser of all mail."
    )
    smtp_host: str = Field("127.0.0.1", description="The mail server that takes our mail.")
    smtp_port: int = Field(25, description="Its port.")
    smtp_user: str = Field("", description="User to sign in there as; empty: do not sign in.")
    smtp_password: SecretStr = Field(SecretStr(""), description="That user's password.")
    smtp_starttls: bool = Field(default=False, description="Insist on STARTTLS.")
