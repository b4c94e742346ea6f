"""What a person may want to mend in a drug list: names dropped, changed, ambiguous, duplicated or suspicious."""

from typing import Final

import polars as pl

FINDINGS: Final = pl.Schema(
    {
        "finding": pl.String,
        "rule": pl.String,
        "drug": pl.String,
        "term": pl.String,
        "detail": pl.String,
        "remedy": pl.String,
    }
)
"""One row per finding. `rule`: the switch it is about, if any. `detail`: what else there is to know."""

_REMEDIES: Final = {
    ("dropped", "unusable_names"): "write the name out: it needs two letters or digits, one of them a letter",
    ("dropped", "stop_names"): "list the drug by another name, or name stop lists of your own (stop_lists)",
    ("dropped", "stop_synonyms"): "list the drug by another name, or name stop lists of your own (stop_lists)",
    ("dropped", "class_names"): "list the drugs themselves, or keep such names (class_names = false)",
    ("suspicious", "unusable_names"): "remove it, or drop such names (unusable_names = true)",
    ("suspicious", "stop_names"): "remove it, or drop such names (stop_names = true, or --profile strict)",
    ("suspicious", "class_names"): "remove it, or drop such names (class_names = true, or --profile strict)",
    ("changed", "punctuation"): "cut the punctuation off in the list",
    ("ambiguous", None): "a mention counts for each of these drugs; leave the name to one of them",
    ("duplicated", None): "list it once",
}


def find_flaws(names: pl.DataFrame) -> pl.DataFrame:
    """The flaws of a lexicon's names (`Lexicon.names`): `FINDINGS`, by finding, rule, drug and term."""
    own = names.filter(pl.col("added").is_null())
    doubtful = own.filter(pl.col("doubt").is_not_null())
    dropped = pl.when("dropped").then(pl.lit("dropped")).otherwise(pl.lit("suspicious"))
    none = pl.lit(None, pl.String)
    found = pl.concat(
        [
            doubtful.select("drug", "term", finding=dropped, rule="doubt", detail=none),
            own.filter("trimmed").select(
                "drug", "term", finding=pl.lit("changed"), rule=pl.lit("punctuation"), detail=none
            ),
            _ambiguous(names.filter(~pl.col("dropped") & pl.col("added").fill_null("salts").eq("salts"))).with_columns(
                finding=pl.lit("ambiguous"), rule=none
            ),
            _duplicated(own).with_columns(finding=pl.lit("duplicated"), rule=none),
        ],
        how="diagonal",
    )
    remedies = [{"finding": finding, "rule": rule, "remedy": text} for (finding, rule), text in _REMEDIES.items()]
    with_remedies = found.join(pl.DataFrame(remedies), on=["finding", "rule"], how="left", nulls_equal=True)
    return with_remedies.select(FINDINGS.names()).unique().sort(FINDINGS.names())


def _ambiguous(names: pl.DataFrame) -> pl.DataFrame:
    """Names in one form that are those of several drugs: `drug, term, detail`."""
    shared = names.filter(pl.col("drug").n_unique().over("normal") > 1)
    drugs = shared.group_by("normal").agg(drugs=pl.col("drug").unique().sort())
    others = pl.col("drugs").list.set_difference(pl.concat_list("drug")).list.sort().list.join(", ")
    form = pl.when(pl.col("added").is_not_null()).then(pl.format(" as `{}`", "normal")).otherwise(pl.lit(""))
    return shared.join(drugs, on="normal").select("drug", "term", detail=pl.format("also of {}{}", others, form))


def _duplicated(own: pl.DataFrame) -> pl.DataFrame:
    """Names that a drug has more than once, in one spelling or several: `drug, term, detail`."""
    spellings = pl.col("term").unique().sort()
    several = own.group_by("drug", "normal").agg(pl.col("listed").sum(), spellings=spellings, term=pl.col("term").min())
    shown = pl.col("spellings").list.join(", ")
    detail = pl.format("{} times: {}", "listed", shown)
    return several.filter(pl.col("listed") > 1).select("drug", "term", detail=detail)
