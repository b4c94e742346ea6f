"""Bad input through the real command: good records beside bad ones are kept, bad ones are rejects, nothing hangs."""

import gzip
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.support import DRUGS, PUBMED, Command, Read

GOOD = {("ETHANOL", "1"), ("ETHANOL", "2"), ("EPINEPHRINE", "2")}


def assert_error(err: str, *words: str) -> None:
    """Two lines and no traceback: what is wrong, and what to do about it."""
    lines = err.strip().split("\n")
    assert lines[-1].startswith("hint: ")
    assert any(line.startswith("drugmentions: error: ") for line in lines)
    assert "Traceback" not in err
    for word in words:
        assert word in err


def test_no_input(command: Command) -> None:
    done = command("run")
    assert done.code == 2
    assert_error(done.err, "INPUT")


def test_an_input_that_does_not_exist(command: Command, tmp_path: Path) -> None:
    done = command("run", "nowhere")
    assert done.code == 3
    assert_error(done.err, "nowhere")
    assert not (tmp_path / "out").exists()


def test_an_empty_directory(command: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = command("run", "empty")
    assert done.code == 3
    assert_error(done.err, "empty")


def test_a_directory_without_a_drug_list(command: Command, inputs: Path) -> None:
    (inputs / "drugs.csv").unlink()
    done = command("run", "in")
    assert done.code == 3
    assert_error(done.err, "no drug list", "--drugs")


def test_a_drug_list_without_the_needed_column(command: Command, inputs: Path) -> None:
    (inputs / "drugs.csv").write_text("code,label\nV03AB,ETHANOL\n")
    done = command("run", "in")
    assert done.code == 3
    assert_error(done.err, "in/drugs.csv", "no column for the drug's name", "code, label")


def test_a_second_drug_list_without_the_needed_column_is_a_reject(
    command: Command, inputs: Path, outputs: Read
) -> None:
    (inputs / "drugs_more.csv").write_text("code,label\nV03AB,ETHANOL\n")
    assert command("run", "in").code == 0
    assert outputs().found() == GOOD
    assert outputs().rejects["file"].to_list() == ["in/drugs_more.csv"]
    assert command("run", "in", "--strict").code == 3


@pytest.mark.parametrize("content", ["", "atccode,drug\n", "atccode,drug\nV03AB,\n,&\n"])
def test_a_drug_list_without_drugs(command: Command, inputs: Path, content: str) -> None:
    (inputs / "drugs.csv").write_text(content)
    done = command("run", "in")
    assert done.code == 3
    assert_error(done.err, "in/drugs.csv")


@pytest.mark.parametrize(
    ("content", "publications"), [("", 0), ("id,title,date,journal\n", 0), ("id,title,date,journal", 0)]
)
def test_a_file_without_records(command: Command, inputs: Path, outputs: Read, content: str, publications: int) -> None:
    (inputs / "pubmed_2.csv").write_text(content)
    assert command("run", "in", "--strict").code == 0
    assert outputs().found() == GOOD
    assert outputs().file("in/pubmed_2.csv")["read"] == publications


def test_only_a_file_without_records(command: Command, inputs: Path, outputs: Read) -> None:
    (inputs / "pubmed.csv").write_text("id,title,date,journal\n")
    assert command("run", "in").code == 0
    assert outputs().found() == set()
    assert [drug["drug"] for drug in outputs().graph["drugs"]] == ["EPINEPHRINE", "ETHANOL"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file(command: Command, inputs: Path, outputs: Read) -> None:
    (inputs / "pubmed_2.csv").write_text(PUBMED)
    (inputs / "pubmed_2.csv").chmod(0)
    assert command("run", "in").code == 0
    assert outputs().found() == GOOD
    assert outputs().rejects.select("file", "reason").rows() == [("in/pubmed_2.csv", "Permission denied")]


def test_an_unreadable_file_for_root_too(command: Command, inputs: Path, outputs: Read) -> None:
    """A file of /proc that even root can't read: EIO, or EINVAL."""
    broken = Path("/proc/self/mem")
    if not broken.exists():
        pytest.skip("no /proc")
    done = command("run", "in", broken)
    assert done.code == 0
    assert outputs().found() == GOOD


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pubmed_2.csv", '[{"id": 3, "title": "Ethanol again", "date": "2020", "journal": "J"}]'),
        ("pubmed_2.csv", '{"id": 3, "title": "Ethanol again"}\n'),
        ("pubmed_2.json", "id,title\n3,Ethanol again\n"),
        ("pubmed_2.json", "id\ttitle\n3\tEthanol again\n"),
        ("pubmed_2.txt", "id;title\n3;Ethanol again\n"),
    ],
)
def test_a_file_of_the_wrong_format_under_a_right_name(
    command: Command, inputs: Path, outputs: Read, name: str, content: str
) -> None:
    (inputs / name).write_text(content)
    assert command("run", "in").code == 0
    assert outputs().found() == GOOD | {("ETHANOL", "3")}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<!DOCTYPE html><html><body>503</body></html>", "an HTML page"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00", "binary data"),
        (b"alpha,beta\n1,2\n", "no column for the title (columns: alpha, beta)"),
        (b"PAR1 not really", "corrupt Parquet"),
    ],
)
def test_a_file_of_no_format_under_a_right_name(
    command: Command, inputs: Path, outputs: Read, content: bytes, reason: str
) -> None:
    (inputs / "pubmed_2.csv").write_bytes(content)
    done = command("run", "in")
    assert done.code == 0
    assert "in/pubmed_2.csv" in done.err
    assert outputs().found() == GOOD
    ((file, why),) = outputs().rejects.select("file", "reason").rows()
    assert (file, why.startswith(reason)) == ("in/pubmed_2.csv", True)


