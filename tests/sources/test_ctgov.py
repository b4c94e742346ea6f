"""ClinicalTrials.gov in each of its forms: fields, pages, archives, and what is damaged or hostile."""

import io
import json
import resource
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drugmentions.config import Config, Run, Source
from drugmentions.model import Compression, Format
from drugmentions.pipeline import run
from drugmentions.sources import json_array
from drugmentions.sources.columns import PUBLICATION_FIELDS
from drugmentions.sources.reading import open_fast
from tests.sources.support import Find, zipped


def study(
    nct_id: str = "NCT1", *, title: str | None = "Brief", date: str | None = "2016-01", **more: Any
) -> dict[str, Any]:
    """A study as the API gives it."""
    identification = {"nctId": nct_id, "organization": {"fullName": "Other"}, "briefTitle": title}
    status: dict[str, Any] = {"studyFirstPostDateStruct": {"date": "2016-01-26", "type": "ESTIMATED"}}
    if date:
        status["startDateStruct"] = {"date": date}
    return {
        "protocolSection": {
            "identificationModule": identification | more,
            "statusModule": status,
            "sponsorCollaboratorsModule": {"leadSponsor": {"name": "Sponsor & Co", "class": "OTHER"}},
            "conditionsModule": {"conditions": ["studies", "}]"]},
        },
        "derivedSection": {"miscInfoModule": {"versionHolder": "2024"}},
        "hasResults": False,
    }


FIRST = {
    "source": "clinical_trials",
    "id": "NCT1",
    "title": "Brief",
    "journal": "Sponsor & Co",
    "journal_kind": "sponsor",
    "date": "2016-01",
    "record": 1,
}


def text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


# Version 2, JSON.


@pytest.mark.parametrize(
    "content",
    [
        text([study()]),
        text([study()])[:-1] + ",]",
        "\ufeff\n[\n" + json.dumps(study(), indent=1) + "\n]\n",
        text(study()),
        json.dumps(study(), indent=2),
        text({"studies": [study()]}),
        text({"totalCount": 1, "studies": [study()], "nextPageToken": "NF0g5JiPkvI"}),
        json.dumps({"nextPageToken": '{["studies":', "studies": [study()]}, indent=1),
    ],
)
def test_list_object_and_page(found: Find, content: str) -> None:
    file, rows, rejects, blanks = found(content, "ctg studies (1).txt")
    assert (file.format, file.source, file.note) == (Format.CTGOV_JSON, "clinical_trials", "")
    assert rows == [FIRST]
    assert (rejects, blanks) == ([], [])


def test_fields_that_are_absent(found: Find) -> None:
    content = [
        study(officialTitle="Official <title> of ethanol"),
        study(date=None),
        study(title=None),
        study(date="2016-02-30"),
        {"protocolSection": {"identificationModule": {"briefTitle": "T", "nctId": ["NCT5"]}, "statusModule": None}},
        {},
        None,
        {"other": 1},
        "text",
    ]
    _, rows, rejects, blanks = found(text(content))
    assert [row.get("official_title") for row in rows] == ["Official <title> of ethanol", None, None, None]
    assert [row.get("date") for row in rows] == ["2016-01", None, None, None]
    assert rows[3] == {"source": "clinical_trials", "title": "T", "record": 5}
    assert rows[2]["unread_date"] == "2016-02-30"
    assert blanks == [False, True, True]
    assert [(reject["record"], reject["reason"]) for reject in rejects] == [(8, "not a study"), (9, "not an object")]


def test_another_date_by_configuration(found: Find) -> None:
    source = Source(name="trials", files=("*",), columns={"date": ("first_posted",)})
    file, rows, *_ = found(text([study()]), "x.json", source)
    assert (file.source, rows[0]["date"], rows[0]["source"]) == ("trials", "2016-01-26", "trials")


