"""Write PubMed XML as the baseline and its update files have it: elements in the order of the DTD, seeded, invented.

usage: pubmed_corpus.py OUT [--files 4] [--records 30000] [--updates 2] [--plain] [--seed 1]

OUT/pubmed24n0001.xml.gz, ...   the baseline: one article a line, some 6 KB each, most of it what no title needs
OUT/pubmed24n0005.xml.gz, ...   updates: a tenth as many articles, half of them revisions, and deletions
"""

import argparse
import gzip
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2024//EN"'
    ' "https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_240101.dtd">\n'
    "<PubmedArticleSet>\n"
)
TAIL = "</PubmedArticleSet>\n"
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905
WORDS = [
    "effect", "of", "the", "on", "in", "and", "with", "patients", "treated", "study", "randomised", "oral",
    "dose", "response", "plasma", "levels", "renal", "acute", "ketamine", "ethanol", "atropine", "isoniazid",
    "warfarin", "aspirin", "metformin", "outcome", "trial", "mice", "rats", "cohort", "children",
]  # fmt: skip


class Article(NamedTuple):
    """An article. `title`, `vernacular` and `date` are XML: text with its markup, and what stands in PubDate."""

    pmid: int
    title: str
    date: str = "<Year>2020</Year>"
    version: int = 1
    journal: str = "Journal of examples"
    vernacular: str = ""
    kind: str = "Journal Article"
    abstract: str = ""


def article_xml(article: Article) -> str:
    """The article as one line."""
    vernacular = f"<VernacularTitle>{article.vernacular}</VernacularTitle>" if article.vernacular else ""
    abstract = (
        f"<Abstract><AbstractText>{escape(article.abstract)}</AbstractText></Abstract>" if article.abstract else ""
    )
    authors = "".join(
        f'<Author ValidYN="Y"><LastName>Author{n}</LastName><ForeName>A B</ForeName><Initials>AB</Initials>'
        "<AffiliationInfo><Affiliation>Department of Examples, Somewhere.</Affiliation></AffiliationInfo></Author>"
        for n in range(5 if article.abstract else 1)
    )
    headings = "".join(
        f'<MeshHeading><DescriptorName UI="D{n:06}" MajorTopicYN="N">Heading {n}</DescriptorName></MeshHeading>'
        for n in range(12 if article.abstract else 1)
    )
    references = "".join(
        f"<Reference><Citation>Somewhere. 19{n};1:1-2</Citation><ArticleIdList>"
        f'<ArticleId IdType="pubmed">{n}</ArticleId></ArticleIdList></Reference>'
        for n in range(10, 22 if article.abstract else 11)
    )
    return (
        '<PubmedArticle><MedlineCitation Status="MEDLINE" Owner="NLM">'
        f'<PMID Version="{article.version}">{article.pmid}</PMID>'
        "<DateRevised><Year>2024</Year><Month>01</Month><Day>02</Day></DateRevised>"
        '<Article PubModel="Print"><Journal><ISSN IssnType="Print">0000-0000</ISSN><JournalIssue CitedMedium="Print">'
        f"<Volume>1</Volume><PubDate>{article.date}</PubDate></JournalIssue>"
        f"<Title>{escape(article.journal)}</Title><ISOAbbreviation>J Ex</ISOAbbreviation></Journal>"
        f"<ArticleTitle>{article.title}</ArticleTitle><Pagination><MedlinePgn>1-2</MedlinePgn></Pagination>{abstract}"
        f'<AuthorList CompleteYN="Y">{authors}</AuthorList><Language>eng</Language>'
        f'<PublicationTypeList><PublicationType UI="D016428">{article.kind}</PublicationType></PublicationTypeList>'
        f"{vernacular}</Article><MedlineJournalInfo><MedlineTA>J Ex</MedlineTA><NlmUniqueID>1</NlmUniqueID>"
        '</MedlineJournalInfo><CommentsCorrectionsList><CommentsCorrections RefType="Cites"><RefSource>O</RefSource>'
        '<PMID Version="1">99999999</PMID></CommentsCorrections></CommentsCorrectionsList>'
        f"<MeshHeadingList>{headings}</MeshHeadingList></MedlineCitation><PubmedData>"
        '<History><PubMedPubDate PubStatus="pubmed">'
        "<Year>2001</Year><Month>1</Month><Day>1</Day></PubMedPubDate></History>"
        "<PublicationStatus>ppublish</PublicationStatus><ArticleIdList>"
        f'<ArticleId IdType="pubmed">{article.pmid}</ArticleId>'
        f"</ArticleIdList><ReferenceList>{references}</ReferenceList></PubmedData></PubmedArticle>\n"
    )


def set_xml(articles: Iterable[Article], deleted: Sequence[int] = ()) -> str:
    """A whole file: articles, then deletions."""
    pmids = "".join(f'<PMID Version="1">{pmid}</PMID>\n' for pmid in deleted)
    deletions = f"<DeleteCitation>\n{pmids}</DeleteCitation>\n" if deleted else ""
    return HEAD + "".join(map(article_xml, articles)) + deletions + TAIL


def invented(rng: random.Random, pmid: int, version: int = 1) -> Article:
    """A made-up article with an abstract."""
    title = " ".join(rng.choices(WORDS, k=rng.randint(6, 16)))
    year, month = f"<Year>{rng.randint(1990, 2023)}</Year>", f"<Month>{rng.choice(MONTHS)}</Month>"
    date = rng.choices((f"{year}{month}<Day>{rng.randint(1, 28):02}</Day>", year + month, year), (65, 32, 3))[0]
    abstract = " ".join(rng.choices(WORDS, k=180))
    return Article(pmid, f"{title.capitalize()}.", date, version, f"Journal {rng.randint(1, 400)}", abstract=abstract)


def write_pubmed(out: Path, files: int, records: int, updates: int, seed: int, *, plain: bool = False) -> list[Path]:
    """Write a baseline of `files` files of `records` articles, and update files; returns their paths."""
    out.mkdir(parents=True, exist_ok=True)
    rng = random.Random(seed)
    paths = []
    for number in range(files + updates):
        first, path = number * records, out / f"pubmed24n{number + 1:04}.xml{'' if plain else '.gz'}"
        if number < files:
            text = set_xml(invented(rng, pmid) for pmid in range(first + 1, first + records + 1))
        else:
            known = rng.sample(range(1, files * records + 1), records // 10)
            half = len(known) // 2
            articles = [invented(rng, pmid, rng.randint(1, 2)) for pmid in (*known[:half], *range(first, first + half))]
            text = set_xml(articles, known[half:])
        path.write_bytes(text.encode() if plain else gzip.compress(text.encode(), 5))
        paths.append(path)
    return paths


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--files", type=int, default=4)
    parser.add_argument("--records", type=int, default=30_000)
    parser.add_argument("--updates", type=int, default=2)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    given = (arguments.files, arguments.records, arguments.updates, arguments.seed)
    print(*write_pubmed(arguments.out, *given, plain=arguments.plain))