def test_what_nothing_recognises_is_reported_and_read_as_nothing(command: Command, inputs: Path, outputs: Read) -> None:
    (inputs / "README.txt").write_text("Hello\n")
    done = command("run", "in", "--strict")
    assert done.code == 0
    assert "in/README.txt" in done.err
    assert [entry["file"] for entry in outputs().run["ignored"]] == ["in/README.txt"]


def test_rows_with_too_many_and_too_few_fields(command: Command, inputs: Path, outputs: Read) -> None:
    (inputs / "pubmed.csv").write_text(PUBMED + "3,Ethanol,2020,J,extra\n4,Ethanol\n5,Ethanol,2020,J\n")
    assert command("run", "in").code == 0
    assert outputs().found() == GOOD | {("ETHANOL", "4"), ("ETHANOL", "5")}
    ((file, record, line, raw),) = outputs().rejects.select("file", "record", "line", "raw").rows()
    assert (file, record, line, raw) == ("in/pubmed.csv", 3, 4, "3,Ethanol,2020,J,extra")


def test_invalid_utf8(command: Command, inputs: Path, outputs: Read) -> None:
    (inputs / "pubmed.csv").write_bytes(PUBMED.encode() + b"3,Ethanol \xff,2020,J\n4,Ethanol,2020,\xc3\xa9\n")
    assert command("run", "in").code == 0
    assert outputs().found() == GOOD | {("ETHANOL", "4")}
    assert outputs().rejects.select("record", "reason").rows() == [(3, "invalid UTF-8")]


