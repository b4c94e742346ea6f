"""Queries of databases: a real SQLite always, a real PostgreSQL where there is one."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from drugmentions.config import Config, Run, Source
from drugmentions.errors import MissingExtraError
from drugmentions.pipeline import run
from drugmentions.sources import database
from drugmentions.sources.columns import DRUG_FIELDS, PUBLICATION_FIELDS
from drugmentions.sources.conform import conform
from drugmentions.sources.database import plan_queries
from drugmentions.sources.reading import Reading, read_slow

ROWS = [(1, "On ethanol", "2020-01-02", "J"), (2, "  ", None, None), (3, "More ethanol", "02/03/2021", None)]


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("create table papers (PMID, Title, day, journal, blob)")
        connection.executemany("insert into papers values (?, ?, ?, ?, x'ff')", ROWS)
        connection.execute("create table drugs (name text, code text)")
        connection.execute("insert into drugs values ('ethanol', 'V03AB')")
    connection.close()
    return f"sqlite:///{tmp_path / 'a.db'}"


def read(source: Source, directory: Path, fields: tuple[str, ...] = PUBLICATION_FIELDS) -> Reading:
    return read_slow(plan_queries([source]), fields, directory / "spool")


def test_rows_of_a_query(sqlite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BATCH", 2)
    query = "select PMID, Title, day, journal from papers order by PMID"
    source = Source(name="ours", uri=sqlite, query=query, columns={"date": ("Day",)})
    files = plan_queries([source])
    reading = read_slow(files, PUBLICATION_FIELDS, tmp_path / "spool")
    rows = conform(reading.records, tuple(files)).sort("record").collect()
    assert rows.select("source", "id", "title", "date", "journal", "file", "record").rows() == [
        ("ours", "1", "On ethanol", "2020-01-02", "J", "query of ours", 1),
        ("ours", "3", "More ethanol", "2021-03-02", None, "query of ours", 3),
    ]
    assert reading.read == {"query of ours": 3}
    assert reading.untitled.collect().select("record", "raw", "blank").rows() == [
        (2, '{"PMID":"2","Title":"  ","day":null,"journal":null}', False)
    ]


def test_types_that_are_no_text(sqlite: str, tmp_path: Path) -> None:
    values = "1.0 as id, 'T' as title, 2.5 as version, 12345678901234567 as journal, null as date"
    row = read(Source(name="a", uri=sqlite, query=f"select {values}"), tmp_path).records.collect().row(0, named=True)
    assert (row["id"], row["version"], row["journal"], row["date"]) == ("1", "2.5", "12345678901234567", None)
    mixed = "select 'x' as id, 'T' as title union all select 5, 'U' union all select null, 'V' order by title"
    ids = read(Source(name="a", uri=sqlite, query=mixed), tmp_path).records.sort("record").collect()["id"]
    assert ids.to_list() == ["x", "5", None]
    reading = read(Source(name="a", uri=sqlite, query="select blob as title from papers"), tmp_path)
    assert reading.rejects.collect()["reason"].to_list() == ["column title holds Binary, not text"]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("select 1 as id from papers", "the query gives no column for title (columns: id)"),
        ("select none from papers", "the query failed: (sqlite3.OperationalError) no such column: none"),
        ("pragma no_such_thing = 1", "the query failed: it gives no rows"),
        ("delete from papers", "the query failed: (sqlite3.OperationalError) attempt to write a readonly database"),
        ("selec", 'the query failed: (sqlite3.OperationalError) near "selec": syntax error'),
    ],
)
def test_queries_that_fail_are_one_reject(sqlite: str, tmp_path: Path, query: str, reason: str) -> None:
    reading = read(Source(name="a", uri=sqlite, query=query), tmp_path)
    assert reading.rejects.collect().select("record", "reason").rows() == [(None, reason)]
    assert reading.read == {"query of a": 1}


def test_a_query_without_rows(sqlite: str, tmp_path: Path) -> None:
    reading = read(Source(name="a", uri=sqlite, query="select Title from papers where 0"), tmp_path)
    assert (reading.read, reading.rejects.collect().height) == ({"query of a": 0}, 0)


def test_what_cannot_be_connected_to_is_one_reject(tmp_path: Path) -> None:
    for uri in (f"sqlite:///{tmp_path}/no/such.db", "postgresql://u:secret@127.0.0.1:9/x", "nonsense://x"):
        rejects = read(Source(name="a", uri=uri, query="select 1 as title"), tmp_path).rejects.collect()
        assert rejects["reason"][0].startswith("the query failed: ")
        assert "secret" not in rejects["reason"][0]


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    source = Source(name="a", uri=f"sqlite:///{tmp_path}/none.db", query="select 1 as title")
    rejects = read(source, tmp_path).rejects.collect()
    assert rejects["reason"].to_list() == [f"the query failed: there is no file {tmp_path}/none.db"]
    assert not (tmp_path / "none.db").exists()
    memory = read(Source(name="a", uri="sqlite://", query="select 1 as title"), tmp_path)
    assert memory.records.collect()["title"].to_list() == ["1"]


def test_colons_and_percents_of_a_query_are_its_own(sqlite: str, tmp_path: Path) -> None:
    query = r"select ':name' as title, 'a\:b::c %s 50%' as journal, '12:30' as id"
    row = read(Source(name="a", uri=sqlite, query=query), tmp_path).records.collect().row(0, named=True)
    assert (row["title"], row["journal"], row["id"]) == (":name", r"a\:b::c %s 50%", "12:30")


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2020-01-02 03:04:05", "2020-01-02"),
        ("2020-01-02T03:04:05.123+00:00", "2020-01-02"),
        ("2020-01-02 03:04", "2020-01-02"),
        ("2020-01-02 noon", None),
    ],
)
def test_a_point_in_time_is_its_day(sqlite: str, tmp_path: Path, text: str, day: str | None) -> None:
    source = Source(name="a", uri=sqlite, query=f"select 'T' as title, '{text}' as date")
    rows = conform(read(source, tmp_path).records, tuple(plan_queries([source]))).collect()
    assert rows["date"].to_list() == [day]


def test_queries_of_one_name_are_told_apart(sqlite: str) -> None:
    source = Source(name="a", uri=sqlite, query="select 1 as title")
    files = plan_queries([source, Source(name="b", files=("*",)), source])
    assert [file.file for file in files] == ["query of a", "query of a (2)"]
    assert files[0].fingerprint != plan_queries([source])[0].fingerprint


def test_a_run_with_queries(sqlite: str, tmp_path: Path) -> None:
    sources = (
        Source(name="pubmed", uri=sqlite, query="select * from papers", columns={"date": ("day",)}),
        Source(name="list", kind="drugs", uri=sqlite, query="select name, code from drugs"),
    )
    (tmp_path / "in").mkdir()
    report = run([str(tmp_path / "in")], Config(source=sources, run=Run(out=str(tmp_path / "out"))))
    mentions = pl.read_parquet(tmp_path / "out/mentions.parquet")
    assert mentions.select("drug", "atccode", "id").rows() == [("ethanol", "V03AB", "1"), ("ethanol", "V03AB", "3")]
    assert {file.file: file.read for file in report.files} == {"query of list": 1, "query of pubmed": 3}


def test_without_the_extra(sqlite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(MissingExtraError, match="extra `sql`"):
        read(Source(name="a", uri=sqlite, query="select 1 as title"), tmp_path)


def test_the_extra_is_imported_for_queries_alone() -> None:
    script = "import sys, drugmentions.pipeline; print('sqlalchemy' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "False\n"
    )


@pytest.fixture
def postgresql() -> Iterator[str]:
    """A server of our own, reached by a socket in its directory."""
    if not (shutil.which("initdb") and shutil.which("pg_ctl")):
        pytest.skip("no PostgreSQL here")
    user = "postgres" if os.geteuid() == 0 else None  # it refuses to be run by root
    directory = Path(tempfile.mkdtemp(prefix="pg-"))  # not pytest's own: a socket's path must be short
    if user:
        shutil.chown(directory, user)

    def server(*arguments: str) -> None:
        subprocess.run(arguments, user=user, cwd=directory, check=True, capture_output=True, timeout=60)

    data = str(directory / "data")
    try:
        server("initdb", "-D", data, "-U", "test", "-A", "trust", "--no-sync")
        options = f"-k {directory} -c listen_addresses='' -c fsync=off"
        server("pg_ctl", "-D", data, "-o", options, "-l", str(directory / "log"), "-w", "start")
        yield f"postgresql://test@/postgres?host={directory}"
        server("pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def test_postgresql(postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BATCH", 1_000)
    query = """
        select n as id, 'On ethanol ' || n as title, date '2020-01-01' + n as date, 1.5::numeric as version,
            '{"a": 1}'::json as extra
        from generate_series(1, 5000) n
    """
    (tmp_path / "in").mkdir()
    (tmp_path / "in/drugs.csv").write_text("drug\nethanol\n")
    config = Config(source=(Source(name="ours", uri=postgresql, query=query),), run=Run(out=str(tmp_path / "out")))
    report = run([str(tmp_path / "in")], config)
    assert (report.counts["records"], report.counts["rejects"]) == (5_000, 0)
    graph = json.loads((tmp_path / "out/graph.json").read_bytes())
    (drug,) = graph["drugs"]
    assert drug["mentions"]["ours"][0] == {"id": "1", "title": "On ethanol 1", "journal": None, "date": "2020-01-02"}
    names = read(Source(name="d", kind="drugs", uri=postgresql, query="select 'x' as drug"), tmp_path, DRUG_FIELDS)
    assert names.records.collect()["drug"].to_list() == ["x"]
    failing = "select case when n < 4500 then 'T' else (1 / (n - n))::text end as title from generate_series(1, 5000) n"
    reading = read(Source(name="a", uri=postgresql, query=failing), tmp_path)
    assert reading.records.collect().height == 4_000
    assert reading.rejects.collect()["record"].to_list() == [4_001]
