"""OpenAPI of the three services as users see them: one origin, without internal routes."""

import inspect
import re
import typing
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from scripts.contracts.whole import WHOLE
from shared import http as edge
from shared import idempotency, limits
from shared.access import SCOPES, Tokens
from shared.errors import Refusal, TooMany
from shared.problems import STATUS
from shared.service import Service

SERVICES = ("registration", "matching", "notify")
TAGS = {
    "registration": "Missions, stops, programme items, people and their places.",
    "applications": "Companies that apply: the call, reviews, decisions, invitation letters.",
    "matching": "Recommendations, preferences, schedules and the running day's meetings.",
    "live": "Server-sent events: every change of a meeting, and a snapshot to begin with.",
    "messages": "How missions tell their people, and how people want to be told.",
    "deliveries": "What was sent to whom, and what became of it.",
    "events": "The feed: all that concerns a partner, in one order, to be read again at will.",
    "webhooks": "Events told to partners' systems, signed, as soon as they happen.",
}
PREFIX = "/api/v1/"
TOGETHER = {"quotas", "scheduling-rules"}
"""What a stop has of these is read at once, and each thing has a revision of its own."""
PROBLEM = "application/problem+json"
UNSAFE = ("post", "put", "patch", "delete")
HEADERS = {
    "idempotency-key": {"type": "string", "minLength": 1, "maxLength": idempotency.KEY_LENGTH_MAX},
    "if-match": {"type": "string", "pattern": '^"[0-9]{1,9}"$'},
}
AWAY = 503
"""Told once for every operation, whatever the reason."""
# Fits no running service: this application is made to be described, not to be called.
UNUSED_KEY = "described, never called" * 2


def document() -> dict[str, Any]:
    """Write the whole document."""
    services = [Service(name, routers(name), loops={}) for name in SERVICES]
    described: dict[str, Any] = edge.create_app(services, Tokens(UNUSED_KEY)).openapi()
    for service in services:
        for route in _routes(service):
            for method in sorted(route.methods or ()):
                operation = described["paths"][route.path_format][method.lower()]
                _complete(operation, service.name, route, method.lower())
    _tag(described["paths"])
    schemas = described["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    used = {
        tag for path in described["paths"].values() for op in path.values() for tag in op["tags"]
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tradewind",
            "version": "1",
            "description": "Every request and answer is JSON; times are RFC 3339, UTC.",
            "contact": {"name": "The organiser who runs this installation"},
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag, "description": TAGS[tag]} for tag in TAGS if tag in used],
        "paths": dict(sorted(_untitled(described["paths"]).items())),
        "components": {
            "schemas": dict(sorted({**_untitled(schemas), "Problem": _PROBLEM}.items())),
            "responses": {
                kind.__name__: _response(kind) | (_WAIT if kind is TooMany else {})
                for kind, status in STATUS.items()
                if status != AWAY
            }
            | {"Unavailable": _AWAY},
            "securitySchemes": {"session": _SESSION, "oauth": _OAUTH, "calendar": _CALENDAR},
        },
    }


def routers(service: str) -> list[APIRouter]:
    """Find the routers of a service: one in each module of its `api`."""
    api = import_module(f"services.{service}.api")
    names = sorted(module.name for module in iter_modules(api.__path__))
    modules = [import_module(f"{api.__name__}.{name}") for name in names]
    return [module.router for module in modules if hasattr(module, "router")]


def _routes(service: Service) -> Iterator[APIRoute]:
    for router in service.routers:
        for route in router.routes:
            if isinstance(route, APIRoute) and route.include_in_schema:
                yield route


def _complete(operation: dict[str, Any], service: str, route: APIRoute, method: str) -> None:
    calls = set(calls_of(route.dependant))
    resource = route.path_format.removeprefix(PREFIX).split("/")[0].replace("-", "_")
    operation["operationId"] = f"{resource}_{route.name}"
    operation.setdefault("tags", [service])
    operation["summary"], operation["description"] = _told(route)
    bound = WHOLE.get(f"/{route.path_format.removeprefix(PREFIX)}") if method == "get" else None
    if bound:
        operation["description"] += f" It comes whole: {bound}."
    _name_headers(operation.get("parameters", []), calls)
    # What needs a visitor only may be called by one who is not signed in.
    if edge.visitor in calls:
        public: list[dict[str, list[str]]] = [] if edge.caller in calls else [{}]
        operation["security"] = [*public, {"session": []}]
    if any(one["name"] == "token" for one in operation.get("parameters", [])):
        operation["security"] = [{"calendar": []}]
    responses = operation["responses"]
    responses.pop("422", None)
    for status, response in responses.items():
        response["description"] = HTTPStatus(int(status)).phrase
    for kind in _refusals(operation, route, method):
        responses[str(STATUS[kind])] = {"$ref": f"#/components/responses/{kind.__name__}"}
    responses[str(AWAY)] = {"$ref": "#/components/responses/Unavailable"}


def _tag(paths: dict[str, Any]) -> None:
    """Say where an ETag is a revision: with what is changed on one, and where that is read."""
    for path, methods in paths.items():
        for operation in methods.values():
            if "412" not in operation["responses"]:
                continue
            read = read_at(path, paths)
            for one in (operation, *([paths[read]["get"]] if read else ())):
                for status, response in one["responses"].items():
                    if status.startswith("2"):
                        response.setdefault("headers", {})["ETag"] = _ETAG


