"""What first bytes, names and the configuration say of a file: kind, source, format, columns, or why it isn't read."""

import gzip
import json
import os
import random
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from drugmentions.config import FIELDS, Source
from drugmentions.model import Compression, Format, Kind, SourceFile
from drugmentions.sources.columns import NAMES, find_columns, find_keys, recognise_kind
from drugmentions.sources.detect import detect
from drugmentions.sources.first_bytes import _gunzip, _unzstd
from drugmentions.sources.locate import LocatedFile, locate
from tests.sources.support import zipped

PUBLICATIONS, DRUGS, UNKNOWN = Kind.PUBLICATIONS, Kind.DRUGS, Kind.UNKNOWN
TITLES = b"id,title\n1,Aspirin\n"
DRUG_LIST = b"atccode,drug\nA01,ASPIRIN\n"
OTHER = b"colour,size\nred,1\n"
BLOCK = 1 << 16


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")


def located(name: str, content: bytes) -> LocatedFile:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    (found,) = locate(["."], Path("out")).files
    return found


def detected(content: bytes, name: str = "x", *sources: Source, kind: Kind | None = None) -> SourceFile:
    return detect(located(name, content), sources, kind=kind)


# Formats.


@pytest.mark.parametrize(
    ("content", "format_"),
    [
        (TITLES, Format.CSV),
        (b"title", Format.CSV),
        (b"\xef\xbb\xbftitle,id\n", Format.CSV),
        (b"\r\n\ntitle,id\n", Format.CSV),
        (b'[{"title": "a"}]', Format.JSON),
        (b'\xef\xbb\xbf\n [\n{"title": "a"},\n]', Format.JSON),
        (b'[null, {}, 1, {"id": 1}, {"id": 2, "title": "a"}]', Format.JSON),
        (b'{"title": "a"}', Format.NDJSON),
        (b'{"title": "a"}\n', Format.NDJSON),
        (b'\xef\xbb\xbf\r\n{"title": "a"}\r\n{"title": "b"}\r\n', Format.NDJSON),
        (b'{"title": "a"} \n\n{"id": 1}', Format.NDJSON),
        (b'{"title": "a",}\n{"title": "b"}\n', Format.NDJSON),  # one line is wrong, not the file
        (b'{"title": "a" "b"}\n{"title": "b"}\n', Format.NDJSON),
        (b'{}\n{"title": "a"}\n', Format.NDJSON),
        (b'{\n"title": "a"\n}', Format.JSON),
        (b'{"id": {},\n"title": "a"}', Format.JSON),
        (b'{"id": {}\n,"title": "a"}', Format.JSON),
        (b'{"title": "' + b"a" * 2 * BLOCK + b'"}\n', Format.NDJSON),
        (b'[{"title": "' + b"a" * 2 * BLOCK + b'"}]', Format.JSON),
        (b'[{"id": 1, "title": ' + b"[" * BLOCK, Format.JSON),
        (b'[{"title": ' + b"1" * 5000 + b"}]", Format.JSON),
        (b'[{"title": NaN}]', Format.JSON),
        (b'[{"title": "a\tb"}]', Format.JSON),
        (b'[{"title": "\xff"}]', Format.JSON),
    ],
)
def test_formats(content: bytes, format_: Format) -> None:
    file = detected(content)
    assert (file.format, file.kind, file.source, file.note) == (format_, PUBLICATIONS, "pubmed", "")
    assert file.columns["title"][0] == "title"
    assert (file.encoding, file.dates, file.compression) == ("utf-8", [], Compression.NONE)


@pytest.mark.parametrize("packed", [gzip.compress, zstandard.compress])
@pytest.mark.parametrize("content", [TITLES, TITLES + b'2,"' + random.Random(1).randbytes(4 * BLOCK).hex().encode()])
def test_compression(packed: Callable[[bytes], bytes], content: bytes) -> None:
    file = detected(packed(content), "x.csv")
    expected = Compression.GZIP if packed is gzip.compress else Compression.ZSTD
    assert (file.compression, file.format, file.kind, file.note) == (expected, Format.CSV, PUBLICATIONS, "")


