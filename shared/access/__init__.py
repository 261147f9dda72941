"""Access: who somebody is, and who may do what. The one place where rights are decided."""

from shared.access.actions import SCOPES, Action, KeyScope
from shared.access.policy import POLICY, may, require
from shared.access.tokens import LIFETIMES, Purpose, Tokens
from shared.access.who import Principal, Role, Scope

__all__ = [
    "LIFETIMES",
    "POLICY",
    "SCOPES",
    "Action",
    "KeyScope",
    "Principal",
    "Purpose",
    "Role",
    "Scope",
    "Tokens",
    "may",
    "require",
]
