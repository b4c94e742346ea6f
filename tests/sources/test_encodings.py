"""Every text format in another encoding, where the configuration says so."""

import json

import pytest

from drugmentions.config import Source
from tests.sources.support import Find

STUDY = {"protocolSection": {"identificationModule": {"nctId": "1", "briefTitle": "Größe"}}}
RESULTS = {"resultList": {"result": [{"id": "1", "source": "MED", "title": "Größe"}]}}
CONTENTS = {
    "csv": "id,title\n1,Größe\n",
    "litcovid": "# a\n# b\npmid\ttitle_e\n1\tGröße\n",
    "json": '[{"id": 1, "title": "Größe"}]',
    "ndjson": '{"id": 1, "title": "Größe"}\n{"id": 1, "title": "Größe"}\n',
    "pubmed": "<PubmedArticle><MedlineCitation><PMID>1</PMID><Article><ArticleTitle>Größe</ArticleTitle></Article>"
    "</MedlineCitation></PubmedArticle>",
    "ctgov-json": json.dumps(STUDY, ensure_ascii=False),
    "ctgov-xml": "<clinical_study><id_info><nct_id>1</nct_id></id_info><brief_title>Größe</brief_title>"
    "</clinical_study>",
    "medline": "PMID- 1\nTI  - Größe\n",
    "europepmc": json.dumps(RESULTS, ensure_ascii=False),
}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1", "cp1252", "utf-8-sig"])
@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_encodings_that_are_said(found: Find, content: str, encoding: str) -> None:
    source = Source(name="ours", files=("*",), encoding=encoding)
    result = found(content.encode(encoding), "x", source)
    assert (result.rejects, set(result.values("id", "title"))) == ([], {("1", "Größe")})


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_latin_1_that_is_not_said_is_never_guessed(found: Find, content: str) -> None:
    result = found(content.encode("latin-1"), "pubmed")
    assert "Größe" not in str(result.rows)
    assert result.rejects or result.file.note
