"""Find a lexicon's terms in titles with Polars alone.

A batch's titles are joined into one text, brought to normal form in one call, and cut into tokens whose running lengths
are their offsets: two thirds of the time of cutting title by title. Tokens are joined to the terms' anchors, each
term's rarest token; longer terms are verified token by token.
"""

from typing import Final, NamedTuple

import polars as pl

from drugmentions.matching.lexicon import Lexicon
from drugmentions.matching.normal_titles import NormalTitles, normal_titles
from drugmentions.matching.normalise import ASCII_TOKENS, GAP_SIGNS
from drugmentions.matching.words import NOT_BEFORE, PARENT_ENDINGS, RADICAL_ENDINGS, SALTS_IN_A_ROW

_CAPITAL, _DIGIT, _LOWER = r"[\p{Lu}\p{Lt}]", r"\p{N}", r"\p{Ll}"


class _Tokens(NamedTuple):
    """The tokens of some titles, in order, and the way back from their normal characters to the titles.

    tokens: one row per token: `token`, and its `end` in the joined normal texts, in characters.
    starts: where each title starts in them.
    titles: what was cut.
    """

    tokens: pl.DataFrame
    starts: pl.Series
    titles: NormalTitles

    def starts_of(self, at: pl.Series) -> pl.Series:
        """Where the tokens of these indices start in the joined normal text."""
        return self.ends_of(at) - self.tokens["token"].gather(at).str.len_chars()

    def ends_of(self, at: pl.Series) -> pl.Series:
        """Where they end."""
        return self.tokens["end"].gather(at)

    def titles_at(self, position: pl.Series) -> pl.Series:
        """Which of the titles lies at these positions of the joined normal text."""
        return self.starts.search_sorted(position, side="right") - 1


def find_spans(titles: pl.Series, lexicon: Lexicon, *, longest: bool) -> pl.DataFrame:
    """Where each drug stands: `row, drug, start, end, term`, as `Matcher.find_spans` says it.

    `longest`: of spans that overlap, only those that no other one beats.
    """
    candidates = _candidates(_cut(normal_titles(titles)), titles, lexicon)
    if longest:
        candidates = _without_beaten(candidates)
    named = candidates.join(lexicon.terms, on="form").drop("form", "salts")
    return (
        named.sort("row", "drug", "start", "end", "is_name", "term", descending=[False] * 4 + [True, False])
        .unique(["row", "drug", "start", "end"], keep="first", maintain_order=True)
        .select("row", "drug", "start", "end", "term")
    )


# Cutting titles into tokens.


def _cut(titles: NormalTitles) -> _Tokens:
    plain, others = titles.texts.head(titles.beyond_ascii), titles.texts.slice(titles.beyond_ascii)
    lengths = pl.concat([plain.str.len_bytes(), others.str.len_chars()]).cast(pl.Int64) + 1
    starts = lengths.cum_sum() - lengths
    text: str = plain.str.join("\n").item()
    tokens = _split(text.translate(ASCII_TOKENS), ascii_only=True)
    if len(others):
        other_text = others.str.replace_all(r"[^\p{L}\p{N}]", " ").str.join(" ").item()
        other_tokens = _split(other_text, ascii_only=False)
        tokens = pl.concat([tokens, other_tokens.with_columns(pl.col("end") + starts[titles.beyond_ascii])])
    return _Tokens(tokens, starts, titles)


def _split(text: str, *, ascii_only: bool) -> pl.DataFrame:
    """Cut a normal text at its blanks: `token, end`, without the empty ones."""
    tokens = pl.Series("token", [text]).str.split(" ").explode().to_frame()
    length = pl.col("token").str.len_bytes() if ascii_only else pl.col("token").str.len_chars()
    return tokens.with_columns(end=(length.cast(pl.Int64) + 1).cum_sum() - 1).filter(pl.col("token") != "")


# Candidates: places where a term's tokens stand in a row.


def _candidates(cut: _Tokens, titles: pl.Series, lexicon: Lexicon) -> pl.DataFrame:
    """Every place in the titles where a form fits and counts: `row, start, end, salts, form`.

    `salts`: how many words the span takes along. What counts and how far it reaches depends on the form, the rules and
    the title, and on no other candidate.
    """
    hashes = lexicon.anchors["token"].hash()  # a cheap sieve: most tokens of titles are no anchors
    places = (
        cut.tokens.select("token")
        .with_row_index("at")
        .filter(cut.tokens["token"].hash().is_in(hashes.implode()))
        .join(lexicon.anchors, on="token")
        .select(
            "form",
            "short",
            "takes_salts",
            first=pl.col("at").cast(pl.Int64) - pl.col("position"),
            more=pl.col("count") - 1,
        )
        .with_columns(last=pl.col("first") + pl.col("more"))
    )
    single = places.filter(pl.col("more") == 0)
    longer = (
        places.filter((pl.col("more") > 0) & (pl.col("first") >= 0) & (pl.col("last") < cut.tokens.height))
        .join(lexicon.forms, on="form")
        .pipe(_with_tokens, cut)
        .pipe(_with_gaps, cut)
        .select(places.columns)
    )
    rules = lexicon.rules
    fitting = pl.concat([single, longer])
    if rules.locants:
        fitting = fitting.pipe(_outside_longer_names, cut)
    if rules.salts:
        fitting = fitting.pipe(_with_salts, cut, rules.salts)
    spans = fitting.pipe(_spans_in_titles, cut).pipe(_short_that_count, titles)
    return spans.select("row", "start", "end", "salts", "form")