def test_compression_of_several_parts_and_of_none() -> None:
    for pack in (gzip.compress, zstandard.compress):
        assert detected(pack(b"") + pack(TITLES[:5]) + pack(TITLES[5:])).kind == PUBLICATIONS
        assert detected(pack(b"")).note == "empty file"
    assert detected(gzip.compress(TITLES) + b"junk").kind == PUBLICATIONS


def test_a_small_file_that_holds_a_large_one_is_not_unpacked() -> None:
    blanks = b" " * (32 << 20)
    for pack, unpack in ((gzip.compress, _gunzip), (zstandard.compress, _unzstd)):
        packed = pack(blanks)
        assert len(packed) < BLOCK
        assert len(unpack(packed)) == BLOCK
        assert detected(packed).note == "empty file"


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (b"\x1f\x8bjunk and more junk", "corrupt gzip data: Error -3 while decompressing data"),
        (gzip.compress(TITLES, mtime=0)[:5], "corrupt gzip data: it ends early"),
        (b"\x28\xb5\x2f\xfd" + b"\xff" * 40, "corrupt zstd data: "),
        (zstandard.compress(TITLES * 100)[:15], "corrupt zstd data: it ends early"),
        (gzip.compress(b"PAR1" + b"\0" * 50, mtime=0), "Parquet inside gzip"),
        (b"", "empty file"),
        (b"\xef\xbb\xbf", "empty file"),
        (b" \n\t\r\n", "empty file"),
        (b"title\0,id", "binary data"),
        (b"PK\x03\x04rest", "zip archive ends early"),
        (zipped({"x.csv": TITLES}), "a zip archive of csv; unpack it"),
        (zipped({}), "empty file"),
        (b"%PDF-1.4", "a PDF document"),
        ("title,id\n".encode("utf-16"), "UTF-16 text; configure its encoding"),
        (b"<!DOCTYPE html>\n<html><title>", "an HTML page"),
        (
            b'\xef\xbb\xbf <?xml version="1.0"?><other><PubmedArticle/></other>',
            "an XML file with the root element <other>",
        ),
        (b'{"version": "6.9", "errCode": 404, "errMsg": "Not found"}', "an error of Europe PMC, not its results"),
        (b"<!-- nothing -->", "an XML file without a root"),
        (b"<p>Not found</p>", "an HTML page"),
        (b"<head><title>Error</title></head>", "an HTML page"),
        (b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head/></html>', "an HTML page"),
        (b"PAR1 and no more", "corrupt Parquet: "),
        (b"PAR1", "corrupt Parquet: "),
    ],
)
def test_what_cannot_be_read_says_why(content: bytes, note: str) -> None:
    for name, kind, source in (("x", UNKNOWN, ""), ("pubmed.x", PUBLICATIONS, "pubmed"), ("drugs.x", DRUGS, "")):
        file = detected(content, name)
        assert file.note.startswith(note)
        assert "\n" not in file.note
        assert (file.kind, file.source) == (kind, source)
        assert file.format == (Format.PARQUET if "inside" in note else Format.UNKNOWN)
        Path(name).unlink()


def test_what_cannot_be_opened_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    file = located("pubmed.csv", TITLES)
    with monkeypatch.context() as patched:

        def refuse(path: str, _: int) -> int:
            raise PermissionError(13, "Permission denied", path)

        patched.setattr(os, "open", refuse)
        closed = detect(file)
    assert (closed.kind, closed.source, closed.format) == (PUBLICATIONS, "pubmed", Format.UNKNOWN)
    assert closed.note == "Permission denied"
    Path("pubmed.csv").unlink()
    assert detect(file).note == "No such file or directory"
    Path("pubmed.csv").mkdir()
    assert detect(file).note == "Is a directory"


