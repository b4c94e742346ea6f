"""What the file, the environment and flags may say, who beats whom, and what an error names."""

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drugmentions.config import (
    FIELDS,
    Config,
    Matching,
    MaxRejects,
    Run,
    Source,
    config_as_toml,
    load_config,
    parse_limit,
)
from drugmentions.errors import ConfigError
from drugmentions.model import Format, Kind

WHOLE = """
[matching]
engine = "polars"
overlaps = "all"
profile = "plain"
stop_names = true
stop_lists = ["built-in", "ours.txt"]

[[source]]
name = "litcovid"
files = ["litcovid*.tsv", "more/*"]
format = "csv"
columns = { title = "title_e", id = ["pmid", "PMID"] }
dates = ["%d %B %Y"]
separator = "\\t"
encoding = "latin-1"

[[source]]
name = "ours"
kind = "drugs"
files = ["catalogue.csv"]
columns = { drug = "Wirkstoff" }

[run]
strict = true
max_rejects = "5%"
out = "elsewhere"
drugs = ["a.csv", "b.csv"]
"""
READ = Config(
    matching=Matching(
        engine="polars", overlaps="all", profile="plain", stop_names=True, stop_lists=("built-in", "ours.txt")
    ),
    source=(
        Source(
            name="litcovid",
            files=("litcovid*.tsv", "more/*"),
            format="csv",
            columns={"title": ("title_e",), "id": ("pmid", "PMID")},
            dates=("%d %B %Y",),
            separator="\t",
            encoding="latin-1",
        ),
        Source(name="ours", kind="drugs", files=("catalogue.csv",), columns={"drug": ("Wirkstoff",)}),
    ),
    run=Run(strict=True, max_rejects="5%", out="elsewhere", drugs=("a.csv", "b.csv")),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "named.toml"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# The file.


def test_without_a_file_all_is_default() -> None:
    assert load_config(None, {}, {}) == Config()


def test_every_key_is_read(file: Path) -> None:
    file.write_text(WHOLE)
    assert load_config(file, {}, {}) == READ


def test_the_default_file_is_read_unless_another_is_named(file: Path) -> None:
    Path("drugmentions.toml").write_text('[run]\nout = "default"\n')
    file.write_text('[matching]\noverlaps = "all"\n')
    assert load_config(None, {}, {}).run.out == "default"
    assert load_config(file, {}, {}) == Config(matching=Matching(overlaps="all"))


def test_a_byte_order_mark_is_no_error(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf[run]\nstrict = true\n")
    assert load_config(file, {}, {}).run.strict


def test_a_number_of_rejects_may_be_a_number(file: Path) -> None:
    file.write_text("[run]\nmax_rejects = 10\n")
    assert load_config(file, {}, {}).run.max_rejects == "10"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[matchin]\n", "table: unknown key 'matchin'", "did you mean matching?"),
        ("strict = true\n", "strict stands outside of its table", "write it below [run]"),
        ("matching = 3\n", "[matching]: expected a table, found 3", "a table looks like [run]"),
        ("[matching]\nengin = 'auto'\n", "[matching]: unknown key 'engin'", "did you mean engine?"),
        ("[matching]\nxyz = 1\n", "[matching]: unknown key 'xyz'", "known: engine, overlaps, profile"),
        (
            "[matching]\nengine = 'polar'\n",
            "[matching] engine: expected one of auto, polars, compiled, found 'polar'",
            "did you mean polars?",
        ),
        (
            "[matching]\noverlaps = true\n",
            "[matching] overlaps: expected one of longest, all, found True",
            "write one of longest, all",
        ),
        ("[matching]\nsalts = 1\n", "[matching] salts: expected true or false, found 1", "write true or false"),
        ("[matching]\nstopnames = true\n", "[matching]: unknown key 'stopnames'", "did you mean stop_names?"),
        ("[run]\nOut = 'x'\n", "[run]: unknown key 'Out'", "did you mean out?"),
        ("[run]\nout = ''\n", "[run] out: expected a path, found ''", "write a path"),
        ("[run]\nout = 5\n", "[run] out: expected a path, found 5", "write a path"),
        ("[run]\nstrict = 'yes'\n", "[run] strict: expected true or false, found 'yes'", "write true or false"),
        ("[run]\ndrugs = 'a.csv'\n", "[run] drugs: expected a list of paths, found 'a.csv'", "write a list of paths"),
        (
            "[run]\nmax_rejects = 'few'\n",
            '[run] max_rejects: expected a number of records or a percentage, such as "10" or "5%", found \'few\'',
            "",
        ),
        ("[run]\nmax_rejects = true\n", "[run] max_rejects: expected a number of records or", ""),
        ("[source]\nname = 'a'\n", "source: expected a list of tables", "write [[source]], with two brackets"),
        ("source = [1]\n", "[[source]] 1: expected a table, found 1", ""),
        ("[[source]]\nfiles = ['*']\n", "[[source]] 1: name is missing", "write name = text that isn't empty"),
        ("[[source]]\nname = ''\nfiles = ['*']\n", "[[source]] 1 name: expected text that isn't empty, found ''", ""),
        ("[[source]]\nname = 'a'\n", "[[source]] a: files is missing", 'write files = a list of globs, such as ["e'),
        ("[[source]]\nname = 'a'\nfiles = []\n", "[[source]] a files: expected a list of globs", ""),
        ("[[source]]\nname = 'a'\nfiles = 'x'\n", "[[source]] a files: expected a list of globs", ""),
        ("[[source]]\nname = 'a'\nfiles = ['*']\nseperator = ';'\n", "unknown key 'seperator'", "mean separator?"),
        ("[[source]]\nname = 'a'\nfiles = ['*']\nseparator = ';;'\n", "a separator: expected one ASCII character", ""),
        ("[[source]]\nname = 'a'\nfiles = ['*']\nseparator = 'é'\n", "a separator: expected one ASCII character", ""),
        ("[[source]]\nname = 'a'\nfiles = ['*']\nseparator = '\"'\n", "a separator: expected one ASCII character", ""),
        ("[[source]]\nname = 'a'\nfiles = ['*']\nencoding = 'utf-9'\n", "a encoding: unknown encoding 'utf-9'", ""),
        ("[[source]]\nname = 'a'\nfiles = ['*']\nencoding = 'latin-11'\n", "encoding 'latin-11'", "mean latin1?"),
        ("[[source]]\nname = 'a'\nurl = 'sqlite:///x.db'\n", "[[source]] a: unknown key 'url'", "did you mean uri?"),
        ("[[source]]\nname = 'a'\nuri = 'sqlite:///x.db'\n", "[[source]] a: query is missing", "an SQL query"),
        ("[[source]]\nname = 'a'\nquery = 'select 1'\n", "[[source]] a: uri is missing", "a database's address"),
        (
            "[[source]]\nname = 'a'\nuri = 'x.db'\nquery = 'select 1'\n",
            "[[source]] a uri: expected a database's address",
            "",
        ),
        (
            "[[source]]\nname = 'a'\nuri = 'sqlite://'\nquery = 'select 1'\nfiles = ['*']\n",
            "[[source]] a: files doesn't go with uri",
            "leave files out",
        ),
        ("[[source]]\nname = 'a'\nfiles = ['*']\nformat = 'pubmed_xml'\n", "expected one of csv,", "mean pubmed-xml?"),
        ("[[source]]\nname = 'a'\nfiles = ['*']\nencoding = 'hex'\n", "a encoding: unknown encoding 'hex'", ""),
        ("[[source]]\nname = 'a'\nfiles = ['*']\nencoding = 'idna'\n", "a encoding: unknown encoding 'idna'", ""),
        ("[[source]]\nname = 'a'\nfiles = ['*']\nformat = 'tsv'\n", "format: expected one of csv, json,", "mean csv?"),
        (
            "[[source]]\nname = 'a'\nfiles = ['*']\nkind = 'drug'\n",
            "kind: expected one of publications, drugs",
            "drugs?",
        ),
        (
            "[[source]]\nname = 'a'\nfiles = ['*']\ncolumns = {titel = 'x'}\n",
            "[[source]] a columns: unknown key 'titel'",
            "did you mean title?",
        ),
        (
            "[[source]]\nname = 'a'\nkind = 'drugs'\nfiles = ['*']\ncolumns = {title = 'x'}\n",
            "[[source]] a columns: unknown key 'title'",
            "known: drug, atccode, synonyms",
        ),
        ("[[source]]\nname = 'a'\nfiles = ['*']\ncolumns = {title = 1}\n", "a columns: expected a table of field", ""),
        ("[[source]]\nname = 'a'\nfiles = ['*']\ndates = [1]\n", "a dates: expected a list of strptime formats", ""),
        ("[run\n", "not valid TOML: ", ""),
        ("[run]\nout = 'a'\nout = 'b'\n", "not valid TOML: ", ""),
    ],
)
def test_an_error_names_file_table_and_key(file: Path, text: str, message: str, hint: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(file, {}, {})
    assert str(caught.value).startswith(f"{file}: ")
    assert message in str(caught.value)
    assert hint in caught.value.hint
    assert caught.value.hint


@pytest.mark.parametrize(("content", "message"), [(None, "no such file"), (b"a = '\xff'", "not valid TOML")])
def test_a_named_file_must_be_there_and_valid(file: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=f"named.toml: {message}"):
        load_config(file, {}, {})


def test_a_directory_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Is a directory"):
        load_config(tmp_path, {}, {})


def test_date_formats_go_through_the_hook(file: Path) -> None:
    file.write_text(WHOLE)
    seen: list[str] = []
    load_config(file, {}, {}, check_date=seen.append)
    assert seen == ["%d %B %Y"]

    def refuse(date: str) -> None:
        raise ConfigError(f"{date}: no", "do this")

    with pytest.raises(ConfigError, match=r"\[\[source\]\] litcovid dates: %d %B %Y: no") as caught:
        load_config(file, {}, {}, check_date=refuse)
    assert caught.value.hint == "do this"


# The environment and flags.


def test_flags_beat_the_environment_which_beats_the_file(file: Path) -> None:
    file.write_text("[run]\nout = 'file'\nmax_rejects = '1'\n[matching]\noverlaps = 'all'\n")
    environ = {"DRUGMENTIONS_OUT": "environment", "DRUGMENTIONS_MAX_REJECTS": "2"}
    config = load_config(file, environ, {"out": "flag", "max_rejects": None, "overlaps": None})
    assert (config.run.out, config.run.max_rejects, config.matching.overlaps) == ("flag", "2", "all")


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("OUT", "x", Config(run=Run(out="x"))),
        ("STRICT", "1", Config(run=Run(strict=True))),
        ("STRICT", "True", Config(run=Run(strict=True))),
        ("STRICT", "no", Config()),
        ("MAX_REJECTS", "0.5%", Config(run=Run(max_rejects="0.5%"))),
        ("ENGINE", "polars", Config(matching=Matching(engine="polars"))),
        ("OVERLAPS", "all", Config(matching=Matching(overlaps="all"))),
        ("PROFILE", "strict", Config(matching=Matching(profile="strict"))),
        ("DRUGS", "a.csv:dir/b.csv:", Config(run=Run(drugs=("a.csv", "dir/b.csv")))),
        ("OUT", "", Config()),
        ("DRUGS", "", Config()),
        ("FAILPOINT", "anything", Config()),
    ],
)
def test_variables(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, expected: Config) -> None:
    monkeypatch.setattr("os.pathsep", ":")
    assert load_config(None, {f"DRUGMENTIONS_{variable}": value, "HOME": "/"}, {}) == expected


