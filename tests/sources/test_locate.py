"""What a walk takes, passes over and refuses, on real directories with real links, FIFOs and sockets."""

import inspect
import os
import socket
import sys
from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path

import pytest

from drugmentions.errors import NoInputError
from drugmentions.model import Fingerprint
from drugmentions.sources.locate import Located, Refused, locate

OURS = '{"schema":"drugmentions/run/1","files":[]}'
OUT = Path("out")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(*files: str, text: str = "") -> None:
    for file in files:
        path = Path(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def link(where: str, target: str) -> None:
    Path(where).parent.mkdir(parents=True, exist_ok=True)
    Path(where).symlink_to(target)


def names(*inputs: str, out: Path = OUT) -> list[str]:
    """What is taken, where nothing is refused."""
    found = locate(inputs, out)
    assert found.refused == []
    return [located.file for located in found.files]


def refused(*inputs: str) -> list[tuple[str, str]]:
    """What is refused, where nothing is taken."""
    found = locate(inputs, OUT)
    assert found.files == []
    return [tuple(entry) for entry in found.refused]  # type: ignore[misc]  # pairs


# Names.


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        (["data"], ["data/a.csv", "data/sub/b.csv"]),
        (["./data//", "data/sub/.."], ["data/a.csv", "data/sub/b.csv"]),
        (["."], ["data/a.csv", "data/sub/b.csv", "top.csv"]),
        (["data/a.csv"], ["data/a.csv"]),
        (["./data/../data/a.csv", "top.csv"], ["data/a.csv", "top.csv"]),
        (["data", "data/sub", "data/sub/b.csv"], ["data/a.csv", "data/sub/b.csv"]),
        (["data", "."], ["data/a.csv", "data/sub/b.csv", "top.csv"]),
        (["data/sub", "../here/data/sub"], ["../here/data/sub/b.csv"]),
        (["*.csv"], ["top.csv"]),
        (["da*"], ["data/a.csv", "data/sub/b.csv"]),
        (["data/*.csv"], ["data/a.csv"]),
        (["**/*.csv"], ["data/a.csv", "data/sub/b.csv", "top.csv"]),
        (["data/**"], ["data/a.csv", "data/sub/b.csv"]),
        (["data/**/"], ["data/a.csv", "data/sub/b.csv"]),
        (["**/sub"], ["data/sub/b.csv"]),
        (["./d?ta/**/b.*"], ["data/sub/b.csv"]),
        (["**/[ab].csv"], ["data/a.csv", "data/sub/b.csv"]),
        ([], []),
    ],
)
def test_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inputs: list[str], expected: list[str]) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    write("data/a.csv", "data/sub/b.csv", "top.csv")
    assert names(*inputs) == expected


def test_absolute_names(tmp_path: Path) -> None:
    write("data/a.csv")
    for text in (f"{tmp_path}/data", f"{tmp_path}/data/a.csv", f"{tmp_path}/**/a.csv", f"{tmp_path}/data/*"):
        assert names(text) == [f"{tmp_path}/data/a.csv"]


