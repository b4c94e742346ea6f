"""Find a lexicon's terms in titles with Polars alone, in batches that the streaming engine hands over.

A batch's titles are joined into one text, brought to normal form in one call, and cut into tokens whose running lengths
are their offsets: two thirds of the time of cutting title by title. Tokens are joined to the terms' anchors, each
term's rarest token; longer terms are verified token by token. Titles that aren't ASCII take a path of their own, which
maps every normal character back to the title's character that gave it.
"""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

import polars as pl

from drugmentions.matching.lexicon import Lexicon
from drugmentions.matching.normalise import (
    ASCII_TOKENS,
    GAP_SIGNS,
    MARK,
    is_ascii_expr,
    normal_characters_expr,
)
from drugmentions.matching.words import (
    ABBREVIATION,
    ALIAS_LENGTH,
    BRAND,
    CODE,
    CODE_HAS_DIGITS,
    NO_CODES,
    NOT_BEFORE,
    PARENT_ENDINGS,
    RADICAL_ENDINGS,
    SALTS_IN_A_ROW,
)
from drugmentions.model import SPANS

Overlaps = Literal["longest", "all"]

_SLICE: Final = 100_000
"""Titles matched at a time, at most: so many that the cost of calls fades, so few that memory is bounded."""
_SLICE_BYTES: Final = 32 << 20
_CAPITAL, _DIGIT, _LOWER = r"[\p{Lu}\p{Lt}]", r"\p{N}", r"\p{Ll}"


class _Tokens(NamedTuple):
    """The tokens of some titles, in order, and the way back from normal characters to the titles.

    tokens: one row per token: `token`, and its `end` in the joined normal text, in characters.
    starts: where each title starts in the joined normal text.
    rows: each title's row in the batch.
    texts: each title's text in normal characters, borders as they are, as long as its stretch of the joined text.
    origins: None where normal and title characters are one for one; else one row per normal character: where a token
        that begins with it starts in the title (`at`), and where one that ends with it ends (`reach`).
    """

    tokens: pl.DataFrame
    starts: pl.Series
    rows: pl.Series
    texts: pl.Series
    origins: pl.DataFrame | None

    def starts_of(self, at: pl.Series) -> pl.Series:
        """Where the tokens of these indices start in the joined normal text."""
        return self.ends_of(at) - self.tokens["token"].gather(at).str.len_chars()

    def ends_of(self, at: pl.Series) -> pl.Series:
        """Where they end."""
        return self.tokens["end"].gather(at)

    def titles_at(self, position: pl.Series) -> pl.Series:
        """Which of the titles lies at these positions of the joined normal text."""
        return self.starts.search_sorted(position, side="right") - 1


def find_mentions(
    publications: pl.LazyFrame, lexicon: Lexicon, *, column: str = "title", overlaps: Overlaps = "longest"
) -> pl.LazyFrame:
    """Join each publication to the drugs that its `column` mentions: one row per (row of the input, drug).

    Adds `drug` (its shown name) and `spans` (see `model.SPANS`) to the columns of the input, which must not have them
    yet. Rows come in the order of the input, then by drug. It builds a plan and reads nothing; it streams.
    """
    schema = pl.Schema({**publications.collect_schema(), "drug": pl.String(), "spans": SPANS})

    def matched(batch: pl.DataFrame) -> pl.DataFrame:
        slices = [_match_slice(part, lexicon, column, overlaps) for part in _slices(batch, column)]
        return pl.concat(slices) if slices else schema.to_frame()

    return publications.map_batches(matched, schema=schema, streamable=True)


def _slices(batch: pl.DataFrame, column: str) -> Iterator[pl.DataFrame]:
    """Parts of a batch, in order, each of some rows and bytes at most; a row is never cut."""
    for part in batch.iter_slices(_SLICE):
        if part.height > 1 and part[column].str.len_bytes().sum() > _SLICE_BYTES:
            half = part.height // 2
            yield from _slices(part.head(half), column)
            yield from _slices(part.tail(-half), column)
        else:
            yield part


def _match_slice(batch: pl.DataFrame, lexicon: Lexicon, column: str, overlaps: Overlaps) -> pl.DataFrame:
    found = find_spans(batch[column], lexicon, overlaps)
    span = pl.struct("start", "end", "term")
    grouped = found.group_by("row", "drug", maintain_order=True).agg(spans=span)
    return batch[grouped["row"]].with_columns(grouped["drug"], grouped["spans"].cast(SPANS))


