"""PubMed XML: each field in all its forms, deletions, what is cut or hostile."""

import gzip
import itertools
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from pubmed_corpus import HEAD, TAIL, Article, article_xml, set_xml, write_pubmed

from drugmentions.config import Config, Run
from drugmentions.model import Compression, Format, SourceFile
from drugmentions.outputs import scan_publications
from drugmentions.pipeline import run
from drugmentions.sources import pieces, pubmed_xml, spool, xml_records
from drugmentions.sources.columns import PUBLICATION_FIELDS, STATUS
from drugmentions.sources.conform import conform
from drugmentions.sources.pubmed_record import Entry, entries_of, without_brackets
from drugmentions.sources.reading import Reading
from drugmentions.sources.sniff import FIXED
from drugmentions.sources.spool import Spool
from drugmentions.sources.workers import Workers, shared_workers
from tests.sources.support import Find

COLUMNS = {
    "title": ["title"],
    "id": ["pmid"],
    "journal": ["journal"],
    "date": ["pub_date"],
    "version": ["version"],
    STATUS: [STATUS],
}
Plan = Callable[..., SourceFile]
Read = Callable[..., Reading]


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    started = Workers("drugmentions.sources.pubmed_worker", 2)
    yield started
    started.close()


@pytest.fixture(scope="module", params=["whole", "in pieces"], autouse=True)
def parted(request: pytest.FixtureRequest, workers: Workers) -> Iterator[bool]:
    """Every test reads files whole, and in pieces of an article or two."""
    in_pieces = request.param == "in pieces"
    with pytest.MonkeyPatch.context() as patched:
        if in_pieces:
            patched.setattr(pieces, "LARGE", 0)
            patched.setattr(pieces, "PIECE", 2_000)
            patched.setattr(pubmed_xml, "shared_workers", lambda _: workers)
        yield in_pieces


