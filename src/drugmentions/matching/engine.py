"""Find a lexicon's terms in titles by the engine that pays: Polars alone, or a compiled loop where numba is there."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError, version
from threading import Lock, Thread
from typing import TYPE_CHECKING, Final, Literal

import polars as pl

from drugmentions.errors import MissingExtraError
from drugmentions.matching import polars_engine
from drugmentions.matching.lexicon import Lexicon
from drugmentions.model import SPANS

if TYPE_CHECKING:
    from drugmentions.matching.compiled_engine import Finder

Overlaps = Literal["longest", "all"]
Engine = Literal["auto", "polars", "compiled"]

WORTH_COMPILING: Final = 200_000
"""Titles, or mentions, from which `auto` takes compiled code: below, starting it takes longer than it saves."""
_NEEDED: Final = {"numba": (0, 61), "nanoarrow": (0, 8)}
"""What the compiled engine takes, at least: earlier versions of nanoarrow end the process."""
_SLICE: Final = 100_000
"""Titles matched at a time, at most: so many that the cost of calls fades, so few that memory is bounded."""
_SLICE_BYTES: Final = 32 << 20


class Matcher:
    """A lexicon, and how mentions of it are found. What is found doesn't depend on the engine.

    The compiled engine takes a tenth of a second to start, and some seconds the first time, when its code is compiled.
    So `auto` takes it only where what it needs is installed and many titles are to be searched; `trouble` is why it
    didn't start.
    """

    trouble: Exception | None = None

    def __init__(
        self,
        lexicon: Lexicon | Callable[[], Lexicon],
        overlaps: Overlaps = "longest",
        engine: Engine = "auto",
        *,
        on_trouble: Callable[[str], None] = lambda _message: None,
    ) -> None:
        """Raise MissingExtraError where the engine asked for isn't installed.

        `lexicon`: or what gives it, from any thread, whenever it is called. `on_trouble` is told, from any thread,
        where `auto` finds that the compiled engine doesn't start.
        """
        check_engine(engine)
        self._lexicon = lexicon
        self.overlaps = overlaps
        self._engine = engine
        self._on_trouble = on_trouble
        self._expected = self._searched = 0
        self._start: Thread | None = None
        self._starting = Lock()
        self._finder: Finder | None = None
        self._is_started = False

    @property
    def lexicon(self) -> Lexicon:
        """What is searched for."""
        return self._lexicon() if callable(self._lexicon) else self._lexicon

    @property
    def digest(self) -> str:
        """What mentions were found with."""
        return matched_with(self.lexicon.digest, self.overlaps)

    def expect(self, titles: int) -> None:
        """Hear how many titles are to be searched next; `auto` chooses by it. It is made ready meanwhile."""
        self._expected = max(self._expected, titles)
        if self._is_many and self._start is None:
            self._start = Thread(target=self._make_ready)
            self._start.start()

    def wait(self) -> None:
        """Wait until titles can be searched at once; raises what searching them would raise."""
        self._finder_for_now()

    def can_compile(self, rows: int = 0) -> bool:
        """Whether compiled code may do more than search, as it starts anyway, or there is much to do: so many rows."""
        return self._takes_compiled(rows) and not self.trouble

    def find_mentions(self, publications: pl.LazyFrame, column: str = "title") -> pl.LazyFrame:
        """Join each publication to the drugs that its `column` mentions: see `find_mentions`."""
        schema = pl.Schema({**publications.collect_schema(), "drug": pl.String(), "spans": SPANS})

        return publications.map_batches(lambda batch: self.match(batch, column), schema=schema, streamable=True)

    def match(self, publications: pl.DataFrame, column: str = "title") -> pl.DataFrame:
        """`find_mentions` for a frame that is in memory."""
        slices = [self._match_slice(part, column) for part in _slices(publications, column)]
        return pl.concat(slices) if slices else self._match_slice(publications, column)

    def find_spans(self, titles: pl.Series) -> pl.DataFrame:
        """Where each drug stands: one row per (title, drug, span), sorted so.

        Returns `row` (index in `titles`), `drug`, `start`, `end` (in characters of the title, half-open), `term`.
        """
        self._searched += len(titles)
        finder = self._finder_for_now()
        if isinstance(finder, polars_engine.Finder):
            return finder.find(titles)
        found, left = finder.find(titles)
        if left.is_empty():
            return found
        others = self._polars.find(titles.gather(left))
        others = others.with_columns(row=left.gather(others["row"]))
        return pl.concat([found, others]).sort("row", maintain_order=True)

    def _finder_for_now(self) -> "Finder | polars_engine.Finder":
        """What searches as many titles as are expected; it has started."""
        return (self._started() if self._is_compiled else None) or self._polars

    @cached_property
    def _polars(self) -> polars_engine.Finder:
        return polars_engine.Finder(self.lexicon, longest=self.overlaps == "longest")

    @property
    def _is_many(self) -> bool:
        return max(self._expected, self._searched) >= WORTH_COMPILING

    @property
    def _is_compiled(self) -> bool:
        return self._takes_compiled(0)

    def _takes_compiled(self, rows: int) -> bool:
        is_many = self._is_many or rows >= WORTH_COMPILING
        return self._engine == "compiled" or (self._engine == "auto" and is_many and _has_compiler())

    def _started(self) -> "Finder | None":
        """The compiled engine, once it has started; None where `auto` finds that it doesn't work here."""
        self._begin()
        if self.trouble and self._engine == "compiled":
            raise self.trouble
        return self._finder

    def _make_ready(self) -> None:
        with suppress(Exception):  # what fails here fails again where it is needed
            self.wait()

    def _begin(self) -> None:
        """Start the compiled engine, once, or wait until it has started."""
        lexicon = self.lexicon
        with self._starting:
            if not self._is_started:
                self._is_started = True
                try:
                    from drugmentions.matching.compiled_engine import Finder  # noqa: PLC0415  # it takes its time

                    self._finder = Finder(lexicon, longest=self.overlaps == "longest")
                except Exception as error:  # noqa: BLE001  # whatever it is, the other engine finds the same
                    self.trouble = error
                    if self._engine == "auto":
                        self._on_trouble(f"the compiled engine doesn't start, so Polars matches alone: {error}")

    def _match_slice(self, batch: pl.DataFrame, column: str) -> pl.DataFrame:
        found = self.find_spans(batch[column])
        is_other = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in ("row", "drug"))
        pairs = found.with_columns(pair=is_other.cum_sum().set_sorted()).group_by("pair", maintain_order=True)
        grouped = pairs.agg(pl.col("row", "drug").first(), spans=pl.struct("start", "end", "term"))
        return batch[grouped["row"]].with_columns(grouped["drug"], grouped["spans"].cast(SPANS))


