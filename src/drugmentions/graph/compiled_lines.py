"""Sorted mentions as lines of the graph, by compiled code: the same bytes as `encoding` gives; of the extra `fast`."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from io import BytesIO
from typing import BinaryIO, Final, cast

import numpy as np
import polars as pl

from drugmentions.arrow import pieces_of, texts_of
from drugmentions.compiled import Bytes, Pieces, Texts
from drugmentions.graph import encoding, lines_kernel
from drugmentions.graph.form import BETWEEN
from drugmentions.model import MENTION_PART

_ROOM: Final = 1 << 20
"""Bytes that are encoded at a time, at least."""


def line_writer(ordered: pl.DataFrame, drugs: pl.DataFrame, sources: Sequence[str]) -> Callable[[BinaryIO], pl.Series]:
    """What writes the lines of drugs, in their order, with BETWEEN between two; it returns the bytes of each.

    `ordered`: their mentions, one or more, all with a title, as `encoding.ordered_mentions` sorts them.
    """
    held: list[Bytes] = []  # whose addresses are handed on

    def pieces(texts: pl.Series) -> Pieces:
        made, letters = pieces_of(texts)
        held.append(letters)
        return made

    def texts(column: pl.Series) -> Texts:
        ((made, memory),) = texts_of(column.rechunk())
        held.extend(memory)
        return made

    names = encoding.source_names(ordered, sources)
    phrases = lines_kernel.Phrases(
        heads=pieces(encoding.heads(drugs, names)),
        between=pieces(pl.Series(encoding.between(names))),
        journals=pieces(_pairs("journal", ordered).str.slice(1)),
        dates=pieces(_pairs("date", ordered)),
        sources=pieces(_pairs("source", ordered)),
        ends=pieces(pl.Series(_ENDS)),
        around=pieces(pl.Series([encoding.END, BETWEEN.decode()])),
    )
    shown = lines_kernel.Shown(texts(ordered["id"]), ordered["id"].is_not_null().to_numpy(), texts(ordered["title"]))
    head, other, journal, date, source, end, around = (int(np.diff(made.starts).max()) for made in phrases)
    most = max(head, other, journal + date + source + end, 2 * around)
    rows = _rows(ordered, names), shown, _rows(encoding.distinct_journals(ordered), names)
    return partial(_write, phrases, rows, most, drugs.height, held)


def _write(
    phrases: lines_kernel.Phrases,
    rows: tuple[lines_kernel.Rows, lines_kernel.Shown, lines_kernel.Rows],
    most: int,
    drugs: int,
    _held: Sequence[Bytes],
    file: BinaryIO,
) -> pl.Series:
    """Write the lines of so many drugs; returns the bytes of each. `_held`: what is to live until then."""
    room = np.empty(max(_ROOM, 2 * most), np.uint8)
    at, sizes = np.zeros(lines_kernel.WRITTEN + 1, np.int64), np.zeros(drugs, np.int64)
    while at[lines_kernel.DRUG] < drugs:
        size = lines_kernel.encode(phrases, *rows, most, room.ctypes.data, len(room), at, sizes)
        if size:
            file.write(room[:size].data)
        else:  # a title that needs more
            room = np.empty(2 * len(room), np.uint8)
    return pl.Series(sizes)


def _pairs(key: str, rows: pl.DataFrame) -> pl.Series:
    """A JSON key with each value that an Enum may have, by `_codes`, a comma before it."""
    values = pl.concat([pl.Series([None], dtype=pl.String), cast("pl.Enum", rows.schema[key]).categories])
    encoded = values.to_frame(key).select(pl.struct(key).struct.json_encode().str.slice(1).str.head(-1))
    return "," + encoded.to_series()


def _codes(values: pl.Series) -> lines_kernel.Codes:
    """The places of an Enum's values, from 1 on; a null is 0. Writable, as other arrays would need other code."""
    return (values.to_physical().cast(pl.Int32) + 1).fill_null(0).to_numpy(writable=True)


def _rows(rows: pl.DataFrame, names: Sequence[str]) -> lines_kernel.Rows:
    unusual = pl.when(encoding.IS_SPONSOR).then(lines_kernel.SPONSOR).otherwise(0)
    unusual += pl.when("retracted").then(lines_kernel.RETRACTED).otherwise(0)
    return lines_kernel.Rows(
        drugs=_codes(rows["drug"]) - 1,
        places=_codes(rows["source"].cast(pl.Enum(names))) - 1,
        sources=_codes(rows["source"]),
        journals=_codes(rows["journal"]),
        dates=_codes(rows["date"]),
        ends=rows.select(unusual.cast(pl.Int32)).to_series().to_numpy(writable=True),
    )


_ENDS: Final = [
    f"{sponsor}{retracted}}}" for retracted in ("", encoding.RETRACTED) for sponsor in ("", encoding.SPONSOR)
]
"""How a row ends, by what is unusual about it."""


@cache
def can_encode() -> bool:
    """Whether that works here: what it takes is compiled, or loaded, now."""
    drugs = pl.DataFrame({"drug": ["a", "b"], "atccode": ["A", None], "atccodes": [["A"], []]})
    row = {"drug": "b", "source": "pubmed", "title": 'A title that no "view" holds', "journal": "J", "spans": []}
    mention = pl.DataFrame([row | {"retracted": False}], schema=MENTION_PART)
    ordered = encoding.ordered_mentions(mention, drugs)
    written = BytesIO()
    try:
        line_writer(ordered, drugs, [])(written)
    except Exception:  # noqa: BLE001  # whatever it is, Polars encodes the same
        return False
    lines = encoding.drug_lines(ordered, drugs, [])
    return written.getvalue() == BETWEEN.join(line.encode() for line in lines)