def test_pages_and_studies_one_after_another(found: Find) -> None:
    pages = [{"studies": [study("NCT1"), study("NCT2")], "nextPageToken": "x"}, {"studies": [study("NCT3")]}]
    assert len(found("\n".join(map(text, pages))).rows) == 3
    assert len(found("\n".join(text(study(f"NCT{n}")) for n in range(5_000))).rows) == 5_000


def test_pages_without_studies(found: Find) -> None:
    content = text({"studies": [study()]}) + text({"error": "no more"}) + text({"studies": None})
    result = found(content)
    assert (result.values("id"), result.reasons) == ([("NCT1",)], ["no list of studies"] * 2)
    assert "no more" in result.rejects[0]["raw"]


@pytest.mark.parametrize(
    ("damaged", "kept", "reason"),
    [
        ('{"studies": [STUDY, STUDY', 2, "file ends within a record"),
        ('{"studies": [STUDY, STUDY], "next', 2, "file ends within a record"),
        ('{"studies": [STUDY, {"protocolSection": {', 1, "file ends within a record"),
        ('{"studies": [STUDY STUDY]}', 1, "JSON syntax error"),
        ('{"studies": [STUDY], 5: 1}', 1, "JSON syntax error"),
        ('{"studies": [STUDY] "next": 1}', 1, "JSON syntax error"),
        ('{"studies": [STUDY]}]', 1, "JSON syntax error"),
    ],
)
def test_damaged_pages(found: Find, damaged: str, kept: int, reason: str) -> None:
    result = found(damaged.replace("STUDY", text(study())))
    assert (len(result.rows), result.reasons) == (kept, [reason])


def test_a_large_page_is_never_held_whole(found: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_array, "RECORD_LIMIT", 1 << 20)
    filling = [study(f"NCT{number}", briefSummary="word " * 400) for number in range(4_000)]
    result = found(text({"totalCount": 1, "studies": filling, "other": list(range(1_000))}))
    assert (len(result.rows), result.rejects) == (4_000, [])
    result = found('{"studies": [' + text(study()) + '], "other": "' + "x" * (3 << 20) + '"}')
    assert (len(result.rows), len(result.rejects)) == (1, 1)


@pytest.mark.parametrize("nested", ['{"studies": [STUDY, DEEP', '{"studies": [STUDY], "x": DEEP', "[STUDY, DEEP"])
@pytest.mark.parametrize("deep", ["[" * 200_000, '{"a":' * 200_000])
def test_deep_nesting(found: Find, nested: str, deep: str) -> None:
    result = found(nested.replace("DEEP", deep).replace("STUDY", text(study())))
    assert (len(result.rows), len(result.rejects)) == (1, 1)


# Archives.


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        ("<!DOCTYPE html><title>503</title>", "an HTML page"),
        ("Read me\n\nfirst", "JSON syntax error"),
        ("<html>" + "".join(map(str, range(100_000))), "an HTML page"),
    ],
)
def test_what_is_no_study_in_a_zip_costs_itself(found: Find, first: str, reason: str) -> None:
    result = found(zipped({"0.txt": first, "a.json": text(study("NCT1")), "b.json": text(study("NCT2"))}))
    assert (result.file.format, result.values("id")) == (Format.CTGOV_JSON, [("NCT1",), ("NCT2",)])
    assert [reject["reason"] for reject in result.rejects] == [reason]
    assert result.rejects[0]["raw"].startswith(f"0.txt: {first[:10]}")


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_a_zip_of_one_file_per_study(found: Find, method: int, *, streamed: bool) -> None:
    files = {f"NCT {number} [a].json": text(study(f"NCT{number}")) for number in range(300)}
    archive = zipped({"studies/": "", "__MACOSX/._a": "x", ".DS_Store": "x", **files}, method=method, streamed=streamed)
    result = found(archive, "ctg-studies.csv")
    assert result.file.compression == Compression.ZIP
    if streamed and method == zipfile.ZIP_STORED:
        assert result.file.note == "zip entry doesn't say where it ends"
    else:
        assert result.file.format == Format.CTGOV_JSON
        assert result.values("id", "record") == [(f"NCT{number}", number + 1) for number in range(300)]
        assert result.rejects == []


