"""Find a lexicon's terms in titles with Polars alone.

A slice's titles are joined into one text, and cut into tokens by where its letters begin and end. Tokens are joined to
the terms' anchors, each term's rarest token; what stands around these is looked at in the titles themselves.
"""

from collections.abc import Iterator
from functools import cache
from string import ascii_lowercase, digits
from typing import Final, NamedTuple

import polars as pl

from drugmentions.matching.lexicon import Lexicon
from drugmentions.matching.normal_titles import NormalTitles, normal_titles
from drugmentions.matching.normalise import BORDER, BORDERS, GAP_SIGNS, is_ascii_expr
from drugmentions.matching.words import NOT_BEFORE, PARENT_ENDINGS, RADICAL_ENDINGS, SALTS_IN_A_ROW

_CAPITAL, _DIGIT, _LOWER = r"[\p{Lu}\p{Lt}]", r"\p{N}", r"\p{Ll}"
_BESIDE: Final = pl.Series([0], dtype=pl.UInt8)
"""What stands for characters of no token."""
_PIECE: Final = 1 << 20
"""Characters whose places are told at a time."""
_FACTOR: Final = 37
"""More than letters differ by; what grows beyond 32 bits is cut off."""
_SIEVE: Final = 1 << 20
"""Edges of tokens that are told apart."""


class _Tokens(NamedTuple):
    """The tokens of some titles, in order: where they lie in the titles' joined normal texts, in characters.

    starts, ends: UInt32.
    likely: the tokens that may be anchors: `at`, which of all these they are, and `token`, Binary.
    borders: where each title starts in the joined texts, Int64; one more, where the next one would.
    titles: what was cut.
    """

    starts: pl.Series
    ends: pl.Series
    likely: pl.DataFrame
    borders: pl.Series
    titles: NormalTitles


