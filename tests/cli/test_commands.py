"""Every command on good input: what it prints, where, and with which code."""

import csv
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import jsonschema
import polars as pl
import pytest

from tests.cli.support import DRUGS, PUBMED, SAMPLE, Command, Read

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture
def graph(command: Command, inputs: Path, tmp_path: Path) -> Path:
    """A graph of three drugs: two in PubMed journals, one in trials alone."""
    (inputs / "drugs.csv").write_text(DRUGS + "A03BA,ATROPINE\nB,CAFFEINE\n")
    (inputs / "pubmed.csv").write_text(
        PUBMED + "3,Atropine,2019,k.\n4,Epinephrine,2018,K\n5,No drug,2018,K\n6,Ethanol alone,2020,\n"
    )
    (inputs / "clinical_trials.csv").write_text(
        "id,scientific_title,date,journal,sponsor\nN1,Atropine trial,2020,K,\nN2,Ethanol and caffeine,2021,,Acme\n"
    )
    assert command("run", "in").code == 0
    return tmp_path / "out"


def test_the_sample_has_the_mentions_that_a_reader_finds(command: Command, tmp_path: Path) -> None:
    assert command("run", SAMPLE).code == 0
    with (GOLDEN / "sample_mentions.tsv").open(encoding="utf-8", newline="") as file:
        wanted = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
    found = (
        pl.read_parquet(tmp_path / "out/mentions.parquet").select("drug", "source", "id", "date", "title").fill_null("")
    )
    assert sorted(map(list, found.rows())) == wanted


