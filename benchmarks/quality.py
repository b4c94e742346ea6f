"""Precision and recall of `drugmentions match` on titles that people annotated.

usage: quality.py GOLD LEXICON... [--profile default] [--split all] [--types Chemical] [--ignore Group]
                  [--rules] [--errors 20] [--json FILE]

GOLD     a TSV with the columns doc_id, text, start, end, surface, type (offsets in characters, end exclusive; a
         document without mentions has one row with empty ones), or a PubTator file, of which titles are taken
LEXICON  drug lists, each measured by itself

Prints, for each list and profile: precision, recall and F1 of exact spans, and of the distinct names of each document
(case and blanks aside). --split takes a part of the documents, by a hash of their ids: `tune`, a quarter, to look at
while making rules; `held-out`, another, for figures; `unseen`, the half that nobody looked at. --ignore names types of
spans that are neither right nor wrong. --rules also switches each rule over by itself. --errors prints the most
frequent names found wrongly and missed.
"""

import argparse
import csv
import hashlib
import io
import json
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

Spans = dict[str, set[tuple[int, int]]]  # by document


class Gold(NamedTuple):
    """Annotated titles: their texts, the spans that are wanted, and those that are neither right nor wrong."""

    texts: dict[str, str]
    wanted: Spans
    ignored: Spans


class Score(NamedTuple):
    """How many were found rightly, wrongly, and missed."""

    right: int
    wrong: int
    missed: int

    @property
    def figures(self) -> tuple[float, float, float]:
        """Precision, recall and F1, in percent."""
        found, wanted = self.right + self.wrong, self.right + self.missed
        both = found + wanted
        parts = ((self.right, found), (self.right, wanted), (2 * self.right, both))
        precision, recall, f1 = (100 * part / whole if whole else 0.0 for part, whole in parts)
        return precision, recall, f1


# The gold standard.


def read_gold(path: Path, types: set[str], ignored: set[str], split: str) -> Gold:
    """Titles of one part of the documents, or all; `types`: those that are wanted, none: every type but `ignored`."""
    text = path.read_text(encoding="utf-8-sig")
    rows = read_pubtator(text) if "|t|" in text.partition("\n")[0] else read_tsv(text)
    gold = Gold({}, defaultdict(set), defaultdict(set))
    for document, title, start, end, kind in rows:
        if split in {"all", part_of(document)}:
            gold.texts[document] = title
            if end and kind in ignored:
                gold.ignored[document].add((start, end))
            elif end and (not types or kind in types):
                gold.wanted[document].add((start, end))
    return gold


def read_tsv(text: str) -> Iterator[tuple[str, str, int, int, str]]:
    """Document, title, start, end, type; end 0 where a document has no mention."""
    for row in csv.DictReader(io.StringIO(text, newline=""), delimiter="\t", quoting=csv.QUOTE_NONE):
        start, end = int(row["start"] or 0), int(row["end"] or 0)
        if row["text"][start:end] != (row["surface"] or ""):
            raise SystemExit(f"{row['doc_id']}: {row['surface']!r} doesn't stand at {start}-{end}")
        yield row["doc_id"], row["text"], start, end, row["type"]


def read_pubtator(text: str) -> Iterator[tuple[str, str, int, int, str]]:
    """Likewise, from `id|t|title` and lines of id, start, end, name, type: those that lie in the title."""
    titles: dict[str, str] = {}
    for line in text.splitlines():
        document, mark, title = line.partition("|t|")
        fields = line.split("\t")
        if mark and document.isdigit():
            titles[document] = title
            yield document, title, 0, 0, ""
        elif len(fields) >= 5 and fields[1].isdigit() and int(fields[2]) <= len(titles[fields[0]]):
            yield fields[0], titles[fields[0]], int(fields[1]), int(fields[2]), fields[4]


def part_of(document: str) -> str:
    """Which part a document is in; sentences of one document (`id.s3`) stay together."""
    digest = hashlib.md5(document.partition(".s")[0].encode(), usedforsecurity=False).digest()
    return ("tune", "unseen", "held-out", "unseen")[digest[-1] % 4]


# What `match` finds.


