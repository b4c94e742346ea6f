"""The configuration: one frozen Config from a TOML file, the environment and the command line's flags.

Flags beat `DRUGMENTIONS_*` variables, which beat the file. Every path is relative to the working directory.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from encodings.aliases import aliases
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from drugmentions.errors import ConfigError

DEFAULT_PATH: Final = Path("drugmentions.toml")
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "publications": ("title", "id", "official_title", "journal", "sponsor", "date", "version"),
    "drugs": ("drug", "atccode", "synonyms"),
}
"""What a column can be, by the kind of file; the field that a file can't do without comes first."""

SETTINGS: Final[Mapping[str, str]] = {
    "out": "run",
    "strict": "run",
    "max_rejects": "run",
    "drugs": "run",
    "keep_missing": "run",
    "wait": "run",
    "if_locked": "run",
    "threads": "run",
    "tmp": "run",
    "engine": "matching",
    "overlaps": "matching",
    "profile": "matching",
}
"""What the environment and flags can set, and the table where it lives."""

_PREFIX: Final = "DRUGMENTIONS_"
_NOT_SETTINGS: Final = frozenset({"DRUGMENTIONS_FAILPOINT"})
_LIMIT: Final = r"^(?:[0-9]{1,18}|(?:100(?:\.0+)?|[0-9]{1,2}(?:\.[0-9]+)?) ?%)\Z"
_TIME: Final = r"^[0-9]{1,9}(?:\.[0-9]{1,3})? ?[smh]?\Z"
_WIDEST: Final = 10
_SOURCES: Final = "[[source]]"
_ADDRESS: Final = 'a database\'s address, such as "sqlite:///trials.db" or "postgresql://user@host/name"'
_OF_FILES: Final = ("files", "format", "separator", "encoding")

_T = TypeVar("_T", bound=Struct)
_Text = Annotated[str, Meta(min_length=1, description="text that isn't empty")]
_Switch = Annotated[bool, Meta(description="true or false")]
_Limit = Annotated[str, Meta(pattern=_LIMIT, description='a number of records or a percentage, such as "10" or "5%"')]
_Duration = Annotated[str, Meta(pattern=_TIME, description='a time, such as "30s", "10m" or "2h"')]
_Threads = Annotated[int, Meta(ge=1, le=1_024, description="a number of threads, from 1 to 1024")]
# One ASCII character that can't be part of a quoted cell or of a line's end.
_Separator = Annotated[str, Meta(pattern=r"^[^\n\r\"\x00\x80-\U0010ffff]\Z", description="one ASCII character")]


class Matching(Struct, frozen=True, forbid_unknown_fields=True):
    """How mentions are found: a profile, and a switch for each rule that is to differ from it.

    `stop_lists`: text files of names that `stop_names` and `stop_synonyms` drop; `built-in` is the one that ships with
    the package.
    """

    engine: Literal["auto", "polars", "compiled"] = "auto"
    overlaps: Literal["longest", "all"] = "longest"
    profile: Literal["default", "strict", "plain"] = "default"
    punctuation: _Switch | None = None
    unusable_names: _Switch | None = None
    stop_names: _Switch | None = None
    stop_synonyms: _Switch | None = None
    class_names: _Switch | None = None
    salts: _Switch | None = None
    spelling: _Switch | None = None
    short_names: _Switch | None = None
    locants: _Switch | None = None
    stop_lists: Annotated[tuple[_Text, ...], Meta(description="a list of paths")] = ("built-in",)


