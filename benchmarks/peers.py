"""Other ways to find drug names in a CSV of titles, each printing what it counted: what a run is measured against.

usage: peers.py scan|loop|join DRUGS.csv TITLES.csv

scan   Polars reads every column and adds up their lengths: the least that any way with Polars can take
loop   a Python loop over the csv module's rows with ahocorasick_rs and a check of the borders; only counts:
       no dates, no spans kept, no merging, nothing written
join   one lazy Polars plan: titles cut into tokens by a regular expression, tokens joined to each name's rarest one,
       longer names verified by containment; writes mentions as Parquet, without spans, dates as they are
"""

import csv
import sys
import tempfile
from pathlib import Path

import polars as pl

BORDERS = r"[^\p{L}\p{N}]+"


def scan(_drugs: str, titles: str) -> int:
    """Bytes of all columns."""
    return int(
        pl.scan_csv(titles, infer_schema=False)
        .select(pl.sum_horizontal(pl.all().str.len_bytes().sum()))
        .collect(engine="streaming")
        .item()
    )


def loop(drugs: str, titles: str) -> int:
    """Mentions."""
    from ahocorasick_rs import AhoCorasick, MatchKind  # noqa: PLC0415  the other ways do without

    with Path(drugs).open(encoding="utf-8", newline="") as file:
        names = sorted({row["drug"].lower() for row in csv.DictReader(file)})
    automaton = AhoCorasick(names, matchkind=MatchKind.LeftmostLongest)
    found = 0
    with Path(titles).open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        column = next(rows).index("title")
        for row in rows:
            title = row[column].lower()
            for _, start, end in automaton.find_matches_as_indexes(title):
                before = start == 0 or not title[start - 1].isalnum()
                if before and (end == len(title) or not title[end].isalnum()):
                    found += 1
    return found


def join(drugs: str, titles: str) -> int:
    """Mentions."""

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
        publications.with_columns(token=pl.col("normal").str.split(" "))
        .explode("token")
        .join(anchors.lazy(), on="token")
        .filter((pl.col("tokens") == 1) | inside)
        .select("id", "title", "date", "journal", "drug")
    )
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "mentions.parquet"
        mentions.sink_parquet(path)
        return int(pl.scan_parquet(path).select(pl.len()).collect().item())


WAYS = {"scan": scan, "loop": loop, "join": join}

if __name__ == "__main__":
    way, *paths = sys.argv[1:]
    print(WAYS[way](*paths))
