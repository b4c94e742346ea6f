"""Find a lexicon's terms in titles by the compiled loop of `kernel.py`; needs numba, of the extra `fast`."""

import sys
from threading import Lock
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from drugmentions.arrow import joined, running, texts_of
from drugmentions.compiled import Texts
from drugmentions.matching import kernel
from drugmentions.matching.lexicon import Lexicon
from drugmentions.matching.normalise import GAP_SIGNS, normal_characters_expr
from drugmentions.matching.words import NOT_BEFORE, PARENT_ENDINGS, RADICAL_ENDINGS, SALTS_IN_A_ROW

_SLOTS: Final = 4
_SIEVE: Final = 32
"""Slots, and bits of the sieve, for each anchor, at least."""
_KINDS: Final = {
    r"[^\p{L}\p{N}\p{M}]": " ",
    r"[\p{Lu}\p{Lt}]": "A",
    r"\p{N}": "0",
    r"\p{Ll}": "a",
    r"\p{M}": chr(kernel.MARK),
    r"[^\x00-\x7F]": " ",
}
"""What is to be known of a character of a title: an ASCII one stands for its kind."""
_CODE_POINTS: Final = sys.maxunicode + 1
_NO_CHARACTERS: Final = kernel.Characters(
    kinds=np.zeros(_CODE_POINTS, np.uint8),
    sizes=np.zeros(_CODE_POINTS, np.uint8),
    places=np.zeros(_CODE_POINTS, np.int32),
    texts=np.zeros(0, np.uint8),
)
_NO_SPANS: Final = pl.DataFrame(schema=dict.fromkeys(kernel.Spans._fields, pl.UInt32))


