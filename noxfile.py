import nox

PROJECT = nox.project.load_toml("pyproject.toml")
TEST = nox.project.dependency_groups(PROJECT, "test")
LINT = nox.project.dependency_groups(PROJECT, "lint")

nox.options.default_venv_backend = "venv"
nox.options.sessions = ["tests", "lint", "typing", "docs"]
nox.options.reuse_existing_virtualenvs = True


@nox.session
def tests(session: nox.Session) -> None:
    session.install("-e", ".", *TEST)
    session.run("pytest", "-n", "auto", *session.posargs)


@nox.session(default=False)
def slow(session: nox.Session) -> None:
    """Every character, thousands of examples: half an hour."""
    session.install("-e", ".", *TEST)
    session.run(
        "pytest", "-n", "auto", "-m", "slow or not slow", *session.posargs, env={"HYPOTHESIS_PROFILE": "thorough"}
    )


@nox.session(default=False, python=["3.11", "3.12", "3.13"])
def pythons(session: nox.Session) -> None:
    session.install("-e", ".", *TEST)
    session.run("pytest", "-n", "auto", *session.posargs)


@nox.session(default=False)
def minimums(session: nox.Session) -> None:
    """The lowest versions that pyproject.toml allows."""
    project = PROJECT["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["fast"]]
    lowest = [requirement.replace(">=", "==") for requirement in needed]
    session.install("-e", ".", *TEST, *lowest)
    session.run("pytest", "-n", "auto", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    session.install("-e", ".", *LINT)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")


@nox.session
def typing(session: nox.Session) -> None:
    session.install("-e", ".", *LINT, *TEST, "nox", "ahocorasick_rs")
    session.run("mypy")


@nox.session(default=False)
def bare(session: nox.Session) -> None:
    """A wheel in an environment with nothing else runs the main job."""
    session.install("build")
    session.run("python", "-m", "build", "--wheel", "--outdir", session.create_tmp(), ".")
    session.run("python", "-m", "venv", "--clear", f"{session.create_tmp()}/bare")
    python = f"{session.create_tmp()}/bare/bin/python"
    session.run(
        python, "-m", "pip", "install", "-q", "--find-links", session.create_tmp(), "drugmentions", external=True
    )
    out = f"{session.create_tmp()}/out"
    session.run(python, "-m", "drugmentions", "run", "data/sample", "--out", out, external=True)
    session.run(python, "-m", "drugmentions", "adhoc", "top-journal", out, external=True)


@nox.session
def docs(session: nox.Session) -> None:
    """What README says is what happens."""
    session.install("-e", ".", *TEST)
    session.run("pytest", "tests/test_docs.py", *session.posargs)


@nox.session(default=False)
def evaluate(session: nox.Session) -> None:
    """Precision and recall on annotated titles: `nox -s evaluate -- GOLD LEXICON`; benchmarks/README.md has the way."""
    session.install("-e", ".")
    session.run("python", "benchmarks/quality.py", *session.posargs)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Benchmarks in short, and whether a ratio fell; `-- --record` records the ratios. More in benchmarks/README.md."""
    session.install("-e", ".[fast]", "ahocorasick_rs", "flashtext2", "duckdb")
    measured = session.create_tmp()
    for script, options in {
        "run_against_peers": "--engine polars compiled --titles 500000 --terms 1000 --repeat 3"
        " --ways loop flash duckdb join scan",
        "growth": "--sizes 100000 400000 --terms 7 10000 --files 1 2000 --shares 0 1 --titles 200000 --repeat 3",
        "incremental": "--titles 200000 --terms 1000 --files 2000",
        "throughput": "--gigabytes 0.1 --terms 1000 --titles 100000",
        "limit": "--titles 200000 --terms 1000",
    }.items():
        session.run("python", f"benchmarks/{script}.py", *options.split(), "--json", f"{measured}/{script}.json")
    session.run("python", "benchmarks/regression.py", "benchmarks/results/short", measured, *session.posargs)
