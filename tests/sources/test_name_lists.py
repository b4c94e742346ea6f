"""Drug lists in the forms in which people have them: DrugBank's vocabulary, RxNorm, plain text, several merged."""

from pathlib import Path

import pytest

import drugmentions as dm
from drugmentions.config import Source
from drugmentions.model import Format, Kind
from tests.sources.support import Find


def concept(name: str, *, language: str = "ENG", of: str = "RXNORM", kind: str = "IN", suppress: str = "N") -> str:
    return f"1191|{language}||||||829|829|1191||{of}|{kind}|1191|{name}||{suppress}|4096|"


def test_rxnorm(found: Find) -> None:
    lines = [
        concept("aspirin"),
        concept("aspirin sodium", kind="PIN"),
        concept("Bayer", kind="BN", suppress=""),
        concept("aspirin 81 MG Oral Tablet", kind="SCD"),
        concept("aspirina", language="SPA"),
        concept("acetylsalicylic acid", of="ATC"),
        concept("old name", suppress="O"),
        concept("wrong name", suppress="E"),
        concept(""),
        "1191|ENG|short",
    ]
    result = found("\r\n".join(lines) + "\r\n", "RXNCONSO.RRF")
    assert (result.file.kind, result.file.format) == (Kind.DRUGS, Format.RXNORM)
    assert result.values("drug", "line") == [("aspirin", 1), ("aspirin sodium", 2), ("Bayer", 3)]
    assert [(reject["reason"], reject["line"]) for reject in result.rejects] == [
        ("2 columns where RXNCONSO has 18", 10)
    ]
    assert result.blanks == [True]


def test_drugbank_vocabulary(found: Find) -> None:
    content = (
        "DrugBank ID,Accession Numbers,Common name,CAS,UNII,Synonyms,Standard InChI Key\n"
        'DB00945,BIOD1 | APRD2,Acetylsalicylic acid,50-78-2,R16,"2-acetoxybenzoic acid | Aspirin",X\n'
    )
    result = found(content, "vocabulary.csv")
    assert result.file.kind == Kind.DRUGS
    assert result.values("drug", "synonyms") == [("Acetylsalicylic acid", "2-acetoxybenzoic acid | Aspirin")]


@pytest.mark.parametrize("name", ["drugs.txt", "drug_list", "druglist_2024.csv"])
def test_a_name_a_line(found: Find, name: str) -> None:
    content = "Ethanol\r\n# a comment\n\n  2,4-dinitrophenol | x\n\u00c9thinyl\t\n"
    result = found(content, name)
    assert (result.file.format, result.file.kind) == (Format.NAMES, Kind.DRUGS)
    assert result.values("drug", "record", "line") == [
        ("Ethanol", 1, 1),
        ("  2,4-dinitrophenol | x", 3, 4),
        ("\u00c9thinyl\t", 4, 5),
    ]
    assert (result.blanks, result.rejects) == ([True], [])


def test_what_is_no_list_of_names(found: Find) -> None:
    for content, name in (
        ("Words\nin lines\n", "README.md"),
        ("code,label\nA,B\n", "drugs.csv"),
        ("title\nT\n", "drugs.csv"),
    ):
        assert found(content, name).file.note.startswith(("not recognised", "no column"))
    said = Source(name="x", kind="drugs", files=("*",), format="names")
    assert found("alcohol, dry\nEthanol\n", "README.md", said).values("drug") == [("alcohol, dry",), ("Ethanol",)]
    assert found("Ethanol\n", "README.md", kind=Kind.DRUGS).values("drug") == [("Ethanol",)]


def test_a_directory_called_drugs_is_no_list_of_names(tmp_path: Path) -> None:
    (tmp_path / "drugs").mkdir()
    (tmp_path / "drugs/README.md").write_text("Words\n")
    (tmp_path / "drugs/list.csv").write_text("drug\nethanol\n")
    assert dm.read_lexicon(tmp_path / "drugs/list.csv").drugs["drug"].to_list() == ["ethanol"]


def test_damaged_lists(found: Find) -> None:
    result = found(b"Ethanol\n\xff\nKetamine\n", "drugs.txt")
    assert (result.values("drug"), result.reasons) == ([("Ethanol",), ("Ketamine",)], ["invalid UTF-8"])
    utf16 = Source(name="x", kind="drugs", files=("*",), encoding="utf-16")
    assert found("Éthanol\nKetamine\n".encode("utf-16"), "drugs.txt", utf16).values("drug") == [
        ("Éthanol",),
        ("Ketamine",),
    ]


def test_several_lists_are_merged(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("atccode,drug\nB01AC06,ASPIRIN\n")
    (tmp_path / "b.csv").write_text("Common name,Synonyms\nAspirin,acetylsalicylic acid | ASA\n")
    (tmp_path / "c.rrf").write_text(concept("aspirin") + "\n" + concept("Bayer", kind="BN") + "\n")
    (tmp_path / "d.txt").write_text("aspirin\nketamine\n")
    lexicon = dm.read_lexicon(*(tmp_path / name for name in ("a.csv", "b.csv", "c.rrf", "d.txt")))
    assert lexicon.drugs.select("drug", "atccode").rows() == [
        ("ASPIRIN", "B01AC06"),
        ("Bayer", None),
        ("ketamine", None),
    ]
    assert set(lexicon.terms["term"]) == {"ASPIRIN", "acetylsalicylic acid", "ASA", "Bayer", "ketamine"}
