"""The process that parses pieces of PubMed XML for another: `python -m drugmentions.sources.pubmed_worker`."""

import msgspec

from drugmentions.sources.pubmed_record import RECORDS, entries_of
from drugmentions.sources.workers import serve
from drugmentions.sources.xml_records import XmlRecords


def parse(piece: bytes) -> bytes:
    """The entries of a whole document, encoded. Raises StoppedError where it isn't well formed."""
    return msgspec.msgpack.encode(list(entries_of(XmlRecords(iter((piece,)), "utf-8", RECORDS))))


if __name__ == "__main__":
    serve(parse)
