"""Find the files that the inputs name, each once, by listing directories; opens nothing but a run.json of ours.

A directory is walked, a file or what a glob matches is taken. `file` is the INPUT as typed, normalised, plus the path
below it, with slashes; bytes of a name that aren't UTF-8 are shown as escapes.
"""

# Names stay text, as typed and listed: Path would normalise them too early, and is slow for a hundred thousand files.
# ruff: noqa: PTH112, PTH114, PTH116, PTH118, PTH120, PTH123, PTH207

import os
import stat
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from glob import glob
from heapq import heappop, heappush
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from drugmentions.durable import fingerprint
from drugmentions.errors import NoInputError
from drugmentions.model import Fingerprint

_LARGEST_REPORT: Final = 64 << 20
"""Bytes of a run.json that is still read to see whether it is ours."""

_KINDS: Final = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class LocatedFile(NamedTuple):
    """A regular file. `path`: absolute, without symlinks; `below`: the end of `file` that lies below the INPUT."""

    file: str
    path: str
    fingerprint: Fingerprint
    below: str


class Refused(NamedTuple):
    """What was met and isn't taken, or couldn't be listed, and why."""

    file: str
    reason: str


class Located(NamedTuple):
    """All that the inputs name; both lists sorted by the UTF-8 bytes of `file`."""

    files: list[LocatedFile]
    refused: list[Refused]


class _Directory(NamedTuple):
    """A directory to list, smallest name first. `file` and `below` end in a slash, or are empty.

    That slash makes the order of directories that of the files below them. `above`: the real paths of directories that
    were left by a symlink to get here.
    """

    file: str
    below: str
    path: str
    above: tuple[str, ...]


class _Walk(NamedTuple):
    """What holds for a whole walk: real paths of the directory it started in, and of the output directory."""

    root: str
    out: str


class _RunReport(msgspec.Struct):
    schema: str = ""


def locate(inputs: Iterable[str], out: Path) -> Located:
    """The files that `inputs` name, whatever their order. Raises NoInputError where one names nothing that exists.

    A walk passes over `out`, any other directory with a run.json of ours, and hidden names.
    """
    output = os.path.realpath(out)
    return _each_once(chain.from_iterable(_reach(text, output) for text in dict.fromkeys(inputs)))


def _each_once(reached: Iterable[LocatedFile | Refused]) -> Located:
    """Of a file's names, keep the smallest; of two files that show as one name, the first path.

    What one input refuses and another takes isn't refused: a link out of a directory, but inside the one above.
    """
    refused: set[Refused] = set()
    best: dict[str, LocatedFile] = {}
    taken = set()
    for found in reached:
        if isinstance(found, Refused):
            refused.add(found)
            continue
        taken.add(found.file)
        other = best.setdefault(found.path, found)
        if (found.file, -len(found.below)) < (other.file, -len(other.below)):
            best[found.path] = found
    files: dict[str, LocatedFile] = {}
    clashes = set()
    for located in sorted(best.values()):
        if files.setdefault(located.file, located) is not located:
            clashes.add(Refused(located.file, "another file is shown by the same name"))
    return Located(list(files.values()), sorted({entry for entry in refused if entry.file not in taken} | clashes))


def _reach(text: str, out: str) -> Iterator[LocatedFile | Refused]:
    """What one INPUT names."""
    try:
        status = os.stat(text)
    except OSError as error:
        if _is_magic(text):
            yield from _reach_pattern(text.replace(os.sep, "/"), out)
        elif isinstance(error, FileNotFoundError | NotADirectoryError):
            message = f"{_shown(text) or 'an empty name'}: no such file or directory"
            raise NoInputError(message, "name files, directories or globs that exist") from None
        else:
            yield Refused(_normalised(text), _reason(error, text))
    else:
        yield from _take_input(text, status, out)


def _reach_pattern(pattern: str, out: str) -> Iterator[LocatedFile | Refused]:
    """What a glob matches, each taken as if it were an INPUT; directories under `**` are walked, so none twice."""
    matches = _walk_matches(pattern, out) if "**" in pattern.split("/") else _list_matches(pattern, out)
    matched = False
    for found in matches:
        matched = matched or isinstance(found, LocatedFile)
        yield found
    if not matched:
        yield Refused(_shown(pattern), "matches no file")


def _list_matches(pattern: str, out: str) -> Iterator[LocatedFile | Refused]:
    for path in glob(pattern):
        try:
            status = os.stat(path)
        except OSError as error:
            yield Refused(_normalised(path), _reason(error, path))
        else:
            yield from _take_input(path, status, out)


def _walk_matches(pattern: str, out: str) -> Iterator[LocatedFile | Refused]:
    """Walk from the last directory that the glob spells out, keep what fits, and all that was refused on the way."""
    parts = pattern.split("/")
    fixed = next(index for index, part in enumerate(parts) if _is_magic(part))
    base = "/".join(parts[:fixed]) or ("/" if fixed else ".")
    wanted = [part for part in parts[fixed:] if part]
    for found in _walk(base, out) if os.path.isdir(base) else ():
        if isinstance(found, Refused) or _matches(found.below.split("/"), wanted):
            yield found