class Source(Struct, frozen=True, forbid_unknown_fields=True):
    """Files that the user describes, of which the first that fits a file counts; or what a query gives.

    `files`: globs, each tried on a file's shown name and on its base name; `*` takes slashes too. `uri`: a database's
    address, which goes with `query`, and not with `files`. `columns`: field -> column names, tried before the built-in
    ones. `dates`: strptime formats, tried before the built-in ones.
    """

    name: _Text
    files: Annotated[tuple[_Text, ...], Meta(min_length=1, description='a list of globs, such as ["export*.csv"]')] = ()
    uri: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9+]*://", description=_ADDRESS)] | None = None
    query: Annotated[str, Meta(min_length=1, description="an SQL query")] | None = None
    kind: Literal["publications", "drugs"] = "publications"
    format: (
        Literal[
            "csv",
            "json",
            "ndjson",
            "parquet",
            "pubmed-xml",
            "ctgov-json",
            "ctgov-xml",
            "medline",
            "europepmc-json",
            "rxnorm",
            "names",
        ]
        | None
    ) = None
    columns: Annotated[dict[str, tuple[_Text, ...]], Meta(description="a table of field = column or columns")] = {}
    dates: Annotated[tuple[_Text, ...], Meta(description="a list of strptime formats")] = ()
    separator: _Separator | None = None
    encoding: Annotated[str, Meta(description="the name of a text encoding")] | None = None