@pytest.mark.parametrize(
    ("environ", "message", "hint"),
    [
        ({"DRUGMENTIONS_OUTPUT": "x"}, "environment: unknown key 'DRUGMENTIONS_OUTPUT'", "mean DRUGMENTIONS_OUT?"),
        ({"DRUGMENTIONS_STRICT": "often"}, "DRUGMENTIONS_STRICT: expected true or false, found 'often'", "true or"),
        ({"DRUGMENTIONS_ENGINE": "auot"}, "DRUGMENTIONS_ENGINE: expected one of auto, polars, compiled", "mean auto?"),
        ({"DRUGMENTIONS_MAX_REJECTS": "101%"}, "DRUGMENTIONS_MAX_REJECTS: expected a number of", "a number of records"),
    ],
)
def test_a_wrong_variable_is_named(environ: dict[str, str], message: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(None, environ, {})
    assert message in str(caught.value)
    assert hint in caught.value.hint


def test_flags_take_paths() -> None:
    config = load_config(None, {}, {"out": Path("a/b"), "drugs": [Path("c.csv"), "d.csv"], "strict": True})
    assert config.run == Run(out="a/b", drugs=("c.csv", "d.csv"), strict=True)


def test_flags_not_given_change_nothing(file: Path) -> None:
    file.write_text(WHOLE)
    assert load_config(file, {}, {"drugs": [], "strict": None, "out": None}) == READ
    assert load_config(file, {}, {"strict": False}).run.strict is False


def test_a_wrong_flag_is_named() -> None:
    with pytest.raises(ConfigError, match="--max-rejects: expected a number of records"):
        load_config(None, {}, {"max_rejects": "-1"})


# Limits.


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("0", MaxRejects(count=0)),
        ("10", MaxRejects(count=10)),
        ("5%", MaxRejects(percent=5.0)),
        ("0.5 %", MaxRejects(percent=0.5)),
        ("100%", MaxRejects(percent=100.0)),
    ],
)
def test_limits(text: str, limit: MaxRejects) -> None:
    assert parse_limit(text) == limit