def test_graph_and_report_fit_their_schemas(command: Command, tmp_path: Path) -> None:
    assert command("run", SAMPLE).code == 0
    for name in ("graph", "run"):
        schema = json.loads((files("drugmentions") / "schemas" / f"{name}.schema.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.validate(json.loads((tmp_path / f"out/{name}.json").read_bytes()), schema)


def test_the_order_of_inputs_and_the_reader_change_nothing(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = sorted(str(path) for path in SAMPLE.iterdir())
    graphs = set()
    for number, inputs in enumerate((names, names[::-1])):
        assert command("run", *inputs, "-o", f"out{number}").code == 0
        graphs.add((tmp_path / f"out{number}/graph.json").read_bytes())
    assert len(graphs) == 1
    from drugmentions import extract, run

    monkeypatch.setattr(extract, "FAST_FROM", 0)
    run(*names, out=tmp_path / "fast")
    assert (tmp_path / "fast/graph.json").read_bytes() in graphs


def test_run_says_what_it_did_on_stderr_alone(command: Command, inputs: Path) -> None:
    (inputs / "pubmed_2.csv").write_text("id,title,date\n9,Ethanol,05/25/2020\n10,,2020\n")
    done = command("run", "in")
    assert done.out == ""
    assert "4 mentions of 2 drugs in 3 publications" in done.err
    assert "in/pubmed_2.csv: 1 of 2 records rejected" in done.err
    assert "in/pubmed_2.csv: 1 dates not understood" in done.err
    assert command("run", "in", "-q").err == ""
    logged = [json.loads(line) for line in command("run", "in", "--log-format", "json").err.splitlines()]
    assert {entry["level"] for entry in logged} == {"note", "warning"}


def test_run_links_drugs_to_publications_trials_and_journals(graph: Path) -> None:
    drugs = {drug.pop("drug"): drug for drug in json.loads((graph / "graph.json").read_bytes())["drugs"]}
    assert list(drugs) == ["ATROPINE", "CAFFEINE", "EPINEPHRINE", "ETHANOL"]
    assert drugs["ATROPINE"] == {
        "atccode": "A03BA",
        "atccodes": ["A03BA"],
        "mentions": {
            "clinical_trials": [{"id": "N1", "title": "Atropine trial", "journal": "K", "date": "2020"}],
            "pubmed": [{"id": "3", "title": "Atropine", "journal": "K", "date": "2019"}],
        },
        "journals": [
            {"journal": "K", "date": "2019", "source": "pubmed"},
            {"journal": "K", "date": "2020", "source": "clinical_trials"},
        ],
    }
    assert drugs["CAFFEINE"]["mentions"]["clinical_trials"][0]["journal_kind"] == "sponsor"


def test_drugs_option_replaces_the_lists_of_the_input(
    command: Command, inputs: Path, outputs: Read, tmp_path: Path
) -> None:
    (tmp_path / "mine.csv").write_text("name,code\nMice,X\n")
    assert command("run", "in", "--drugs", "mine.csv").code == 0
    assert outputs().found() == {("Mice", "1")}
    assert outputs().run["ignored"] == [{"file": "in/drugs.csv", "reason": "replaced by --drugs"}]


def test_dry_run_reads_and_writes_nothing(command: Command, inputs: Path, tmp_path: Path) -> None:
    done = command("run", "in", "--dry-run", "--format", "json")
    assert done.code == 0
    assert {(file["file"], file["kind"], file["format"]) for file in done.json()["files"]} == {
        ("in/drugs.csv", "drugs", "csv"), ("in/pubmed.csv", "publications", "csv"),
    }  # fmt: skip
    assert not (tmp_path / "out").exists()


def test_configuration_file_environment_and_flags(command: Command, inputs: Path, tmp_path: Path) -> None:
    (tmp_path / "drugmentions.toml").write_text(
        '[run]\nout = "from-file"\n[[source]]\nname = "registry"\nfiles = ["other*.csv"]\nseparator = ";"\n'
        'dates = ["%m/%d/%Y"]\ncolumns = {title = "Label", date = "When"}\n'
    )
    (inputs / "other.csv").write_text("Label;When\nEthanol;05/25/2020\n")
    assert command("run", "in").code == 0
    drug = json.loads((tmp_path / "from-file/graph.json").read_bytes())["drugs"][1]
    assert drug["mentions"]["registry"] == [{"id": None, "title": "Ethanol", "journal": None, "date": "2020-05-25"}]
    environ = {"DRUGMENTIONS_OUT": "from-environment"}
    assert 'out = "from-environment"' in command("config", "show", environ=environ).out
    assert command("run", "in", "-o", "from-flag", environ=environ).code == 0
    assert (tmp_path / "from-flag/graph.json").exists()
    (tmp_path / "query.toml").write_text('[[source]]\nname = "q"\nuri = "sqlite://me:secret@/x"\nquery = "select 1"\n')
    assert "secret" not in command("config", "show", "--config", "query.toml").out
    (tmp_path / "wrong.toml").write_text("[run]\nstrcit = true\n")
    done = command("config", "show", "--config", "wrong.toml")
    assert done.code == 2
    assert "strcit" in done.err
    assert "strict" in done.err


def test_overlaps_all_keeps_the_shorter_name_too(command: Command, inputs: Path, outputs: Read) -> None:
    (inputs / "drugs.csv").write_text("atccode,drug\n,ETHANOL\n,ETHANOL IN MICE\n")
    assert command("run", "in").code == 0
    assert ("ETHANOL", "1") not in outputs().found()
    assert command("run", "in", environ={"DRUGMENTIONS_OVERLAPS": "all"}).code == 0
    assert {("ETHANOL", "1"), ("ETHANOL IN MICE", "1")} <= outputs().found()


# Questions.


def test_top_journal(command: Command, graph: Path) -> None:
    for path in (graph, graph / "graph.json"):
        done = command("adhoc", "top-journal", path)
        assert done.json() == {
            "drug_count": 3, "journals": [{"journal": "K", "drugs": ["ATROPINE", "EPINEPHRINE", "ETHANOL"]}],
        }  # fmt: skip
    trials = command("adhoc", "top-journal", "--source", "clinical_trials").json()
    assert trials == {"drug_count": 1, "journals": [{"journal": "K", "drugs": ["ATROPINE"]}]}
    sponsors = command("adhoc", "top-journal", "--source", "clinical_trials", "--sponsors").json()
    assert sponsors == {"drug_count": 2, "journals": [{"journal": "Acme", "drugs": ["CAFFEINE", "ETHANOL"]}]}
    assert command("adhoc", "top-journal", "--source", "nothing").json() == {"drug_count": 0, "journals": []}


def test_related(command: Command, graph: Path) -> None:
    for name in ("Epinephrine", "EPINEPHRINE", " epinephrine "):
        assert command("adhoc", "related", name).json() == {
            "drug": "EPINEPHRINE",
            "related": [{"drug": "ATROPINE", "journals": ["K"]}, {"drug": "ETHANOL", "journals": ["K"]}],
        }
    assert command("adhoc", "related", "caffeine", graph / "graph.json").json() == {"drug": "CAFFEINE", "related": []}
    done = command("adhoc", "related", "ethanl")
    assert done.code == 3
    assert "unknown drug: ethanl" in done.err
    assert "ETHANOL" in done.err


def test_journals_and_drugs(command: Command, graph: Path) -> None:
    assert command("adhoc", "journals", "atropine", graph).json() == {
        "drug": "ATROPINE",
        "journals": [
            {"journal": "K", "mentions": 2, "first": "2019", "last": "2020", "sources": ["clinical_trials", "pubmed"]}
        ],
    }
    answer = command("adhoc", "drugs", " k.", graph).json()
    assert [(drug["drug"], drug["mentions"]) for drug in answer["drugs"]] == [
        ("ATROPINE", 2), ("EPINEPHRINE", 2), ("ETHANOL", 1),
    ]  # fmt: skip
    assert command("adhoc", "drugs", "Unknown", graph).code == 3


def test_formats(command: Command, graph: Path) -> None:
    del graph
    assert command("adhoc", "related", "ethanol", "--format", "csv").out == "drug,journals\nATROPINE,K\nEPINEPHRINE,K\n"
    lines = command("adhoc", "related", "ethanol", "--format", "ndjson").out.splitlines()
    assert [json.loads(line)["drug"] for line in lines] == ["ATROPINE", "EPINEPHRINE"]
    assert "EPINEPHRINE" in command("adhoc", "related", "ethanol", "--format", "table").out
    assert command("adhoc", "related", "ethanol", "--format", "xml").code == 2


def test_a_graph_that_is_none(command: Command, tmp_path: Path) -> None:
    (tmp_path / "graph.json").write_text("{}")
    for path in ("nowhere", "graph.json"):
        done = command("adhoc", "top-journal", path)
        assert done.code == 4
        assert "hint: " in done.err


def test_frequent(command: Command, graph: Path) -> None:
    for path in (graph, graph / "graph.json"):
        terms = command("adhoc", "frequent", path).json()["terms"]
        assert [(term["term"], term["mentions"]) for term in terms] == [
            ("ETHANOL", 4), ("ATROPINE", 2), ("EPINEPHRINE", 2), ("CAFFEINE", 1),
        ]  # fmt: skip
        assert terms[0]["titles"] == ["[[Ethanol]] and caffeine", "[[Ethanol]] alone", "[[Ethanol]] in mice"]
    done = command("adhoc", "frequent", "--by", "drug", "--limit", "1", "--format", "csv")
    assert done.out.startswith("drug,mentions,titles\nETHANOL,4,[[Ethanol]] and caffeine|")
    assert "the 1 most frequent drugs shown; --limit 0 shows all" in done.err
    assert command("adhoc", "frequent", "--limit", "0").err == ""
    assert command("adhoc", "frequent", "--by", "journal").code == 2


def test_mentions(command: Command, graph: Path) -> None:
    for path in (graph, graph / "graph.json"):
        answer = command("adhoc", "mentions", "atropine", path).json()
        assert answer["drug"] == "ATROPINE"
        assert [(each["source"], each["id"], each["terms"], each["title"]) for each in answer["mentions"]] == [
            ("clinical_trials", "N1", ["ATROPINE"], "[[Atropine]] trial"),
            ("pubmed", "3", ["ATROPINE"], "[[Atropine]]"),
        ]
    assert command("adhoc", "mentions", "nothing").code == 3
    (graph / "mentions.parquet").write_text("PAR1")
    done = command("adhoc", "frequent", graph)
    assert done.code == 4
    assert "mentions.parquet: can't be read as Parquet" in done.err
    (graph / "mentions.parquet").unlink()
    done = command("adhoc", "mentions", "atropine", graph / "graph.json")
    assert done.code == 4
    assert "mentions.parquet: no such file" in done.err


# Drug lists and rules.


def test_lexicon_check(command: Command, tmp_path: Path) -> None:
    (tmp_path / "drugs.csv").write_text('drug,synonyms\nKETAMINE,blood|2%|NSAIDs\n,x\nKETAMINE,\n"a,b,c\n')
    answer = command("lexicon", "check", "drugs.csv").json()
    assert answer["counts"] == {"dropped": 2, "duplicated": 1, "rejected": 2, "suspicious": 1}
    assert answer["rules"]["unusable_names"] == 1
    assert all(finding["remedy"] for finding in answer["findings"])
    done = command("lexicon", "check", "drugs.csv", "--profile", "strict", "--strict", "--format", "csv")
    assert done.code == 3
    assert done.out.startswith("finding,rule,drug,term,detail,remedy\ndropped,class_names,KETAMINE,NSAIDs,,")
    assert "error: 6 findings" in done.err
    (tmp_path / "clean.csv").write_text("drug\nKETAMINE\n")
    assert command("lexicon", "check", "clean.csv", "--strict").code == 0
    assert command("lexicon", "check", "nowhere.csv").code == 3


def test_profiles_and_switches(command: Command, inputs: Path, outputs: Read, tmp_path: Path) -> None:
    (inputs / "drugs.csv").write_text("drug\nETHANOL\nMICE\n")
    titles = "Ethanol sulfate in mice\n"
    found = {
        profile: command("match", "--drugs", "in/drugs.csv", "--profile", profile, stdin=titles).out.splitlines()[1:]
        for profile in ("plain", "default", "strict")
    }
    assert found == {
        "plain": ["1,0,7,ETHANOL,ETHANOL", "1,19,23,MICE,MICE"],
        "default": ["1,0,15,ETHANOL,ETHANOL", "1,19,23,MICE,MICE"],
        "strict": ["1,0,15,ETHANOL,ETHANOL"],
    }
    done = command("run", "in")
    assert "1 drug names may be no drug's" in done.err
    assert outputs().run["lexicon"]["suspicious"] == 1
    done = command("run", "in", "--profile", "strict")
    assert "may be no drug's" not in done.err
    report = outputs().run
    assert report["lexicon"]["rules"]["stop_names"] == 1
    assert report["config"]["matching"]["profile"] == "strict"
    assert outputs().found() == {("ETHANOL", "1"), ("ETHANOL", "2")}
    (tmp_path / "mine.txt").write_text("ethanol\n")
    (tmp_path / "drugmentions.toml").write_text('[matching]\nstop_names = true\nstop_lists = ["mine.txt"]\n')
    assert command("run", "in").code == 0
    assert outputs().found() == {("MICE", "1")}
    assert command("run", "in", "--profile", "loose").code == 2
    (tmp_path / "mine.txt").unlink()
    assert command("run", "in").code == 2


# The filter.


@pytest.mark.parametrize(
    "titles",
    [
        "The ethanol\nnone\nÉthanol and ETHANOL™\n",
        "id,title\n1,The ethanol\n2,none\n3,Éthanol and ETHANOL™\n",
        '"title"\n"The ethanol"\nnone\nÉthanol and ETHANOL™\n',
        "pmid\ttitle\n1\tThe ethanol\n2\t\n3\tÉthanol and ETHANOL™\n",
        '{"id": 1, "title": "The ethanol"}\n{"id": 2}\n{"id": 3, "title": "Éthanol and ETHANOL™"}\n',
        '{"PMID": "1", "Title": "The ethanol"}\n[]\n{"PMID": 3, "Title": "Éthanol and ETHANOL™"}\n',
    ],
)
def test_match_takes_csv_ndjson_and_lines(command: Command, tmp_path: Path, titles: str) -> None:
    (tmp_path / "drugs.csv").write_text(DRUGS)
    wanted = "id,start,end,term,drug\n1,4,11,ETHANOL,ETHANOL\n3,0,7,ETHANOL,ETHANOL\n3,12,19,ETHANOL,ETHANOL\n"
    for ends in (titles, titles.replace("\n", "\r\n")):
        assert command("match", "--drugs", "drugs.csv", stdin=ends) == (0, wanted, "")
        assert command("match", "-", "--drugs", "drugs.csv", stdin=ends).out == wanted
    (tmp_path / "titles").write_text(titles)
    assert command("match", "titles", "--drugs", "drugs.csv").out == wanted


def test_match_counts_characters_of_the_title_as_given(command: Command, tmp_path: Path) -> None:
    (tmp_path / "drugs.csv").write_text("drug,synonyms\nETHANOL,ethyl alcohol|EtOH\n")
    titles = ["  e\u0301thanol\u0301  x", "ethyl   alcohol", "\U0001f600 EtOH"]
    done = command("match", "--drugs", "drugs.csv", "--format", "json", stdin="\n".join(titles))
    found = [(titles[int(each["id"]) - 1][each["start"] : each["end"]], each["term"]) for each in done.json()]
    assert found == [("e\u0301thanol\u0301", "ETHANOL"), ("ethyl   alcohol", "ethyl alcohol"), ("EtOH", "EtOH")]


def test_match_without_titles_or_drugs(command: Command, tmp_path: Path) -> None:
    (tmp_path / "drugs.csv").write_text(DRUGS)
    assert command("match", "--drugs", "drugs.csv").out == "id,start,end,term,drug\n"
    assert command("match", "--drugs", "drugs.csv", "--format", "json").json() == []
    assert command("match").code == 3
    assert command("match", "--drugs", "nowhere.csv").code == 3
    assert command("match", "nowhere.txt", "--drugs", "drugs.csv").code == 3
    assert command("match", "--drugs", "drugs.csv", "--overlaps", "some").code == 2


# Tables.


def test_export(command: Command, graph: Path, tmp_path: Path) -> None:
    rows = {"publications": 8, "mentions": 9, "rejects": 0, "merges": 0}
    readers: dict[str, Callable[[Path], pl.DataFrame]] = {
        "parquet": pl.read_parquet, "csv": lambda path: pl.read_csv(path, infer_schema=False), "ndjson": pl.read_ndjson,
    }  # fmt: skip
    for table, count in rows.items():
        for ending, read in readers.items():
            done = command("export", table, graph, "-o", f"{table}.{ending}")
            assert done.code == 0, done.err
            path = tmp_path / f"{table}.{ending}"
            assert (0 if not path.stat().st_size else read(path).height) == count
    spans = pl.read_csv(tmp_path / "mentions.csv", infer_schema=False)["spans"]
    assert json.loads(spans[0])[0].keys() == {"start", "end", "term"}
    assert command("export", "mentions", graph, "-o", "x.xlsx").code == 2
    assert command("export", "mentions", "nowhere", "-o", "x.csv").code == 4
    assert command("export", "mentions", graph).code == 2


def test_export_merges_says_what_became_of_records(command: Command, inputs: Path, tmp_path: Path) -> None:
    (inputs / "pubmed_2.csv").write_text(
        "id,title,date,journal\n1,Ethanol in rats,,\n,Epinephrine and ethanol,2020-01-02,\n"
    )
    assert command("run", "in").code == 0
    assert command("export", "merges", "-o", "merges.csv").code == 0
    merges = pl.read_csv(tmp_path / "merges.csv", infer_schema=False)
    assert merges.select("file", "record", "outcome", "into_file", "into_record").rows() == [
        ("in/pubmed.csv", "1", "overridden", "in/pubmed_2.csv", "1"),
        ("in/pubmed_2.csv", "2", "joined", "in/pubmed.csv", "2"),
    ]


def test_rejects(command: Command, inputs: Path) -> None:
    (inputs / "pubmed_2.csv").write_text("id,title,date\n" + "9,,2020\n" * 3 + "9,a,b,c\n")
    assert command("run", "in").code == 0
    answer = command("rejects").json()
    assert answer["total"] == 4
    assert {(count["reason"], count["records"]) for count in answer["counts"]} == {
        ("no title", 3), ("4 fields where the header has 3", 1),
    }  # fmt: skip
    assert answer["rejects"][0]["raw"] == '{"id":"9","title":null,"date":"2020"}'
    done = command("rejects", "--limit", "1", "--format", "ndjson")
    assert len(done.out.splitlines()) == 1
    assert "1 of 4 rejected records shown; --limit 0 shows all" in done.err
    assert command("rejects", "nowhere").code == 4


# The command line itself.

COMMANDS = ["run", "match", "export", "rejects", "adhoc", "adhoc top-journal", "adhoc related", "adhoc journals",
            "adhoc drugs", "adhoc frequent", "adhoc mentions", "lexicon", "lexicon check", "config",
            "config show"]  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(command: Command, name: str) -> None:
    done = command(*name.split(), "--help")
    assert done.code == 0
    assert "Usage: drugmentions" in done.out


def test_version_and_usage(command: Command) -> None:
    assert re.fullmatch(r"drugmentions \d+\.\d+\.\d+\n", command("--version").out)
    for wrong in (
        ["nothing"],
        ["run", "--nothing"],
        ["adhoc"],
        ["adhoc", "related"],
        ["run", "x", "--max-rejects", "many"],
    ):
        done = command(*wrong)
        assert done.code == 2, wrong
        assert done.out == "" or wrong == ["adhoc"]


def test_shell_completion(command: Command) -> None:
    done = command("--show-completion", "bash", environ={"SHELL": "/bin/bash"})
    assert done.code == 0
    assert "complete" in done.out
    words = {"_DRUGMENTIONS_COMPLETE": "complete_bash", "COMP_WORDS": "drugmentions ad", "COMP_CWORD": "1"}
    assert command(environ=words).out.split() == ["adhoc"]


def test_an_interrupted_run_leaves_the_old_outputs(command: Command, inputs: Path, tmp_path: Path) -> None:
    assert command("run", "in").code == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.is_file()}
    with (inputs / "pubmed_2.json").open("w") as file:  # JSON arrays are read row by row: there is time to interrupt
        file.write("[" + ",".join('{"id": "x", "title": "Ethanol and more"}' for _ in range(400_000)) + "]")
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        running = subprocess.Popen(
            [sys.executable, "-m", "drugmentions", "run", "in"], cwd=tmp_path, stderr=subprocess.PIPE
        )
        while not list((tmp_path / "out/.cache/scratch").glob("*/*/spool*")):
            time.sleep(0.02)
            assert running.poll() is None
        running.send_signal(number)
        assert running.wait(60) == code
        with running.stderr or io.BytesIO(b"?") as stderr:
            assert stderr.read() == b""
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.is_file()} == before
    assert list((tmp_path / "out/.cache/scratch").iterdir()) == []


def test_progress_is_shown_on_a_terminal_alone(command: Command, inputs: Path, tmp_path: Path) -> None:
    assert command("run", "in").err.count("\x1b") == 0
    parent, child = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-m", "drugmentions", "run", "in"],
        cwd=tmp_path,
        stderr=child,
        env=os.environ | {"TERM": "xterm"},
    )
    os.close(child)
    shown = io.BytesIO()
    try:
        while data := os.read(parent, 4096):
            shown.write(data)
    except OSError:  # the other side is closed
        pass
    assert running.wait(60) == 0
    assert b"files" in shown.getvalue()


def test_a_terminal_gets_a_table_without_control_characters(inputs: Path, command: Command) -> None:
    (inputs / "pubmed.csv").write_text("id,title,journal\n1,Ethanol,\x1b[31mRed\x07\n")
    assert command("run", "in").code == 0
    shown = command("adhoc", "top-journal", "--format", "table").out
    assert "\x1b" not in shown
    assert "\\x1b[31mRed\\x07" in shown
