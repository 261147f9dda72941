"""Sealing: tokens of partners' systems are kept encrypted, each with a key of its own.

AES-256-GCM (NIST SP 800-38D); the key is HMAC-SHA-256 of the connector's id with the secret key.
"""

import secrets
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.access import Tokens

NONCE_BYTES = 12


def seal(tokens: Tokens, connector_id: UUID, token: str) -> bytes:
    """Encrypt a token."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + _cipher(tokens, connector_id).encrypt(nonce, token.encode(), connector_id.bytes)


def unseal(tokens: Tokens, connector_id: UUID, sealed: bytes) -> str | None:
    """Decrypt a token; None when it was sealed with another secret key, or for another one."""
    try:
        opened = _cipher(tokens, connector_id).decrypt(
            sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], connector_id.bytes
        )
    except InvalidTag:
        return None
    return opened.decode()


def _cipher(tokens: Tokens, connector_id: UUID) -> AESGCM:
    return AESGCM(tokens.digest("connector token", str(connector_id)))


def hook_of(tokens: Tokens, connector_id: UUID) -> str:
    """Give the secret part of the path that a system calls to wake us; it is kept nowhere."""
    return tokens.digest("connector webhook", str(connector_id)).hex()
