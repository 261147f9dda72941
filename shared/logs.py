"""Structured logs: JSON lines on standard output.

No name, e-mail address or free text of a person goes in.
"""

import logging
import sys

import structlog


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
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(
        level=logging.WARNING, stream=stream, format="%(levelname)s %(name)s %(message)s"
    )
    # aiokafka retries by itself and says so at ERROR on every broker restart.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
