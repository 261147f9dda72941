"""Structured logs: JSON lines on standard output.

No name, e-mail address or free text of a person goes in. What programs say of themselves is safe;
what they say of the data they failed on is not: PostgreSQL repeats the row in its DETAIL, pydantic
the input, Python the key. So of an exception a log has its types and its places in our code, and
its message only where that is about machines.
"""

import logging
import re
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from types import TracebackType
from typing import Any

import structlog

WITHHELD = "(message withheld)"
DEPTH_MAX = 6

_ADDRESS = re.compile(r"[^\s<>\"'(),;:=\[\]{}]+@[^\s<>\"'(),;:=\[\]{}]+\.[^\s<>\"'(),;:=\[\]{}]+")
_ROW = re.compile(r"(DETAIL|CONTEXT|HINT):.*", re.DOTALL)
_KEY = re.compile(r"\)=\(.*?\)(?= |$|\.|\n|')", re.DOTALL)
_FAILING = re.compile(r"Failing row contains.*", re.DOTALL)
_ARGUMENT = re.compile(r"(invalid input for query argument \$\d+).*", re.DOTALL)
_INPUT = re.compile(r"input_value=.*?(?=, input_type=|\]|$)", re.DOTALL)
_QUOTED_VALUE = re.compile(r"((?:syntax|value|input|sequence)[^\n:]*): (\"|').*", re.DOTALL)

ABOUT_MACHINES = ("redis.", "aiokafka.", "httpx2", "httpcore2", "asyncio.", "shared.postgres.")
"""Where exceptions speak of hosts, protocols and files of the installation."""
_DATA_ERROR_CLASSES = ("22", "23")
"""Classes of SQLSTATE whose message may repeat a value: data exceptions, broken constraints."""

Exc = tuple[type[BaseException], BaseException, TracebackType | None]


def scrub(text: str) -> str:
    """Take out of a text what may be somebody's: addresses, and values that were repeated."""
    text = _ROW.sub(r"\1: …", text)
    text = _FAILING.sub("Failing row …", text)
    text = _ARGUMENT.sub(r"\1 …", text)
    text = _INPUT.sub("input_value=…", text)
    text = _QUOTED_VALUE.sub(r"\1: …", text)
    text = _KEY.sub(")=(…)", text)
    return _ADDRESS.sub("<address>", text)


def _message(error: BaseException) -> str:
    """Give what an exception says, where that cannot be about a person."""
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str):
        where = [
            f"{name}={value}"
            for name in ("table_name", "column_name", "constraint_name")
            if (value := getattr(error, name, None))
        ]
        said = "" if state.startswith(_DATA_ERROR_CLASSES) else scrub(str(error.args[0]))
        return " ".join(part for part in (said, f"[{state}]", *where) if part)
    module = f"{type(error).__module__}."
    if isinstance(error, OSError) or module.startswith(ABOUT_MACHINES):
        return scrub(str(error))
    return WITHHELD if str(error) else ""


def safe_traceback(exc_info: Exc | tuple[None, None, None], *, depth: int = 0) -> str:
    """Write an exception with its causes: places in the code, types, and safe messages alone."""
    kind, error, trace = exc_info
    if kind is None or error is None:
        return ""
    lines = []
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and depth < DEPTH_MAX:
        lines.append(_of(before, depth + 1))
        lines.append("\nAnd then:\n\n")
    if trace is not None:
        lines.append("Traceback (most recent call last):\n")
        # The lines of our code, never the values in them.
        lines += traceback.format_tb(trace)
    said = _message(error)
    lines.append(f"{kind.__module__}.{kind.__qualname__}{f': {said}' if said else ''}\n")
    if isinstance(error, BaseExceptionGroup) and depth < DEPTH_MAX:
        lines += [_of(one, depth + 1) for one in error.exceptions]
    return "".join(lines)


def _of(error: BaseException, depth: int) -> str:
    return safe_traceback((type(error), error, error.__traceback__), depth=depth)


def _render_exception(
    logger: object, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Replace an exception by what a log may have of it."""
    del logger, method
    given = event.pop("exc_info", None)
    if not given:
        return event
    if isinstance(given, BaseException):
        given = (type(given), given, given.__traceback__)
    elif not isinstance(given, tuple):
        given = sys.exc_info()
    event["exception"] = safe_traceback(given).rstrip()
    return event


def _scrub_values(
    logger: object, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Scrub every text of a line, however deep it lies."""
    del logger, method
    for name, value in event.items():
        if name != "exception":
            event[name] = _scrubbed(value)
    return event


def _scrubbed(value: object) -> object:
    match value:
        case str():
            return scrub(value)
        case BaseException():
            return f"{type(value).__name__}({_message(value)})"
        case Mapping():
            return {key: _scrubbed(part) for key, part in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_scrubbed(part) for part in value]
        case _:
            return value


class _SafeFormatter(logging.Formatter):
    """The same for libraries that log by the standard library."""

    def formatException(self, ei: Any) -> str:  # noqa: N802  # the base class's name
        return safe_traceback(ei).rstrip()

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        return scrub(super().formatMessage(record))


def _last_words(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Say what ended the process, as a log may say it."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    sys.stderr.write(safe_traceback((kind, error, trace)))


def configure(level: str = "info", *, human: bool = False) -> None:
    """Set up logging for this process.

    `human` writes short coloured lines to standard error instead.
    """
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if human
        else structlog.processors.JSONRenderer()
    )
    stream = sys.stderr if human else sys.stdout
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _render_exception,
            _scrub_values,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_SafeFormatter("%(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    # aiokafka retries by itself and says so at ERROR on every broker restart.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    # What nobody caught would be printed with all that it says.
    sys.excepthook = _last_words
