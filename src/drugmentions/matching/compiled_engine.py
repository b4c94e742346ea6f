"""Find a lexicon's terms in titles by the compiled loop of `kernel.py`; needs numba, of the extra `fast`."""

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from drugmentions.matching import kernel
from drugmentions.matching.lexicon import Lexicon
from drugmentions.matching.normal_titles import NormalTitles, normal_titles
from drugmentions.matching.normalise import ASCII_TOKENS, GAP_SIGNS
from drugmentions.matching.words import NOT_BEFORE, PARENT_ENDINGS, RADICAL_ENDINGS, SALTS_IN_A_ROW

_SLOTS: Final = 4
_SIEVE: Final = 32
"""Slots, and bits of the sieve, for each anchor, at least."""
_BORDER: Final = "\x01"
"""Stands for a border beyond ASCII: it is no sign that any rule knows."""
_KINDS: Final = {r"[\p{Lu}\p{Lt}]": "A", r"\p{N}": "0", r"\p{Ll}": "a", r"[^\x00-\x7F]": " "}
"""What is to be known of a character of a title: an ASCII one of its kind stands for it."""


class Finder:
    """A lexicon made ready for the compiled loop."""

    def __init__(self, lexicon: Lexicon, *, longest: bool) -> None:
        """`longest`: of spans that overlap, only those that no other one beats."""
        ranked = lexicon.terms.sort("is_name", "term", descending=[True, False])
        self._tables = _tables_of(lexicon, ranked)
        self._names = ranked.select("drug", "term")
        self._rules = kernel.OnTitles(
            salts_in_a_row=SALTS_IN_A_ROW if lexicon.rules.salts else 0, locants=lexicon.rules.locants, longest=longest
        )
        self.find(pl.Series(["compiled now, or loaded"]))

    def find(self, titles: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
        """What stands in the titles that are searched here, as `Matcher.find_spans` says it; and the rows of others."""
        normal = normal_titles(titles)
        text, lengths = _text_of(normal)
        others = _others_of(normal, titles)
        left = np.zeros(len(lengths), np.bool_)
        frames, title, start = [], 0, 0
        while title < len(lengths):
            room = _room_for(len(lengths) - title)
            count, title, start = kernel.search(
                text, lengths, others, start, title, self._tables, self._rules, _BESIDE, left, room
            )
            frames.append(pl.DataFrame({name: part[:count] for name, part in room._asdict().items()}))
        found = pl.concat(frames) if frames else pl.DataFrame(schema=dict.fromkeys(kernel.Spans._fields, pl.UInt32))
        names = self._names[found["term"]]
        rows = normal.rows.gather(found["title"]).alias("row")
        spans = found.select(rows, names["drug"], "start", "end", names["term"])
        ordered = spans if normal.beyond_ascii == len(normal.rows) else spans.sort("row", maintain_order=True)
        return ordered, normal.rows.filter(pl.Series(left))


def _text_of(titles: NormalTitles) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The titles' bytes, a line feed behind each, and their lengths; of what isn't ASCII only letters and digits."""
    others = titles.texts.slice(titles.beyond_ascii).str.replace_all(r"[^\p{L}\p{N}\x00-\x7F]", _BORDER)
    texts = pl.concat([titles.texts.head(titles.beyond_ascii), others, pl.Series([""])])
    text = texts.str.join("\n").cast(pl.Binary).item()
    return np.frombuffer(text, np.uint8), texts.head(-1).str.len_bytes().cast(pl.Int64).to_numpy()


def _others_of(normal: NormalTitles, titles: pl.Series) -> kernel.Others:
    """What the loop needs to know of the titles that aren't ASCII."""
    own = titles.gather(normal.rows.slice(normal.beyond_ascii))
    for kind, sign in _KINDS.items():
        own = own.str.replace_all(kind, sign)
    kinds, kinds_from = _joined(own)
    uneven = normal.texts.slice(normal.uneven).str.len_chars() + 1
    return kernel.Others(
        first=normal.beyond_ascii,
        uneven=normal.uneven,
        kinds=kinds,
        kinds_from=kinds_from,
        origins=_running(uneven),
        at=normal.origins["at"].to_numpy(),
        reach=normal.origins["reach"].to_numpy(),
    )


def _room_for(titles: int) -> kernel.Spans:
    room = titles + 2 * kernel.CANDIDATES
    return kernel.Spans(*(np.empty(room, np.uint32) for _ in range(4)))


def _tables_of(lexicon: Lexicon, ranked: pl.DataFrame) -> kernel.Tables:
    """`ranked`: the rows of terms, those first that are named first."""
    forms = lexicon.forms.join(lexicon.anchors, on="form", maintain_order="left")
    numbers = forms.select("form", number=pl.int_range(pl.len()))
    salts = pl.Series("salts", lexicon.rules.salts, dtype=pl.String)
    words, starts = _joined(pl.concat([forms["tokens"].explode(), salts.gather(_order_by_hash(salts))]))
    hashes = kernel.hash_words(words, starts)
    first = _running(forms["count"])
    position = forms["position"].cast(pl.Int64).to_numpy()
    anchors = hashes[first[:-1] + position]
    chain = np.argsort(anchors, kind="stable")
    slots = np.full(_power_of_two(_SLOTS * len(chain)), -1, np.int64)
    sieve = np.zeros(_power_of_two(_SIEVE * len(chain)) // 64, np.uint64)
    kernel.fill_slots(anchors[chain], slots, sieve)
    rows = ranked.select("form").with_row_index("row").join(numbers, on="form").sort("number", "row")
    per_form = numbers.join(rows.group_by("number").len(), on="number", how="left", maintain_order="left")["len"]
    return kernel.Tables(
        classes=np.frombuffer(ASCII_TOKENS.replace(" ", "\0").encode() + bytes(range(128, 256)), np.uint8),
        signs=np.array(
            [1 << GAP_SIGNS.find(chr(byte)) if chr(byte) in GAP_SIGNS else 0 for byte in range(256)], np.uint16
        ),
        words=words,
        starts=starts,
        allowed=_allowed(forms["gaps"]),
        first=first,
        position=position,
        short=forms["short"].to_numpy(),
        takes_salts=forms["takes_salts"].to_numpy(),
        chain=chain,
        hashes=anchors[chain],
        slots=slots,
        sieve=sieve,
        salts=hashes[first[-1] :],
        terms_from=_running(per_form),
        terms=rows["row"].cast(pl.Int64).to_numpy(),
        drugs=ranked["drug"].rank("dense").cast(pl.Int64).to_numpy(),
    )


def _joined(words: pl.Series) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The bytes of all words, and where each starts and the last one ends."""
    text = words.str.join("").cast(pl.Binary).item() if len(words) else b""
    return np.frombuffer(text, np.uint8), _running(words.str.len_bytes())


def _running(lengths: pl.Series) -> NDArray[np.int64]:
    """Running sums, from 0 on."""
    return np.concatenate([np.zeros(1, np.int64), lengths.cast(pl.Int64).cum_sum().to_numpy()])


def _order_by_hash(words: pl.Series) -> NDArray[np.int64]:
    return np.argsort(kernel.hash_words(*_joined(words)), kind="stable")


def _allowed(gaps: pl.Series) -> NDArray[np.uint16]:
    """For each token of each form the signs that the gap behind it may hold, as bits; for the last one none."""
    gap = pl.col("gap")
    bits = [
        pl.when(gap.str.contains(sign, literal=True)).then(1 << bit).otherwise(0) for bit, sign in enumerate(GAP_SIGNS)
    ]
    behind = gaps.to_frame("gap").select(pl.concat_list("gap", pl.lit("")).explode())
    return behind.select(pl.sum_horizontal(bits).cast(pl.UInt16)).to_series().to_numpy()


def _beside() -> kernel.Beside:
    words, starts = _joined(pl.Series([*RADICAL_ENDINGS, *PARENT_ENDINGS, *NOT_BEFORE]))
    parents = len(RADICAL_ENDINGS)
    not_before = parents + len(PARENT_ENDINGS)
    return kernel.Beside(words, starts[: parents + 1], starts[parents : not_before + 1], starts[not_before:])


def _power_of_two(least: int) -> int:
    return 1 << max(6, (least - 1).bit_length())


_BESIDE: Final = _beside()