def test_each_file_has_its_real_path_its_fingerprint_and_what_lies_below_the_input() -> None:
    write("data/sub/a.csv", text="12345")
    link("here", "data")
    (located,) = locate(["here"], OUT).files
    status = Path("data/sub/a.csv").stat()
    assert located.file == "here/sub/a.csv"
    assert located.below == "sub/a.csv"
    assert located.path == os.path.realpath("data/sub/a.csv")
    assert located.fingerprint == Fingerprint(5, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


@pytest.mark.parametrize(("text", "below"), [("data", "sub/a.csv"), ("data/sub", "a.csv"), ("data/s*/a.csv", "a.csv")])
def test_below(text: str, below: str) -> None:
    write("data/sub/a.csv")
    assert [located.below for located in locate([text], OUT).files] == [below]


def test_files_are_sorted_by_the_bytes_of_their_names() -> None:
    expected = ["a-b/x", "a.csv", "a/x", "a0", "z", "é", "\uffee", "\U0001f600"]
    write(*expected)
    assert names(".") == expected == sorted(expected, key=str.encode)


def test_blanks_brackets_and_other_signs_are_part_of_names() -> None:
    expected = ["a [1].csv", "b*.csv", "c?.csv"]
    write(*expected)
    assert names(*expected) == expected
    assert names(".") == expected


def test_a_name_that_is_not_utf_8_is_shown_by_escapes() -> None:
    odd = os.fsdecode(b"caf\xe9.csv")
    try:
        write(odd)
    except OSError:
        pytest.skip("this file system knows only UTF-8")
    for text in (".", odd, "caf*", "**"):
        (located,) = locate([text], OUT).files
        assert located.file == "caf\\udce9.csv"
        assert Path(located.path).exists()


def test_of_two_files_that_show_as_one_name_one_is_refused() -> None:
    write("elsewhere/sub/x", "a/x")
    link("a/link", "../elsewhere/sub")
    write("elsewhere/x")
    found = locate(["a/x", "a/link/../x"], OUT)  # the second is elsewhere/x
    assert [located.file for located in found.files] == ["a/x"]
    assert found.refused == [Refused("a/x", "another file is shown by the same name")]


# Inputs that are not there.


@pytest.mark.parametrize("text", ["missing.csv", "data/missing", "data/a.csv/b", ""])
def test_an_input_that_does_not_exist_is_an_error(text: str) -> None:
    write("data/a.csv")
    with pytest.raises(NoInputError, match=text or "an empty name") as caught:
        locate(["data", text], OUT)
    assert caught.value.hint


@pytest.mark.parametrize("pattern", ["*.csv", "data/*.csv", "missing/**/*.csv", "**/*.csv", "[", "data/**/.hidden/x"])
def test_a_glob_without_a_match_is_refused(pattern: str) -> None:
    write("data/a.json", "data/.hidden/x")
    assert refused(pattern) == [(pattern, "matches no file")]


# What a walk passes over.


def test_hidden_names_are_passed_over_unless_named() -> None:
    write("data/.hidden.csv", "data/.git/x.csv", "data/a.csv", ".data/b.csv")
    assert names(".") == ["data/a.csv"]
    assert names("**") == ["data/a.csv"]
    assert names(".data", "data/.hidden.csv") == [".data/b.csv", "data/.hidden.csv"]


@pytest.mark.parametrize("out", ["data/out", "data/../data/out/", "alias"])
def test_the_output_directory_is_passed_over(out: str) -> None:
    write("data/a.csv", "data/out/graph.csv", "data/out/sub/b.csv", "data/outer/c.csv")
    link("alias", "data/out")
    link("data/to_out", "out")
    link("data/into_out", "out/graph.csv")
    for text in ("data", "data/**/*.csv"):
        assert names(text, out=Path(out)) == ["data/a.csv", "data/outer/c.csv"]
    assert names("data/out/graph.csv", out=Path(out)) == ["data/out/graph.csv"]  # named, not walked


def test_the_output_directory_is_refused_as_an_input() -> None:
    write("out/a.csv", "b.csv")
    assert locate(["*"], OUT).files == locate(["b.csv"], OUT).files
    assert refused("out") == [("out", "an output directory of drugmentions")]


def test_an_output_directory_elsewhere_is_passed_over_behind_a_link() -> None:
    write("data/a.csv", "elsewhere/graph.csv")
    link("data/out", "../elsewhere")
    assert names("data", out=Path("data/out")) == ["data/a.csv"]


def test_inputs_may_lie_in_the_output_directory() -> None:
    write("data/a.csv", "run.json", text=OURS)
    link("data/0.csv", "a.csv")
    assert names("data", "run.json", out=Path()) == ["data/0.csv", "run.json"]
    assert locate(["."], Path()).refused == [Refused(".", "an output directory of drugmentions")]


@pytest.mark.parametrize(
    ("report", "ours"),
    [
        (OURS, True),
        ('{\n  "files": [{"a": 1}],\n  "schema": "drugmentions/run/12"\n}', True),
        ('{"schema":"drugmentions/graph/1"}', False),
        ('{"schema":["drugmentions/run/1"]}', False),
        ('{"x":{"schema":"drugmentions/run/1"}}', False),
        ('[{"schema":"drugmentions/run/1"}]', False),
        ('"drugmentions/run/1"', False),
        (OURS[:-1], False),
        ("[" * 100_000, False),
        ('{"a":' * 100_000, False),
        ("", False),
    ],
)
def test_output_directories_of_other_runs_are_passed_over(report: str, ours: bool) -> None:  # a table
    write("data/a.csv", "data/old/b.csv", "data/old/parts/c.csv")
    write("data/old/run.json", text=report)
    link("data/link", "old/parts")
    rest = [] if ours else ["data/link/c.csv", "data/old/b.csv", "data/old/run.json"]
    assert names("data") == ["data/a.csv", *rest]
    if ours:
        assert refused("data/old") == [("data/old", "an output directory of drugmentions")]


def test_a_run_report_that_is_no_file_is_not_opened() -> None:
    Path("data/sub/run.json").mkdir(parents=True)
    os.mkfifo("data/run.json")
    write("data/sub/run.json/a.csv")
    found = locate(["data"], OUT)
    assert [located.file for located in found.files] == ["data/sub/run.json/a.csv"]
    assert found.refused == [Refused("data/run.json", "a FIFO, not a regular file")]


# Links.


def test_links_inside_the_root_are_followed_once_by_the_smallest_name() -> None:
    write("data/m/file.csv", "data/m/deep/x.csv", "data/.store/y.csv")
    link("data/a.csv", "m/file.csv")
    link("data/z.csv", "m/file.csv")
    link("data/b", "m")
    link("data/y", "m/deep")
    link("data/hidden", ".store")
    assert names("data") == ["data/a.csv", "data/b/deep/x.csv", "data/hidden/y.csv"]


def test_the_smallest_name_counts_where_names_sort_around_the_slash() -> None:
    write("data/p/x.csv")
    link("data/p-", "p")  # "p-/x.csv" sorts before "p/x.csv"
    link("data/p0", "p")
    assert names("data") == ["data/p-/x.csv"]


def test_links_out_of_the_root_are_refused() -> None:
    write("outside/a.csv", "database/b.csv", "data/c.csv")
    link("data/file", "../outside/a.csv")
    link("data/sub/directory", "../../outside")
    link("data/parent", "..")
    link("data/sibling", "../database")  # begins like the root
    found = locate(["data"], OUT)
    assert [located.file for located in found.files] == ["data/c.csv"]
    reason = "a symlink that leads out of the input directory"
    assert found.refused == [Refused(f"data/{name}", reason) for name in ("file", "parent", "sibling", "sub/directory")]


def test_a_link_out_of_one_input_and_inside_another_is_read() -> None:
    write("data/a.csv", "data/sub/b.csv")
    link("data/sub/link", "../a.csv")
    for inputs in permutations(["data", "data/sub"]):
        assert names(*inputs) == ["data/a.csv", "data/sub/b.csv"]
    assert locate(["data/sub"], OUT).refused == [
        Refused("data/sub/link", "a symlink that leads out of the input directory")
    ]


def test_an_input_that_is_a_link_is_followed() -> None:
    write("outside/a.csv", "outside/sub/b.csv")
    link("data/file", "../outside/a.csv")
    link("data/directory", "../outside/sub")
    assert names("data/file", "data/directory") == ["data/directory/b.csv", "data/file"]
    assert names("data/*") == ["data/directory/b.csv", "data/file"]


def test_links_that_lead_nowhere_are_refused() -> None:
    link("data/dangling", "missing")
    link("data/self", "self")
    link("data/one", "two")
    link("data/two", "one")
    expected = [
        ("data/dangling", "a symlink that leads nowhere"),
        ("data/one", "Too many levels of symbolic links"),
        ("data/self", "Too many levels of symbolic links"),
        ("data/two", "Too many levels of symbolic links"),
    ]
    assert refused("data") == expected
    assert refused("data/**") == [("data/**", "matches no file"), *expected]
    assert refused("data/*") == [("data/*", "matches no file"), *expected]
    assert refused("data/self") == [("data/self", "Too many levels of symbolic links")]
    with pytest.raises(NoInputError, match="data/dangling"):
        locate(["data/dangling"], OUT)


def test_circles_are_refused_and_end() -> None:
    write("data/a.csv", "data/one/b.csv", "data/two/c.csv")
    for where, target in (
        ("data/top", "."),
        ("data/one/up", ".."),
        ("data/one/here", "."),
        ("data/one/two", "../two"),
        ("data/two/one", "../one"),
    ):
        link(where, target)
    found = locate(["data"], OUT)
    assert [located.file for located in found.files] == ["data/a.csv", "data/one/b.csv", "data/one/two/c.csv"]
    circles = ("one/here", "one/two/one", "one/up", "top")
    assert found.refused == [Refused(f"data/{name}", "a symlink that leads in a circle") for name in circles]


def test_links_that_fan_out_are_walked_once() -> None:
    for level in range(40):  # two ways to each level: 2 ** 40 names
        write(f"data/{level:02}/x.csv")
        link(f"data/{level:02}/left", f"../{level + 1:02}")
        link(f"data/{level:02}/right", f"../{level + 1:02}")
    write("data/40/x.csv")
    found = locate(["data"], OUT)
    assert len(found.files) == 41
    assert found.files[-1].file == "data/00/x.csv"


# What is no file.


@pytest.fixture
def bound() -> Iterator[Callable[[str], None]]:
    sockets = []

    def bind(path: str) -> None:
        sockets.append(socket.socket(socket.AF_UNIX))
        sockets[-1].bind(path)

    yield bind
    for each in sockets:
        each.close()


def test_only_regular_files_are_taken_and_nothing_is_opened(
    bound: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    write("data/a.csv")
    os.mkfifo("data/fifo.csv")
    bound("data/socket.csv")
    link("data/link.csv", "fifo.csv")

    def opened(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("builtins.open", opened)
    monkeypatch.setattr(os, "open", opened)
    refusals = [
        Refused("data/fifo.csv", "a FIFO, not a regular file"),
        Refused("data/link.csv", "a FIFO, not a regular file"),
        Refused("data/socket.csv", "a socket, not a regular file"),
    ]
    everything: list[list[str]] = [["data"], ["data/*"], ["data/**"], [str(path) for path in Path("data").iterdir()]]
    results: list[Located] = [locate(inputs, OUT) for inputs in everything]
    for found in results:
        assert [located.file for located in found.files] == ["data/a.csv"]
        assert found.refused == refusals


def test_devices_are_refused() -> None:
    assert refused("/dev/null") == [("/dev/null", "a device, not a regular file")]


# What can't be listed.


def test_a_directory_that_cannot_be_listed_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    write("data/a.csv", "data/closed/b.csv")
    scandir = os.scandir

    def guarded(path: str) -> object:
        if path.endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    for text in ("data", "data/**/*.csv"):
        found = locate([text], OUT)
        assert [located.file for located in found.files] == ["data/a.csv"]
        assert found.refused == [Refused("data/closed", "Permission denied")]
    assert refused("data/closed") == [("data/closed", "Permission denied")]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permissions don't bind this user")
def test_permissions() -> None:
    write("data/a.csv", "data/closed/b.csv")
    Path("data/closed").chmod(0)
    try:
        assert locate(["data"], OUT).refused == [Refused("data/closed", "Permission denied")]
        assert refused("data/closed/b.csv") == [("data/closed/b.csv", "Permission denied")]
    finally:
        Path("data/closed").chmod(0o700)


def test_a_file_that_vanishes_meanwhile_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        name, path = "gone.csv", "data/gone.csv"

        def is_symlink(self) -> bool:
            return False

        def is_dir(self, *, follow_symlinks: bool) -> bool:
            return follow_symlinks

        def stat(self, *, follow_symlinks: bool) -> os.stat_result:
            return Path(self.path).stat(follow_symlinks=follow_symlinks)

    class Listing(list[Gone]):
        def __enter__(self) -> list[Gone]:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    write("data/a.csv")
    monkeypatch.setattr(os, "scandir", lambda _: Listing([Gone()]))
    assert refused("data") == [("data/gone.csv", "No such file or directory")]


# The whole.


def test_the_order_of_inputs_changes_nothing() -> None:
    write("data/a.csv", "data/sub/b.csv", "data/sub/deep/c.csv", "more/d.csv")
    link("data/link", "sub")
    link("more/out", "../data")
    os.mkfifo("data/fifo")
    inputs = ["data", "data/sub/deep", "more", "**/*.csv", "data/sub/../sub"]
    results = [locate(order, OUT) for order in permutations(inputs)]
    assert results.count(results[0]) == len(results)
    assert [located.file for located in results[0].files] == [
        "data/a.csv",
        "data/link/b.csv",
        "data/link/deep/c.csv",
        "more/d.csv",
    ]


def test_directories_deeper_than_the_stack() -> None:
    depth = 300
    write("d/" * depth + "x")
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 100)
    try:
        (located,) = locate(["."], OUT).files
    finally:
        sys.setrecursionlimit(limit)
    assert located.file == "d/" * depth + "x"
