"""The templates and words of this service."""

from pathlib import Path

from shared.web.pages import Pages

pages = Pages(Path(__file__).parent)
