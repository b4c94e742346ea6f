"""Other ways to find drug names in a CSV of titles, each printing what it counted: what a run is measured against.

usage: peers.py WAY DRUGS.csv TITLES.csv

Each counts pairs of a title and a name, the same pair once; none keeps spans, reads dates, merges records or drugs, or
writes a graph. Where WAY needs a package, it is named.

pandas   a loop over the drugs, `str.contains` of each in the lower-cased titles, between borders (pandas)
loop     a loop over the csv module's rows, an Aho-Corasick automaton, borders checked (ahocorasick_rs)
flash    a loop over the csv module's rows, a trie of words (flashtext2)
spacy    a loop over the csv module's rows, cut by spaCy's English tokenizer, then a PhraseMatcher (spacy)
duckdb   SQL: titles cut at all but letters and digits, tokens joined to each name's longest one, longer names verified
         by containment (duckdb)
spark    the same cutting in Python workers, runs of one to four tokens looked up in a broadcast dictionary, two local
         workers (pyspark, and a Java runtime: `apt-get install default-jre-headless`)
join     one lazy Polars plan: as duckdb, with each name's rarest token; writes the pairs as Parquet
ripgrep  `rg -o -i -w -F -f`: counts places, not pairs, in whole lines (`apt-get install ripgrep`)
scan     Polars reads every column and adds up their lengths: the least that any way with Polars can take
"""

import csv
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

BORDERS = r"[^\p{L}\p{N}]+"
SQL = """
    with cut as (
        select id, regexp_replace(lower(title), $borders, ' ', 'g') as normal
        from read_csv($titles, all_varchar = true)
    ),
    names as (
        select distinct trim(regexp_replace(lower(drug), $borders, ' ', 'g')) as name
        from read_csv($drugs, all_varchar = true)
    ),
    anchors as (
        select name, list_reduce(string_split(name, ' '), lambda a, b: if(len(b) > len(a), b, a)) as token from names
    ),
    tokens as (select id, normal, unnest(string_split(normal, ' ')) as token from cut)
    select count(distinct (id, name))
    from tokens join anchors using (token)
    where name = token or contains(' ' || normal || ' ', ' ' || name || ' ')
"""


def names_in(drugs: str) -> list[str]:
    """The names of a drug list, in lower case."""
    with Path(drugs).open(encoding="utf-8", newline="") as file:
        return sorted({row["drug"].lower() for row in csv.DictReader(file)})