class Run(Struct, frozen=True, forbid_unknown_fields=True):
    """What a run writes, and when it fails.

    `max_rejects` as `parse_limit` takes it, None: no limit. `keep_missing`: records of files that are gone stay. `wait`
    for another run to end, as `parse_duration` takes it, and what to do if that one still goes on. `threads`: how many
    cores are used; Polars counts them when it is imported, so this must be known before (`cli.settings`). `tmp`: the
    directory for scratch data; None: below `out`.
    """

    strict: _Switch = False
    max_rejects: _Limit | None = None
    out: Annotated[str, Meta(min_length=1, description="a path")] = "out"
    drugs: Annotated[tuple[_Text, ...], Meta(description="a list of paths")] = ()
    keep_missing: Annotated[bool, Meta(description="true or false")] = False
    wait: _Duration = "0"
    if_locked: Literal["fail", "skip"] = "fail"
    threads: _Threads | None = None
    tmp: Annotated[str, Meta(min_length=1, description="a path")] | None = None


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole configuration, checked; its fields are the tables of the file."""

    matching: Matching = Matching()
    source: tuple[Source, ...] = ()
    run: Run = Run()


class MaxRejects(Struct, frozen=True):
    """How many rejects a run may have: a number of records, or percent (0-100) of those read; one of them is None."""

    count: int | None = None
    percent: float | None = None

    def allowed(self, read: int) -> int | None:
        """How many of `read` records may be rejects; None: all of them."""
        if self.percent is None:
            return self.count
        return int(round(read * self.percent / 100, 6))  # 0.57% of 10,000 is 57, not 56.99999999999999


def load_config(
    path: Path | None,
    environ: Mapping[str, str],
    overrides: Mapping[str, object],
    *,
    check_date: Callable[[str], object] = str,
) -> Config:
    """The configuration from `path` (None: ./drugmentions.toml if there is one), then `environ`, then `overrides`.

    `overrides` holds flags by the names of `SETTINGS`; None or an empty list is a flag not given, an empty variable one
    not set. `check_date` is called with every configured date format and raises ConfigError on a wrong one.
    Raises ConfigError, naming file, table and key, on a wrong key or value, or a file that can't be read.
    """
    config = _build_config(_read_toml(path), str(path or DEFAULT_PATH), check_date)
    for name, text in _settings_of(environ).items():
        config = _with_setting(config, name, _from_variable(name, text), _PREFIX + name.upper())
    for name, value in overrides.items():
        flag = "--" + name.replace("_", "-")
        _check_key(name, SETTINGS, flag)
        if value not in (None, [], ()):
            config = _with_setting(config, name, value, flag)
    return config


def parse_limit(text: str) -> MaxRejects:
    """`10` as a number of records, `5%` (or `0.5 %`) as percent. Raises ConfigError on anything else."""
    if not re.match(_LIMIT, text):
        raise ConfigError(f"not a limit: {text!r}", 'a number of records or a percentage, such as "10" or "5%"')
    if text.endswith("%"):
        return MaxRejects(percent=float(text[:-1]))
    return MaxRejects(count=int(text))


def parse_duration(text: str) -> float:
    """`90` or `90s`, `10m`, `2h` in seconds. Raises ConfigError on anything else."""
    if not re.match(_TIME, text):
        raise ConfigError(f"not a time: {text!r}", 'seconds, or such as "10m" or "2h"')
    return float(text.rstrip("smh")) * {"m": 60, "h": 3600}.get(text[-1], 1)


def without_passwords(config: Config) -> Config:
    """The configuration with `***` for the passwords in addresses of databases: what may be shown to others."""
    replace = msgspec.structs.replace
    return replace(config, source=tuple(replace(source, uri=_without_password(source.uri)) for source in config.source))


def _without_password(uri: str | None) -> str | None:
    return uri and re.sub(r"(://[^:/]*:)[^@]*(?=@)|([?&]password=)[^&]*", r"\1\2***", uri)


def config_as_toml(config: Config) -> str:
    """Every value in force, as a file that `load_config` reads back to an equal Config.

    What TOML can't hold, a lone surrogate of a file name that isn't UTF-8, is written as an escaped text.
    """
    tables = [f"[matching]\n{_toml_pairs(config.matching)}"]
    tables += [f"{_SOURCES}\n{_toml_pairs(source)}" for source in config.source]
    tables += [f"[run]\n{_toml_pairs(config.run)}"]
    return "\n".join(tables)


def _read_toml(path: Path | None) -> dict[str, Any]:
    file = path or DEFAULT_PATH
    try:
        return tomllib.loads(file.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        if path is None:
            return {}
        raise ConfigError(f"{file}: no such file", "--config names a file that exists") from None
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}", "the configuration must be a file that can be read") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file}: not valid TOML: {error}", "text is quoted, tables look like [run]") from None


def _build_config(tables: dict[str, Any], file: str, check_date: Callable[[str], object]) -> Config:
    for key in tables:
        if key in SETTINGS:
            raise ConfigError(f"{file}: {key} stands outside of its table", f"write it below [{SETTINGS[key]}]")
        _check_key(key, Config.__struct_fields__, f"{file}: table")
    sources = tables.get("source", [])
    if not isinstance(sources, list):
        raise ConfigError(f"{file}: source: expected a list of tables", f"write {_SOURCES}, with two brackets")
    return Config(
        matching=_build_table(Matching, tables.get("matching", {}), f"{file}: [matching]"),
        source=tuple(_build_source(table, f"{file}: {_SOURCES}", n, check_date) for n, table in enumerate(sources, 1)),
        run=_build_table(Run, tables.get("run", {}), f"{file}: [run]"),
    )


def _build_source(table: object, where: str, number: int, check_date: Callable[[str], object]) -> Source:
    """`number` counts the tables from 1, to tell them apart in messages."""
    name = table.get("name", "") if isinstance(table, dict) else ""
    where = f"{where} {name if name and isinstance(name, str) else number}"
    source = _build_table(Source, table, where)
    _check_query(source, where)
    for field in source.columns:
        _check_key(field, FIELDS[source.kind], f"{where} columns")
    if source.encoding is not None:
        _check_encoding(source.encoding, f"{where} encoding")
    for date in source.dates:
        try:
            check_date(date)
        except ConfigError as error:
            raise ConfigError(f"{where} dates: {error}", error.hint) from None
    return source


def _check_query(source: Source, where: str) -> None:
    """Raise ConfigError unless the source has files, or an address and a query, and nothing of both."""
    required = ("uri", "query") if source.uri or source.query else ("files",)
    fields = {field.name: field.type for field in msgspec.structs.fields(Source)}
    for name in required:
        if not getattr(source, name):
            raise ConfigError(f"{where}: {name} is missing", f"write {name} = {_expected(fields[name])}")
    if source.uri and (surplus := [name for name in _OF_FILES if getattr(source, name)]):
        raise ConfigError(f"{where}: {surplus[0]} doesn't go with uri", f"leave {surplus[0]} out, or uri and query")


def _build_table(kind: type[_T], table: object, where: str) -> _T:
    if not isinstance(table, dict):
        raise ConfigError(f"{where}: expected a table, found {_shown(table)}", "a table looks like [run]")
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    for key in table:
        _check_key(key, fields, where)
    for name, field in fields.items():
        if field.required and name not in table:
            raise ConfigError(f"{where}: {name} is missing", f"write {name} = {_expected(field.type)}")
    return kind(**{key: _read_value(fields[key].type, value, f"{where} {key}") for key, value in table.items()})


def _read_value(kind: object, value: object, where: str) -> object:
    """The value as its field holds it; where those fit, a number stands for its text, one column for a list of one."""
    if isinstance(value, dict):
        value = {key: [item] if isinstance(item, str) else item for key, item in value.items()}
    try:
        if kind in (_Limit | None, _Duration) and type(value) is int:
            value = str(value)
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        hint = _nearest(value, _choices(kind)) if isinstance(value, str) else ""
        message = f"{where}: expected {_expected(kind)}, found {_shown(value)}"
        raise ConfigError(message, hint or f"write {_expected(kind)}") from None


def _settings_of(environ: Mapping[str, str]) -> dict[str, str]:
    """What the environment sets, by the names of `SETTINGS`."""
    variables = sorted(name for name in environ if name.startswith(_PREFIX) and name not in _NOT_SETTINGS)
    for variable in variables:
        _check_key(variable, [_PREFIX + name.upper() for name in SETTINGS], "environment")
    return {variable.removeprefix(_PREFIX).lower(): environ[variable] for variable in variables if environ[variable]}


def _from_variable(name: str, text: str) -> object:
    if name == "drugs":
        return [path for path in text.split(os.pathsep) if path]
    if name in {"strict", "keep_missing"}:
        return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}.get(text.lower(), text)
    if name == "threads" and text.isdecimal() and len(text) < _WIDEST:
        return int(text)
    return text


def _with_setting(config: Config, name: str, value: object, where: str) -> Config:
    table: Struct = getattr(config, SETTINGS[name])
    (kind,) = (field.type for field in msgspec.structs.fields(table) if field.name == name)
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    elif isinstance(value, list | tuple):
        value = [os.fspath(path) for path in value]
    changed = msgspec.structs.replace(table, **{name: _read_value(kind, value, where)})
    return msgspec.structs.replace(config, **{SETTINGS[name]: changed})


def _check_key(key: str, allowed: Iterable[str], where: str) -> None:
    if key not in allowed:
        hint = _nearest(key, allowed) or f"known: {', '.join(allowed)}"
        raise ConfigError(f"{where}: unknown key {_shown(key)}", hint)


def _check_encoding(encoding: str, where: str) -> None:
    try:
        b"\xff".decode(encoding, "replace")
    except (LookupError, ValueError):  # ValueError: one that can't replace what it can't decode
        hint = _nearest(encoding.replace("-", "_"), aliases) or 'such as "latin-1" or "cp1252"'
        raise ConfigError(f"{where}: unknown encoding {_shown(encoding)}", hint) from None


def _nearest(word: str, choices: Iterable[str]) -> str:
    near = difflib.get_close_matches(word.lower(), choices, 1) or difflib.get_close_matches(word.upper(), choices, 1)
    return f"did you mean {near[0]}?" if near else ""


def _choices(kind: object) -> tuple[str, ...]:
    """The texts that a Literal type, or an optional one, allows; of any other type, none."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    return next((_choices(part) for part in get_args(kind) if get_origin(part) is Literal), ())


def _expected(kind: object) -> str:
    """What a field's type takes, in words."""
    if choices := _choices(kind):
        return f"one of {', '.join(choices)}"
    notes = (note for part in (kind, *get_args(kind)) for note in getattr(part, "__metadata__", ()))
    return next(str(note.description) for note in notes)


def _shown(value: object) -> str:
    return f"{value!r:.80}"


def _toml_pairs(table: Struct) -> str:
    pairs = msgspec.structs.asdict(table).items()
    return "".join(f"{key} = {_toml_value(value)}\n" for key, value in pairs if value is not None)


def _toml_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    text = msgspec.json.encode(str(value).encode("utf-8", "backslashreplace").decode()).decode()
    return text.replace("\x7f", "\\u007f")  # JSON's text is TOML's, but for this one character