class Finder:
    """A lexicon made ready for the compiled loop."""

    def __init__(self, lexicon: Lexicon, *, longest: bool) -> None:
        """`longest`: of spans that overlap, only those that no other one beats."""
        ranked = lexicon.terms.sort("is_name", "term", descending=[True, False])
        self._tables = _tables_of(lexicon, ranked)
        self._names = ranked.select("drug", "term")
        self._rules = kernel.OnTitles(
            salts_in_a_row=SALTS_IN_A_ROW if lexicon.rules.salts else 0,
            locants=int(lexicon.rules.locants),
            longest=int(longest),
        )
        self._characters = _with(_NO_CHARACTERS, np.arange(128))
        self._learning = Lock()
        self.find(pl.Series(["compiled now, or loaded"]))

    def find(self, titles: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
        """What stands in the titles that are searched here, as `Matcher.find_spans` says it; and the rows of others."""
        found = [_NO_SPANS]
        left, first = [pl.Series(dtype=pl.UInt32)], 0
        for texts, _ in texts_of(titles):
            spans, others = self._find(texts)
            found.append(spans.with_columns(pl.col("title") + first))
            left.append(others + first)
            first += len(texts.views)
        spans = pl.concat(found)
        names = self._names[spans["term"]]
        return spans.select(pl.col("title").alias("row"), names["drug"], "start", "end", names["term"]), pl.concat(left)

    def _find(self, titles: Texts) -> tuple[pl.DataFrame, pl.Series]:
        """Spans in an array of titles, sorted: `title, start, end, term`; and the titles that aren't searched here."""
        count = len(titles.views)
        asked, state = np.arange(count), np.zeros(count, np.uint8)
        of_title, of_tokens = kernel.make_room()
        frames = [_NO_SPANS]
        while len(asked):
            characters, unknown = self._characters, np.zeros(_CODE_POINTS, np.uint8)
            done = np.zeros(1, np.int64)
            while done[0] < len(asked):
                found = _room_for(len(asked) - int(done[0]))
                entered = kernel.search(
                    titles, asked, characters, self._tables, self._rules, _BESIDE, of_title, of_tokens, unknown, state,
                    found, done,
                )  # fmt: skip
                frames.append(pl.DataFrame({name: part[:entered] for name, part in found._asdict().items()}))
            asked = np.flatnonzero(state == kernel.PENDING)
            state[asked] = 0
            if len(asked):
                self._learn(np.flatnonzero(unknown))
        return pl.concat(frames).sort("title", maintain_order=True), pl.Series(np.flatnonzero(state), dtype=pl.UInt32)

    def _learn(self, codes: NDArray[np.int64]) -> None:
        """Get to know more characters. Searches that go on have the old arrays."""
        with self._learning:
            self._characters = _with(self._characters, codes)


def _with(known: kernel.Characters, codes: NDArray[np.int64]) -> kernel.Characters:
    """What is known of these characters, too."""
    characters = pl.Series([codes.astype("<u4").tobytes().decode("utf-32-le")]).str.split("").explode()
    normal = characters.to_frame("normal").select(normal_characters_expr(pl.col("normal"))).to_series()
    normal = normal.str.replace_all(r"[^\p{L}\p{N}\x00-\x7F]", chr(kernel.BORDER))
    for kind, sign in _KINDS.items():
        characters = characters.str.replace_all(kind, sign)
    kinds, sizes, places = known.kinds.copy(), known.sizes.copy(), known.places.copy()
    text, starts = joined(normal)
    kinds[codes] = joined(characters)[0]
    sizes[codes] = np.diff(starts)
    places[codes] = len(known.texts) + starts[:-1]
    return kernel.Characters(kinds, sizes, places, np.concatenate([known.texts, text]))


def _room_for(titles: int) -> kernel.Spans:
    room = titles + 2 * kernel.CANDIDATES
    return kernel.Spans(*(np.empty(room, np.uint32) for _ in range(4)))


def _tables_of(lexicon: Lexicon, ranked: pl.DataFrame) -> kernel.Tables:
    """`ranked`: the rows of terms, those first that are named first."""
    forms = lexicon.forms.join(lexicon.anchors, on="form", maintain_order="left")
    anchors = _words_of(forms["tokens"].list.get(forms["position"]))
    forms, hashes = forms[np.argsort(anchors.hashes, kind="stable")], np.sort(anchors.hashes)
    slots = np.full(_power_of_two(_SLOTS * len(hashes)), ~np.uint64(0))
    sieve = np.zeros(_power_of_two(_SIEVE * len(hashes)) // 64, np.uint64)
    kernel.fill_slots(hashes, slots)
    kernel.fill_sieve(anchors, sieve)
    salts = pl.Series("salts", lexicon.rules.salts, dtype=pl.String)
    salts = salts.gather(np.argsort(_words_of(salts).hashes, kind="stable"))
    words = _words_of(pl.concat([forms["tokens"].explode(), salts]), _allowed(forms["gaps"]))
    first_salt = forms["count"].sum()
    numbers = forms.select("form", number=pl.int_range(pl.len()))
    terms = (
        ranked.select("form", drug=pl.col("drug").rank("dense"))
        .with_row_index("term")
        .join(numbers, on="form")
        .sort("number", "term")
    )
    of_form = terms.group_by("number", maintain_order=True).agg(pl.col("term", "drug").first(), terms=pl.len())
    columns: dict[int, ArrayLike] = {
        kernel.POSITION: forms["position"],
        kernel.COUNT: forms["count"],
        kernel.LETTERS: words.places[running(forms["count"])[:-1]],
        kernel.FLAGS: kernel.SHORT * forms["short"].cast(pl.Int32)
        + kernel.TAKES_SALTS * forms["takes_salts"].cast(pl.Int32)
        + kernel.LAST * pl.Series(np.append(hashes[1:] != hashes[:-1], True), dtype=pl.Int32),
        kernel.TERM: of_form["term"],
        kernel.DRUG: of_form["drug"],
        kernel.TERMS: of_form["terms"],
        kernel.TERMS_FROM: running(of_form["terms"])[:-1],
    }
    return kernel.Tables(
        letters=words.letters,
        forms=np.stack([np.asarray(columns[number]) for number in range(len(columns))], axis=1).astype(np.int32),
        slots=slots,
        sieve=sieve,
        signs=np.array(
            [1 << GAP_SIGNS.find(chr(byte)) if chr(byte) in GAP_SIGNS else 0 for byte in range(256)], np.uint16
        ),
        salts=words.hashes[first_salt:],
        salts_at=words.places[first_salt:],
        terms=terms.select("term", "drug").cast(pl.Int32).to_numpy(order="c"),
    )


def _words_of(words: pl.Series, allowed: NDArray[np.uint16] | None = None) -> kernel.Spelled:
    """Words for the compiled loop. `allowed`: the signs that the gaps behind the first ones may hold, as bits."""
    signs = np.zeros(len(words), np.uint16)
    if allowed is not None:
        signs[: len(allowed)] = allowed
    return kernel.words_of(*joined(words), signs)


def _allowed(gaps: pl.Series) -> NDArray[np.uint16]:
    """For each token of each form the signs that the gap behind it may hold, as bits; for the last one none."""
    behind = gaps.to_frame("gap").select(pl.concat_list("gap", pl.lit("")).explode()).to_series()
    signs = np.zeros(len(behind), np.uint16)
    some = (behind != "").to_numpy()
    held = [
        behind.filter(some).str.contains(sign, literal=True).to_numpy() << bit for bit, sign in enumerate(GAP_SIGNS)
    ]
    signs[some] = np.sum(held, axis=0)
    return signs


def _beside() -> kernel.Beside:
    words, starts = joined(pl.Series([*RADICAL_ENDINGS, *PARENT_ENDINGS, *NOT_BEFORE]))
    parents = len(RADICAL_ENDINGS)
    not_before = parents + len(PARENT_ENDINGS)
    return kernel.Beside(words, starts[: parents + 1], starts[parents : not_before + 1], starts[not_before:])


def _power_of_two(least: int) -> int:
    return 1 << max(6, (least - 1).bit_length())


_BESIDE: Final = _beside()
