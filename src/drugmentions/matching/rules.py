"""The named rules: which there are, and which a profile or a configuration switches on.

To the names of a drug list, in this order: `punctuation`, `salts`, `spelling`, `unusable_names`, `stop_names`,
`stop_synonyms`, `class_names` (`names.py`). To what stands in a title: `short_names`, `locants`, `salts` (the
engines). `oracle.py` says the same slowly.
"""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from drugmentions.config import Matching
from drugmentions.errors import ConfigError
from drugmentions.matching.normalise import normal_form_expr
from drugmentions.matching.words import ANIONS, SALTS


class MatchRules(NamedTuple):
    """What is applied to titles, and can't be seen in a lexicon's rows.

    short_names: short terms count only in capitals or with a digit. salts: words that a span takes along, where they
    follow a term; none: the rule is off. locants: a term inside a longer name doesn't count.
    """

    short_names: bool = True
    salts: tuple[str, ...] = ()
    locants: bool = False


class Rules(NamedTuple):
    """Which rules are on; by default those of `plain`, the five steps of whole-word matching and nothing else.

    stop_words: what `stop_names` drops, and `stop_synonyms` where it isn't the drug's own name, in normal form, sorted;
    known even where the rules are off, for `salts` passes over them, and so that they can be pointed out.
    """

    punctuation: bool = False
    unusable_names: bool = True
    stop_names: bool = False
    stop_synonyms: bool = False
    class_names: bool = False
    salts: bool = False
    spelling: bool = False
    short_names: bool = True
    locants: bool = False
    stop_words: tuple[str, ...] = ()

    def on_titles(self) -> MatchRules:
        """The rules that an engine applies."""
        salts = SALTS + ANIONS if self.salts else ()
        return MatchRules(self.short_names, salts, self.locants)


PLAIN: Final = Rules()
_DEFAULT: Final = PLAIN._replace(punctuation=True, stop_synonyms=True, salts=True, spelling=True, locants=True)
_STRICT: Final = _DEFAULT._replace(stop_names=True, class_names=True)
_PROFILES: Final = {"plain": PLAIN, "default": _DEFAULT, "strict": _STRICT}
SWITCHES: Final = tuple(name for name in Rules._fields if name != "stop_words")
BUILT_IN: Final = "built-in"
"""The stop list that ships with the package."""


def build_rules(matching: Matching) -> Rules:
    """The rules of a configuration: those of its profile, but where a switch says otherwise.

    Reads the stop lists. Raises ConfigError where one of them can't be read.
    """
    switches = {name: getattr(matching, name) for name in SWITCHES if getattr(matching, name) is not None}
    words = _stop_words(matching.stop_lists)
    return _PROFILES[matching.profile]._replace(**switches, stop_words=words)


def _stop_words(lists: Sequence[str]) -> tuple[str, ...]:
    """The names of stop lists in normal form: parted by commas or line ends, what follows a # is a comment."""
    lines = pl.Series("name", [line for path in lists for line in _read_stop_list(path).splitlines()], dtype=pl.String)
    names = lines.str.replace("#.*", "").str.split(",").explode().to_frame()
    normal = names.select(normal_form_expr(pl.col("name"))).to_series()
    return tuple(normal.filter(normal != "").unique().sort())


def _read_stop_list(path: str) -> str:
    try:
        if path == BUILT_IN:
            return files("drugmentions.matching").joinpath("stop_names.txt").read_text(encoding="utf-8")
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", f"stop_lists names text files, or {BUILT_IN}") from None
    except ValueError:  # a path with a NUL as well
        raise ConfigError(f"{path!r}: not a text in UTF-8", "save the stop list as UTF-8") from None