@pytest.mark.parametrize(
    ("limit", "read", "allowed"),
    [
        (MaxRejects(), 10, None),
        (MaxRejects(count=0), 10, 0),
        (MaxRejects(count=20), 10, 20),
        (MaxRejects(percent=0.0), 10, 0),
        (MaxRejects(percent=5.0), 0, 0),
        (MaxRejects(percent=5.0), 199, 9),
        (MaxRejects(percent=0.57), 10_000, 57),
        (MaxRejects(percent=100.0), 7, 7),
    ],
)
def test_rejects_allowed(limit: MaxRejects, read: int, allowed: int | None) -> None:
    assert limit.allowed(read) == allowed


@pytest.mark.parametrize(
    "text", ["", "%", "-1", "1.5", "5%%", "100.5%", "101%", "nan%", "1e2", "٣", "5\n", " 5", "9" * 19]
)
def test_no_limits(text: str) -> None:
    with pytest.raises(ConfigError, match="not a limit"):
        parse_limit(text)


# Writing.

TEXT = st.text(min_size=1).filter(lambda text: text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text))
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
SOURCES = st.builds(
    Source,
    name=TEXT,
    files=st.lists(TEXT, min_size=1, max_size=3).map(tuple),
    format=st.sampled_from([None, "csv", "json", "ndjson", "parquet"]),
    columns=st.dictionaries(st.sampled_from(FIELDS["publications"]), TEXTS, max_size=3),
    dates=TEXTS,
    separator=st.sampled_from([None, ",", "\t", "\\", "'", "\x7f", "\x01"]),
    encoding=st.sampled_from([None, "utf-8", "cp1252"]),
)
CONFIGS = st.builds(
    Config,
    matching=st.builds(
        Matching,
        overlaps=st.sampled_from(["longest", "all"]),
        salts=st.sampled_from([None, True, False]),
        stop_lists=TEXTS,
    ),
    source=st.lists(SOURCES, max_size=3).map(tuple),
    run=st.builds(Run, strict=st.booleans(), max_rejects=st.sampled_from([None, "5", "5%"]), out=TEXT, drugs=TEXTS),
)


