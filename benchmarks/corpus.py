"""Write a seeded corpus of drug names and titles, the same bytes for the same arguments on every machine.

usage: corpus.py OUT [--titles 2000000] [--terms 10000] [--drawn 10000] [--share 0.4] [--format csv] [--seed 1]

OUT/drugs.csv      `atccode,drug`: the first TERMS of one endless list of invented names; 20% of two words, 8%
                   hyphenated, 2% accented. None of them is one of the titles' other words.
OUT/pubmed.csv     `id,title,date,journal`: the first TITLES of an endless list. Zipf-distributed words; SHARE of the
                   titles hold names of drugs (a quarter of those two), by Zipf's law out of the list's first DRAWN;
                   5% in capitals, 1% not ASCII, dates in the three forms that the field mixes in one column. From
                   2,000,000 on titles come again, each time with other ids, dates and journals.
--format           also csv.gz, json (one array), ndjson or parquet: the same rows, beside the CSV

So a longer list of drugs holds the shorter one, a longer file of titles begins with the shorter one, and neither
changes the other: what grows is measured by itself.
"""

# ruff: noqa: SIM905  words in a row are read most easily

import argparse
import gzip
import random
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import polars as pl

SYLLABLES = (
    "ab ac ad al am an ar as at ba be bi bo ca ce ci clo co cu da de di do dro du e fa fe fi flu fo ga ge gli hy i ka "
    "ke ket la le li lo lu ma me mi mo na ne ni no nu o pa pe phe pi po pra pro ra re ri ro sa se si so sul ta te thi "
    "ti to tra tri u va ve vi vo xa xe xy za ze zi zo"
).split()
ENDINGS = "ine ol ide mab nib pril sartan statin azole cillin mycin olone oxacin amine idine one ate il an ir".split()
PLAIN = "of in the and with for a to by on from after during".split()
ACCENTS = str.maketrans("aeiou", "àéîöü")
DRAWN, SHARE = 10_000, 0.4
FORMATS = ("csv", "csv.gz", "json", "ndjson", "parquet")
CHUNK, DISTINCT = 100_000, 20  # titles made at a time; chunks until titles come again
WIDTH, NARROWEST, DAYS = 20, 7, 20 * 365


# Words.


def invented(rng: random.Random, endings: list[str], syllables: tuple[int, int]) -> Iterator[str]:
    """Distinct words, without end, in the order in which they are drawn."""
    seen: set[str] = set()
    while True:
        word = "".join(rng.choices(SYLLABLES, k=rng.randint(*syllables))) + rng.choice(endings)
        if word not in seen:
            seen.add(word)
            yield word


def some(words: Iterator[str], count: int) -> list[str]:
    """The next `count` of them."""
    return [next(words) for _ in range(count)]


@cache
def title_words(seed: int) -> list[str]:
    """What titles are made of beside drugs, the most frequent first."""
    endings = ["", "", "tion", "ity", "al", "ing", "ed", "s", "-induced", "-like"]
    return PLAIN + some(invented(random.Random(f"words {seed}"), endings, (1, 4)), 60_000)


def drug_names(count: int, seed: int = 1) -> list[str]:
    """The first `count` names of the list: a fifth of two words, a twelfth hyphenated, a fiftieth accented."""
    rng, others = random.Random(f"kinds {seed}"), set(title_words(seed))
    words = (word for word in invented(random.Random(f"drugs {seed}"), ENDINGS, (2, 4)) if word not in others)
    names = []
    for word in some(words, count):
        kind, salt, locant = rng.random(), rng.choice(("sodium", "acid", "acetate", "oxide")), rng.randint(2, 9)
        if kind < 0.20:
            names.append(f"{word} {salt}")
        elif kind < 0.28:
            names.append(f"{locant}-{word}" if kind < 0.24 else f"beta-{word}")
        else:
            names.append(word.translate(ACCENTS) if kind < 0.30 else word)
    return names


def zipf_pool(rng: random.Random, words: list[str], size: int) -> list[str]:
    """`size` draws of the words by Zipf's law, each with the sign that may follow a word."""
    drawn = rng.choices(words, weights=[1 / (rank + 2) for rank in range(1, len(words) + 1)], k=size)
    marks = rng.choices(("", ",", ":", " (n=12)", ";"), weights=(90, 6, 2, 1, 1), k=size)
    return [word + mark for word, mark in zip(drawn, marks, strict=True)]


# Files.