def test_a_truncated_gz(command: Command, inputs: Path, outputs: Read) -> None:
    rows = "".join(f"{number},Ethanol {number * 7919},2020,J\n" for number in range(3, 20_000))
    whole = gzip.compress((PUBMED + rows).encode())
    (inputs / "pubmed.csv").unlink()
    (inputs / "pubmed.csv.gz").write_bytes(whole[: len(whole) // 2])
    assert command("run", "in").code == 0
    found = outputs().found()
    assert found > GOOD
    assert 1_000 < len(found) < 19_999
    assert outputs().rejects["file"].to_list() == ["in/pubmed.csv.gz"]


def test_an_unclosed_quote(command: Command, inputs: Path, outputs: Read) -> None:
    (inputs / "pubmed.csv").write_text(PUBMED + '3,"Ethanol,2020,J\n4,Ethanol,2020,J\n5,"Ethanol, too",2020,J\n')
    assert command("run", "in").code == 0
    assert outputs().found() == GOOD | {("ETHANOL", "4"), ("ETHANOL", "5")}
    assert outputs().rejects["record"].to_list() == [3]


def test_a_json_file_cut_in_the_middle(command: Command, inputs: Path, outputs: Read) -> None:
    (inputs / "pubmed_2.json").write_text(
        '[{"id": 3, "title": "Ethanol"}, {"id": 4, "title": "Ethanol"}, {"id": 5, "ti'
    )
    assert command("run", "in").code == 0
    assert outputs().found() == GOOD | {("ETHANOL", "3"), ("ETHANOL", "4")}
    ((file, record, raw),) = outputs().rejects.select("file", "record", "raw").rows()
    assert (file, record) == ("in/pubmed_2.json", 3)
    assert '{"id": 5, "ti' in raw


def test_a_title_of_10_mb(command: Command, inputs: Path, outputs: Read) -> None:
    title = "Ethanol " + "lorem ipsum " * 850_000
    (inputs / "pubmed_2.csv").write_text(f'id,title\n3,"{title}"\n')
    (inputs / "pubmed_3.json").write_text(f'[{{"id": 4, "title": "{title}"}}]')
    assert command("run", "in").code == 0
    assert outputs().found() == GOOD | {("ETHANOL", "3"), ("ETHANOL", "4")}


def test_a_fifo_and_a_device_are_refused_and_never_opened(command: Command, inputs: Path, outputs: Read) -> None:
    os.mkfifo(inputs / "pubmed_2.csv")
    done = command("run", "in", "/dev/zero")
    assert done.code == 0
    assert outputs().found() == GOOD
    assert [entry["file"] for entry in outputs().run["ignored"]] == ["/dev/zero", "in/pubmed_2.csv"]


def test_a_symlink_loop_and_one_out_of_the_root(command: Command, inputs: Path, outputs: Read, tmp_path: Path) -> None:
    (tmp_path / "pubmed_outside.csv").write_text("id,title\n9,Ethanol\n")
    (inputs / "loop").symlink_to(inputs)
    (inputs / "pubmed_self.csv").symlink_to("pubmed_self.csv")
    (inputs / "pubmed_out.csv").symlink_to("../pubmed_outside.csv")
    assert command("run", "in").code == 0
    assert outputs().found() == GOOD
    refused = {entry["file"] for entry in outputs().run["ignored"]}
    assert {"in/pubmed_self.csv", "in/pubmed_out.csv"} <= refused


def test_out_inside_input_on_the_second_run(command: Command, inputs: Path, tmp_path: Path) -> None:
    graphs = []
    for _ in range(2):
        assert command("run", "in", "-o", "in/out").code == 0
        graphs.append((tmp_path / "in/out/graph.json").read_bytes())
    assert command("run", "in", "-o", "elsewhere").code == 0  # the other run's outputs aren't input either
    graphs.append((tmp_path / "elsewhere/graph.json").read_bytes())
    assert graphs[0] == graphs[1] == graphs[2]


def test_the_same_file_given_twice(command: Command, inputs: Path, outputs: Read) -> None:
    (inputs / "pubmed_link.csv").symlink_to("pubmed.csv")
    assert command("run", "in", "in/pubmed.csv", "in/../in", "in/*.csv").code == 0
    assert outputs().run["counts"]["records"] == 2
    assert outputs().found() == GOOD


def test_a_closed_pipe(command: Command, inputs: Path, tmp_path: Path) -> None:
    del command, inputs
    titles = tmp_path / "titles.txt"
    titles.write_text("Ethanol\n" * 200_000)
    (tmp_path / "drugs.csv").write_text(DRUGS)
    matching = subprocess.Popen(
        [sys.executable, "-m", "drugmentions", "match", titles, "--drugs", tmp_path / "drugs.csv"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert matching.stdout
    assert matching.stdout.readline() == b"id,start,end,term,drug\n"
    matching.stdout.close()
    with matching.stderr or io.BytesIO(b"?") as stderr:
        assert stderr.read() == b""
    assert matching.wait(60) == 0


def test_a_failed_run_leaves_the_old_outputs(command: Command, inputs: Path, tmp_path: Path) -> None:
    assert command("run", "in").code == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.is_file()}
    (inputs / "pubmed.csv").write_text(PUBMED + "3,Ethanol,2020,J,extra\n")
    for flags in (["--strict"], ["--max-rejects", "0"], ["--max-rejects", "19%"]):
        done = command("run", "in", *flags)
        assert done.code == 3
        assert_error(done.err, "1 of 5 records rejected", "in/pubmed.csv")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.is_file()} == before
    for flags in (["--max-rejects", "1"], ["--max-rejects", "20%"]):
        assert command("run", "in", *flags).code == 0


def test_an_output_that_cannot_be_written(command: Command, inputs: Path, tmp_path: Path) -> None:
    del inputs
    (tmp_path / "file").write_text("")
    done = command("run", "in", "-o", "file")
    assert done.code == 4
    assert_error(done.err, "file")


def test_names_with_newlines_brackets_and_dashes(command: Command, inputs: Path, outputs: Read) -> None:
    for number, name in enumerate(["pubmed\n.csv", "pubmed[1].csv", "-pubmed.csv", "pubmed *.csv", "pubmed é.csv"], 3):
        (inputs / name).write_text(f"id,title\n{number},Ethanol\n")
    assert command("run", "in").code == 0
    assert outputs().found() == GOOD | {("ETHANOL", str(number)) for number in range(3, 8)}
    assert command("run", "in", "-o", "out [*]?").code == 0
    assert command("export", "publications", "out [*]?", "-o", "p [*].csv").code == 0
    assert command("adhoc", "related", "ethanol", "out [*]?").json()["related"]