@pytest.mark.parametrize("streamed", [False, True])
def test_bad_entries_cost_no_others(found: Find, *, streamed: bool) -> None:
    good = text(study())
    files = {
        "a.json": good,
        "-rf.json": "{" + good,
        "../../etc/passwd": good,
        "/abs\nolute.json": good[:-20],
        "empty.json": "",
        "page.json": text({"studies": [study(), study()]}),
        "note.txt": "No study",
        "z.json": good,
    }
    result = found(zipped(files, streamed=streamed))
    assert len(result.rows) == 5
    assert [(reject["reason"], reject["raw"][:9]) for reject in result.rejects] == [
        ("JSON syntax error", "-rf.json:"),
        ("file ends within a record", "/abs\nolut"),
        ("JSON syntax error", "note.txt:"),
    ]


def test_encrypted_and_strangely_packed_entries(found: Find) -> None:
    archive = bytearray(zipped({"a.json": text(study("NCT1")), "b.json": text(study("NCT2"))}))
    second = archive.index(b"PK\x03\x04", 4)
    for place, value, problem in ((6, 1, "is encrypted"), (8, 99, "is packed in a way that isn't read")):
        changed = bytearray(archive)
        changed[second + place] = value
        result = found(bytes(changed))
        assert (result.values("id"), result.reasons) == ([("NCT1",)], [f"zip entry {problem}"])
    archive[6] = archive[second + 6] = 1
    assert found(bytes(archive)).file.note == "zip entry is encrypted"
    archive[second + 6] = 0
    assert found(bytes(archive)).values("id") == [("NCT2",)]


def test_a_corrupt_entry(found: Find) -> None:
    archive = bytearray(zipped({f"{number}.json": text(study(f"NCT{number}")) for number in range(3)}))
    second = archive.index(b"PK\x03\x04", 4)
    archive[second + 40 : second + 44] = b"\xff\xff\xff\xff"
    result = found(bytes(archive))
    assert (result.values("id"), result.reasons) == ([("NCT0",), ("NCT2",)], ["corrupt zip entry"])


@pytest.mark.parametrize("streamed", [False, True])
def test_a_zip_that_is_cut_keeps_what_comes_before(found: Find, *, streamed: bool) -> None:
    archive = zipped({f"{number}.json": text(study(f"NCT{number}")) for number in range(8)}, streamed=streamed)
    body = archive[: archive.index(b"PK\x01\x02")]
    for end in range(400, len(body), 97):
        result = found(body[:end])
        assert result.values("id") == [(f"NCT{number}",) for number in range(len(result.rows))]
        assert len(result.rejects) == 1
    assert len(found(body + b"PK\x01\x02").rows) == 8
    assert found(body + b"????").reasons[-1:] == ["zip archive ends early" if streamed else "corrupt zip archive"]


@given(st.data())
def test_no_archive_is_an_error(found: Find, data: st.DataObject) -> None:
    archive = bytearray(
        zipped({"a.json": text(study()), "b.json": text(study("NCT2"))}, streamed=data.draw(st.booleans()))
    )
    for place in data.draw(st.lists(st.integers(0, len(archive) - 1), max_size=4)):
        archive[place] = data.draw(st.integers(0, 255))
    found(bytes(archive))


