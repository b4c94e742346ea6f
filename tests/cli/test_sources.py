"""`sources list` and `sources detect`: what a person types when a count looks wrong."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from pubmed_corpus import Article, set_xml

from drugmentions.config import Config, Source, without_passwords
from drugmentions.model import Format
from tests.cli.support import Command


def detected(command: Command, *arguments: object) -> dict[str, Any]:
    """What is said of files, by name."""
    done = command("sources", "detect", *arguments)
    assert (done.code, done.err) == (0, "")
    return {file["file"]: file for file in done.json()["files"]}


def test_list_has_every_format(command: Command) -> None:
    formats = command("sources", "list").json()["formats"]
    assert [entry["format"] for entry in formats] == [*Format][:-1]
    assert all(entry["holds"] and entry["by"] for entry in formats)
    shown = command("sources", "list", "--format", "table").out
    assert "pubmed-xml" in shown


def test_detect_says_what_why_and_the_first_record(command: Command, inputs: Path) -> None:
    (inputs / "x.csv").write_text(set_xml([Article(5, "On <i>ethanol</i>", "<Year>2001</Year>", version=2)]))
    files = detected(command, "in")
    assert list(files) == ["in/drugs.csv", "in/pubmed.csv", "in/x.csv"]
    assert files["in/x.csv"] == {
        "file": "in/x.csv",
        "kind": "publications",
        "source": "pubmed",
        "format": "pubmed-xml",
        "compression": "none",
        "why": "root element <PubmedArticleSet>; source by the content",
        "note": "",
        "columns": {
            "title": "title",
            "id": "pmid",
            "journal": "journal",
            "date": "pub_date",
            "version": "version",
            "status": "status",
        },
        "first": {
            "id": "5",
            "title": "On ethanol",
            "journal": "Journal of examples",
            "journal_kind": "journal",
            "date": "2001",
            "revision": 2_000_000_000,
            "record": 1,
        },
    }
    assert files["in/drugs.csv"]["why"] == "column names in its first line; drug list by the name"
    assert files["in/drugs.csv"]["first"] == {"record": 1, "line": 2, "drug": "ETHANOL", "atccode": "V03AB"}
    assert files["in/pubmed.csv"]["why"] == "column names in its first line; source by the name"


def test_detect_with_a_configuration(command: Command, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("Titel~Datum\nÜber Ethanol~05/25/2020\n", encoding="latin-1")
    (tmp_path / "drugmentions.toml").write_text(
        '[[source]]\nname = "ours"\nfiles = ["x.txt"]\nseparator = "~"\nencoding = "latin-1"\ndates = ["%m/%d/%Y"]\n'
        'columns = {title = "Titel", date = "Datum"}\n'
    )
    file = detected(command, "x.txt")["x.txt"]
    assert file["why"] == "column names in its first line; source by the configuration"
    assert (file["first"]["title"], file["first"]["date"], file["source"]) == ("Über Ethanol", "2020-05-25", "ours")


@pytest.mark.parametrize(
    ("content", "kind", "note", "first"),
    [
        (b"<!DOCTYPE html><html><body>Sorry</body></html>", "unknown", "an HTML page", None),
        (b"", "unknown", "empty file", None),
        (b"colour\nred\n", "unknown", "not recognised: no column for a title or a drug's name (columns: colour)", None),
        (b"title,id\n", "publications", "", {}),
        (b"title,id\n,\nT,1\n", "publications", "", {"id": "1", "title": "T", "record": 2}),
        (
            b"title,id\n,1\nT,2\n",
            "publications",
            "",
            {"record": 1, "raw": '{"title":null,"id":"1"}', "reject": "no title"},
        ),
        (
            b"title,id\nT,1,2\nT,2\n",
            "publications",
            "",
            {"record": 1, "raw": "T,1,2", "reject": "3 fields where the header has 2"},
        ),
    ],
)
def test_detect_of_odd_files(
    command: Command, tmp_path: Path, content: bytes, kind: str, note: str, first: dict[str, Any] | None
) -> None:
    (tmp_path / "x.csv").write_bytes(content)
    file = detected(command, "x.csv")["x.csv"]
    assert (file["kind"], file["note"], file["first"]) == (kind, note, first)


def test_detect_as_a_table_of_items(command: Command, inputs: Path) -> None:
    done = command("sources", "detect", "in/pubmed.csv", "--format", "csv")
    items = {row["item"]: row["value"] for row in csv.DictReader(io.StringIO(done.out))}
    assert items["format"] == "csv"
    assert items["column of title"] == "title"
    assert items["first record: title"] == "Ethanol in mice"
    lines = command("sources", "detect", "in/pubmed.csv", "--format", "ndjson").out.splitlines()
    assert {json.loads(line)["file"] for line in lines} == {"in/pubmed.csv"}


def test_a_table_names_each_file_once(command: Command, inputs: Path) -> None:
    assert inputs.is_dir()
    shown = command("sources", "detect", "in", "--format", "table").out
    assert (shown.count("in/drugs.csv"), shown.count("in/pubmed.csv")) == (1, 1)
    assert shown.count("first record: title") == 1


def test_detect_names_configured_columns_that_are_not_there(command: Command, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("id,title,Datum\n1,T,2020\n")
    (tmp_path / "drugmentions.toml").write_text(
        '[[source]]\nname = "ours"\nfiles = ["x.csv"]\n'
        'columns = {title = ["Titel", "TITLE"], date = "Dattum", journal = "xyz"}\n'
    )
    file = detected(command, "x.csv")["x.csv"]
    assert file["note"] == (
        "no configured column 'Dattum' for the date, did you mean 'Datum'?; no configured column 'xyz' for the journal"
    )
    assert file["first"]["title"] == "T"


def test_detect_shows_the_columns_that_are_there(command: Command, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('[{"PMID": 1, "Title": "T"}]')
    (tmp_path / "y.csv").write_text("Title,brief_title,Sponsor\nT,U,V\n")
    files = detected(command, "x.json", "y.csv")
    assert files["x.json"]["columns"] == {"title": "Title", "id": "PMID"}
    assert files["y.csv"]["columns"] == {"title": "Title", "sponsor": "Sponsor"}


def test_detect_of_nothing(command: Command, tmp_path: Path) -> None:
    assert command("sources", "detect", "nowhere").code == 3
    (tmp_path / "empty").mkdir()
    assert detected(command, "empty") == {}
    done = command("sources", "detect", "/dev/null")
    assert (done.code, done.json()) == (0, {"files": []})
    assert "not a regular file" in done.err
    assert command("sources", "detect").code == 2


def test_passwords_are_not_written_down(command: Command, inputs: Path, tmp_path: Path) -> None:
    (tmp_path / "drugmentions.toml").write_text(
        '[[source]]\nname = "a"\nuri = "postgresql://me:hunter2@127.0.0.1:9/x"\nquery = "select 1 as title"\n'
    )
    done = command("run", "in")
    assert done.code == 0
    assert "1 of 1 records rejected" in done.err
    assert "hunter2" not in done.err
    assert "postgresql://me:***@127.0.0.1:9/x" in (tmp_path / "out/run.json").read_text()
    assert not any(b"hunter2" in path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("sqlite:///a@b:c.db", "sqlite:///a@b:c.db"),
        ("sqlite:///C:/a@b.db", "sqlite:///C:/a@b.db"),
        ("postgresql://me@host/x", "postgresql://me@host/x"),
        ("postgresql://me:a/b:c@host/x?a=b", "postgresql://me:***@host/x?a=b"),
        ("postgresql://host/x?user=me&password=a&b=c", "postgresql://host/x?user=me&password=***&b=c"),
    ],
)
def test_addresses_without_passwords(uri: str, shown: str) -> None:
    config = Config(source=(Source(name="a", uri=uri, query="q"), Source(name="b", files=("*",))))
    assert [source.uri for source in without_passwords(config).source] == [shown, None]