def find_spans(titles: pl.Series, lexicon: Lexicon, overlaps: Overlaps = "longest") -> pl.DataFrame:
    """Where each drug stands: one row per (title, drug, span), sorted so.

    Returns `row` (index in `titles`), `drug`, `start`, `end` (in characters of the title, half-open), `term`.
    """
    ascii_only = titles.to_frame("title").select(is_ascii_expr(pl.col("title"))).to_series()
    one_for_one = _one_for_one(titles, ~ascii_only)
    ways = ((_cut_ascii, ascii_only), (_cut_one_for_one, one_for_one), (_cut_any, ~ascii_only & ~one_for_one))
    candidates = pl.concat(
        _candidates(cut(titles.filter(chosen), chosen.arg_true()), titles, lexicon) for cut, chosen in ways
    )
    if overlaps == "longest":
        candidates = _without_beaten(candidates)
    named = candidates.join(lexicon.terms, on="form").drop("form", "rank", "name_start", "name_end")
    return (
        named.sort("row", "drug", "start", "end", "is_name", "term", descending=[False] * 4 + [True, False])
        .unique(["row", "drug", "start", "end"], keep="first", maintain_order=True)
        .select("row", "drug", "start", "end", "term")
    )


# Cutting titles into tokens.


def _cut_ascii(titles: pl.Series, rows: pl.Series) -> _Tokens:
    """Tokens of titles that are ASCII: one normal character for each character."""
    lengths = titles.str.len_bytes().cast(pl.Int64) + 1
    text: str = titles.str.join("\n").item()
    return _Tokens(
        _split(text.translate(ASCII_TOKENS), ascii_only=True), lengths.cum_sum() - lengths, rows, titles, None
    )


def _one_for_one(titles: pl.Series, beyond_ascii: pl.Series) -> pl.Series:
    """Which of the titles beyond ASCII become as many normal characters, each from the one at its place: Boolean."""
    others = (
        pl.DataFrame({"row": beyond_ascii.arg_true(), "char": titles.filter(beyond_ascii)})
        .with_columns(pl.col("char").str.replace_all(r"[\x00-\x7F]+", "").str.split(""))
        .explode("char")
    )
    other_lengths = others.select(pl.col("char").unique()).filter(
        normal_characters_expr(pl.col("char")).str.len_chars() != 1
    )
    uneven = others.join(other_lengths, on="char", how="semi")["row"]
    return beyond_ascii & ~pl.int_range(len(titles), dtype=pl.UInt32, eager=True).is_in(uneven.unique().implode())


def _cut_one_for_one(titles: pl.Series, rows: pl.Series) -> _Tokens:
    """Tokens of titles beyond ASCII of which every character gives one normal character."""
    texts = titles.to_frame("title").select(normal_characters_expr(pl.col("title"))).to_series()
    lengths = titles.str.len_chars().cast(pl.Int64) + 1
    token_text = texts.str.replace_all(r"[^\p{L}\p{N}]", " ").str.join(" ").item()
    return _Tokens(_split(token_text, ascii_only=False), lengths.cum_sum() - lengths, rows, texts, None)


def _cut_any(titles: pl.Series, rows: pl.Series) -> _Tokens:
    """Tokens of any titles, by way of the normal form of each distinct character."""
    characters = (
        pl.DataFrame({"title": titles + "\n"})
        .with_row_index("nth")
        .with_columns(char=pl.col("title").str.split(""))
        .select("nth", "char", at=pl.int_ranges(pl.col("char").list.len(), dtype=pl.Int64))
        .explode("char", "at")
        .with_columns(reach=_reach_expr())
    )
    normal = characters.select(pl.col("char").unique()).with_columns(normal=normal_characters_expr(pl.col("char")))
    origins = (
        characters.join(normal, on="char", how="left", maintain_order="left")
        .filter(pl.col("normal") != "")
        .with_columns(pl.col("normal").str.split(""))
        .explode("normal")
    )
    lengths = origins.group_by("nth", maintain_order=True).agg(pl.len().cast(pl.Int64), pl.col("normal").str.join(""))
    token_text = origins.select(pl.col("normal").str.replace(r"[^\p{L}\p{N}]", " ").str.join("")).item()
    return _Tokens(
        tokens=_split(token_text, ascii_only=False),
        starts=lengths["len"].cum_sum() - lengths["len"],
        rows=rows,
        texts=lengths["normal"],
        origins=origins.select("at", "reach"),
    )


