"""The kinds of systems there are connectors to."""

from collections.abc import Mapping

from services.registration.connectors import indico, pretix
from services.registration.connectors.port import Kind

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (pretix.KIND, indico.KIND)}