@pytest.mark.parametrize("content", [b'{"protocolSection": {"a": "' + b"x" * (200 << 20), b" " * (200 << 20)])
def test_a_zip_bomb_takes_no_memory(found: Find, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(json_array, "RECORD_LIMIT", 4 << 20)
    archive = zipped({"a.json": text(study()), "bomb.json": content, "z.json": text(study("NCT2"))})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = found(archive)
    assert result.values("id") == [("NCT1",), ("NCT2",)]
    assert len(result.rejects) <= 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10


def test_many_entries_take_no_memory(found: Find) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for number in range(20_000):
            archive.writestr(f"NCT{number}.json", "{}")
    del archive
    content = text(study()).encode()
    result = found(zipped({"a.json": content}).partition(b"PK\x01\x02")[0] + buffer.getvalue())
    assert (len(result.rows), len(result.blanks)) == (1, 20_000)


# Tables.


def test_csv_of_chosen_columns(found: Find) -> None:
    content = (
        "NCT Number,Study Title,Study URL,Sponsor,Start Date,First Posted\r\n"
        'NCT1,"One, ""two""",https://x,"Some Co., Ltd.",2007-03,2007-03-22\r\n'
        "NCT2,Three,https://x,Other,,2008-01-01\r\n"
    )
    result = found(content)
    assert result.values("id", "title", "journal", "journal_kind", "date") == [
        ("NCT1", 'One, "two"', "Some Co., Ltd.", "sponsor", "2007-03"),
        ("NCT2", "Three", "Other", "sponsor", None),
    ]
    newlines = found('Study Title,Conditions,Sponsor\nT,"a\nb\n\nc",S\nU,,\n')
    assert newlines.file.source == "clinical_trials"
    assert newlines.values("title", "journal", "record") == [("T", "S", 1), ("U", None, 2)]
    assert found("NCT Number,Study Title,First Posted\nNCT1,T,2001-02-03\n").rows[0]["date"] == "2001-02-03"
    both = "NCT Number,Study Title,Start Date,First Posted\nNCT1,T,,2001-02-03\n"
    assert "date" not in found(both).rows[0]
    source = Source(name="trials", files=("*",), columns={"date": ("Start Date", "First Posted")})
    assert found(both, "x", source).rows[0]["date"] == "2001-02-03"


def test_a_list_of_pages_and_pages_of_nothing(found: Find) -> None:
    pages = [{"studies": [study("NCT1"), study("NCT2")], "nextPageToken": "x"}, {"totalCount": 3, "studies": []}]
    result = found(json.dumps([*pages, study("NCT4"), {"studies": [study("NCT3")]}]))
    assert (result.values("id"), result.rejects) == ([("NCT1",), ("NCT2",), ("NCT4",), ("NCT3",)], [])
    for empty in ('{"totalCount":0,"studies":[]}', '{\n  "studies": [ ]\n}'):
        result = found(empty)
        assert (result.file.format, result.rows, result.rejects) == (Format.CTGOV_JSON, [], [])


def test_classic_tsv(found: Find) -> None:
    content = (
        "Rank\tNCT Number\tTitle\tSponsor/Collaborators\tStart Date\tFirst Posted\r\n"
        '1\tNCT1\tA "quoted" title\tLead Co.|Second|Third\tSeptember 1, 2011\tOctober 31, 2022\r\n'
        "2\tNCT2\tU\tAlone\tApril 2020\tMay 1, 2020\r\n"
    )
    result = found(content, "SearchResults.xls")
    assert (result.file.source, result.file.separator) == ("clinical_trials", "\t")
    assert result.values("id", "title", "journal", "date") == [
        ("NCT1", 'A "quoted" title', "Lead Co.", "2011-09-01"),
        ("NCT2", "U", "Alone", "2020-04"),
    ]


def test_quotes_of_classic_tsv_are_text(found: Find) -> None:
    content = 'rank\tnct number\tTitle\n1\tNCT1\t"Unclosed\n2\tNCT2\t"Whole"\n'
    assert found(content).values("id", "title") == [("NCT1", '"Unclosed'), ("NCT2", '"Whole"')]
    assert found(content.replace("\t", ",")).file.quoted


def test_aact_studies(found: Find) -> None:
    header = "nct_id|start_month_year|start_date|brief_title|official_title|source|phase\n"
    rows = 'NCT1|2016-01|2016-01-31|"A | B"|Official ~ title|Lead Co.|\nNCT2||2017-02-03|T||S|\n'
    result = found(header + rows, "studies.txt")
    assert result.file.source == "clinical_trials"
    assert result.values("id", "title", "official_title", "journal", "journal_kind", "date") == [
        ("NCT1", "A | B", "Official title", "Lead Co.", "sponsor", "2016-01"),
        ("NCT2", "T", None, "S", "sponsor", "2017-02-03"),
    ]
    lines = found(header + 'NCT1||2016|Brief~ title|"Official ~title"|S~|\nNCT2|||~|||\n')
    assert lines.values("title", "official_title", "journal") == [("Brief title", "Official title", "S~")]
    assert lines.blanks == [False]
    scan = open_fast(lines.file, PUBLICATION_FIELDS)
    assert scan
    assert scan.records.collect().rows()[0][3:6] == ("Brief  title", "NCT1", "Official  title")
    assert [json.loads(raw)["brief_title"] for raw in scan.untitled.collect()["raw"]] == ["~"]
    plain = header.replace("start_month_year|", "") + "NCT1|2016-01-31|T||S|\n"
    assert found(plain).rows[0]["date"] == "2016-01-31"
    assert "journal" not in found("nct_id,title,source\nNCT1,T,registry\n").rows[0]


# Classic XML.

STUDY_XML = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<clinical_study>\n<id_info><nct_id>NCT1</nct_id>'
    "</id_info><brief_title>Brief</brief_title><official_title>Official</official_title><sponsors><lead_sponsor>"
    "<agency>Sponsor &amp; Co</agency></lead_sponsor><collaborator><agency>Other</agency></collaborator></sponsors>"
    '<start_date type="Actual">January 2016</start_date><study_first_posted>January 26, 2016</study_first_posted>'
    "</clinical_study>"
)


