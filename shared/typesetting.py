"""Typesetting as a process of its own: JSON comes in, a PDF goes out."""

import sys
from pathlib import Path

import typst


def main() -> None:
    """Set the template that is named, with the content that is read."""
    template = Path(sys.argv[1])
    content = sys.stdin.buffer.read().decode()
    pdf = typst.compile(str(template), sys_inputs={"content": content}, pdf_tags=False)
    sys.stdout.buffer.write(pdf)


if __name__ == "__main__":
    main()
