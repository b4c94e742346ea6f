"""The process that parses pieces of JSON arrays for another: `python -m drugmentions.sources.json_worker`."""

from collections.abc import Iterator

from drugmentions.sources.json_array import Reader
from drugmentions.sources.json_parted import answer
from drugmentions.sources.json_text import Text
from drugmentions.sources.json_values import JsonRows
from drugmentions.sources.workers import serve


def parse(message: bytes) -> bytes:
    """The rows of a whole array, encoded. Raises StoppedError where it can't be read to its end."""
    return answer(message, _read)


def _read(blocks: Iterator[bytes], rows: JsonRows) -> None:
    Reader(Text(blocks), rows).read()


if __name__ == "__main__":
    serve(parse)