class Finder:
    """A lexicon made ready to be looked for."""

    def __init__(self, lexicon: Lexicon, *, longest: bool) -> None:
        """`longest`: of spans that overlap, only those that no other one beats."""
        tokens = pl.col("tokens")
        forms = lexicon.forms.select(
            "form",
            "gaps",
            text=tokens.list.join(" "),
            first_size=tokens.list.first().str.len_chars(),
            last_size=tokens.list.last().str.len_chars(),
        )
        self._anchors = lexicon.anchors.join(forms.drop("gaps", "text"), on="form").select(
            pl.col("token").cast(pl.Binary),
            pl.col("position", "count").cast(pl.Int64),
            *("form", "short", "takes_salts", "first_size", "last_size"),
        )
        self._sieve = _sieve_of(lexicon.anchors["token"])
        self._texts, self._gaps = forms["text"], forms["gaps"]
        terms = lexicon.terms
        self._terms = terms.select(
            "drug",
            "term",
            nth_drug=pl.col("drug").rank("dense"),
            nth=pl.struct(~pl.col("is_name"), "term").rank("dense"),
        )
        self._terms_from = (
            terms["form"].search_sorted(pl.int_range(forms.height + 1, eager=True), side="left").cast(pl.Int64)
        )
        self._rules = lexicon.rules
        self._salts = rf"^((?: (?:{'|'.join(lexicon.rules.salts)})){{1,{SALTS_IN_A_ROW}}})(?:{BORDERS}|$)"
        longest_salt = max(map(len, lexicon.rules.salts), default=0)
        self._after = max(_AFTER, SALTS_IN_A_ROW * (longest_salt + 1) + 1)
        self._longest = longest

    def find(self, titles: pl.Series) -> pl.DataFrame:
        """What stands in the titles: `row, drug, start, end, term`, as `Matcher.find_spans` says it."""
        candidates = self._candidates(_cut(normal_titles(titles), self._sieve), titles)
        if self._longest:
            candidates = _without_beaten(candidates)
        return self._named(candidates)

    def _candidates(self, cut: _Tokens, titles: pl.Series) -> pl.DataFrame:
        """Every place in the titles where a form fits and counts: `row, start, end, salts, form`.

        `salts`: how many words the span takes along. What counts and how far it reaches depends on the form, the rules
        and the title, and on no other candidate.
        """
        places = self._places(cut)
        fitting = pl.concat([places.filter(pl.col("count") == 1), self._verified(places.filter(pl.col("count") > 1))])
        if self._rules.locants or self._rules.salts:
            fitting = fitting.with_columns(after=_sliced("end", self._after))
        spans = (
            fitting.pipe(self._outside_longer_names)
            .pipe(self._with_salts)
            .pipe(_in_titles, cut)
            .pipe(_short_that_count, titles)
        )
        return spans.select("row", "start", "end", "salts", "form")

    def _places(self, cut: _Tokens) -> pl.DataFrame:
        """Where a form may stand, as its anchor is there, and its first and last token are as long as they must be.

        Returns `form, count, short, takes_salts, title, ascii, text, start, end`: the normal text, in one of the two
        columns, and the characters in it.
        """
        first, last = pl.col("first"), pl.col("first") + pl.col("count") - 1
        starts, ends, borders = map(pl.lit, (cut.starts, cut.ends, cut.borders))
        start, end = pl.col("start"), pl.col("end")
        is_ascii = pl.col("title") < cut.titles.beyond_ascii
        return (
            cut.likely.join(self._anchors, on="token")
            .with_columns(first=pl.col("at") - pl.col("position"))
            .filter((first >= 0) & (last < len(cut.starts)))
            .with_columns(start=starts.gather(first), end=ends.gather(last))
            .filter(
                ((ends.gather(first) - start) == pl.col("first_size"))
                & ((end - starts.gather(last)) == pl.col("last_size"))
            )
            .with_columns(title=borders.search_sorted(start.cast(pl.Int64), side="right") - 1)
            .filter(borders.gather(pl.col("title") + 1) > end)
            .select(
                *("form", "count", "short", "takes_salts", "title"),
                text=pl.lit(cut.titles.texts).gather("title"),
                start=start - borders.gather("title"),
                end=end - borders.gather("title"),
            )
            .with_columns(
                ascii=pl.when(is_ascii).then("text").cast(pl.Binary),
                text=pl.when(~is_ascii).then("text"),
            )
        )

    def _verified(self, places: pl.DataFrame) -> pl.DataFrame:
        """Keep the places where every token is the form's, and no gap holds a sign that the form's gap doesn't hold."""
        span = pl.col("span")
        fitting = (
            places.with_columns(span=_sliced("start", pl.col("end") - pl.col("start")))
            .filter(span.str.replace_all(BORDERS, " ") == pl.lit(self._texts).gather("form"))
            .with_row_index("place")
        )
        gaps = (
            fitting.filter(span.str.contains(_SIGN))
            .select("place", gap=span.str.extract_all(BORDERS), allowed=pl.lit(self._gaps).gather("form"))
            .explode("gap", "allowed")
        )
        return fitting.join(gaps.filter(_MISFIT), on="place", how="anti").select(places.columns)

    def _outside_longer_names(self, places: pl.DataFrame) -> pl.DataFrame:
        """Drop the places inside longer names, by the characters beside them."""
        if not self._rules.locants:
            return places
        places = places.with_row_index("place").with_columns(before=_BEFORE_IT)
        doubtful, inside = places.filter(_MAY_BE_IN_LONGER_NAME), [places.clear()]
        reach = self._after
        while not doubtful.is_empty():  # few reach so far that more of a title has to be looked at
            reach *= 4
            doubtful = doubtful.with_columns(after=_sliced("end", reach))
            cut_short = (pl.col("after").str.len_chars() == reach) & _GOES_ON
            inside.append(doubtful.filter(~cut_short & _IN_LONGER_NAME))
            doubtful = doubtful.filter(cut_short)
        return places.join(pl.concat(inside), on="place", how="anti").drop("place")

    def _with_salts(self, places: pl.DataFrame) -> pl.DataFrame:
        """Move `end` on over the salts that follow, each after one blank; adds `salts`."""
        if not self._rules.salts:
            return places.with_columns(salts=pl.lit(0, pl.UInt32))
        salts = pl.when("takes_salts").then("after").str.extract(self._salts)
        return places.with_columns(following=salts.fill_null("")).with_columns(
            end=pl.col("end") + pl.col("following").str.len_bytes(),
            salts=pl.col("following").str.count_matches(" ", literal=True),
        )

    def _named(self, candidates: pl.DataFrame) -> pl.DataFrame:
        """Say of each span which drugs have its form, and by which term: `row, drug, start, end, term`, sorted so."""
        first, end = (pl.lit(self._terms_from).gather(pl.col("form") + more) for more in (0, 1))
        place = ("row", "start", "end")
        named = candidates.select(*place, at=pl.int_ranges(first, end)).explode("at")
        terms = self._terms[named["at"]]
        ordered = named.hstack(terms).sort("row", "nth_drug", "start", "end", "nth")
        is_other = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in (*place, "nth_drug"))
        return ordered.filter(is_other).select("row", "drug", "start", "end", "term")


