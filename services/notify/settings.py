"""Settings of notify."""

from pydantic import Field, SecretStr

from shared.settings import ServiceSettings

PUSH_SERVICES = (
    "https://fcm.googleapis.com",
    "https://updates.push.services.mozilla.com",
    "https://*.notify.windows.com",
    "https://web.push.apple.com",
)
"""Of the browsers that are in use today."""


class NotifySettings(ServiceSettings):
    """Environment variables with the prefix `TRADEWIND_`."""

    redis_url: str = Field("redis://127.0.0.1:6379/0", description="Redis with the live state.")
    internal_url: str = Field(
        "http://127.0.0.1:8000",
        description="Where registration answers notify, which asks it for names, addresses and "
        "keys.",
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
    mail_bounces: str = Field(
        "",
        description="Address that undelivered mail comes back to, such as bounces@example.org; "
        "each mail gets one of its own, bounces+…@example.org. Empty: the sender's.",
    )
    bounce_key: SecretStr = Field(
        SecretStr(""),
        description="With it as `X-Bounce-Key` your mail server posts what came back to "
        "`/internal/notify/bounces` of notify. Empty: nobody does.",
    )
    mail_per_domain: int = Field(
        0, ge=0, description="Mails a minute to one domain, at most. 0: no limit."
    )

    push_key: SecretStr = Field(
        SecretStr(""),
        description="Private key of web push (RFC 8292), 64 hexadecimal digits, as "
        "`openssl rand -hex 32` writes them; empty: no web push.",
    )
    push_services: tuple[str, ...] = Field(
        PUSH_SERVICES,
        description="Origins of the services that browsers may name, `*` for any part, as JSON.",
    )
    sms_url: SecretStr = Field(
        SecretStr(""),
        description="Address of a gateway for short messages, with `$phone`, `$text` and `$id` "
        "where it takes them; it is asked by POST. Empty: no short messages.",
    )
    sms_body: str = Field(
        '{"to": "$phone", "text": "$text"}', description="What it is sent, with the same."
    )
    sms_content_type: str = Field(
        "application/json",
        description="Of that body; with any other than JSON, values are percent-encoded.",
    )
    sms_headers: dict[str, SecretStr] = Field(
        default_factory=dict,
        description="Headers it wants, as a JSON object, such as Authorization.",
    )
    wecom_robots: dict[str, SecretStr] = Field(
        default_factory=dict,
        description="JSON object: slug of a stop, to the webhook of the robot in its WeCom group.",
    )