def _outside_longer_names(places: pl.DataFrame, cut: _Tokens) -> pl.DataFrame:
    """Drop the places inside longer names, by the characters beside them."""
    may_be = _may_be_in_longer_name(places, cut).arg_true()
    doubtful = places[may_be]
    start, end = cut.starts_of(doubtful["first"]), cut.ends_of(doubtful["last"])
    title = cut.titles_at(start)
    offset, text = cut.starts.gather(title), cut.titles.texts.gather(title)
    inside = may_be.filter(
        doubtful.select("short", text=text, start=start - offset, end=end - offset)
        .select(
            "short",
            before=pl.col("text").str.slice(0, "start").str.tail(_BEFORE),
            after=pl.col("text").str.slice("end"),
        )
        .select(_IN_LONGER_NAME)
        .to_series()
    )
    return places.with_row_index("place").filter(~pl.col("place").is_in(inside.implode())).drop("place")


def _may_be_in_longer_name(places: pl.DataFrame, cut: _Tokens) -> pl.Series:
    """A cheap sieve, Boolean, by the tokens before and after the places: most names stand beside other ones."""
    tokens = cut.tokens["token"]
    before = tokens.gather((places["first"] - 1).clip(0)).str.contains(f"(?:{'|'.join(RADICAL_ENDINGS)})$")
    after = tokens.gather((places["last"] + 1).clip(0, cut.tokens.height - 1)).str.contains(
        f"^(?:[0-9]|[no]$|{'|'.join(word.split()[0] for word in NOT_BEFORE)})"
    )
    return before | after


_BEFORE: Final = max(map(len, RADICAL_ENDINGS)) + len(")-")
_IN_LONGER_NAME: Final = (
    pl.col("before").str.contains(rf"(?i)(?:{'|'.join(RADICAL_ENDINGS)})[)\]}}]?-?$")
    | pl.col("after").str.contains(rf"(?i)^-(?:[0-9][0-9,']*|[no])-[a-z]*(?:{'|'.join(PARENT_ENDINGS)})(?:[^a-z]|$)")
    | pl.col("after").str.contains(rf"(?i)^[ -](?:{'|'.join(NOT_BEFORE)})(?:[^a-z]|$)")
    | (pl.col("short") & pl.col("after").str.contains("^-[0-9]"))
)


def _with_salts(places: pl.DataFrame, cut: _Tokens, salts: tuple[str, ...]) -> pl.DataFrame:
    """Move `last` on over the salts that follow, each after one blank of the same title."""
    last = places["last"].clone()
    reaching = places["takes_salts"].arg_true()
    for _ in range(SALTS_IN_A_ROW):
        following = last.gather(reaching) + 1
        reaching, following = (part.filter(following < cut.tokens.height) for part in (reaching, following))
        is_salt = cut.tokens["token"].gather(following).is_in(salts)
        reaching, following = reaching.filter(is_salt), following.filter(is_salt)
        after_blank = _after_one_blank(following, cut)
        reaching, following = reaching.filter(after_blank), following.filter(after_blank)
        last.scatter(reaching, following)
    return places.with_columns(last)


def _after_one_blank(at: pl.Series, cut: _Tokens) -> pl.Series:
    """Whether these tokens follow the ones before them in the same title, one blank between."""
    begin, end = cut.ends_of(at - 1), cut.starts_of(at)
    title = cut.titles_at(begin)
    gaps = pl.DataFrame({"text": cut.titles.texts.gather(title), "begin": begin - cut.starts.gather(title)})
    blank = gaps.select(pl.col("text").str.slice("begin", 1) == " ").to_series()
    return blank & (end - begin == 1) & (title == cut.titles_at(end))


def _with_tokens(places: pl.DataFrame, cut: _Tokens) -> pl.DataFrame:
    """Keep the places where every token from `first` to `last` is the form's."""
    places = places.with_row_index("place")
    pairs = places.select("place", "tokens", at=pl.int_ranges("first", pl.col("last") + 1)).explode("tokens", "at")
    differs = pairs.filter(cut.tokens["token"].gather(pairs["at"]) != pairs["tokens"])
    return places.join(differs, on="place", how="anti").drop("place")