def _take_input(text: str, status: os.stat_result, out: str) -> Iterator[LocatedFile | Refused]:
    if stat.S_ISDIR(status.st_mode):
        yield from _walk(text, out)
    else:
        file = _normalised(text)
        yield _take_file(file, file.rpartition("/")[2], os.path.realpath(text), status)


def _take_file(file: str, below: str, path: str, status: os.stat_result) -> LocatedFile | Refused:
    if stat.S_ISREG(status.st_mode):
        return LocatedFile(file, path, fingerprint(status), below)
    return Refused(file, f"{_KINDS.get(stat.S_IFMT(status.st_mode), 'something else')}, not a regular file")


def _walk(text: str, out: str) -> Iterator[LocatedFile | Refused]:
    """List a directory and all below it, each real one once, under the smallest name that leads there."""
    root = os.path.realpath(text)
    walk = _Walk(root, out)
    file = _normalised(text)
    if root == out or _holds_run(root):
        yield Refused(file, "an output directory of drugmentions")
        return
    waiting = [_Directory("" if file == "." else file.rstrip("/") + "/", "", root, ())]
    listed = set()
    while waiting:
        directory = heappop(waiting)
        if directory.path in listed:
            continue
        listed.add(directory.path)
        for found in _list(directory, walk):
            if isinstance(found, _Directory):
                heappush(waiting, found)
            else:
                yield found


def _list(directory: _Directory, walk: _Walk) -> Iterator[LocatedFile | Refused | _Directory]:
    try:
        with os.scandir(directory.path) as listing:
            entries = list(listing)
    except OSError as error:
        yield Refused(directory.file.rstrip("/") or directory.file or ".", _reason(error, directory.path))
        return
    if any(entry.name == "run.json" for entry in entries) and _holds_run(directory.path):
        return
    for entry in entries:
        if not entry.name.startswith("."):
            found = _take_entry(entry, directory, walk)
            if found is not None:
                yield found


def _take_entry(
    entry: os.DirEntry[str], directory: _Directory, walk: _Walk
) -> LocatedFile | Refused | _Directory | None:
    """What stands in a directory; None: it is passed over."""
    name = _shown(entry.name)
    file, below = directory.file + name, directory.below + name
    try:
        if entry.is_symlink():
            return _follow(entry.path, file, below, directory, walk)
        if entry.is_dir(follow_symlinks=False):
            known = entry.path == walk.out
            return None if known else _Directory(file + "/", below + "/", entry.path, directory.above)
        return _take_file(file, below, entry.path, entry.stat(follow_symlinks=False))
    except OSError as error:
        return Refused(file, _reason(error, entry.path))


def _follow(
    link: str, file: str, below: str, directory: _Directory, walk: _Walk
) -> LocatedFile | Refused | _Directory | None:
    """Where a symlink leads; None: it is passed over. Raises OSError where that is nowhere or can't be found out."""
    path = os.path.realpath(link, strict=True)
    if _is_within(path, walk.out) and not _is_within(walk.root, walk.out):
        return None
    if not _is_within(path, walk.root):
        return Refused(file, "a symlink that leads out of the input directory")
    if any(_holds_run(place) for place in _between(path, walk.root)):
        return None
    status = os.stat(path)
    if not stat.S_ISDIR(status.st_mode):
        return _take_file(file, below, path, status)
    if any(_is_within(place, path) for place in (directory.path, *directory.above)):
        return Refused(file, "a symlink that leads in a circle")
    return _Directory(file + "/", below + "/", path, (*directory.above, directory.path))


def _between(path: str, root: str) -> Iterator[str]:
    """The path and the directories above it, up to `root`, which is left out."""
    while path != root:
        yield path
        path = os.path.dirname(path)


def _holds_run(directory: str) -> bool:
    """Whether this is the output directory of some run: it holds a run.json with our schema."""
    path = os.path.join(directory, "run.json")
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST_REPORT:
            return False
        with open(path, "rb") as report:
            return msgspec.json.decode(report.read(), type=_RunReport).schema.startswith("drugmentions/run/")
    except (OSError, msgspec.DecodeError, RecursionError):
        return False


def _matches(parts: list[str], pattern: list[str]) -> bool:
    """Whether a path, or a directory above it, fits a glob, both cut at slashes; `**` takes any number of parts."""
    if not pattern:
        return True
    if pattern[0] == "**":
        return any(_matches(parts[index:], pattern[1:]) for index in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


def _is_magic(text: str) -> bool:
    return any(sign in text for sign in "*?[")


def _is_within(path: str, directory: str) -> bool:
    """Whether a real path is `directory` or lies below it."""
    return path == directory or path.startswith(directory.rstrip(os.sep) + os.sep)


def _normalised(text: str) -> str:
    return _shown(os.path.normpath(text)).replace(os.sep, "/")


def _shown(name: str) -> str:
    """A name as valid UTF-8."""
    return name if name.isascii() else name.encode("utf-8", "backslashreplace").decode()


def _reason(error: OSError, path: str) -> str:
    if isinstance(error, FileNotFoundError) and os.path.islink(path):
        return "a symlink that leads nowhere"
    return error.strerror or str(error)
