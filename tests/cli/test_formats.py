"""Every format through the real command: in one directory, under odd names, and made to do harm."""

import gzip
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from pubmed_corpus import TAIL, Article, set_xml

from tests.cli.support import Command, Read
from tests.sources.support import zipped

STUDY = {
    "protocolSection": {
        "identificationModule": {"nctId": "NCT1", "briefTitle": "A trial", "officialTitle": "Ethanol in a trial"},
        "sponsorCollaboratorsModule": {"leadSponsor": {"name": "Sponsor"}},
    }
}
FILES: dict[str, tuple[str | bytes, str, str]] = {
    "-rf.gz": (gzip.compress(set_xml([Article(1, "On <i>ethanol</i>")], [9]).encode()), "pubmed-xml", "pubmed"),
    "ctg studies [1] (2).csv": (json.dumps({"studies": [STUDY]}), "ctgov-json", "clinical_trials"),
    "a\nb.txt": (zipped({"../../x.json": json.dumps(STUDY).replace("NCT1", "NCT2")}), "ctgov-json", "clinical_trials"),
    "NCT3.html": (
        "<clinical_study><id_info><nct_id>NCT3</nct_id></id_info><brief_title>Ethanol</brief_title></clinical_study>",
        "ctgov-xml",
        "clinical_trials",
    ),
    "*.nbib": ("\nPMID- 2\nTI  - More ethanol\n", "medline", "pubmed"),
    "[]": ('pmid\ttitle_e\tjournal\n3\t"Ethanol\n', "csv", "pubmed"),
    "results": (
        json.dumps({"resultList": {"result": [{"id": "PPR4", "source": "PPR", "title": "C<sub>2</sub> ethanol"}]}}),
        "europepmc-json",
        "europepmc",
    ),
    "drugs.txt": ("Ethanol\n", "names", ""),
    "RXN": ("1|ENG||||||1|1|1||RXNORM|IN|1|ketamine||N|4096|\n", "rxnorm", ""),
}


def test_every_format_under_odd_names(command: Command, tmp_path: Path, outputs: Read) -> None:
    (tmp_path / "in").mkdir()
    for name, (content, *_) in FILES.items():
        (tmp_path / "in" / name).write_bytes(content.encode() if isinstance(content, str) else content)
    (tmp_path / "in/page.xml").write_text("<!DOCTYPE html><html><body>Not found</body></html>")
    done = command("run", "in")
    assert done.code == 0
    assert "in/page.xml: an HTML page" in done.err
    found = outputs()
    taken = {file["file"]: (file["format"], file["source"]) for file in found.run["files"]}
    assert taken == {
        f"in/{name}": expected for name, (_, *expected_) in FILES.items() for expected in [tuple(expected_)]
    }
    assert {found.file(name)["rejects"] for name in taken} == {0}
    assert found.found() == {("Ethanol", name) for name in ("1", "2", "3", "NCT1", "NCT2", "NCT3", "PPR4")}
    assert found.run["counts"]["deletions"] == 1
    ethanol = next(drug for drug in found.graph["drugs"] if drug["drug"] == "Ethanol")
    assert set(ethanol["mentions"]) == {"clinical_trials", "europepmc", "pubmed"}
    assert {mention.get("journal_kind") for mention in ethanol["mentions"]["clinical_trials"]} == {"sponsor", None}
    assert set(found.mentions.filter(found.mentions["id"] == "NCT1")["found_in"]) == {"official_title"}
    first = (tmp_path / "out/graph.json").read_bytes()
    assert command("run", "in").code == 0
    assert (tmp_path / "out/graph.json").read_bytes() == first


BOMB = 200 << 20
LAUGHS = '<!ENTITY a0 "ha">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
ONE = set_xml([Article(1, "Ethanol")])
LINE = b"x" * 65_530 + b",a,b\n"


def write(path: Path, start: str, filling: bytes) -> None:
    """Write a file that takes little room until it is unpacked; piece by piece, so that it takes little here."""
    piece = filling * ((1 << 20) // max(len(filling), 1))
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.json", json.dumps(STUDY))
            with archive.open("b.json", "w") as entry:
                entry.write(start.encode())
                entry.writelines(piece for _ in range(BOMB >> 20))
    elif filling:
        with gzip.open(path, "wb", 1) as packed:
            packed.write(start.encode())
            packed.writelines(piece for _ in range(BOMB >> 20))
    else:
        path.write_text(start)


@pytest.mark.parametrize(
    ("name", "start", "filling"),
    [
        ("pubmed.csv", "title,id\nEthanol,1\n", b"x"),
        ("pubmed.csv", "title,id\nEthanol,1\n", LINE),
        ("pubmed.ndjson", '{"title": "Ethanol", "id": "1"}\n{"title": "', b"x"),
        ("pubmed.json", '[{"title": "Ethanol", "id": "1"},{"title": "', b"x"),
        ("pubmed.xml", ONE.removesuffix(TAIL) + "<PubmedArticle>", b"<x>y</x>"),
        ("pubmed.xml", ONE.removesuffix(TAIL) + "<PubmedArticle>", b"x"),
        ("pubmed.xml", ONE.replace('.dtd">', f'.dtd" [{LAUGHS}]>').replace(">Ethanol", ">&a11;"), b""),
        ("pubmed.nbib", "PMID- 1\nTI  - Ethanol\n\nPMID- 2\nTI  - ", b"x"),
        ("pubmed.nbib", "PMID- 1\nTI  - Ethanol\n\nPMID- 2\nTI  - ", LINE),
        ("trials.zip", '{"hasResults": "', b"x"),
        ("trials.json", json.dumps({"studies": [STUDY]})[:-2] + ", " + '{"a":' * 200_000, b""),
    ],
)
def test_bombs_are_rejects_in_bounded_memory(
    inputs: Path, tmp_path: Path, name: str, start: str, filling: bytes
) -> None:
    (inputs / "pubmed.csv").unlink()
    write(inputs / name, start, filling)
    command = [sys.executable, "-m", "drugmentions", "run", "in"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = process.stderr.read().decode()
    process.stderr.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert (process.returncode, "Traceback" in said) == (0, False), said
    report = json.loads((tmp_path / "out/run.json").read_bytes())
    (file,) = [file for file in report["files"] if file["kind"] == "publications"]
    assert file["rejects"] > 0
    assert file["read"] == file["publications"] + file["rejects"]
    assert usage.ru_maxrss < 900 << 10