def read(planned: Plan, slow: Read, content: str | bytes, **options: Any) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The publications and the rejects of a file, each in order; sees that nothing is lost."""
    file = planned(content, Format.PUBMED_XML, columns=COLUMNS, **options)
    reading = slow(file, fields=PUBLICATION_FIELDS)
    publications = conform(reading.records, (file,)).sort("record").collect()
    rejects = reading.rejects.sort("record").collect()
    assert reading.read[file.file] == publications.height + rejects.height + reading.untitled.collect().height
    return publications, rejects


def one(planned: Plan, slow: Read, article: str) -> dict[str, Any]:
    """The only publication of a file of one record."""
    publications, rejects = read(planned, slow, HEAD + article + TAIL)
    assert rejects.is_empty()
    (row,) = publications.to_dicts()
    return row


# Fields.


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Plain text.", "Plain text."),
        ("<i>Escherichia coli</i> first", "Escherichia coli first"),
        ("Of C<sub>60</sub> and <sup>99m</sup>Tc", "Of C60 and 99mTc"),
        ("a<b><i>b</i>c</b>d", "abcd"),
        ("&#x3b1;-blockers &amp; p &lt; 0.05&#xa0;done", "α-blockers & p < 0.05 done"),
        ("<![CDATA[a < b]]> c", "a < b c"),
        ("one <!-- no --> two <?pi?> three", "one two three"),
        ("  spaced\n  out  ", "spaced out"),
        ("[Use of aspirin.]", "Use of aspirin."),
        ("[Use of aspirin].", "Use of aspirin."),
        ("[Does [18F]FDG help?]", "Does [18F]FDG help?"),
        ("[18F]FDG and [11C]PIB", "[18F]FDG and [11C]PIB"),
        ("[18F]FDG and [11C]PIB.", "[18F]FDG and [11C]PIB."),
        ("[18F].", "[18F]."),
        ("[<sup>18</sup>F]", "[18F]"),
        ("[Editorial].", "Editorial."),
        ("[5 years of aspirin].", "5 years of aspirin."),
        ("[<i>In vitro</i> work].", "In vitro work."),
        ("[unclosed [one].", "[unclosed [one]."),
    ],
)
def test_titles(planned: Plan, slow: Read, title: str, expected: str) -> None:
    assert one(planned, slow, article_xml(Article(1, title)))["title"] == expected


@pytest.mark.parametrize(("title", "expected"), [("[Not Available].", "Über Aspirin"), ("", "Über Aspirin")])
def test_a_title_in_its_own_language_alone(planned: Plan, slow: Read, title: str, expected: str) -> None:
    article = article_xml(Article(1, title, vernacular="Über Aspirin"))
    assert one(planned, slow, article)["title"] == expected
    translated = article_xml(Article(1, "[On aspirin].", vernacular="Über Aspirin"))
    assert one(planned, slow, translated)["title"] == "On aspirin."


@given(st.text(alphabet="[]ab .", max_size=12))
def test_brackets_are_taken_away_in_pairs(title: str) -> None:
    bare = without_brackets(title)
    assert bare == title or (
        len(bare) == len(title) - 2 and title[0] == "[" and bare in (title[1:-1], title[1:-2] + title[-1])
    )
    assert (bare.count("["), bare.count("]")) in {
        (title.count("["), title.count("]")),
        (title.count("[") - 1, title.count("]") - 1),
    }


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("<Year>1986</Year><Month>May</Month><Day>05</Day>", "1986-05-05"),
        ("<Year>1986</Year><Month>05</Month><Day>5</Day>", "1986-05-05"),
        ("<Year>1986</Year><Month>5</Month>", "1986-05"),
        ("<Year>1986</Year><Month>Dec</Month>", "1986-12"),
        ("<Year>1986</Year>", "1986"),
        ("<Year>1986</Year><Season>Spring</Season>", "1986"),
        ("<MedlineDate>2003 Apr 23-30</MedlineDate>", "2003-04"),
        ("<MedlineDate>1998 Dec-1999 Jan</MedlineDate>", "1998-12"),
        ("<MedlineDate>1975 Jul-Aug</MedlineDate>", "1975-07"),
        ("<Year>1986</Year><Month>Feb</Month><Day>30</Day>", None),
        ("<MedlineDate>some time ago</MedlineDate>", None),
        ("<MedlineDate>1975-1976</MedlineDate>", "1975"),
        ("<MedlineDate>1975 – 1976</MedlineDate>", "1975"),
        ("<MedlineDate>1999 Dec-2000</MedlineDate>", "1999-12"),
        ("<MedlineDate>2000-2001 Winter</MedlineDate>", "2000"),
        ("<MedlineDate>2000 Winter-2001</MedlineDate>", "2000"),
        ("<MedlineDate>some-2001</MedlineDate>", None),
        ("<MedlineDate>2000-</MedlineDate>", None),
        ("<Year>1986</Year><Month>Quart</Month><Day>1</Day>", "1986"),
        (f"<Year>1986</Year><Month>{'1' * 5_000}</Month>", "1986"),
        ("<Year>1986</Year><Month>13</Month><Day>1</Day>", "1986"),
        ("<Year>1986</Year><Month>Jan-Feb</Month>", "1986-01"),
        ("<Year> 1986\n</Year><Month> 5 </Month><Day> 7 </Day>", "1986-05-07"),
        ("<Year> 1986 </Year><Month>\nMay </Month><Day> </Day>", "1986-05"),
        ("", None),
    ],
)
def test_dates(planned: Plan, slow: Read, date: str, expected: str | None) -> None:
    assert one(planned, slow, article_xml(Article(1, "T", date)))["date"] == expected


def test_ids_versions_journals_and_retractions(planned: Plan, slow: Read) -> None:
    row = one(planned, slow, article_xml(Article(7, "T", version=2, journal="A & B", kind="Retracted Publication")))
    assert (row["id"], row["revision"], row["journal"], row["journal_kind"]) == ("7", 2_000_000_000, "A & B", "journal")
    assert (row["retracted"], row["deleted"]) == (True, False)
    notice = one(planned, slow, article_xml(Article(7, "T", kind="Retraction of Publication")))
    assert notice["retracted"] is False
    abbreviated = article_xml(Article(1, "T")).replace("<Title>Journal of examples</Title>", "")
    assert one(planned, slow, abbreviated)["journal"] == "J Ex"


def test_a_chapter_of_a_book(planned: Plan, slow: Read) -> None:
    chapter = (
        "<PubmedBookArticle><BookDocument><PMID Version='1'>5</PMID><Book>"
        "<BookTitle book='b'>Drugs and <i>us</i></BookTitle><PubDate><Year>2006</Year></PubDate></Book>"
        "{}</BookDocument></PubmedBookArticle>"
    )
    row = one(planned, slow, chapter.format("<ArticleTitle>On aspirin</ArticleTitle>"))
    assert (row["id"], row["title"], row["journal"], row["date"]) == ("5", "On aspirin", "Drugs and us", "2006")
    assert one(planned, slow, chapter.format(""))["title"] == "Drugs and us"


# Files.


@pytest.mark.parametrize(
    "content",
    [
        article_xml(Article(1, "T")),
        article_xml(Article(1, "T")).partition("<PubmedData>")[0].removeprefix("<PubmedArticle>"),
        f"<MedlineCitationSet>{article_xml(Article(1, 'T')).partition('<PubmedData>')[0][15:]}</MedlineCitationSet>",
        HEAD.encode() + b"\xef\xbb\xbf"[:0] + article_xml(Article(1, "T")).encode() + TAIL.encode(),
        (HEAD.replace("utf-8", "iso-8859-1") + article_xml(Article(1, "T")) + TAIL).encode("latin-1"),
    ],
)
def test_single_records_and_other_roots(planned: Plan, slow: Read, content: str | bytes) -> None:
    publications, rejects = read(planned, slow, content)
    assert (publications["id"].to_list(), rejects.height) == (["1"], 0)


def test_encodings(planned: Plan, slow: Read) -> None:
    text = set_xml([Article(1, "Größe")])
    declared = text.replace("utf-8", "iso-8859-1").encode("latin-1")
    said = text.encode("utf-16")
    for content, options in ((declared, {}), (said, {"encoding": "utf-16"}), (text.encode(), {})):
        assert read(planned, slow, content, **options)[0]["title"].to_list() == ["Größe"]


def test_deletions(planned: Plan, slow: Read) -> None:
    publications, rejects = read(planned, slow, set_xml([Article(1, "T")], [2, 3]), name="pubmed24n1301.xml")
    assert publications["deleted"].to_list() == [False, True, True]
    assert publications["id"].to_list() == ["1", "2", "3"]
    assert set(publications["revision"]) == {1_000_241_301, 241_301}
    assert rejects.is_empty()
    publications, rejects = read(planned, slow, HEAD + "<DeleteCitation><PMID/><PMID>4</PMID></DeleteCitation>" + TAIL)
    assert (publications["id"].to_list(), rejects["reason"].to_list()) == (["4"], ["deletion without a PMID"])


def test_what_is_no_record_is_a_reject(planned: Plan, slow: Read) -> None:
    content = HEAD + "<ERROR>first</ERROR>" + article_xml(Article(1, "T")) + "<ERROR>gone</ERROR><x/>" + TAIL
    publications, rejects = read(planned, slow, content)
    assert publications["id"].to_list() == ["1"]
    assert rejects["raw"].to_list() == ["<ERROR>first</ERROR>", "<ERROR>gone</ERROR>", "<x/>"]
    assert set(rejects["reason"]) == {"not a PubMed record"}


def test_blank_and_untitled_records(planned: Plan, slow: Read) -> None:
    file = planned(HEAD + "<PubmedArticle/>" + article_xml(Article(3, "")) + TAIL, Format.PUBMED_XML, columns=COLUMNS)
    untitled = slow(file, fields=PUBLICATION_FIELDS).untitled.sort("record").collect()
    assert untitled["blank"].to_list() == [True, False]
    assert '"pmid":"3"' in untitled["raw"][1]


def test_articles_of_a_megabyte_a_line(planned: Plan, slow: Read) -> None:
    content = set_xml(Article(number, f"T{number}", abstract="word " * 220_000) for number in range(3))
    assert read(planned, slow, content)[0]["title"].to_list() == ["T0", "T1", "T2"]


def test_lines_where_they_are_known(planned: Plan, slow: Read) -> None:
    content = HEAD + "<x/>" + "\n" * 70_000 + "<x/>" + TAIL
    assert read(planned, slow, content)[1]["line"].to_list() == [4, None]


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_that_is_cut_keeps_the_records_before(planned: Plan, slow: Read, *, packed: bool) -> None:
    whole = set_xml(Article(number, f"T{number}") for number in range(40)).encode()
    compression = Compression.GZIP if packed else Compression.NONE
    content = gzip.compress(whole) if packed else whole
    for end in range(len(HEAD) + 10, len(content) - 30, max(1, len(content) // 40)):
        publications, rejects = read(planned, slow, content[:end], compression=compression)
        assert publications["title"].to_list() == [f"T{number}" for number in range(publications.height)]
        assert rejects.height == 1
        if not packed:
            assert publications.height == whole[:end].count(b"</PubmedArticle>")
            assert rejects["reason"].to_list() == ["file ends within a record"]


@pytest.mark.parametrize(
    ("content", "titles", "expected"),
    [
        ("{0}{1}\n{2}{0}{1}{2}", ["T"], ("XML syntax error", 6, "<?xml version")),
        ("{0}{1}\n{2}<PubmedArticleSet>{1}{2}", ["T"], ("XML syntax error", 6, "<PubmedArticleSet>")),
        ("{0}{1}\n{1}\n", ["T", "T"], ("file ends within a record", 5, None)),
        ("{0}{1}\n<PubmedArticle><A>", ["T"], ("file ends within a record", 5, "<PubmedArticle><A/>")),
        ("{0}<PubmedArticle><A>", [], ("file ends within a record", 4, "<PubmedArticle><A>")),
    ],
)
def test_where_reading_stopped_is_said(
    planned: Plan, slow: Read, content: str, titles: list[str], expected: tuple[str, int, str | None]
) -> None:
    publications, rejects = read(planned, slow, content.format(HEAD, article_xml(Article(1, "T")).strip(), TAIL))
    assert publications["title"].to_list() == titles
    ((reason, line, raw),) = rejects.select("reason", "line", "raw").rows()
    assert (reason, line) == expected[:2]
    assert raw is None if expected[2] is None else raw.startswith(expected[2])


def test_zeros_behind_a_small_file_cost_nothing_before_them(found: Find) -> None:
    result = found(set_xml([Article(1, "T"), Article(2, "U")]).encode() + b"\0" * 20, "x.xml")
    assert (result.values("title"), result.reasons) == ([("T",), ("U",)], ["XML syntax error"])


@pytest.mark.parametrize("damage", [b"<a></b>", b"\xff", b"&undeclared;", b"<", b"\0", b"</PubmedArticleSet><x>"])
def test_what_follows_damage_is_one_reject(planned: Plan, slow: Read, damage: bytes) -> None:
    head = HEAD.replace("<!DOCTYPE", "<!--").replace('.dtd">', '.dtd" -->')
    one_, two, three = (article_xml(Article(number, "T")).encode() for number in (1, 2, 3))
    publications, rejects = read(planned, slow, head.encode() + one_ + two + damage + three + TAIL.encode())
    assert publications["id"].to_list() == ["1", "2"]
    assert rejects["reason"].to_list() == ["XML syntax error"]
    publications, rejects = read(planned, slow, damage + head.encode() + one_)
    assert (publications.height, rejects.height) == (0, 1)


@given(places=st.lists(st.tuples(st.integers(0, 3000), st.binary(max_size=3)), max_size=3))
def test_no_content_is_an_error(planned: Plan, slow: Read, places: list[tuple[int, bytes]]) -> None:
    content = bytearray(set_xml([Article(1, "T"), Article(2, "U")], [3]).encode())
    for place, changed in places:
        content[place : place + len(changed)] = changed
    read(planned, slow, bytes(content))


DAMAGE = (
    *(b"</PubmedArticle>", b"<PubmedArticle>", b"</PubmedArticleSet>", b"<!-- ", b" -->", b"<![CDATA[", b"]]>"),
    *(b"<x/>", b"<", b"\xff", b"&x;", b"\n"),
)


# Hostile files.

LAUGHS = '<!ENTITY a0 "ha">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))


@pytest.mark.parametrize(
    ("declared", "title"),
    [
        (LAUGHS, "&a11;"),
        ('<!ENTITY x SYSTEM "SECRET">', "&x;"),
        ('<!ENTITY x SYSTEM "http://127.0.0.1:9/x">', "&x;"),
        ('<!ENTITY % x SYSTEM "SECRET"> %x;', "T"),
        ('<!ENTITY x "harmless">', "&x;"),
    ],
)
def test_entities_are_refused_unread(tmp_path: Path, planned: Plan, slow: Read, declared: str, title: str) -> None:
    (tmp_path / "secret").write_text("<!ENTITY leak 'secret'>")
    declared = declared.replace("SECRET", (tmp_path / "secret").as_uri())
    content = f"<!DOCTYPE PubmedArticleSet [{declared}]><PubmedArticleSet>{article_xml(Article(1, title))}"
    content += article_xml(Article(2, "T")) + TAIL
    publications, rejects = read(planned, slow, content)
    assert publications.is_empty()
    assert rejects.height == 1
    assert "secret" not in str(rejects.to_dicts())


def test_entities_in_attributes_do_not_grow(planned: Plan, slow: Read) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    content = (
        f'<!DOCTYPE PubmedArticleSet [{LAUGHS}]><PubmedArticleSet><x a="&a11;"/>{article_xml(Article(1, "T"))}{TAIL}'
    )
    publications, rejects = read(planned, slow, content)
    assert (publications.height, rejects.height) == (0, 1)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10


def test_a_dtd_that_is_named_is_not_fetched(tmp_path: Path, planned: Plan, slow: Read) -> None:
    (tmp_path / "x.dtd").write_text('<!ENTITY x "leaked">')
    content = f'<!DOCTYPE PubmedArticleSet SYSTEM "{(tmp_path / "x.dtd").as_uri()}"><PubmedArticleSet>'
    publications, _ = read(planned, slow, content + article_xml(Article(1, "a &x; b")) + TAIL)
    assert publications["title"].to_list() == ["a &x; b"]


@pytest.mark.parametrize("filling", [b"<x/>", b" ", b"<x>"])
def test_a_file_that_never_ends_a_record_stops(
    planned: Plan, slow: Read, monkeypatch: pytest.MonkeyPatch, filling: bytes
) -> None:
    monkeypatch.setattr(xml_records, "RECORD_LIMIT", 1 << 20)
    bomb = gzip.compress(HEAD.encode() + article_xml(Article(1, "T")).encode() + filling * (24 << 20), 1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    publications, rejects = read(planned, slow, bomb, compression=Compression.GZIP)
    assert (publications.height, rejects.height) == (1, 1)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10


def test_rejects_do_not_pile_up(planned: Plan, slow: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed = []
    flush = Spool._flush

    def counted(spool_: Spool) -> None:
        flushed.append(len(spool_._rejects))
        flush(spool_)

    monkeypatch.setattr(spool, "ROWS", 100)
    monkeypatch.setattr(Spool, "_flush", counted)
    assert read(planned, slow, HEAD + "<x/>" * 2_000 + TAIL)[1].height == 2_000
    assert max(flushed) == 100


def test_memory_is_flat(planned: Plan, slow: Read) -> None:
    articles = (Article(number, "T", abstract="word " * 1_000) for number in range(6_000))
    content = gzip.compress(set_xml(articles).encode(), 1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    file = planned(content, Format.PUBMED_XML, columns=COLUMNS, compression=Compression.GZIP)
    assert slow(file, fields=PUBLICATION_FIELDS).read[file.file] == 6_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40 << 10


# Revisions and deletions over files.


def expected_after(files: dict[str, tuple[list[Article], list[int]]]) -> dict[str, str]:
    """Title by PMID: the highest (version, file, place) wins; a deletion takes what files before its own hold."""
    last = {pmid: name for name, (_, deleted) in sorted(files.items()) for pmid in deleted}
    revisions: dict[int, tuple[int, str, int, str]] = {}
    for name, (articles, _) in files.items():
        for place, article in enumerate(articles):
            if last.get(article.pmid, "") <= name:
                key = (article.version, name, place, article.title)
                revisions[article.pmid] = max(revisions.get(article.pmid, key), key)
    return {str(pmid): title for pmid, (*_, title) in revisions.items()}


@pytest.mark.parametrize("seed", range(3))
def test_revisions_and_deletions_over_files_in_any_order(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    serial = itertools.count()
    files = {
        f"pubmed24n{number:04}.xml.gz": (
            [
                Article(rng.randint(1, 25), f"Ketamine trial {next(serial)}", version=rng.choice((1, 1, 2)))
                for _ in range(20)
            ],
            rng.sample(range(1, 26), 3) if number > 2 else [],
        )
        for number in range(1, 6)
    }
    names = list(files)
    rng.shuffle(names)
    for place, name in enumerate(names):
        directory = tmp_path / f"in/{place}"
        directory.mkdir(parents=True)
        (directory / name).write_bytes(gzip.compress(set_xml(*files[name]).encode()))
    (tmp_path / "in/drugs.csv").write_text("drug\nketamine\n")
    report = run([str(tmp_path / "in")], Config(run=Run(out=str(tmp_path / "out"))))
    expected = expected_after(files)
    mentions = pl.read_parquet(tmp_path / "out/mentions.parquet")
    assert dict(mentions.select("id", "title").rows()) == expected
    assert report.counts["deletions"] == 9
    assert report.counts["publications"] == len(expected)


def test_the_benchmark_corpus_is_read_whole(tmp_path: Path) -> None:
    paths = write_pubmed(tmp_path / "in", files=2, records=60, updates=1, seed=1)
    (tmp_path / "in/drugs.csv").write_text("drug\nketamine\nethanol\n")
    report = run([str(tmp_path / "in")], Config(run=Run(out=str(tmp_path / "out"))))
    assert len(paths) == 3
    assert (report.counts["records"], report.counts["rejects"], report.counts["deletions"]) == (129, 0, 3)
    assert scan_publications(tmp_path / "out").collect().height == 129
    assert {file.format for file in report.files} == {"csv", "pubmed-xml"}


def test_the_columns_are_those_that_detection_finds() -> None:
    assert {name for names in COLUMNS.values() for name in names} < set(FIXED[Format.PUBMED_XML])


# In pieces.


def test_pieces_are_what_the_workers_read(
    planned: Plan, slow: Read, monkeypatch: pytest.MonkeyPatch, *, parted: bool
) -> None:
    here = []

    def counted(elements: Iterable[etree._Element]) -> Iterator[Entry]:
        for entry in entries_of(elements):
            here.append(entry)
            yield entry

    monkeypatch.setattr(pubmed_xml, "entries_of", counted)
    publications, _ = read(planned, slow, set_xml(Article(number, f"T{number}") for number in range(200)))
    assert publications["title"].to_list() == [f"T{number}" for number in range(200)]
    assert len(here) < 4 if parted else len(here) == 200


@given(
    places=st.lists(st.tuples(st.integers(0, 16_000), st.sampled_from(DAMAGE)), max_size=3),
    piece=st.integers(500, 6_000),
)
def test_pieces_give_what_the_whole_gives(
    planned: Plan, slow: Read, workers: Workers, places: list[tuple[int, bytes]], piece: int
) -> None:
    content = bytearray(set_xml((Article(number, f"T{number}") for number in range(8)), [3]).encode())
    for place, damage in places:
        content[place:place] = damage
    file = planned(bytes(content), Format.PUBMED_XML, columns=COLUMNS)
    results = []
    for large in (1 << 40, 0):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(pieces, "LARGE", large)
            patched.setattr(pieces, "PIECE", piece)
            patched.setattr(pubmed_xml, "shared_workers", lambda _: workers)
            reading = slow(file, fields=PUBLICATION_FIELDS)
            frames = (reading.records, reading.untitled, reading.rejects.select("record", "reason"))
            results.append([reading.read, *(frame.collect().sort("record").to_dicts() for frame in frames)])
    assert results[0] == results[1]


def test_a_worker_that_is_gone_costs_nothing(planned: Plan, slow: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = Workers("drugmentions.sources.pubmed_worker", 2)
    monkeypatch.setattr(pubmed_xml, "shared_workers", lambda _: gone)
    content = set_xml(Article(number, f"T{number}") for number in range(50))
    assert read(planned, slow, content)[0].height == 50
    for process in gone._processes:
        process.kill()
    assert read(planned, slow, content)[0].height == 50
    gone.close()


def test_a_worker_ends_with_its_owner() -> None:
    script = (
        "import os, time; from drugmentions.sources.workers import Workers\n"
        "started = Workers('drugmentions.sources.pubmed_worker', 1)\n"
        "started.submit(b'<PubmedArticleSet/>').result()\n"
        "started.submit(b'<PubmedArticleSet>' + b'<x/>' * 300_000 + b'</PubmedArticleSet>')\n"
        "time.sleep(0.3)\n"
        "print(started._processes[0].pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    for _ in range(100):
        if not Path(f"/proc/{int(done.stdout)}").exists():
            return
        time.sleep(0.1)
    pytest.fail("the worker lives on")


def test_no_workers_where_they_do_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    assert shared_workers.__wrapped__("drugmentions.sources.pubmed_worker") is None
    monkeypatch.undo()
    monkeypatch.setattr("polars.thread_pool_size", lambda: 1)
    assert shared_workers.__wrapped__("drugmentions.sources.pubmed_worker") is None