def write_drugs(path: Path, terms: int, seed: int = 1) -> Path:
    """Write a drug list of the first `terms` names."""
    rng = random.Random(f"codes {seed}")
    names = drug_names(terms, seed)
    codes = [
        f"{rng.choice('ABCDGHJLMNPRSV')}{rng.randint(1, 16):02}{rng.choice('ABCDX')}{rng.choice('ABCX')}" for _ in names
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame({"atccode": codes, "drug": names}).write_csv(path)
    return path


class Titles:
    """A CSV of titles that grows; `count`: the last one that it holds. `first`: so many of the list are left out."""

    def __init__(self, path: Path, *, share: float = SHARE, drawn: int = DRAWN, first: int = 0, seed: int = 1) -> None:
        rng = random.Random(f"titles {seed}")
        plain = zipf_pool(rng, title_words(seed), 500_000)
        names = zipf_pool(rng, drug_names(drawn, seed), 100_000)
        self.path, self.first, self.count, self.seed = path, first, first, seed
        self._share, self._plain, self._names = share, len(plain), len(names)
        self._pool = pl.Series("word", plain + names)
        fields = some(invented(random.Random(f"journals {seed}"), ["ology"], (1, 3)), 60)
        self._journals = pl.Series(
            f"Journal of {field}{more}" for field in fields for more in ("", " and medicine", " research")
        )
        self._made: dict[int, pl.Series] = {}
        path.parent.mkdir(parents=True, exist_ok=True)

    def grow(self, *, titles: int = 0, megabytes: float = 0) -> Path:
        """Add titles until so many of the list, or, chunk by chunk, until the file is as large; returns its path."""
        with self.path.open("wb" if self.count == self.first else "ab") as file:
            while self.count < titles or file.tell() < megabytes * 1e6:
                number, begin = divmod(self.count, CHUNK)
                frame = self.chunk(number).slice(begin)
                if titles:
                    frame = frame.head(titles - self.count)
                frame.write_csv(file, include_header=self.count == self.first)
                file.flush()
                self.count += frame.height
        return self.path

    def chunk(self, number: int) -> pl.DataFrame:
        """A chunk of titles: `id, title, date, journal`, all String."""
        kept = number % DISTINCT
        if kept not in self._made:
            self._made[kept] = self._titles(kept)
        first = number * CHUNK + 1
        day = pl.date(2004, 1, 1) + pl.duration(days=pl.col("day"))
        form = pl.col("form")
        return pl.DataFrame(
            [
                self._made[kept],
                self._drawn(number, "day", DAYS),
                self._drawn(number, "form", 3),
                self._journals.gather(self._drawn(number, "journal", len(self._journals))).alias("journal"),
            ]
        ).select(
            pl.int_range(first, first + CHUNK).cast(pl.String).alias("id"),
            "title",
            pl.when(form == 0)
            .then(day.dt.to_string("%Y-%m-%d"))
            .when(form == 1)
            .then(day.dt.to_string("%d/%m/%Y"))
            .otherwise(day.dt.to_string("%-d %B %Y"))
            .alias("date"),
            "journal",
        )

    def _drawn(self, number: int, what: str, upto: int, each: int = 1) -> pl.Series:
        """Numbers below `upto`, of a chunk and for one purpose, so many for each title."""
        seed = random.Random(f"{self.seed} {number} {what}").getrandbits(60)
        values = pl.int_range(upto, dtype=pl.UInt32, eager=True)
        return values.sample(CHUNK * each, with_replacement=True, seed=seed).alias(what)

    def _titles(self, number: int) -> pl.Series:
        words = self._drawn(number, "word", self._plain, WIDTH)
        chosen = (self._drawn(number, "chosen", 1_000_000) < self._share * 1_000_000).arg_true()
        place = self._drawn(number, "place", NARROWEST).gather(chosen)
        names = self._drawn(number, "name", self._names, 2) + self._plain
        words.scatter(chosen * WIDTH + place, names.head(len(chosen)))
        twice = chosen.gather_every(4)
        words.scatter(twice * WIDTH + (place.gather_every(4) + 3) % NARROWEST, names.tail(len(twice)))
        title = pl.col("word").list.head(pl.col("width") + NARROWEST).list.join(" ")
        title = title.str.slice(0, 1).str.to_uppercase() + title.str.slice(1) + "."
        kind = pl.col("kind")
        return (
            pl.DataFrame(
                [
                    self._pool.gather(words).reshape((CHUNK, WIDTH)).arr.to_list().alias("word"),
                    self._drawn(number, "width", WIDTH - NARROWEST),
                    self._drawn(number, "kind", 100),
                ]
            )
            .select(
                pl.when(kind < 5)
                .then(title.str.to_uppercase())
                .when(kind == 99)
                .then(title.str.replace(" ", " α-naïve ", literal=True))
                .otherwise(title)
                .alias("title")
            )
            .to_series()
        )


def head(titles: Path, count: int) -> Path:
    """A CSV of the first `count` titles of another, beside it."""
    path = titles.with_name(f"{titles.stem}-{count}.csv")
    pl.scan_csv(titles, infer_schema=False).head(count).sink_csv(path)
    return path


def convert(titles: Path, kind: str) -> Path:
    """The rows of a CSV of titles in another format, beside it; returns the file's path."""
    path = titles.with_suffix(f".{kind}")
    rows = pl.scan_csv(titles, infer_schema=False)
    if kind == "csv.gz":
        with titles.open("rb") as file, gzip.open(path, "wb", compresslevel=1) as packed:
            shutil.copyfileobj(file, packed, 1 << 20)
    elif kind == "parquet":
        rows.sink_parquet(path)
    elif kind == "ndjson":
        rows.sink_ndjson(path)
    elif kind == "json":
        lines = path.with_suffix(".lines")
        rows.sink_ndjson(lines)
        with lines.open("rb") as file, path.open("wb") as array:
            array.write(b"[\n")
            array.writelines(line if number == 0 else b"," + line for number, line in enumerate(file))
            array.write(b"]\n")
        lines.unlink()
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--titles", type=int, default=2_000_000)
    parser.add_argument("--terms", type=int, default=10_000)
    parser.add_argument("--drawn", type=int, default=DRAWN)
    parser.add_argument("--share", type=float, default=SHARE)
    parser.add_argument("--format", default="csv", choices=FORMATS)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    written = Titles(
        arguments.out / "pubmed.csv", share=arguments.share, drawn=arguments.drawn, seed=arguments.seed
    ).grow(titles=arguments.titles)
    print(write_drugs(arguments.out / "drugs.csv", arguments.terms, arguments.seed), convert(written, arguments.format))
