"""Sealing: secrets of others that we have to use again are stored encrypted (AES-256-GCM)."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.access import Tokens

NONCE_LENGTH = 12


class Broken(Exception):
    """This was sealed with another key, for another purpose, or was changed."""


class Seal:
    """Seals and opens with a key of one purpose, derived from the installation's."""

    def __init__(self, tokens: Tokens, purpose: str) -> None:
        self._cipher = AESGCM(tokens.digest("seal", purpose))

    def close(self, secret: bytes, about: bytes) -> bytes:
        """Encrypt; `about` says whose it is, and is needed to open it."""
        nonce = os.urandom(NONCE_LENGTH)
        return nonce + self._cipher.encrypt(nonce, secret, about)

    def open(self, sealed: bytes, about: bytes) -> bytes:
        """Decrypt; raises `Broken`."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_LENGTH], sealed[NONCE_LENGTH:], about)
        except (InvalidTag, ValueError) as error:
            raise Broken("A secret cannot be read: was TRADEWIND_SECRET_KEY changed?") from error