def titles_in(path: str) -> Iterator[str]:
    """The titles of a CSV."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        column = next(rows).index("title")
        for row in rows:
            yield row[column]


def pandas_loop(drugs: str, titles: str) -> int:
    import pandas as pd

    lower = pd.read_csv(titles, dtype=str)["title"].str.lower()
    return sum(int(lower.str.contains(rf"\b{re.escape(name)}\b", regex=True).sum()) for name in names_in(drugs))


def loop(drugs: str, titles: str) -> int:
    from ahocorasick_rs import AhoCorasick, MatchKind

    names = names_in(drugs)
    automaton = AhoCorasick(names, matchkind=MatchKind.LeftmostLongest)
    found = 0
    for title in map(str.lower, titles_in(titles)):
        pairs = set()
        for name, start, end in automaton.find_matches_as_indexes(title):
            before = start == 0 or not title[start - 1].isalnum()
            if before and (end == len(title) or not title[end].isalnum()):
                pairs.add(name)
        found += len(pairs)
    return found


def flash(drugs: str, titles: str) -> int:
    from flashtext2 import KeywordProcessor

    processor = KeywordProcessor(case_sensitive=False)
    processor.add_keywords_from_iter(names_in(drugs))
    return sum(len(set(processor.extract_keywords(title))) for title in titles_in(titles))


def spacy_matcher(drugs: str, titles: str) -> int:
    import spacy
    from spacy.matcher import PhraseMatcher
    from spacy.util import filter_spans

    language: Any = spacy.blank("en")
    matcher = PhraseMatcher(language.vocab, attr="LOWER")
    matcher.add("DRUG", list(language.tokenizer.pipe(names_in(drugs))))
    found = 0
    for document in language.tokenizer.pipe(titles_in(titles)):
        spans = filter_spans(matcher(document, as_spans=True))
        found += len({span.text.lower() for span in spans})
    return found


def duckdb_join(drugs: str, titles: str) -> int:
    import duckdb

    row = duckdb.execute(SQL, {"titles": titles, "drugs": drugs, "borders": BORDERS}).fetchone()
    return int(row[0]) if row else 0


def spark_broadcast(drugs: str, titles: str) -> int:
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.memory", "2g")
        .config("spark.pyspark.python", sys.executable)
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    known = session.sparkContext.broadcast({" ".join(re.findall(r"[^\W_]+", name)) for name in names_in(drugs)})

    def count(rows: Iterable[Any]) -> Iterator[int]:
        names, found = known.value, 0
        cut = re.compile(r"[^\W_]+").findall
        for row in rows:
            tokens = cut(row.title.lower())
            runs = (" ".join(tokens[at : at + size]) for size in range(1, 5) for at in range(len(tokens) - size + 1))
            found += len({run for run in runs if run in names})
        yield found

    rows = session.read.csv(titles, header=True, escape='"').select("title").rdd
    found = int(rows.mapPartitions(count).sum())
    session.stop()
    return found


def join(drugs: str, titles: str) -> int:
    def normal(text: pl.Expr) -> pl.Expr:
        return text.str.to_lowercase().str.replace_all(BORDERS, " ").str.strip_chars(" ")

    publications = pl.scan_csv(titles, infer_schema=False).with_columns(normal=normal(pl.col("title")))
    names = pl.read_csv(drugs, infer_schema=False).select("drug", name=normal(pl.col("drug"))).unique("name")
    sample = publications.head(50_000).select(token=pl.col("normal").str.split(" ").list.unique()).explode("token")
    common = sample.group_by("token").len("titles").collect()
    anchors = (
        names.with_columns(token=pl.col("name").str.split(" "))
        .explode("token")
        .join(common, on="token", how="left")
        .with_columns(rarity=pl.col("titles").fill_null(0) + pl.len().over("token") / 1000)
        .sort("name", "rarity")
        .group_by("name")
        .agg(pl.col("token", "drug").first(), tokens=pl.len())
    )
    inside = pl.format(" {} ", "normal").str.contains(pl.format(" {} ", "name"), literal=True)
    mentions = (
        publications.with_columns(token=pl.col("normal").str.split(" ").list.unique())
        .explode("token")
        .join(anchors.lazy(), on="token")
        .filter((pl.col("tokens") == 1) | inside)
        .select("id", "title", "date", "journal", "drug")
    )
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "mentions.parquet"
        mentions.sink_parquet(path)
        return int(pl.scan_parquet(path).select(pl.len()).collect().item())


def ripgrep(drugs: str, titles: str) -> int:
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as patterns:
        patterns.write("\n".join(names_in(drugs)) + "\n")
        patterns.flush()
        command = ["rg", "--count-matches", "--no-filename", "-i", "-w", "-F", "-f", patterns.name, titles]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode > 1:  # 1: it found nothing
        raise SystemExit("ripgrep failed")
    return int(done.stdout or 0)


def scan(_drugs: str, titles: str) -> int:
    return int(
        pl.scan_csv(titles, infer_schema=False)
        .select(pl.sum_horizontal(pl.all().str.len_bytes().sum()))
        .collect(engine="streaming")
        .item()
    )


WAYS: Mapping[str, Callable[[str, str], int]] = {
    "pandas": pandas_loop,
    "loop": loop,
    "flash": flash,
    "spacy": spacy_matcher,
    "duckdb": duckdb_join,
    "spark": spark_broadcast,
    "join": join,
    "ripgrep": ripgrep,
    "scan": scan,
}
NEEDS = {
    "pandas": "pandas",
    "loop": "ahocorasick_rs",
    "flash": "flashtext2",
    "spacy": "spacy",
    "duckdb": "duckdb",
    "spark": "pyspark",
}
"""The packages that the ways need."""

if __name__ == "__main__":
    way, *paths = sys.argv[1:]
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    print(WAYS[way](*paths))