def _with_gaps(places: pl.DataFrame, cut: _Tokens) -> pl.DataFrame:
    """Keep the places that lie in one title, and whose gaps hold no sign that the form's gap doesn't hold."""
    places = places.with_row_index("place")
    pairs = places.select("place", "gaps", at=pl.int_ranges("first", "last")).explode("gaps", "at")
    begin, end = cut.ends_of(pairs["at"]), cut.starts_of(pairs["at"] + 1)
    title, next_title = cut.titles_at(begin), cut.titles_at(end)
    between = pl.DataFrame(
        {
            "place": pairs["place"],
            "allowed": pairs["gaps"],
            "leaves": title != next_title,
            "text": cut.titles.texts.gather(title),
            "begin": begin - cut.starts.gather(title),
            "length": end - begin,
        }
    ).with_columns(gap=pl.col("text").str.slice("begin", "length"))
    misfits = between.filter(pl.col("leaves") | ~pl.col("gap").is_in([" ", "-"])).filter(_MISFIT)
    return places.join(misfits, on="place", how="anti").drop("place")


def _misfit_expr() -> pl.Expr:
    """Whether a gap leads into the next title, or holds a sign that isn't allowed."""
    gap, allowed = pl.col("gap"), pl.col("allowed")
    forbidden = [gap.str.contains(sign, literal=True) & ~allowed.str.contains(sign, literal=True) for sign in GAP_SIGNS]
    return pl.col("leaves") | pl.any_horizontal(forbidden)


_MISFIT: Final = _misfit_expr()
"""Built once: building it takes longer than a slice's gaps do."""


def _spans_in_titles(places: pl.DataFrame, cut: _Tokens) -> pl.DataFrame:
    """Turn `first` and `last`, indices of tokens, into `row, start, end` in the characters of the title."""
    start, end = cut.starts_of(places["first"]), cut.ends_of(places["last"])
    title = cut.titles_at(start)
    offset, normal = cut.starts.gather(title), cut.titles
    begin, stop = start - offset, end - offset
    uneven = (title >= normal.uneven).arg_true()
    if len(uneven):
        first = cut.starts[normal.uneven]
        begin.scatter(uneven, normal.origins["at"].gather(start.gather(uneven) - first))
        stop.scatter(uneven, normal.origins["reach"].gather(end.gather(uneven) - 1 - first))
    return places.select("form", "short", salts=pl.col("last") - pl.col("first") - pl.col("more")).with_columns(
        row=normal.rows.gather(title), start=begin.cast(pl.UInt32), end=stop.cast(pl.UInt32)
    )


def _short_that_count(spans: pl.DataFrame, titles: pl.Series) -> pl.DataFrame:
    """Drop short forms but where the title's own characters hold two capitals or a digit, and it isn't all capitals."""
    short = spans.filter("short")
    title = pl.col("title")
    inside = title.str.slice("start", pl.col("end") - pl.col("start"))
    counts = ((inside.str.count_matches(_CAPITAL) >= 2) | inside.str.contains(_DIGIT)) & title.str.contains(_LOWER)
    kept = short.with_columns(titles.gather(short["row"]).alias("title")).filter(counts).drop("title")
    return pl.concat([spans.filter(~pl.col("short")), kept])


# Overlaps.


def _without_beaten(candidates: pl.DataFrame) -> pl.DataFrame:
    """Drop each span that another one of its title overlaps and beats: by length, or as long and starting earlier.

    Of equal spans, those stand that take the fewest salts along: the name `X sulfate` beats `X` and its salt.
    """
    places = ["row", "start", "end", "salts"]
    spans = candidates.select(places).unique().sort(places).with_columns(beaten=False)
    distance, overlapping = 1, True
    while overlapping:  # sorted by start, spans that don't overlap at one distance don't at a greater one either
        spans = spans.pipe(_with_beaten_at, distance)
        overlapping = bool(spans["overlaps"].any())
        distance += 1
    return candidates.join(spans.filter(~pl.col("beaten")), on=places, how="semi")


def _with_beaten_at(spans: pl.DataFrame, distance: int) -> pl.DataFrame:
    """Compare each span with the one `distance` rows later; adds `overlaps`, and to `beaten` the loser of each pair."""
    later = {name: pl.col(name).shift(-distance) for name in ("row", "start", "end")}
    overlaps = ((later["row"] == pl.col("row")) & (later["start"] < pl.col("end"))).fill_null(value=False)
    later_is_longer = (later["end"] - later["start"]) > (pl.col("end") - pl.col("start"))
    loses = overlaps & later_is_longer
    later_loses = (overlaps & ~later_is_longer).shift(distance, fill_value=False)
    return spans.with_columns(overlaps=overlaps, beaten=pl.col("beaten") | loses | later_loses)