def test_classic_xml(found: Find) -> None:
    result = found(STUDY_XML, "NCT1.txt")
    assert result.file.format == Format.CTGOV_XML
    assert result.rows == [FIRST | {"official_title": "Official"}]
    archive = zipped(
        {f"{number}.xml": STUDY_XML for number in range(5)} | {"bad.xml": STUDY_XML[:90], "no.xml": "<a/>"}
    )
    result = found(archive)
    assert (len(result.rows), result.reasons) == (5, ["file ends within a record"])
    blank = found("<clinical_study/>")
    assert (blank.rows, blank.blanks) == ([], [True])
    assert found("<clinical_study><x/></clinical_study>").reasons == ["not a study"]
    declared = STUDY_XML.replace("<clinical_study>", '<!DOCTYPE x [<!ENTITY a "b">]><clinical_study>')
    assert found(declared).reasons == ["XML that declares entities, which are refused"]


def test_an_error_page_is_named(found: Find) -> None:
    page = "<!DOCTYPE html PUBLIC '-//W3C//DTD XHTML'>\n<html><head><title>500</title></head></html>"
    assert found(page, "NCT1.xml").file.note == "an HTML page"
    assert found(page, "clinical_trials.csv", Source(name="x", files=("*",), format="csv")).file.note == "an HTML page"


# The graph.


def test_official_titles_are_searched(tmp_path: Path) -> None:
    def graph(studies: list[Mapping[str, Any]]) -> pl.DataFrame:
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in/trials.json").write_text(text(studies))
        (tmp_path / "in/drugs.csv").write_text("drug\nethanol\nketamine\n")
        run([str(tmp_path / "in")], Config(run=Run(out=str(tmp_path / "out"))))
        return pl.read_parquet(tmp_path / "out/mentions.parquet")

    both = study(title="On ethanol", officialTitle="Ethanol and ketamine in men")
    mentions = graph([both])
    assert mentions.select("drug", "found_in", "journal_kind").rows() == [
        ("ethanol", "title", "sponsor"),
        ("ketamine", "official_title", "sponsor"),
    ]
    assert mentions["title"].to_list() == ["On ethanol"] * 2
