"""Write a seeded corpus of drug names and titles, the same bytes for the same arguments on every machine.

usage: corpus.py OUT [--titles 2000000] [--terms 10000] [--format csv|ndjson] [--seed 1]

OUT/drugs.csv      `atccode,drug`: invented names; 20% of two words, 8% hyphenated, 2% accented
OUT/pubmed.csv     `id,title,date,journal` (or pubmed.ndjson): Zipf-distributed words, 4% of them drugs, 5% of the
                   titles in capitals, 1% not ASCII, dates in the three forms that the field mixes in one column
"""

import argparse
import random
from pathlib import Path

import polars as pl

SYLLABLES = [
    "ab",
    "ac",
    "ad",
    "al",
    "am",
    "an",
    "ar",
    "as",
    "at",
    "ba",
    "be",
    "bi",
    "bo",
    "ca",
    "ce",
    "ci",
    "clo",
    "co",
    "cu",
    "da",
    "de",
    "di",
    "do",
    "dro",
    "du",
    "e",
    "fa",
    "fe",
    "fi",
    "flu",
    "fo",
    "ga",
    "ge",
    "gli",
    "hy",
    "i",
    "ka",
    "ke",
    "ket",
    "la",
    "le",
    "li",
    "lo",
    "lu",
    "ma",
    "me",
    "mi",
    "mo",
    "na",
    "ne",
    "ni",
    "no",
    "nu",
    "o",
    "pa",
    "pe",
    "phe",
    "pi",
    "po",
    "pra",
    "pro",
    "ra",
    "re",
    "ri",
    "ro",
    "sa",
    "se",
    "si",
    "so",
    "sul",
    "ta",
    "te",
    "thi",
    "ti",
    "to",
    "tra",
    "tri",
    "u",
    "va",
    "ve",
    "vi",
    "vo",
    "xa",
    "xe",
    "xy",
    "za",
    "ze",
    "zi",
    "zo",
]
ENDINGS = (
    "ine ol ide mab nib pril sartan statin azole cillin mycin olone oxacin amine idine one ate il an ir".split()  # noqa: SIM905
)
PLAIN = "of in the and with for a to by on from after during".split()  # noqa: SIM905
ACCENTS = str.maketrans("aeiou", "àéîöü")
CHUNK, WIDEST, DAYS = 250_000, 20, 20 * 365


def invented(rng: random.Random, count: int, endings: list[str], syllables: tuple[int, int]) -> list[str]:
    """`count` distinct words, in the order in which they were drawn."""
    words: dict[str, None] = {}
    while len(words) < count:
        words["".join(rng.choices(SYLLABLES, k=rng.randint(*syllables))) + rng.choice(endings)] = None
    return list(words)


def drug_names(rng: random.Random, count: int) -> list[str]:
    """Distinct names, a fifth of them of two words, a twelfth hyphenated, a fiftieth accented."""
    names = []
    for word in invented(rng, count, ENDINGS, (2, 4)):
        kind = rng.random()
        if kind < 0.20:
            names.append(f"{word} {rng.choice(('sodium', 'acid', 'acetate', 'hydrochloride', 'oxide'))}")
        elif kind < 0.28:
            names.append(f"{rng.randint(2, 9)}-{word}" if kind < 0.24 else f"beta-{word}")
        elif kind < 0.30:
            names.append(word.translate(ACCENTS))
        else:
            names.append(word)
    return names


def zipf_pool(rng: random.Random, names: list[str]) -> pl.Series:
    """One entry a draw: words by Zipf's law, 4% of them drug names, likewise by Zipf's law."""
    words = PLAIN + invented(rng, 60_000, ["", "", "tion", "ity", "al", "ing", "ed", "s", "-induced", "-like"], (1, 4))
    size, drawn = 1_000_000, []
    for vocabulary, share in ((words, 0.96), (names, 0.04)):
        ranks = range(1, len(vocabulary) + 1)
        drawn += rng.choices(vocabulary, weights=[1 / (rank + 2) for rank in ranks], k=int(size * share))
    marked = [word + rng.choices(("", ",", ":", " (n=12)", ";"), weights=(90, 6, 2, 1, 1))[0] for word in drawn]
    return pl.Series("word", marked)


def titles_frame(pool: pl.Series, journals: pl.Series, first: int, count: int, seed: int) -> pl.DataFrame:
    """Titles `first` to `first + count` as a frame `id, title, date, journal`, all String."""

    def draw(values: pl.Series, salt: int, n: int = count) -> pl.Series:
        return values.sample(n, with_replacement=True, seed=seed * 1_000_003 + first * 7 + salt)

    words = draw(pool, 1, count * WIDEST).reshape((count, WIDEST)).arr.to_list().alias("words")
    start = pl.date(2004, 1, 1)
    day = start + pl.duration(days=pl.col("day"))
    title = pl.col("words").list.head("width").list.join(" ")
    title = title.str.slice(0, 1).str.to_uppercase() + title.str.slice(1) + "."
    kind = pl.col("kind")
    return (
        pl.DataFrame([words, draw(journals, 2).alias("journal")])
        .with_columns(
            id=pl.int_range(first + 1, first + count + 1).cast(pl.String),
            width=draw(pl.Series(range(7, WIDEST)), 3),
            day=draw(pl.Series(range(DAYS)), 4),
            kind=draw(pl.Series(range(100)), 5),
            form=draw(pl.Series(range(3)), 6),
        )
        .with_columns(
            title=pl.when(kind < 5)
            .then(title.str.to_uppercase())
            .when(kind == 99)
            .then(title.str.replace(" ", " α-naïve ", literal=True))
            .otherwise(title),
            date=pl.when(pl.col("form") == 0)
            .then(day.dt.to_string("%Y-%m-%d"))
            .when(pl.col("form") == 1)
            .then(day.dt.to_string("%d/%m/%Y"))
            .otherwise(day.dt.to_string("%-d %B %Y")),
        )
        .select("id", "title", "date", "journal")
    )


def write_corpus(out: Path, titles: int, terms: int, kind: str = "csv", seed: int = 1) -> tuple[Path, Path]:
    """Write the drug list and the titles under `out`; returns their paths (drugs, titles)."""
    out.mkdir(parents=True, exist_ok=True)
    rng = random.Random(seed)
    names = drug_names(rng, terms)
    codes = [
        f"{rng.choice('ABCDGHJLMNPRSV')}{rng.randint(1, 16):02}{rng.choice('ABCDX')}{rng.choice('ABCX')}" for _ in names
    ]
    drugs = out / "drugs.csv"
    pl.DataFrame({"atccode": codes, "drug": names}).write_csv(drugs)
    pool = zipf_pool(rng, names)
    journals = pl.Series(
        [f"Journal of {a} {b}" for a in invented(rng, 60, ["ology"], (1, 3)) for b in ("", "and medicine", "research")]
    )
    path = out / f"pubmed.{kind}"
    with path.open("wb") as file:
        for first in range(0, titles, CHUNK):
            frame = titles_frame(pool, journals.str.strip_chars(), first, min(CHUNK, titles - first), seed)
            if kind == "csv":
                frame.write_csv(file, include_header=first == 0)
            else:
                frame.write_ndjson(file)
    return drugs, path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--titles", type=int, default=2_000_000)
    parser.add_argument("--terms", type=int, default=10_000)
    parser.add_argument("--format", default="csv", choices=("csv", "ndjson"))
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    print(*write_corpus(arguments.out, arguments.titles, arguments.terms, arguments.format, arguments.seed))