@given(CONFIGS)
def test_what_is_written_reads_back(tmp_path_factory: pytest.TempPathFactory, config: Config) -> None:
    file = tmp_path_factory.mktemp("written") / "config.toml"
    file.write_text(config_as_toml(config), encoding="utf-8", newline="")
    assert load_config(file, {}, {}) == config


def test_what_is_written_shows_every_value_in_force() -> None:
    assert config_as_toml(Config(source=(Source(name="a", files=("*",), columns={"id": ("x", 'y"')}),))) == (
        "[matching]\n"
        'engine = "auto"\noverlaps = "longest"\nprofile = "default"\nstop_lists = ["built-in"]\n\n'
        "[[source]]\n"
        'name = "a"\nfiles = ["*"]\nkind = "publications"\ncolumns = {id = ["x", "y\\""]}\ndates = []\n\n'
        "[run]\n"
        'strict = false\nout = "out"\ndrugs = []\nkeep_missing = false\nwait = "0"\nif_locked = "fail"\n'
    )


def test_a_path_that_is_not_utf_8_is_written_as_an_escape() -> None:
    assert 'out = "caf\\\\udce9"' in config_as_toml(Config(run=Run(out="caf\udce9")))


# Borders.


def test_choices_are_those_of_the_model() -> None:
    annotations = Source.__annotations__
    assert set(get_args(annotations["kind"])) == set(Kind) - {Kind.UNKNOWN}
    assert set(get_args(get_args(annotations["format"])[0])) == set(Format) - {Format.QUERY, Format.UNKNOWN}


def test_reading_the_configuration_does_not_import_polars() -> None:
    code = "import sys, drugmentions.config; sys.exit('polars' in sys.modules)"
    paths = {"PYTHONPATH": str(Path(sys.modules["drugmentions.config"].__file__ or "").parents[1])}
    assert subprocess.run([sys.executable, "-c", code], env=paths, check=False).returncode == 0