def test_a_file_that_became_a_fifo_is_not_waited_for() -> None:
    file = located("pubmed.csv", TITLES)
    Path("pubmed.csv").unlink()
    os.mkfifo("pubmed.csv")
    assert detect(file).note == "empty file"


def test_parquet() -> None:
    pl.DataFrame({"PMID": [1], "Title": ["a"], "size": [1]}).write_parquet("a [1]*.parquet")
    (found,) = locate(["."], Path("out")).files
    file = detect(found)
    assert (file.format, file.kind, file.source, file.note) == (Format.PARQUET, PUBLICATIONS, "pubmed", "")
    assert file.columns == {"title": ["Title"], "id": ["PMID"]}


# Headers.


@pytest.mark.parametrize(
    ("header", "separator", "columns"),
    [
        ("id,title", ",", {"title": ["title"], "id": ["id"]}),
        ("title", ",", {"title": ["title"]}),
        ("ID\tTitle\tdate, if known", "\t", {"title": ["Title"], "id": ["ID"]}),
        ("id;title;a,b,c,d", ";", {"title": ["title"], "id": ["id"]}),
        ('"id"|"title"', "|", {"title": ["title"], "id": ["id"]}),
        ('"a;title","title","id"', ",", {"title": ["title"], "id": ["id"]}),
        ('"a\nb";title', ";", {"title": ["title"]}),
        ("\ttitle\tid\r", "\t", {"title": ["title"], "id": ["id"]}),
        (" title , id", ",", {"title": [" title "], "id": [" id"]}),
        ("title,title,TITLE", ",", {"title": ["title", "TITLE"]}),
        (
            "PMID,Title,Authors,Journal/Book,Publication Year,Create Date",
            ",",
            {
                "title": ["Title"],
                "id": ["PMID"],
                "journal": ["Journal/Book"],
                "date": ["Create Date", "Publication Year"],
            },
        ),
        (
            "NCT Number,Study Title,Sponsor,Start Date",
            ",",
            {"title": ["Study Title"], "id": ["NCT Number"], "sponsor": ["Sponsor"], "date": ["Start Date"]},
        ),
        (
            "nct_id|brief_title|official_title|source|start_date",
            "|",
            {
                "title": ["brief_title"],
                "id": ["nct_id"],
                "official_title": ["official_title"],
                "sponsor": ["source"],
                "date": ["start_date"],
            },
        ),
        (
            "start_date,date,title,version",
            ",",
            {"title": ["title"], "date": ["date", "start_date"], "version": ["version"]},
        ),
    ],
)
def test_headers(header: str, separator: str, columns: dict[str, list[str]]) -> None:
    file = detected(f"{header}\nrest\n".encode())
    assert (file.kind, file.separator, file.columns, file.note) == (PUBLICATIONS, separator, columns, "")


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("atccode,drug", {"drug": ["drug"], "atccode": ["atccode"]}),
        ("drug", {"drug": ["drug"]}),
        ("Common name,Synonyms,CAS", {"drug": ["Common name"], "synonyms": ["Synonyms"]}),
        ("ATC_code;drug_name;name", {"drug": ["drug_name", "name"], "atccode": ["ATC_code"]}),
        ("atc,name", {"drug": ["name"], "atccode": ["atc"]}),
        ("name,synonyms", {"drug": ["name"], "synonyms": ["synonyms"]}),
    ],
)
def test_headers_of_drug_lists(header: str, columns: dict[str, list[str]]) -> None:
    file = detected(f"{header}\nrest\n".encode())
    assert (file.kind, file.source, file.columns, file.note) == (DRUGS, "", columns, "")


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        (OTHER, "colour, size"),
        (b"name,code\nFrance,FR\n", "name, code"),  # everything has a name
        (b'{"name": "package", "version": "1.0.0"}', "name, version"),
        (b"# A heading\n\nSome text.", "# A heading"),
        (b"[1, 2, 3]", "none"),
        (b'{"studies": [{"title": "a"}]}', "studies"),
        (b'[{"a\x1b[31m\\nb": 1}]', "a [31m b"),
        (b",".join([b"column"] * 100), "column, " * 25 + "..."),
        (b'"' + b"x" * 2 * BLOCK, "x" * 200 + "..."),
    ],
)
def test_what_nothing_recognises(content: bytes, columns: str) -> None:
    file = detected(content)
    assert (file.kind, file.source, file.columns) == (UNKNOWN, "", {})
    assert file.note == f"not recognised: no column for a title or a drug's name (columns: {columns})"