def _reach_expr() -> pl.Expr:
    """The end of a span whose last character is this one: the marks that directly follow are taken along."""
    following = pl.when(~pl.col("char").str.contains(MARK)).then("at").backward_fill().shift(-1)
    return following.fill_null(pl.col("at") + 1)


def _split(text: str, *, ascii_only: bool) -> pl.DataFrame:
    """Cut a normal text at its blanks: `token, end`, without the empty ones."""
    tokens = pl.Series("token", [text]).str.split(" ").explode().to_frame()
    length = pl.col("token").str.len_bytes() if ascii_only else pl.col("token").str.len_chars()
    return tokens.with_columns(end=(length.cast(pl.Int64) + 1).cum_sum() - 1).filter(pl.col("token") != "")


# Candidates: places where a term's tokens stand in a row.


def _candidates(cut: _Tokens, titles: pl.Series, lexicon: Lexicon) -> pl.DataFrame:
    """Every place in the titles where a form fits and counts, and other names beside it: `_CANDIDATES`.

    What counts and how far it reaches depends on the form, the rules and the title, and on no other candidate.
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
    beside_bracket = _may_be_beside_bracket(fitting, cut) if rules.aliases else pl.lit(value=False)
    fitting = fitting.with_columns(bracket=beside_bracket)
    spans = fitting.pipe(_spans_in_titles, cut).pipe(_short_that_count, titles)
    names = spans.select(*_CANDIDATES)
    return pl.concat([names, _aliases(spans.filter("bracket"), titles, rules.no_aliases)]) if rules.aliases else names


_CANDIDATES: Final = ("row", "start", "end", "rank", "name_start", "name_end", "form")
"""`rank`: of candidates of an equal span, the lowest ones stand: the number of salts that the span takes along, or more
than that of any name. `name_start`, `name_end`: the name that an alias stands beside; null for names."""


def _outside_longer_names(places: pl.DataFrame, cut: _Tokens) -> pl.DataFrame:
    """Drop the places inside longer names, by the characters beside them."""
    may_be = _may_be_in_longer_name(places, cut).arg_true()
    doubtful = places[may_be]
    start, end = cut.starts_of(doubtful["first"]), cut.ends_of(doubtful["last"])
    title = cut.titles_at(start)
    offset, text = cut.starts.gather(title), cut.texts.gather(title)
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
    gaps = pl.DataFrame({"text": cut.texts.gather(title), "begin": begin - cut.starts.gather(title)})
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
            "text": cut.texts.gather(title),
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
    if cut.origins is None:
        offset = cut.starts.gather(title)
        start, end = start - offset, end - offset
    else:
        start, end = cut.origins["at"].gather(start), cut.origins["reach"].gather(end - 1)
    return places.select(
        "form", "short", "bracket", rank=pl.col("last") - pl.col("first") - pl.col("more")
    ).with_columns(
        row=cut.rows.gather(title),
        start=start.cast(pl.UInt32),
        end=end.cast(pl.UInt32),
        name_start=pl.lit(None, pl.UInt32),
        name_end=pl.lit(None, pl.UInt32),
    )


def _may_be_beside_bracket(places: pl.DataFrame, cut: _Tokens) -> pl.Series:
    """A cheap sieve, Boolean: whether two normal characters part the place from the token before it or after it."""
    before = (places["first"] - 1).clip(0)
    after = (places["last"] + 1).clip(0, cut.tokens.height - 1)
    gap_before = cut.starts_of(places["first"]) - cut.ends_of(before)
    gap_after = cut.starts_of(after) - cut.ends_of(places["last"])
    return (gap_before == len(" (")) | (gap_after == len(" ("))


def _short_that_count(spans: pl.DataFrame, titles: pl.Series) -> pl.DataFrame:
    """Drop short forms but where the title's own characters hold two capitals or a digit, and it isn't all capitals."""
    short = spans.filter("short")
    title = pl.col("title")
    inside = title.str.slice("start", pl.col("end") - pl.col("start"))
    counts = ((inside.str.count_matches(_CAPITAL) >= 2) | inside.str.contains(_DIGIT)) & title.str.contains(_LOWER)
    kept = short.with_columns(titles.gather(short["row"]).alias("title")).filter(counts).drop("title")
    return pl.concat([spans.filter(~pl.col("short")), kept])


def _aliases(spans: pl.DataFrame, titles: pl.Series, no_aliases: tuple[str, ...]) -> pl.DataFrame:
    """Other names in brackets after a name, and before a name in brackets: `_CANDIDATES`."""
    length = pl.col("alias").str.len_chars()
    spans = spans.with_columns(titles.gather(spans["row"]).alias("title")).with_columns(
        name=pl.col("title").str.slice("start", pl.col("end") - pl.col("start")),
        before=pl.col("title").str.slice(0, "start").str.tail(_WINDOW),
        after=pl.col("title").str.slice("end", _WINDOW),
    )
    is_brand = pl.col("alias").str.contains(f"^{BRAND}$") & ~pl.col("alias").str.to_lowercase().is_in(no_aliases)
    after = (
        spans.with_columns(alias=pl.col("after").str.extract(rf"^ \(({CODE}|{ABBREVIATION}|{BRAND})\)"))
        .with_columns(alias_start=pl.col("end") + 2)
        .filter(_IS_ALIAS | is_brand)
    )
    before = (
        spans.filter(pl.col("after").str.starts_with(")"))
        .with_columns(alias=pl.col("before").str.extract(rf"(?:^|[^A-Za-z0-9-])({CODE}|{ABBREVIATION}) \($"))
        .with_columns(alias_start=pl.col("start") - 2 - length)
        .filter(_IS_ALIAS)
    )
    return (
        pl.concat([after, before])
        .select(
            "row",
            "form",
            start="alias_start",
            end=pl.col("alias_start") + length,
            rank=pl.lit(SALTS_IN_A_ROW + 1, pl.Int64),
            name_start="start",
            name_end="end",
        )
        .select(*_CANDIDATES)
    )


_WINDOW: Final = ALIAS_LENGTH + len("( (")


def _is_alias_expr() -> pl.Expr:
    """Whether `alias` is a research code, or an abbreviation of `name`."""
    alias = pl.col("alias")
    letters = alias.str.extract("^([A-Za-z]*)").str.to_lowercase()
    is_code = alias.str.contains(f"^(?:{CODE})$") & (alias.str.count_matches("[0-9]") >= CODE_HAS_DIGITS)
    in_a_row = alias.str.replace_all("-", "", literal=True).str.to_lowercase().str.split("").list.join(".*")
    is_abbreviation = (alias.str.count_matches("[A-Z]") >= 2) & pl.col("name").str.to_lowercase().str.contains(
        pl.lit("(?:^|[^a-z0-9])") + in_a_row
    )
    return pl.when(is_code).then(~letters.is_in(NO_CODES)).otherwise(is_abbreviation)


_IS_ALIAS: Final = _is_alias_expr()


# Overlaps.


def _without_beaten(candidates: pl.DataFrame) -> pl.DataFrame:
    """Drop each span that another one of its title overlaps and beats: by length, or as long and starting earlier.

    Of equal spans, those of the lowest rank stand: the name `X sulfate` beats `X` and its salt. An alias stands
    only if the name does that it is beside.
    """
    places = ["row", "start", "end", "rank"]
    spans = candidates.select(places).unique().sort(places).with_columns(beaten=False)
    distance, overlapping = 1, True
    while overlapping:  # sorted by start, spans that don't overlap at one distance don't at a greater one either
        spans = spans.pipe(_with_beaten_at, distance)
        overlapping = bool(spans["overlaps"].any())
        distance += 1
    standing = candidates.join(spans.filter(~pl.col("beaten")), on=places, how="semi")
    aliases = standing.filter(pl.col("name_start").is_not_null())
    if aliases.is_empty():
        return standing
    names = standing.filter(pl.col("name_start").is_null())
    theirs = aliases.join(
        names, how="semi", left_on=["row", "name_start", "name_end", "form"], right_on=["row", "start", "end", "form"]
    )
    return pl.concat([names, theirs])


def _with_beaten_at(spans: pl.DataFrame, distance: int) -> pl.DataFrame:
    """Compare each span with the one `distance` rows later; adds `overlaps`, and to `beaten` the loser of each pair."""
    later = {name: pl.col(name).shift(-distance) for name in ("row", "start", "end")}
    overlaps = ((later["row"] == pl.col("row")) & (later["start"] < pl.col("end"))).fill_null(value=False)
    later_is_longer = (later["end"] - later["start"]) > (pl.col("end") - pl.col("start"))
    loses = overlaps & later_is_longer
    later_loses = (overlaps & ~later_is_longer).shift(distance, fill_value=False)
    return spans.with_columns(overlaps=overlaps, beaten=pl.col("beaten") | loses | later_loses)