def match(gold: Gold, lexicon: Path, matching: dict[str, Any]) -> Spans:
    """Run the command on the titles, with `matching` as its configuration."""
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory) / "matching.toml"
        config.write_text("[matching]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in matching.items()))
        titles = "".join(json.dumps({"id": key, "title": title}) + "\n" for key, title in gold.texts.items())
        command = [sys.executable, "-m", "drugmentions", "match", "--config", str(config), "--format", "csv"]
        done = subprocess.run(
            [*command, "--drugs", str(lexicon)], input=titles.encode(), stdout=subprocess.PIPE, check=True
        )
    found: Spans = defaultdict(set)
    for row in csv.DictReader(io.StringIO(done.stdout.decode(), newline="")):
        found[row["id"]].add((int(row["start"]), int(row["end"])))
    return found


# Scores.


def counted(gold: Gold, found: Spans) -> Spans:
    """What was found, without what lies on an ignored span and on no wanted one."""
    return {
        document: {
            span for span in found[document]
            if on(span, gold.wanted[document]) or not on(span, gold.ignored[document])
        }
        for document in gold.texts
    }  # fmt: skip


def on(span: tuple[int, int], others: Iterable[tuple[int, int]]) -> bool:
    return any(span[0] < end and start < span[1] for start, end in others)


def name(text: str) -> str:
    return " ".join(text.split()).casefold()


def score(gold: Gold, found: Spans, *, by_name: bool = False) -> Score:
    """Count spans, or the distinct names of each document."""
    right = wrong = missed = 0
    for document, text in gold.texts.items():
        one: set[Any] = found[document]
        other: set[Any] = gold.wanted[document]
        if by_name:
            one, other = ({name(text[start:end]) for start, end in spans} for spans in (one, other))
        right, wrong, missed = right + len(one & other), wrong + len(one - other), missed + len(other - one)
    return Score(right, wrong, missed)


def frequent(gold: Gold, one: Spans, other: Spans, count: int) -> str:
    """The names that most spans of `one` that aren't in `other` hold."""
    names = Counter(
        name(text[start:end]) for document, text in gold.texts.items() for start, end in one[document] - other[document]
    )
    return ", ".join(f"{key} {times}" for key, times in names.most_common(count))


# The figures.

RULES = (
    "punctuation", "salts", "spelling", "unusable_names", "stop_names", "stop_synonyms", "class_names",
    "short_names", "locants",
)  # fmt: skip
ON = {
    "plain": {"unusable_names", "short_names"},
    "default": {"unusable_names", "short_names", "punctuation", "salts", "spelling", "stop_synonyms", "locants"},
    "strict": set(RULES),
}


def figures(score_of: Score) -> str:
    return " ".join(f"{figure:5.1f}" for figure in score_of.figures)


def measure(gold: Gold, lexicon: Path, matching: dict[str, Any], label: str) -> tuple[dict[str, Any], Spans]:
    found = counted(gold, match(gold, lexicon, matching))
    by_span, by_name = score(gold, found), score(gold, found, by_name=True)
    print(f"{lexicon.name:24} {label:28} {figures(by_span)}   {figures(by_name)}", flush=True)
    figures_of = {"span": [round(figure, 2) for figure in by_span.figures]}
    figures_of["name"] = [round(figure, 2) for figure in by_name.figures]
    return {"lexicon": lexicon.name, "matching": matching, **figures_of, "spans": by_span._asdict()}, found


def words(text: str) -> set[str]:
    """Words parted by commas."""
    return set(filter(None, text.split(",")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gold", type=Path)
    parser.add_argument("lexicons", type=Path, nargs="+", metavar="lexicon")
    parser.add_argument("--profile", nargs="+", default=["default"], choices=list(ON))
    parser.add_argument("--split", default="all", choices=["all", "tune", "held-out", "unseen"])
    parser.add_argument("--types", type=words, default=set(), help="types of spans that are wanted; default: every")
    parser.add_argument("--ignore", type=words, default=set(), help="types that are neither right nor wrong")
    parser.add_argument("--rules", action="store_true", help="switch each rule over by itself as well")
    parser.add_argument("--errors", type=int, default=20, help="so many names found wrongly and missed")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    gold = read_gold(arguments.gold, arguments.types, arguments.ignore, arguments.split)
    print(f"{len(gold.texts)} titles, {sum(map(len, gold.wanted.values()))} spans ({arguments.split})")
    print(f"{'':53} {'exact spans':>17}   {'names of a title':>17}")
    print(f"{'list':24} {'rules':28} {'P     R    F1':>17}   {'P     R    F1':>17}")
    rows = []
    for lexicon in arguments.lexicons:
        for profile in arguments.profile:
            row, found = measure(gold, lexicon, {"profile": profile}, profile)
            rows.append(row)
            for rule in RULES if arguments.rules else ():
                switch = {rule: rule not in ON[profile]}
                label = f"{profile} {'with' if switch[rule] else 'without'} {rule}"
                rows.append(measure(gold, lexicon, {"profile": profile, **switch}, label)[0])
            if arguments.errors:
                print(f"  wrong: {frequent(gold, found, gold.wanted, arguments.errors)}")
                print(f"  missed: {frequent(gold, gold.wanted, found, arguments.errors)}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"split": arguments.split, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