def test_keys_of_json_are_all_the_names_that_may_come() -> None:
    file = detected(b'[{"PMID": 1, "Title": "a", "title": "b"}]')
    assert file.columns["title"][:3] == ["Title", "title", "scientific_title"]
    assert file.columns["id"][:3] == ["id", "PMID", "nct_id"]
    assert list(file.columns) == list(FIELDS["publications"])


def test_keys_of_json_are_taken_from_a_block_that_ends_anywhere() -> None:
    records = [{"id": number, "scientific_title": f"é {number}", "nested": {"drug": [1]}} for number in range(5000)]
    content = json.dumps(records, ensure_ascii=False).encode()
    for start in (content, b"[" + b"{}, " * (BLOCK // 4 - 10) + content[1:]):
        file = detected(start, "x.json")
        assert (file.kind, file.source, file.format) == (PUBLICATIONS, "clinical_trials", Format.JSON)


@given(st.binary(max_size=200) | st.text(alphabet='{}[]",:\\ab1 \n', max_size=60).map(str.encode))
def test_no_content_is_an_error(content: bytes) -> None:
    file = detected(content, "x")
    assert file.note or "title" in file.columns or "drug" in file.columns


# Kind and source.


@pytest.mark.parametrize(
    ("name", "content", "kind", "source"),
    [
        ("pubmed.csv", TITLES, PUBLICATIONS, "pubmed"),
        ("My_PubMed-export.2020.csv.gz", TITLES, PUBLICATIONS, "pubmed"),
        ("clinical_trials.csv", TITLES, PUBLICATIONS, "clinical_trials"),
        ("Clinical-Trial.csv", TITLES, PUBLICATIONS, "clinical_trials"),
        ("clinicaltrials.json", TITLES, PUBLICATIONS, "clinical_trials"),
        ("ctg-studies (1).csv", TITLES, PUBLICATIONS, "clinical_trials"),
        ("x.csv", TITLES, PUBLICATIONS, "pubmed"),
        ("x.csv", b"id,scientific_title\n", PUBLICATIONS, "clinical_trials"),
        ("x.csv", b"id,brief_title\n", PUBLICATIONS, "clinical_trials"),
        ("x.csv", b"NCT Number,Title\n", PUBLICATIONS, "clinical_trials"),
        ("x.csv", b"title,nctId\n", PUBLICATIONS, "clinical_trials"),
        ("pubmed.csv", b"id,scientific_title\n", PUBLICATIONS, "pubmed"),
        ("drugs.csv", DRUG_LIST, DRUGS, ""),
        ("Drug.list.csv", DRUG_LIST, DRUGS, ""),
        ("drugs.csv", b"name,code\n", DRUGS, ""),
        ("drugs_2020.csv", DRUG_LIST, DRUGS, ""),
        ("drugs-eu.csv", DRUG_LIST, DRUGS, ""),
        ("drug_list_eu.csv", DRUG_LIST, DRUGS, ""),
        ("druglist.csv", DRUG_LIST, DRUGS, ""),
        ("drug_names.csv", DRUG_LIST, DRUGS, ""),
        ("x.csv", DRUG_LIST, DRUGS, ""),
        ("x.csv", b"drug,title\n", PUBLICATIONS, "pubmed"),
        ("drugs.csv", b"drug,title\n", DRUGS, ""),
        ("drugstore.csv", TITLES, PUBLICATIONS, "pubmed"),
        ("clinical_trials/2020/x.csv", TITLES, PUBLICATIONS, "clinical_trials"),
        ("pubmed/clinical_trials/x.csv", TITLES, PUBLICATIONS, "clinical_trials"),
        ("clinical_trials/pubmed/x.csv", b"nct_id,title\n", PUBLICATIONS, "pubmed"),
        ("drugs/pubmed.csv", TITLES, PUBLICATIONS, "pubmed"),
        ("pubmed/drugs.csv", DRUG_LIST, DRUGS, ""),
        ("drugs/x.csv", DRUG_LIST, DRUGS, ""),
        ("clinical_trials/refs.nbib", b"PMID- 1\nTI  - T\n", PUBLICATIONS, "pubmed"),
        ("drugs/clinical_trials.xml", b"<PubmedArticleSet/>", PUBLICATIONS, "pubmed"),
        ("pubmed.xml", b"<clinical_study/>", PUBLICATIONS, "clinical_trials"),
    ],
)
def test_kind_and_source(name: str, content: bytes, kind: Kind, source: str) -> None:
    file = detected(content, name)
    assert (file.kind, file.source, file.note) == (kind, source, "")


@pytest.mark.parametrize(
    ("name", "content", "kind", "note"),
    [
        ("drugs.csv", TITLES, DRUGS, "no column for the drug's name (columns: id, title)"),
        ("pubmed.csv", DRUG_LIST, PUBLICATIONS, "no column for the title (columns: atccode, drug)"),
        ("pubmed/README.md", b"# Words\n", PUBLICATIONS, "no column for the title (columns: # Words)"),
        ("pubmed.json", b"[{}]", PUBLICATIONS, "no column for the title (columns: none)"),
        ("clinical_trials.json", b'{"error": 404}', PUBLICATIONS, "no column for the title (columns: error)"),
    ],
)
def test_a_name_that_promises_what_the_file_has_not(name: str, content: bytes, kind: Kind, note: str) -> None:
    file = detected(content, name)
    assert (file.kind, file.note) == (kind, note)
    assert file.format in {Format.CSV, Format.JSON, Format.NDJSON}


def test_names_above_the_input_say_nothing(tmp_path: Path) -> None:
    (tmp_path / "drugs/pubmed/in").mkdir(parents=True)
    (tmp_path / "drugs/pubmed/in/x.csv").write_bytes(b"nct_id,title\n")
    for text in (tmp_path / "drugs/pubmed/in", tmp_path / "drugs/pubmed/in/x.csv", tmp_path / "drugs/pubmed/in/*"):
        (found,) = locate([str(text)], Path("out")).files
        assert detect(found).source == "clinical_trials"
    (found,) = locate([str(tmp_path / "drugs")], Path("out")).files
    assert detect(found).source == "pubmed"


def test_a_given_kind_beats_name_and_content() -> None:
    as_drugs = detected(b"name,code,title\n", "pubmed.csv", kind=DRUGS)
    assert (as_drugs.kind, as_drugs.source, as_drugs.note) == (DRUGS, "", "")
    assert as_drugs.columns == {"drug": ["name"], "atccode": ["code"]}
    assert detected(TITLES, "pubmed.csv", kind=DRUGS).note == "no column for the drug's name (columns: id, title)"
    other = Source(name="mine", files=("*",), columns={"title": ("name",)})
    assert detected(b"name\n", "pubmed.csv", other, kind=DRUGS).columns == {"drug": ["name"]}


# The configuration.


def test_the_first_configured_source_that_fits_counts() -> None:
    sources = (
        Source(name="other", files=("*.tsv", "sub/*")),
        Source(name="mine", files=("y*", "[x].csv")),
        Source(name="late", files=("*",)),
    )
    for name, expected in (("x.csv", "mine"), ("deep/x.csv", "mine"), ("sub/deep/x.csv", "other"), ("pubmed", "late")):
        assert detected(TITLES, name, *sources).source == expected
        Path(name).unlink()


def test_a_configured_drug_list() -> None:
    source = Source(name="ours", kind="drugs", files=("pubmed.csv",), columns={"drug": ("Wirkstoff", "name")})
    file = detected(b"code,NAME,wirkstoff,title\n", "pubmed.csv", source)
    assert (file.kind, file.source, file.note) == (DRUGS, "ours", "")
    assert file.columns == {"drug": ["wirkstoff", "NAME"], "atccode": ["code"]}


def test_configured_columns_come_first() -> None:
    source = Source(name="mine", files=("*",), columns={"title": ("Titel",), "date": ("date_b", "date")}, dates=("%Y",))
    file = detected(b"date;date_b;title;TITEL;a,b\n", "x", source)
    assert file.columns == {"title": ["TITEL", "title"], "date": ["date_b", "date"]}
    assert (file.separator, file.dates) == (";", ["%Y"])
    assert detected(b"a\n", "x", source).note == "no column for the title (columns: a)"
    keys = detected(b'[{"titel": 1}]', "x", source).columns["title"]
    assert keys[:2] == ["titel", "title"]


def test_configured_columns_help_to_find_the_separator() -> None:
    source = Source(name="mine", files=("*",), columns={"title": ("Titel",)})
    assert detected(b"a,b,c|Titel|d\n", "x", source).separator == "|"


def test_configured_separator_encoding_and_format_are_used_as_said() -> None:
    source = Source(name="mine", files=("*",), separator="~", encoding="utf-16")
    file = detected("\nid,nr~title\n".encode("utf-16"), "x", source)
    assert (file.separator, file.encoding, file.note) == ("~", "utf-16", "")
    assert file.columns == {"title": ["title"]}
    marked = Source(name="mine", files=("*",), encoding="utf-16-le")
    assert detected("\ufefftitle\n".encode("utf-16-le"), "x", marked).columns == {"title": ["title"]}

    latin = Source(name="mine", files=("*",), encoding="latin-1", columns={"title": ("Aufsätze",)})
    assert detected("aufsätze\n".encode("latin-1"), "x", latin).columns == {"title": ["aufsätze"]}

    lines = Source(name="mine", files=("*",), format="json")
    assert detected(b'{"title": 1}\n{"title": 2}\n', "x", lines).format == Format.JSON
    table = Source(name="mine", files=("*",), format="csv", columns={"title": ("<t>", "[t]")})
    for content in (b"<t>,a\n", b"[t],a\n", b"<t>,a\n\0"):
        file = detected(content, "x", table)
        assert (file.format, file.note) == (Format.CSV, "")
    parquet = Source(name="mine", files=("*",), format="parquet")
    assert detected(TITLES, "x", parquet).note.startswith("corrupt Parquet: ")


# Names of columns.


@pytest.mark.parametrize("kind", [PUBLICATIONS, DRUGS])
def test_every_field_has_names_and_every_name_is_folded(kind: Kind) -> None:
    assert tuple(NAMES[kind]) == FIELDS[kind]
    for names in NAMES[kind].values():
        assert names == tuple(dict.fromkeys(name.strip().casefold() for name in names))


def test_names_are_compared_without_case_in_order_of_preference() -> None:
    header = ("Brief_Title", " TITLE", "code")
    assert find_columns(header, PUBLICATIONS) == {"title": [" TITLE", "Brief_Title"]}
    assert find_columns(header, PUBLICATIONS, (("title", ("brief_title",)),)) == {"title": ["Brief_Title", " TITLE"]}
    assert find_columns(header, UNKNOWN) == {}
    assert find_keys(header, PUBLICATIONS)["title"][:4] == [" TITLE", "scientific_title", "Brief_Title", "study title"]


def test_a_title_makes_publications_and_a_drug_a_list() -> None:
    assert recognise_kind(("drug", "title")) == PUBLICATIONS
    assert recognise_kind(("drug",)) == DRUGS
    assert recognise_kind(("name",)) == recognise_kind(("name", "code")) == recognise_kind(()) == UNKNOWN
    assert recognise_kind(("name", "Wirkstoff"), (("drug", ("wirkstoff",)),)) == DRUGS
