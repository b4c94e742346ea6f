"""JSON arrays in pieces: what workers read of them is what one reader reads of the whole."""

import gzip
import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drugmentions.model import Compression, Format, SourceFile
from drugmentions.sources import json_array, pieces
from drugmentions.sources.reading import Reading
from drugmentions.sources.workers import Workers

Plan = Callable[..., SourceFile]
Read = Callable[..., Reading]
TRAPS = [
    '},{"title":"',
    '"},{"title":"',
    "},\n{",
    '}, {"title": ',
    "\\",
    '"',
    "]",
    "}]",
    "[{",
    '\\"},{\\"title\\":\\"',
    " ",
    "é",
]
DAMAGE = [
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b"\n",
    b"\xff",
    b"\x00",
    b"NaN,",
    b'},{"title":"x"},',
    b"1,",
    b"null,",
]


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    started = Workers("drugmentions.sources.json_worker", 2)
    yield started
    started.close()


@pytest.fixture(scope="module")
def read_both(planned: Plan, slow: Read, workers: Workers) -> Callable[..., tuple[list[Any], int]]:
    """Read a text whole and in pieces, see that it is the same; gives what was read, and how many pieces were kept."""

    def read(content: bytes, piece: int, *, packed: bool = False) -> tuple[list[Any], int]:
        compression = Compression.GZIP if packed else Compression.NONE
        file = planned(gzip.compress(content) if packed else content, Format.JSON, compression=compression)
        whole, _ = _read(file, 1 << 60, piece)
        parted, kept = _read(file, 0, piece)
        assert parted == whole
        return whole, kept

    def _read(file: SourceFile, large: int, piece: int) -> tuple[list[Any], int]:
        kept: list[int] = []
        reply_of = pieces._reply

        def counted(future: "Future[bytes]") -> bytes:
            reply = reply_of(future)
            kept.extend([1] if reply else [])
            return reply

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(pieces, "LARGE", large)
            patched.setattr(pieces, "PIECE", piece)
            patched.setattr(json_array, "shared_workers", lambda _: workers)
            patched.setattr(pieces, "_reply", counted)
            reading = slow(file)
        frames = (reading.records, reading.untitled, reading.rejects)
        return [reading.read, *(frame.collect().sort("record").to_dicts() for frame in frames)], len(kept)

    return read


RECORDS = st.fixed_dictionaries(
    {},
    optional={
        "title": st.lists(st.sampled_from(["a", *TRAPS]), max_size=4).map("".join),
        "id": st.sampled_from([1, None, 1e300, True, '},{"title":"']),
        "x": st.recursive(
            st.none() | st.sampled_from(TRAPS),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["title", "id"]), inner),
            max_leaves=5,
        ),
    },
)
FORMS: list[dict[str, Any]] = [{"separators": (",", ":")}, {}, {"indent": 1}]


@given(
    records=st.lists(RECORDS, min_size=2, max_size=40),
    form=st.sampled_from(FORMS),
    lines=st.booleans(),
    places=st.lists(st.tuples(st.integers(0, 4_000), st.sampled_from(DAMAGE)), max_size=2),
    cut=st.integers(0, 100),
    piece=st.integers(1, 600),
)
def test_pieces_give_what_the_whole_gives(
    read_both: Callable[..., tuple[list[Any], int]],
    records: list[dict[str, Any]],
    form: dict[str, Any],
    places: list[tuple[int, bytes]],
    cut: int,
    piece: int,
    *,
    lines: bool,
) -> None:
    text = (
        "[" + ",\n".join(json.dumps(record, **form) for record in records) + "]"
        if lines
        else json.dumps(records, **form)
    )
    content = bytearray(text.encode())
    for place, damage in places:
        content[place % len(content) : place % len(content)] = damage
    read_both(bytes(content[: len(content) - cut] if cut < 20 else content), piece)


@pytest.mark.parametrize("form", [*FORMS, {"indent": 4, "sort_keys": True}])
@pytest.mark.parametrize("packed", [False, True])
def test_pieces_are_what_workers_read(
    read_both: Callable[..., tuple[list[Any], int]], form: dict[str, Any], *, packed: bool
) -> None:
    records = [{"id": str(number), "title": f"T{number}", "x": [{"title": 1}, {"y": "},{"}]} for number in range(300)]
    whole, kept = read_both(json.dumps(records, **form).encode(), 2_000, packed=packed)
    assert [row["title"] for row in whole[1]] == [f"T{number}" for number in range(300)]
    assert kept > 5


@pytest.mark.parametrize(
    ("record", "reason"), [(b"5", "not an object"), (b'{"title":"\xff"}', "invalid UTF-8"), (b'{"id":1}', None)]
)
def test_a_bad_record_is_rejected_where_it_stands(
    read_both: Callable[..., tuple[list[Any], int]], record: bytes, reason: str | None
) -> None:
    good = [b'{"title":"a%d"}' % number for number in range(200)]
    whole, kept = read_both(b"[" + b",\n".join([*good, record, *good]) + b",]", 500)
    assert [row["record"] for row in whole[3 if reason else 2]] == [201]
    assert [row["line"] for row in whole[3 if reason else 2]] == [201]
    assert kept > 10


def test_a_mark_within_a_string_ends_parting_and_changes_nothing(
    read_both: Callable[..., tuple[list[Any], int]],
) -> None:
    trap = json.dumps({"title": "x" * 600 + '},{"title":' * 200}).replace('\\"title\\"', "title").encode()
    nested = b'{"title":"n","x":[' + b",".join([b'{"title":"no"}'] * 300) + b"]}"
    plain = [b'{"title":"a%d"}' % number for number in range(100)]
    for record in (trap, nested):
        whole, kept = read_both(b"[" + b",".join([*plain, record, *plain]) + b"]", 300)
        assert len(whole[1]) == 201
        assert 0 < kept < 20


def test_a_worker_that_is_gone_costs_nothing(planned: Plan, slow: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = Workers("drugmentions.sources.json_worker", 2)
    for process in gone._processes:
        process.kill()
    monkeypatch.setattr(pieces, "LARGE", 0)
    monkeypatch.setattr(pieces, "PIECE", 100)
    monkeypatch.setattr(json_array, "shared_workers", lambda _: gone)
    file = planned(json.dumps([{"title": f"T{number}"} for number in range(50)]), Format.JSON)
    assert slow(file).records.collect().height == 50
    gone.close()


def test_real_workers_read_a_large_file(planned: Plan, slow: Read) -> None:
    records = [{"id": number, "title": f"Title {number}", "x": "y" * 60} for number in range(60_000)]
    file = planned(json.dumps(records), Format.JSON)
    assert file.fingerprint.size > pieces.LARGE
    assert slow(file).records.collect()["title"].to_list() == [record["title"] for record in records]