def read_at(path: str, paths: Mapping[str, Any]) -> str | None:
    """Give the path at which what is changed at a path can be read: itself, or what it is of.

    None where several things are read at once, each with its revision in the body.
    """
    if path.removeprefix(PREFIX).split("/")[0] in TOGETHER:
        return None
    whole = path[: path.rindex("}") + 1]
    return next((one for one in (path, whole) if "get" in paths.get(one, {})), None)


def calls_of(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    """Give every dependency of a route, those of others among them."""
    for inner in dependant.dependencies:
        if inner.call:
            yield inner.call
        yield from calls_of(inner)


def _name_headers(parameters: list[dict[str, Any]], calls: set[Callable[..., Any]]) -> None:
    """Write headers in their usual case, and as required where a dependency insists on them."""
    needed = {
        "idempotency-key": bool({idempotency.required_key, idempotency.required_value} & calls),
        "if-match": edge.revision in calls,
    }
    for parameter in parameters:
        if parameter["name"] in HEADERS:
            parameter["schema"] = HEADERS[parameter["name"]]
            parameter["required"] = needed[parameter["name"]]
        if parameter["in"] == "header":
            parameter["name"] = parameter["name"].title()


def _refusals(operation: dict[str, Any], route: APIRoute, method: str) -> list[type[Refusal]]:
    calls = set(calls_of(route.dependant))
    body = [parameter.field_info.annotation for parameter in route.dependant.body_params]
    parameters = [parameter["name"] for parameter in operation.get("parameters", [])]
    names = [*parameters, *(name for model in body for name in _fields(model))]
    has_id = any(name.endswith("_id") for name in names)
    is_guarded = bool({edge.revision, edge.revision_if_any} & calls)
    is_needed = bool({edge.revision, edge.revision_of_change} & calls)
    has_key = bool({idempotency.optional_key, idempotency.required_value} & calls)
    wanted = {
        "Malformed": bool(body) or has_key or is_guarded,
        "Unauthenticated": edge.visitor in calls or "token" in names,
        "Forbidden": edge.visitor in calls or "Waiting-Room-Ticket" in names,
        "NotFound": has_id,
        "Conflict": method in UNSAFE and (has_id or has_key),
        "Stale": is_guarded,
        "Invalid": bool(names),
        "PreconditionMissing": is_needed,
        "TooMany": limits.client in calls,
    }
    return [kind for kind in STATUS if wanted.get(kind.__name__, False)]


def _fields(model: Any) -> Iterator[str]:
    """Give the names of a body's fields, and of those within them."""
    for name, field in getattr(model, "model_fields", {}).items():
        yield name
        for part in (field.annotation, *typing.get_args(field.annotation)):
            yield from _fields(part)


def _told(route: APIRoute) -> tuple[str, str]:
    """Give a route's docstring: what it begins with as a summary, and the whole."""
    text = " ".join(inspect.cleandoc(route.endpoint.__doc__ or "").split())
    summary, *_ = re.split(r"[.;] ", text, maxsplit=1)
    return summary.removesuffix("."), text


def _untitled(node: Any) -> Any:
    """Leave out the framework's titles: they only repeat the names."""
    if isinstance(node, list):
        return [_untitled(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _untitled(value)
        for key, value in node.items()
        if not (key == "title" and isinstance(value, str))
    }


def _response(kind: type[Refusal]) -> dict[str, Any]:
    return {
        "description": inspect.cleandoc(kind.__doc__ or "").splitlines()[0],
        "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


_WAIT = {"headers": {"Retry-After": {"required": True, "schema": {"type": "integer"}}}}
_ETAG = {
    "required": True,
    "description": "The revision, to be sent as If-Match with a change.",
    "schema": {"type": "string", "pattern": '^"[0-9]+"$'},
}
_AWAY = {
    "description": "A part is away for now; try again.",
    **_WAIT,
    "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_SESSION = {
    "type": "http",
    "scheme": "bearer",
    "description": "The token that POST /api/v1/sessions answers with; of a partner's system its "
    "key (`tw_live_…`), or the token of an hour that it gets for one.",
}
_OAUTH = {
    "type": "oauth2",
    "description": "For systems that insist on OAuth 2.0: `client_id` is a key's id, "
    "`client_secret` the key. Send the `access_token` as that of a session.",
    "flows": {
        "clientCredentials": {
            "tokenUrl": "/api/v1/oauth/token",
            "scopes": {
                scope: f"Opens {', '.join(sorted(actions))}." for scope, actions in SCOPES.items()
            },
        }
    },
}
_CALENDAR = {
    "type": "apiKey",
    "in": "query",
    "name": "token",
    "description": "Part of the address that POST /api/v1/calendars answers with.",
}
_PROBLEM = {
    "description": "An error (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "For a person who reads the API's answers."},
        "code": {"type": "string", "description": "Stable; for programs."},
        "request_id": {"type": "string", "description": "Find it in the logs."},
        "errors": {
            "type": "array",
            "description": "What is wrong in the input.",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {
                    "pointer": {
                        "type": "string",
                        "description": "A JSON Pointer into the body, or a parameter's place.",
                    },
                    "detail": {"type": "string"},
                },
            },
        },
    },
}
