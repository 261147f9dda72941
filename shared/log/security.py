"""How a Kafka cluster is spoken to: in the clear, or by TLS, or with a user's name and password."""

import ssl
from dataclasses import dataclass
from typing import Any, Literal

Mechanism = Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"]


@dataclass(frozen=True, slots=True)
class Security:
    """What clients of a cluster are told besides its address."""

    tls: bool = False
    authorities: str = ""
    """A file of the certificates to trust; empty: the system's."""
    user: str = ""
    """Empty: the cluster asks nobody who they are."""
    password: str = ""
    mechanism: Mechanism = "SCRAM-SHA-512"

    def options(self) -> dict[str, Any]:
        """Give aiokafka's arguments; raises `OSError` or `ssl.SSLError` for a bad file."""
        protocol = ("SASL_" if self.user else "") + ("SSL" if self.tls else "PLAINTEXT")
        options: dict[str, Any] = {"security_protocol": protocol}
        if self.tls:
            options["ssl_context"] = ssl.create_default_context(cafile=self.authorities or None)
        if self.user:
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password,
            }
        return options


IN_THE_CLEAR = Security()
