"""PubMed's records as others hand them out: MEDLINE text, the website's CSV, LitCovid's TSV, Europe PMC's JSON."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pubmed_corpus import Article, set_xml

from drugmentions.config import Config, Run, Source
from drugmentions.model import Format
from drugmentions.pipeline import run
from drugmentions.sources import medline
from drugmentions.sources.europepmc import without_markup
from drugmentions.sources.reading import open_fast
from tests.sources.support import Find

# MEDLINE text.

MEDLINE = """
PMID- 11
OWN - NLM
DP  - 2002 Sep
TI  - Effects of ethanol - a brief
      overview: on
      several lines.
PT  - Journal Article
TA  - Brief Ex
JT  - Briefings in examples
AD  - Somewhere
      PMID- 99 is no field here

PMID- 12
DP  - 2018 Dec 27
TI  - [Use of aspirin].
TT  - Über Aspirin.
TA  - J Ex
PT  - Journal Article
PT  - Retracted Publication
"""


def test_medline(found: Find) -> None:
    file, rows, rejects, blanks = found(MEDLINE, "result.txt")
    assert (file.format, file.source, rejects, blanks) == (Format.MEDLINE, "pubmed", [], [])
    assert rows[0] == {
        "source": "pubmed",
        "id": "11",
        "title": "Effects of ethanol - a brief overview: on several lines.",
        "journal": "Briefings in examples",
        "journal_kind": "journal",
        "date": "2002-09",
        "record": 1,
    }
    assert rows[1] == {
        "source": "pubmed",
        "id": "12",
        "title": "Use of aspirin.",
        "journal": "J Ex",
        "journal_kind": "journal",
        "date": "2018-12-27",
        "retracted": True,
        "record": 2,
    }


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (MEDLINE.replace("\n", "\r\n"), ["11", "12"]),
        ("\ufeff" + MEDLINE.lstrip(), ["11", "12"]),
        (MEDLINE.replace("\n\n", "\n"), ["11", "12"]),
        (MEDLINE.replace("\n\n", "\n\n  \n\n\n"), ["11", "12"]),
        (MEDLINE.rstrip(), ["11", "12"]),
        (MEDLINE.replace("\n", "\r"), ["11", "12"]),
    ],
)
def test_medline_line_ends(found: Find, content: str, expected: list[str]) -> None:
    result = found(content)
    assert [row["id"] for row in result.rows] == expected
    assert (result.rejects, result.rows[0]["title"][-6:]) == ([], "lines.")


def test_medline_oddities(found: Find) -> None:
    content = (
        "PMID- 1\nTI  - [Not Available].\nTT  - Über Aspirin\nDP  - 2003 Apr 23-30\n\n"
        "PMID- 2\nDP  - 1998 Dec-1999 Jan\nTI  - T\n\nNothing\nof ours\n\nPMID- 3\nTI  - \n\n"
        "PMID- 4\nBTI - A book\nDP  - 2010 Summer\n\nPMID- 5\nTI  - U\nDP  - 1975-1976\n"
    )
    result = found(content)
    assert result.values("id", "title", "date") == [
        ("1", "Über Aspirin", "2003-04"),
        ("2", "T", "1998-12"),
        ("4", "A book", "2010"),
        ("5", "U", "1975"),
    ]
    assert [(reject["reason"], reject["record"], reject["line"]) for reject in result.rejects] == [
        ("not a MEDLINE record", 3, 10)
    ]
    assert result.blanks == [False]


def test_medline_that_is_damaged(found: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"PMID- 1\nTI  - A\n\nPMID- 2\nTI  - B\xff\n\nPMID- 3\nTI  - C\n"
    result = found(content)
    assert (result.values("id"), result.reasons) == ([("1",), ("3",)], ["invalid UTF-8"])
    monkeypatch.setattr(medline, "RECORD_LIMIT", 1_000)
    long = b"PMID- 1\nTI  - A\n\nPMID- 2\n" + b"AB  - " + b"word " * 50 + b"\n" + b"      more\n" * 5_000
    result = found(long + b"\nPMID- 3\nTI  - C\n")
    assert (result.values("id"), result.reasons) == ([("1",), ("3",)], ["record longer than 16 MiB"])


def test_medline_lines_end_at_line_feeds_alone(found: Find) -> None:
    title = "On\u2028ethanol,\x0bor\u0085wine"
    result = found(f"PMID- 1\r\nTI  - {title}\r\n      \r\n      and more\r\nJT  - J\r\n\r\nPMID- 2\r\nTI  - B\r\n")
    assert result.values("id", "title", "journal") == [("1", "On ethanol, or wine and more", "J"), ("2", "B", None)]


def test_medline_takes_time_in_proportion_to_its_length(found: Find) -> None:
    result = found("PMID- 1\nTI  - A\n" + "      " + "\n      ".join(["b" * 70] * 150_000) + "\n")
    assert result.values("title") == [("A" + (" " + "b" * 70) * 150_000,)]


@given(st.lists(st.sampled_from([b"PMID- 1", b"TI  - T", b"      more", b"", b"\xff", b"x", b"TI", b"PT  -"])))
def test_no_medline_is_an_error(found: Find, lines: list[bytes]) -> None:
    found(b"PMID- 5\n" + b"\n".join(lines))


# PubMed's CSV.


def test_pubmed_csv(found: Find) -> None:
    content = (
        "\ufeffPMID,Title,Authors,Citation,First Author,Journal/Book,Publication Year,Create Date,PMCID,NIHMS ID,DOI\n"
        '11,"On ethanol, again.","A B, C D.",J Ex. 2020,A B,J Ex,2020,2020/03/05,,,10.1/x\n'
    )
    result = found(content, "csv-ethanol-set.csv")
    assert (result.file.format, result.file.source) == (Format.CSV, "pubmed")
    assert result.values("id", "title", "journal", "date") == [("11", "On ethanol, again.", "J Ex", "2020-03-05")]


# LitCovid.

LITCOVID = (
    "# ====\n#\n#   NOTICE, with a comma\n#\n# ====\npmid\ttitle_e\tjournal\n"
    '11\t"Long" COVID and\u00a0aspirin\tJ Ex\n12\t"Unclosed\tK\n13\tPlain, with comma\tL\n'
)


def test_litcovid(found: Find) -> None:
    result = found(LITCOVID, "export.tsv")
    assert (result.file.separator, result.file.quoted, result.file.source) == ("\t", False, "pubmed")
    assert result.values("id", "title", "journal", "record", "line") == [
        ("11", '"Long" COVID and aspirin', "J Ex", 1, None),
        ("12", '"Unclosed', "K", 2, None),
        ("13", "Plain, with comma", "L", 3, None),
    ]


def test_comment_lines_end_at_line_feeds_alone(found: Find) -> None:
    result = found(LITCOVID.replace("with a comma", "with\u2028a\x0bcomma"))
    assert result.values("id") == [("11",), ("12",), ("13",)]


def test_litcovid_by_a_scan(found: Find) -> None:
    file = found(LITCOVID, "export.tsv").file
    reading = open_fast(file, ("title", "id"))
    assert reading is not None
    assert reading.read[file.file] == 3
    assert reading.records.collect()["title"].to_list()[1] == '"Unclosed'


# Europe PMC.


def result_of(**fields: Any) -> dict[str, Any]:
    return {"id": "11", "source": "MED", "pmid": "11", "title": "T", "journalTitle": "J", **fields}


def page(*results: dict[str, Any]) -> str:
    return json.dumps({"version": "6.9", "hitCount": 1, "request": {"id": "x"}, "resultList": {"result": results}})


def test_europepmc_core_and_lite(found: Find) -> None:
    core = result_of(
        journalTitle=None,
        journalInfo={"dateOfPublication": "2020 Sep", "journal": {"title": "Journal of examples"}},
        firstPublicationDate="2020-07-01",
        pubTypeList={"pubType": ["Review", "Retracted Publication"]},
    )
    result = found(page(core, result_of(pubYear="2019")), "europe.json")
    assert (result.file.format, result.file.source) == (Format.EUROPEPMC, "europepmc")
    assert result.rows == [
        {
            "source": "pubmed",
            "id": "11",
            "title": "T",
            "journal": "Journal of examples",
            "journal_kind": "journal",
            "date": "2020-07-01",
            "retracted": True,
            "record": 1,
        },
        {
            "source": "pubmed",
            "id": "11",
            "title": "T",
            "journal": "J",
            "journal_kind": "journal",
            "date": "2019",
            "record": 2,
        },
    ]


def test_europepmc_other_records(found: Find) -> None:
    preprint = {
        "id": "PPR1",
        "source": "PPR",
        "title": "On aspirin",
        "bookOrReportDetails": {"publisher": "bioRxiv"},
        "firstPublicationDate": "2021-02-03",
    }
    in_pmc = {"id": "PMC5", "source": "PMC", "pmid": "12", "title": "T"}
    without_pmid = {"id": "13", "source": "MED", "title": "T"}
    result = found(page(preprint, in_pmc, without_pmid))
    assert result.values("source", "id", "journal", "date") == [
        ("europepmc", "PPR1", "bioRxiv", "2021-02-03"),
        ("pubmed", "12", None, None),
        ("pubmed", "13", None, None),
    ]
    for name in ("pubmed_preprints.json", "clinical_trials.json"):
        named = found(page(preprint, in_pmc), name)
        assert named.values("source", "id") == [("europepmc", "PPR1"), ("pubmed", "12")]
    configured = found(page(preprint, in_pmc), "x", Source(name="ours", files=("*",)))
    assert configured.values("source", "id") == [("ours", "PPR1"), ("ours", "12")]


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Of C<sub>60</sub>, <i>in vitro</i> &amp; <b>bold</b>", "Of C60, in vitro & bold"),
        ("p < 0.05 and x>y", "p < 0.05 and x>y"),
        ("p<0.05", "p<0.05"),
        ("&lt;i&gt; &#x3b1; &nbsp;end", "<i> α \xa0end"),
        ("a <unknown> tag</unknown>", "a <unknown> tag</unknown>"),
        ("Upper <I>case</I> <sup", "Upper case <sup"),
        ("AT&T", "AT&T"),
        ("One<br/>two<br>three<BR />four", "One two three four"),
        ("a<b and c>d", "a<b and c>d"),
        ("a<i and c>d, p<!5 and q>2", "a<i and c>d, p<!5 and q>2"),
        ("<span class=\"x\">Wide</span> <i lang='la'>in vivo</i>", "Wide in vivo"),
        ("< b>", "< b>"),
    ],
)
def test_markup_of_titles(title: str, expected: str) -> None:
    assert without_markup(title) == expected


@given(st.text(alphabet="<>/&;!-ib ab'\"=", max_size=30))
def test_no_markup_is_an_error(title: str) -> None:
    assert isinstance(without_markup(title), str)


def test_europepmc_errors_are_named(found: Find) -> None:
    error = '{"version":"6.9","errCode":404,"errMsg":"No results"}'
    assert found(error, "pubmed.json").file.note == "an error of Europe PMC, not its results"
    for joined in ("\n".join([page(result_of()), error, page()]), f"[{page(result_of())}, {error}, {page()}]"):
        result = found(joined)
        assert (len(result.rows), result.reasons) == (1, ["an error of Europe PMC, not its results"])
        assert result.rejects[0]["raw"] == error
    assert found(page(result_of()) + '{"version": "6.9"}').reasons == ["no list of results"]
    for empty in (page(), '{"version":"6","hitCount":0,"resultList":{}}'):
        result = found(empty, "europe.json")
        assert (result.file.format, result.rows, result.rejects) == (Format.EUROPEPMC, [], [])


def test_a_list_of_europepmc_pages(found: Find) -> None:
    first, second = page(result_of(), result_of(id="12", pmid="12")), page(result_of(id="13", pmid="13"))
    result = found(f"[{first}, {second}]")
    assert (result.values("id"), result.rejects) == ([("11",), ("12",), ("13",)], [])


# All of them are PubMed's.


def test_what_carries_a_pmid_merges(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    files = {
        "a.xml": set_xml([Article(11, "On ethanol", "<Year>2019</Year>")]),
        "b.txt": "PMID- 11\nTI  - On ethanol\nDP  - 2019\n",
        "c.tsv": "pmid\ttitle_e\tjournal\n11\tOn ethanol\tJ\n",
        "d.json": page(result_of(title="On ethanol"), {"id": "PPR1", "source": "PPR", "title": "More ethanol"}),
        "drugs.txt": "Ethanol\nKetamine\n",
    }
    for name, content in files.items():
        (tmp_path / "in" / name).write_text(content)
    report = run([str(tmp_path / "in")], Config(run=Run(out=str(tmp_path / "out"))))
    mentions = pl.read_parquet(tmp_path / "out/mentions.parquet")
    assert mentions.select("drug", "source", "id").rows() == [
        ("Ethanol", "europepmc", "PPR1"),
        ("Ethanol", "pubmed", "11"),
    ]
    assert report.counts["merged"] == 3
    graph = json.loads((tmp_path / "out/graph.json").read_bytes())
    assert [list(drug["mentions"]) for drug in graph["drugs"]] == [["clinical_trials", "europepmc", "pubmed"]] * 2
