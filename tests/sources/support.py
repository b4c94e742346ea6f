"""What tests of readers share: what a file was taken for and read as, and archives."""

import io
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from drugmentions.model import SourceFile


class Found(NamedTuple):
    """A file, and what was read: rows without what they lack, rejects, and whether untitled records are blank."""

    file: SourceFile
    rows: list[dict[str, Any]]
    rejects: list[dict[str, Any]]
    blanks: list[bool]

    @property
    def reasons(self) -> list[str]:
        return [reject["reason"] for reject in self.rejects]

    def values(self, *names: str) -> list[tuple[Any, ...]]:
        return [tuple(row.get(name) for name in names) for row in self.rows]


Find = Callable[..., Found]


def zipped(files: Mapping[str, bytes | str], *, streamed: bool = False, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip archive; `streamed`: one that gives sizes behind the data, as servers write it."""
    buffer = _Forward() if streamed else io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


class _Forward(io.BytesIO):
    """A file that can't be gone back in."""

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        raise OSError

    def seek(self, *_: int) -> int:
        raise OSError