# Cutting titles into tokens.


def _cut(titles: NormalTitles, sieve: pl.Series) -> _Tokens:
    """`sieve`: see `_sieve_of`."""
    plain, others = titles.texts.head(titles.beyond_ascii), titles.texts.slice(titles.beyond_ascii)
    sizes = pl.concat([plain.str.len_bytes(), others.str.len_chars()]).cast(pl.Int64) + 1
    borders = pl.concat([pl.Series([0]), sizes.cum_sum()])
    letters = _Letters.of(plain)
    starts, ends, likely = letters.starts, letters.ends, letters.passing(sieve)
    if len(others):
        tokens = _split(others)
        places = tokens.select((pl.col("start", "end") + borders[titles.beyond_ascii]).cast(pl.UInt32))
        likely = pl.concat([likely, tokens.select(pl.int_range(pl.len()).alias("at") + len(starts), "token")])
        starts, ends = pl.concat([starts, places["start"]]), pl.concat([ends, places["end"]])
    return _Tokens(starts, ends, likely, borders, titles)


def _split(texts: pl.Series) -> pl.DataFrame:
    """The tokens of any texts, joined by one character: `token` (Binary), `start`, `end`."""
    text = texts.str.replace_all(BORDER, " ").str.join(" ")
    tokens = text.str.split(" ").explode().alias("token").to_frame()
    size = pl.col("token").str.len_chars().cast(pl.Int64)
    ends = tokens.with_columns(end=(size + 1).cum_sum() - 1).filter(pl.col("token") != "")
    return ends.select(pl.col("token").cast(pl.Binary), "end", start=pl.col("end") - size)