def matched_with(lexicon: str, overlaps: Overlaps) -> str:
    """What mentions were found with, by the digest of the lexicon: what differs in it may find others."""
    return f"{lexicon}-{overlaps}"


def check_engine(engine: Engine) -> None:
    """Raise MissingExtraError where an engine isn't installed."""
    if engine == "compiled" and not _has_compiler():
        needed = " and ".join(f"{name} {'.'.join(map(str, least))}" for name, least in _NEEDED.items())
        message = f"the compiled engine needs {needed} or later, which are not both installed"
        raise MissingExtraError(message, "python -m pip install 'drugmentions[fast]', or engine = \"auto\"")


def _has_compiler() -> bool:
    return all(_version(name) >= least for name, least in _NEEDED.items())


@cache
def _version(package: str) -> tuple[int, ...]:
    """The first two numbers of what is installed; none where nothing is, or it has others."""
    with suppress(PackageNotFoundError, ValueError):
        return tuple(map(int, str(version(package)).split(".")[:2]))  # None where its record is damaged
    return ()


def find_mentions(
    publications: pl.LazyFrame,
    lexicon: Lexicon,
    *,
    column: str = "title",
    overlaps: Overlaps = "longest",
    engine: Engine = "auto",
) -> pl.LazyFrame:
    """Join each publication to the drugs that its `column` mentions: one row per (row of the input, drug).

    Adds `drug` (its shown name) and `spans` (see `model.SPANS`) to the columns of the input, which must not have them
    yet. Rows come in the order of the input, then by drug. It builds a plan and reads nothing; it streams. Raises
    MissingExtraError where the engine asked for isn't installed.
    """
    return Matcher(lexicon, overlaps, engine).find_mentions(publications, column)


def _slices(batch: pl.DataFrame, column: str) -> Iterator[pl.DataFrame]:
    """Parts of a batch, in order, each of some rows and bytes at most; a row is never cut."""
    for part in batch.iter_slices(_SLICE):
        if part.height > 1 and part[column].str.len_bytes().sum() > _SLICE_BYTES:
            half = part.height // 2
            yield from _slices(part.head(half), column)
            yield from _slices(part.tail(-half), column)
        else:
            yield part
