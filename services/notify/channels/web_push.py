"""Web push: messages to browsers (RFC 8030), encrypted (RFC 8291) and signed by us (RFC 8292)."""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

import httpx2
import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic_core import to_json

from services.notify.channels.base import Away, Deferred, Letter, Reader, Refused, Unknown
from services.notify.channels.posting import post
from services.notify.domain.mail import ChannelName
from services.notify.store import subscriptions
from services.notify.store.subscriptions import Subscription
from shared.postgres import Database

CURVE = ec.SECP256R1()
AUTH_LENGTH = 16
RECORD_SIZE = 4096
LAST_RECORD = b"\x02"
TOKEN_LIFETIME = timedelta(hours=12)
TTL_SECONDS = 12 * 3600
"""How long a service keeps what a browser does not take."""
GONE = ("404", "410")


@dataclass(frozen=True, slots=True)
class Vapid:
    """Our key, by which services know who sends (RFC 8292)."""

    key: ec.EllipticCurvePrivateKey
    subject: str
    """How they reach us: `mailto:` or `https:`."""

    @property
    def public_key(self) -> str:
        """Give what a browser needs to subscribe: base64url, unpadded."""
        return _base64url(_point(self.key.public_key()))

    def authorization(self, endpoint: str, letter: Letter) -> str:
        """Sign for the service that an endpoint belongs to."""
        claims = {
            "aud": "{0.scheme}://{0.netloc}".format(urlsplit(endpoint)),
            "exp": letter.written_at + TOKEN_LIFETIME,
            "sub": self.subject,
        }
        return f"vapid t={jwt.encode(claims, self.key, 'ES256')}, k={self.public_key}"


def read_key(number: str) -> ec.EllipticCurvePrivateKey:
    """Read a private key of P-256 in hexadecimal; raises `ValueError`."""
    return ec.derive_private_key(int(number, 16), CURVE)


class WebPush:
    """Sends to all browsers of a person; those that are gone are forgotten."""

    name: ChannelName = "web_push"

    def __init__(
        self,
        client: httpx2.AsyncClient,
        database: Database,
        vapid: Vapid,
        services: Sequence[str],
    ) -> None:
        self._client = client
        self._database = database
        self._vapid = vapid
        self._services = services

    @property
    def public_key(self) -> str:
        """Give what a browser needs to subscribe."""
        return self._vapid.public_key

    async def open(self) -> None:
        """Do nothing: the client connects by itself."""

    async def send(self, letter: Letter, reader: Reader) -> None:
        """Send to every browser; taken by one is taken. Raises what the last other one did."""
        async with self._database.reading() as connection:
            browsers = await subscriptions.of_person(connection, reader.person_id)
        is_taken = False
        trouble: Deferred | Unknown | None = None
        for browser in browsers:
            try:
                await self._send(letter, browser)
                is_taken = True
            except Away as away:
                # One of many services: the others may well be there.
                trouble = Deferred(str(away))
            except (Deferred, Unknown) as error:
                trouble = error
            except Refused as refusal:
                if str(refusal).startswith(GONE):
                    async with self._database.transaction() as connection:
                        await subscriptions.forget(connection, browser.endpoint)
        if is_taken:
            return
        raise trouble or Refused("No browser takes messages for this person.")

    async def close(self) -> None:
        """Do nothing: who opened the client closes it."""

    async def _send(self, letter: Letter, browser: Subscription) -> None:
        if not is_allowed(browser.endpoint, self._services):
            raise Refused("410 This service is not one that messages may go to.")
        said = {"body": letter.brief, "link": letter.page, "topic": letter.topic.hex}
        content = encrypt(
            to_json(said),
            browser,
            ec.generate_private_key(CURVE),
            os.urandom(16),
        )
        headers = {
            "Authorization": self._vapid.authorization(browser.endpoint, letter),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(TTL_SECONDS),
            "Topic": letter.topic.hex,
            "Urgency": "high" if letter.is_urgent else "normal",
        }
        await post(self._client, browser.endpoint, content, headers)


def read_subscription(endpoint: str, public_key: str, auth: str) -> Subscription:
    """Read what a browser gives, its keys in base64url; raises `ValueError`."""
    point, secret = (urlsafe_b64decode(f"{text}==") for text in (public_key, auth))
    ec.EllipticCurvePublicKey.from_encoded_point(CURVE, point)
    if len(secret) != AUTH_LENGTH:
        raise ValueError("This secret is not one of sixteen bytes.")
    return Subscription(endpoint, point, secret)


def is_allowed(endpoint: str, services: Sequence[str]) -> bool:
    """Say whether an endpoint is of one of these services, each an origin with `*` in it or not.

    Browsers name the address that we then call: without this they could name one inside.
    """
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(endpoint))
    is_plain = not {"@", "\\"} & set(origin)
    return is_plain and any(fnmatchcase(origin, service) for service in services)


def encrypt(
    content: bytes, browser: Subscription, own: ec.EllipticCurvePrivateKey, salt: bytes
) -> bytes:
    """Encrypt for a browser, as RFC 8291 section 3.4 and RFC 8188 say; `own` is used only once."""
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, browser.public_key)
    point = _point(own.public_key())
    about = b"WebPush: info\0" + browser.public_key + point
    shared = _derive(own.exchange(ec.ECDH(), theirs), browser.auth, about, 32)
    key = _derive(shared, salt, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derive(shared, salt, b"Content-Encoding: nonce\0", 12)
    head = salt + RECORD_SIZE.to_bytes(4, "big") + bytes([len(point)]) + point
    return head + AESGCM(key).encrypt(nonce, content + LAST_RECORD, None)


def _derive(secret: bytes, salt: bytes, about: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, about).derive(secret)


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _base64url(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()