class _Letters(NamedTuple):
    """The tokens of texts in ASCII, by their first and last letters.

    text: the texts, each between two borders, joined: one Binary.
    starts, ends: of each token in it, behind the first border: UInt32.
    edges: the two letters at either end of each token, in lower case, and its size, as a number below `_SIEVE`, which
        those of others may share.
    """

    text: pl.Series
    starts: pl.Series
    ends: pl.Series
    edges: pl.Series

    @classmethod
    def of(cls, texts: pl.Series) -> "_Letters":
        border = pl.Series([""])
        text = pl.concat([border, texts, border]).str.join("\n").cast(pl.Binary)
        characters = text.cast(pl.List(pl.UInt8)).explode()
        lower = characters | 0x20  # of letters; digits have that bit
        # numbers of 8 bits: below "a", or "0", the difference isn't negative, but large
        in_token = ((lower - ord("a")) < len(ascii_lowercase)) | ((characters - ord("0")) < len(digits))
        letters = lower.zip_with(in_token, _BESIDE)
        starting = in_token.slice(1) & ~in_token.head(-1)
        ending = in_token.head(-1) & ~in_token.slice(1)
        starts, ends = _places_of(starting), _places_of(ending)
        edges = pl.repeat(0, len(starts), dtype=pl.UInt32, eager=True)
        for some in (
            letters.slice(1).filter(starting),
            letters.slice(2).filter(starting.head(-1)),
            letters.head(-2).filter(ending.slice(1)),
            letters.head(-1).filter(ending),
            ends - starts,
        ):
            edges = edges * _FACTOR + some.cast(pl.UInt32)
        return cls(text, starts, ends, edges & (_SIEVE - 1))

    def passing(self, sieve: pl.Series) -> pl.DataFrame:
        """Those that may be among what the sieve is made of: `at`, which of all they are, and `token`, Binary."""
        at = sieve.gather(self.edges).arg_true()
        places = pl.DataFrame({"at": at.cast(pl.Int64), "start": self.starts.gather(at), "end": self.ends.gather(at)})
        token = pl.lit(self.text).first().bin.slice(pl.col("start") + 1, pl.col("end") - pl.col("start"))
        return places.select("at", token=token.cast(pl.String).str.to_lowercase().cast(pl.Binary))


def _sieve_of(tokens: pl.Series) -> pl.Series:
    """Which edges tokens have: Boolean. Most tokens of titles have others than any anchor, and need not be compared.

    It is asked of tokens in ASCII titles alone, so that no others need to pass.
    """
    plain = tokens.to_frame("token").filter(is_ascii_expr(pl.col("token"))).to_series()
    return pl.repeat(value=False, n=_SIEVE, eager=True).scatter(_Letters.of(plain).edges, values=True)


def _places_of(marks: pl.Series) -> pl.Series:
    """Where marks, Boolean, are true: UInt32; in a tenth of the time that `arg_true` takes."""
    numbers = _numbers()
    pieces = ((first, marks.slice(first, _PIECE)) for first in range(0, len(marks) or 1, _PIECE))
    return pl.concat(numbers.head(len(piece)).filter(piece) + first for first, piece in pieces)


@cache
def _numbers() -> pl.Series:
    return pl.int_range(_PIECE, dtype=pl.UInt32, eager=True)


# What stands around a place.


def _sliced(start: pl.Expr | str, size: pl.Expr | int) -> pl.Expr:
    """Characters of a title's normal text, in lower case: those of ASCII at once, others counted from its start."""
    plain, other = pl.col("ascii").bin.slice(start, size).cast(pl.String), pl.col("text").str.slice(start, size)
    return pl.coalesce(plain, other).str.to_lowercase()


_BEFORE: Final = max(map(len, RADICAL_ENDINGS)) + len(")-")
_NOT_BEFORE: Final = rf"[ -](?:{'|'.join(NOT_BEFORE)})(?:[^a-z]|$)"
_AFTER: Final = max(map(len, NOT_BEFORE)) + len("- ")
_BEFORE_IT: Final = _sliced((pl.col("start") - _BEFORE).clip(0), pl.min_horizontal("start", _BEFORE))
_IN_RADICAL: Final = pl.col("before").str.contains(rf"(?:{'|'.join(RADICAL_ENDINGS)})[)\]}}]?-?$")
_MAY_BE_IN_LONGER_NAME: Final = _IN_RADICAL | pl.col("after").str.contains(f"^(?:-[0-9no]|{_NOT_BEFORE})")
"""A cheap sieve: most names stand beside blanks."""
_LOCANTS: Final = "(?:[0-9][0-9,']*|[no])"
_GOES_ON: Final = pl.col("after").str.contains(f"^-{_LOCANTS}(?:-[a-z]*)?$")
"""Whether locants or the word behind them may go on behind what is looked at."""
_IN_LONGER_NAME: Final = (
    _IN_RADICAL
    | pl.col("after").str.contains(rf"^-{_LOCANTS}-[a-z]*(?:{'|'.join(PARENT_ENDINGS)})(?:[^a-z]|$)")
    | pl.col("after").str.contains(f"^{_NOT_BEFORE}")
    | (pl.col("short") & pl.col("after").str.contains("^-[0-9]"))
)
_SIGN: Final = "[" + "".join(f"\\{sign}" for sign in GAP_SIGNS) + "]"
_MISFIT: Final = pl.any_horizontal(
    pl.col("gap").str.contains(sign, literal=True) & ~pl.col("allowed").str.contains(sign, literal=True)
    for sign in GAP_SIGNS
)
"""Whether a gap holds a sign that isn't allowed."""


