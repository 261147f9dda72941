"""What a file is, by its content: names and what a browser says about it are not trusted."""

import io
import zipfile

_BEGINNINGS = {
    b"%PDF-": "pdf",
    b"\x89PNG\r\n\x1a\n": "png",
    b"\xff\xd8\xff": "jpeg",
}
_PARTS = {"word/document.xml": "docx", "xl/workbook.xml": "xlsx"}
_TYPES_PART = "[Content_Types].xml"

MEDIA_TYPES = {
    "pdf": "application/pdf",
    "png": "image/png",
    "jpeg": "image/jpeg",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def sniffed(content: bytes) -> str | None:
    """Say what a file is; None for what is not taken, documents with macros among them."""
    for beginning, kind in _BEGINNINGS.items():
        if content.startswith(beginning):
            return kind
    return _office(content) if content.startswith(b"PK\x03\x04") else None


def _office(content: bytes) -> str | None:
    try:
        # Reads the directory at the end alone; nothing is unpacked.
        parts = {part.filename for part in zipfile.ZipFile(io.BytesIO(content)).infolist()}
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return None
    if _TYPES_PART not in parts or any(part.endswith("vbaProject.bin") for part in parts):
        return None
    return next((kind for part, kind in _PARTS.items() if part in parts), None)
