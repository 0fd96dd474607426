"""Small documents of each kind that the viewer shows, made here, with a mark to look for."""

from __future__ import annotations

import io
import math
import random
import struct
import wave
import zlib
from collections.abc import Iterable

WIDTH = 500
"""Pixels of an image's row."""


def pdf(
    texts: Iterable[str], *, weight: int = 0, encrypted: bool = False, scattered: bool = False
) -> bytes:
    """A PDF with a page for each text, in a standard font that is not embedded.

    Each page has an image of `weight` random bytes, as scans have them. Where it is `scattered`,
    what says of what a page consists stands beside its contents.
    """
    pages = list(texts)
    objects: list[bytes] = []
    numbers = random.Random(0)  # noqa: S311 - ballast

    def add(content: bytes) -> int:
        objects.append(content)
        return len(objects)

    def stream(entries: str, content: bytes) -> bytes:
        head = f"<< {entries} /Length {len(content)} >>\nstream\n".encode()
        return head + content + b"\nendstream"

    def page(resources: str, content: int) -> int:
        head = f"<< /Type /Page /Parent {tree} 0 R /MediaBox [0 0 612 792] "
        return add(f"{head}/Resources << {resources} >> /Contents {content} 0 R >>".encode())

    font = add(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    tree = (3 if weight else 2) * len(pages) + 2
    inner = []
    kids = []
    for text in pages:
        drawing = f"BT /F 24 Tf 72 700 Td ({text}) Tj ET"
        resources = f"/Font << /F {font} 0 R >>"
        if weight:
            entries = f"/Type /XObject /Subtype /Image /Width {WIDTH} /Height {weight // WIDTH}"
            entries += " /BitsPerComponent 8 /ColorSpace /DeviceGray"
            image = add(stream(entries, numbers.randbytes(weight // WIDTH * WIDTH)))
            resources += f" /XObject << /I {image} 0 R >>"
            drawing += " q 400 0 0 320 72 300 cm /I Do Q"
        inner.append((resources, add(stream("", drawing.encode("latin-1")))))
        if scattered:
            kids.append(page(*inner.pop()))
    # Behind all contents, as LibreOffice and Ghostscript write them.
    kids += [page(*one) for one in inner]
    listed = " ".join(f"{kid} 0 R" for kid in kids)
    assert add(f"<< /Type /Pages /Count {len(kids)} /Kids [{listed}] >>".encode()) == tree
    root = add(f"<< /Type /Catalog /Pages {tree} 0 R >>".encode())
    trailer = f"/Size {len(objects) + 1} /Root {root} 0 R"
    if encrypted:
        lock = "/Filter /Standard /V 1 /R 2 /P -4"
        lock += f" /O <{'41' * 32}> /U <{'42' * 32}>"
        trailer += f" /Encrypt << {lock} >> /ID [<{'43' * 16}> <{'43' * 16}>]"
    return _written(objects, trailer)


def _written(objects: list[bytes], trailer: str) -> bytes:
    out = io.BytesIO()
    out.write(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, content in enumerate(objects, 1):
        places.append(out.tell())
        out.write(f"{number} 0 obj\n".encode() + content + b"\nendobj\n")
    start = out.tell()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    out.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}".encode())
    out.write(f"trailer\n<< {trailer} >>\nstartxref\n{start}\n%%EOF\n".encode())
    return out.getvalue()


def png(width: int, height: int, *, mark: bytes = b"", rows: bool = True) -> bytes:
    """A picture, red on the left and blue on the right; `mark` is a comment in it.

    Without `rows` it only says that it has them.
    """
    row = b"\0" + b"\xff\0\0" * (width // 2) + b"\0\0\xff" * (width - width // 2)
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))]
    if mark:
        parts.append((b"tEXt", b"Comment\0" + mark))
    parts += [(b"IDAT", zlib.compress(row * (height if rows else 1))), (b"IEND", b"")]
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def wav(seconds: float = 1.0, *, mark: bytes = b"") -> bytes:
    """A tone; `mark` is silence with a meaning, at its end."""
    rate = 8_000
    tone = bytes(int(128 + 100 * math.sin(n / 5)) for n in range(int(rate * seconds)))
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(rate)
        file.writeframes(tone + mark)
    return out.getvalue()