def _in_titles(places: pl.DataFrame, cut: _Tokens) -> pl.DataFrame:
    """Turn places in normal texts into those in the titles: `row`, and `start, end` in the title's own characters."""
    normal = cut.titles
    rows = pl.lit(normal.rows).gather("title")
    if normal.uneven < len(normal.texts):
        uneven = pl.col("title") >= normal.uneven
        first = pl.lit(cut.borders).gather("title") - cut.borders[normal.uneven]
        at, reach = pl.lit(normal.origins["at"]), pl.lit(normal.origins["reach"])
        places = pl.concat(
            [
                places.filter(~uneven),
                places.filter(uneven).with_columns(
                    start=at.gather(first + pl.col("start")), end=reach.gather(first + pl.col("end") - 1)
                ),
            ]
        )
    return places.with_columns(pl.col("start", "end").cast(pl.UInt32), row=rows)


def _short_that_count(spans: pl.DataFrame, titles: pl.Series) -> pl.DataFrame:
    """Drop short forms but where the title's own characters hold two capitals or a digit, and it isn't all capitals."""
    short = spans.filter("short")
    if short.is_empty():
        return spans
    title = pl.col("text")
    inside = title.str.slice("start", pl.col("end") - pl.col("start"))
    counts = ((inside.str.count_matches(_CAPITAL) >= 2) | inside.str.contains(_DIGIT)) & title.str.contains(_LOWER)
    kept = short.with_columns(titles.gather(short["row"]).alias("text")).filter(counts)
    return pl.concat([spans.filter(~pl.col("short")), kept])


# Overlaps.


def _without_beaten(candidates: pl.DataFrame) -> pl.DataFrame:
    """Drop each span that another one of its title overlaps and beats: by length, or as long and starting earlier.

    Of equal spans, those stand that take the fewest salts along: the name `X sulfate` beats `X` and its salt.
    """
    spans = candidates.sort("row", "start", "end", "salts").with_columns(beaten=False)
    distance, overlapping = 1, True
    while overlapping:  # sorted by start, spans that don't overlap at one distance don't at a greater one either
        spans = spans.with_columns(_compared_at(distance))
        overlapping = bool(spans["overlaps"].any())
        distance += 1
    return spans.filter(~pl.col("beaten"))


def _compared_at(distance: int) -> Iterator[pl.Expr]:
    """Compare each span with the one `distance` rows later; gives `overlaps`, and adds the losers to `beaten`."""
    this = {name: pl.col(name) for name in ("row", "start", "end", "salts")}
    later = {name: column.shift(-distance) for name, column in this.items()}
    overlaps = ((later["row"] == this["row"]) & (later["start"] < this["end"])).fill_null(value=False)
    is_same = pl.all_horizontal(later[name] == this[name] for name in ("start", "end", "salts"))
    later_is_longer = (later["end"] - later["start"]) > (this["end"] - this["start"])
    later_loses = (overlaps & ~later_is_longer & ~is_same).shift(distance, fill_value=False)
    yield overlaps.alias("overlaps")
    yield pl.col("beaten") | (overlaps & later_is_longer) | later_loses
