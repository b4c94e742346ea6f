"""The rules beyond whole words: what each does, one at a time, and that the engine applies them as the oracle does."""

from collections.abc import Sequence
from typing import Any, Literal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drugmentions.config import Matching
from drugmentions.errors import ConfigError
from drugmentions.matching import oracle
from drugmentions.matching.lexicon import Lexicon, build_lexicon
from drugmentions.matching.rules import PLAIN, SWITCHES, Rules, build_rules
from tests.matching.engines import by_engine

Entry = tuple[str, str]  # a drug and its synonyms, separated by |
Found = list[tuple[str, str]]
DEFAULT, STRICT = build_rules(Matching()), build_rules(Matching(profile="strict"))
KNOWING = PLAIN._replace(stop_words=DEFAULT.stop_words)  # no rule is on, but the stop names are known


def lexicon_of(entries: Sequence[Entry], rules: Rules) -> Lexicon:
    rows = [{"drug": drug, "atccode": None, "synonyms": synonyms} for drug, synonyms in entries]
    return build_lexicon(pl.DataFrame(rows, schema=dict.fromkeys(("drug", "atccode", "synonyms"), pl.String)), rules)


def terms_of(entries: Sequence[Entry]) -> list[tuple[str, str]]:
    return [(drug, term) for drug, synonyms in entries for term in (drug, *synonyms.split("|")) if term]


def found(title: str, entries: Sequence[Entry], rules: Rules) -> Found:
    """What stands in the title at each mention, with the drug; engine and oracle must agree on it."""
    (matches,) = by_engine([title], lexicon_of(entries, rules))
    assert matches == oracle.find_mentions(title, terms_of(entries), rules=rules)
    return [(title[match.start : match.end], match.drug) for match in matches]


def only(**changes: Any) -> Rules:
    return KNOWING._replace(**changes)


def names(*drugs: str) -> list[Entry]:
    return [(drug, "") for drug in drugs]


# One rule at a time: what it gives, and what was there without it.

CASES: list[tuple[str, str, list[Entry], list[str], list[str]]] = [
    # rule, title, entries, with the rule, without it
    ("stop_names", "Blood levels of ketamine", names("blood", "ketamine"), ["ketamine"], ["Blood", "ketamine"]),
    ("stop_names", "Blood orange oil", names("blood orange oil"), ["Blood orange oil"], ["Blood orange oil"]),
    ("stop_names", "Eye drops of MORE ketamine", names("eye-drops", "more"), [], ["Eye drops", "MORE"]),
    ("class_names", "The NMDA receptor", names("NMDA receptor", "NMDA"), ["NMDA"], ["NMDA receptor"]),
    ("class_names", "Receptor, adenosine A2 here", names("receptor, adenosine A2"), [], ["Receptor, adenosine A2"]),
    ("class_names", "Proton pump inhibitors", names("proton pump inhibitors"), [], ["Proton pump inhibitors"]),
    ("class_names", "NSAIDs or antidepressants", names("NSAIDs", "antidepressants"), [], ["NSAIDs", "antidepressants"]),
    ("class_names", "CYP3A4, CYP 2D6 and IL-2", names("CYP3A4", "CYP 2D6", "IL-2"), [], ["CYP3A4", "CYP 2D6", "IL-2"]),
    ("class_names", "Xanthine oxidase", names("xanthine oxidase", "xanthine"), ["Xanthine"], ["Xanthine oxidase"]),
    ("class_names", "Antipyrine, streptokinase", names("antipyrine", "streptokinase"), ["Antipyrine", "streptokinase"],
     ["Antipyrine", "streptokinase"]),
    # the span takes salts along, each after one blank
    ("salts", "Oral ketamine hydrochloride", names("ketamine"), ["ketamine hydrochloride"], ["ketamine"]),
    ("salts", "Ketamine Sodium Phosphate Dihydrate sodium", names("ketamine"), ["Ketamine Sodium Phosphate Dihydrate"],
     ["Ketamine"]),
    ("salts", "ketamine, sodium; ketamine-sodium", names("ketamine"), ["ketamine", "ketamine"], ["ketamine"] * 2),
    ("salts", "Kétamine® hydrochloride", names("ketamine"), ["Kétamine"], ["Kétamine"]),
    ("salts", "Kétamine sulfate", names("ketamine"), ["Kétamine sulfate"], ["Kétamine"]),
    ("salts", "e\u0301Kétamine sulfate\u0301 x", names("ekétamine"), ["e\u0301Kétamine sulfate\u0301"],
     ["e\u0301Kétamine"]),
    ("salts", "blood calcium", names("blood", "calcium"), ["blood", "calcium"], ["blood", "calcium"]),
    ("salts", "diclofenac sodium", names("diclofenac", "sodium"), ["diclofenac sodium"], ["diclofenac", "sodium"]),
    ("salts", "morphine sulfate", names("morphine", "morphine sulfate"), ["morphine sulfate"], ["morphine sulfate"]),
    ("salts", "NO sodium in mice", names("NO"), ["NO"], ["NO"]),
    # a name with its salt is listed without it
    ("salts", "Oral ketamine", names("ketamine hydrochloride"), ["ketamine"], []),
    ("salts", "Oral ketamine", names("ketamine sodium phosphate"), ["ketamine"], []),
    ("salts", "Oral ketamine", names("ketamine hydrochloride", "ketamine"), ["ketamine"], ["ketamine"]),
    ("salts", "Zinc, disodium, dimethyl, oleic, blood",
     names("zinc chloride", "disodium phosphate", "dimethyl fumarate", "oleic chloride", "blood calcium"), [], []),
    ("salts", "Hydratase, lactate", names("hydratase, fumarate", "lactate sodium"), [], []),
    # an acid by its salt's name, and back
    ("salts", "Valproate, alendronic acid; acetate", names("valproic acid", "alendronate", "acetic acid"),
     ["Valproate", "alendronic acid"], []),
    ("salts", "Salicylate, phosphate", names("salicylic acid", "phosphoric acid"), ["Salicylate"], []),
    # a span takes along what names another substance than the term, and that isn't cut off names
    ("salts", "Carbon tetrachloride; carbon", names("carbon"), ["Carbon tetrachloride", "carbon"],
     ["Carbon", "carbon"]),
    ("salts", "Sodium valproate, potassium thiopental, sodium ketamine", names("valproate", "thiopental", "ketamine"),
     ["Sodium valproate", "potassium thiopental", "ketamine"], ["valproate", "thiopental", "ketamine"]),
    ("salts", "Arsenic", names("arsenic trioxide"), [], []),
    ("salts", "Valproate", names("valproic acid", "valproate"), ["Valproate"], ["Valproate"]),
    ("salts", "Valproic, acid", names("valproate"), [], []),
    # spelling
    ("spelling", "Sulphasalazine and sulfadiazine", names("sulfasalazine", "sulphadiazine"),
     ["Sulphasalazine", "sulfadiazine"], []),
    ("spelling", "Oestradiol; ethynylestradiol, ethinyloestradiol", names("estradiol", "ethinylestradiol"),
     ["Oestradiol", "ethynylestradiol", "ethinyloestradiol"], []),
    ("spelling", "α-tocopherol and 17α-estradiol", names("alpha-tocopherol", "17alpha-estradiol"),
     ["α-tocopherol", "17α-estradiol"], []),
    ("spelling", "alpha-tocopherol", names("α-tocopherol"), ["alpha-tocopherol"], []),
    ("spelling", "FK506, RAD-001, MK 801", names("FK-506", "RAD001", "MK-801"), ["FK506", "RAD-001", "MK 801"],
     ["MK 801"]),
    ("spelling", "IN 20 cases", names("IN20"), [], []),
    ("spelling", "Bupivacain, morphine, carbachol, gentamycin",
     names("bupivacaine", "morphin", "carbacol", "gentamicin"),
     ["Bupivacain", "morphine", "carbachol", "gentamycin"], []),
    ("spelling", "Amphotericin, vitamin, penicillin",
     names("amphotericin B", "vitamin A", "penicillin G", "penicillin"),
     ["Amphotericin", "penicillin"], ["penicillin"]),
    ("spelling", "Medicine, wine; ketamin sulfate", names("medicin", "win", "ketamine sulfate"), [], []),
    # stop names that are synonyms
    ("stop_synonyms", "Blood and milk", [("whole blood", "blood"), ("milk", "")], ["milk"], ["Blood", "milk"]),
    # inside longer names
    ("locants", "1-(1,2-dihydro-2-acenaphthylenyl)piperazine", names("piperazine"), [], ["piperazine"]),
    ("locants", "N-METHYL-ASPARTATE, acetyl-cysteine", names("aspartate", "cysteine"), [], ["ASPARTATE", "cysteine"]),
    ("locants", "Myo-inositol-1-phosphate, morphine-6-glucuronide, clozapine-N-oxide",
     names("inositol", "morphine", "clozapine"), [], ["inositol", "morphine", "clozapine"]),
    ("locants", "Morphine-6-hourly, cisplatin-5-fluorouracil", names("morphine", "cisplatin", "fluorouracil"),
     ["Morphine", "cisplatin", "fluorouracil"], ["Morphine", "cisplatin", "fluorouracil"]),
    ("locants", "(S)-ketamine, [18F]florbetapir, methyl ketamine", names("ketamine", "florbetapir"),
     ["ketamine", "florbetapir", "ketamine"], ["ketamine", "florbetapir", "ketamine"]),
    ("locants", "The serotonin syndrome, serotonin syndromic, gonadotropin-releasing hormone, NO-releasing",
     names("serotonin", "gonadotropin", "NO"), ["serotonin", "NO"], ["serotonin", "serotonin", "gonadotropin", "NO"]),
    ("locants", "TA-064 and TA", names("TA"), ["TA"], ["TA", "TA"]),
    ("locants", "é phényl-ketamine", names("ketamine"), [], ["ketamine"]),
    ("locants", "½e\u0301phenyl)-ketamine", names("ketamine"), [], ["ketamine"]),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "title", "entries", "with_rule", "without"), CASES)
def test_a_rule(rule: str, title: str, entries: list[Entry], with_rule: list[str], without: list[str]) -> None:
    assert [fragment for fragment, _ in found(title, entries, only(**{rule: True}))] == with_rule
    assert [fragment for fragment, _ in found(title, entries, KNOWING)] == without


@pytest.mark.parametrize("locants", ["2", "1,2"])
def test_locants_and_the_word_behind_them_are_looked_at_however_long_they_are(locants: str) -> None:
    counts = {"-{}ate": 0, "-{}ate b": 0, "-{}ated": 1, "-{}": 1, " {}ate": 1}
    beginnings = ((locants, "x"), (locants + ",1'" * 70, ""), (locants + ",1" * 500, "y" * 500))
    titles = [
        f"a ketamine-{some}{end.format(rest + 'z' * more)}"
        for some, rest in beginnings
        for more in range(200)
        for end in counts
    ]
    found = by_engine(titles, lexicon_of(names("ketamine"), only(locants=True)))
    assert [len(matches) for matches in found] == [*counts.values()] * (len(titles) // len(counts))


def test_every_rule_can_be_switched_off_and_changes_something() -> None:
    assert {rule for rule, *_ in CASES} == set(SWITCHES) - {"punctuation", "unusable_names", "short_names"}
    assert found("no NO 2", names("NO", "2"), PLAIN) == [("NO", "NO")]
    assert found("no NO 2", names("NO"), only(short_names=False)) == [("no", "NO"), ("NO", "NO")]
    assert found("no No 2", names("2"), only(unusable_names=False)) == [("2", "2")]


def test_punctuation_is_cut_off_synonyms() -> None:
    entries = [("X-ETHANOL,", "alcohol,|'spirit'|...")]
    lexicon = lexicon_of(entries, only(punctuation=True))
    assert sorted(lexicon.terms["term"]) == ["X-ETHANOL,", "alcohol", "spirit"]
    assert lexicon.names.filter("trimmed")["term"].to_list() == ["alcohol", "spirit"]
    assert sorted(lexicon_of(entries, PLAIN).terms["term"]) == ["'spirit'", "X-ETHANOL,", "alcohol,"]


def test_a_mention_names_the_term_of_the_list() -> None:
    entries = [("SULFAMETHOXAZOLE", "sulphamethoxazole"), ("KETAMINE HYDROCHLORIDE", ""), ("X", "alpha-blocker beta")]
    titles = ["Sulphamethoxazole", "ketamine", "α-blocker β"]
    terms = [match.term for matches in by_engine(titles, lexicon_of(entries, DEFAULT)) for match in matches]
    assert terms == ["sulphamethoxazole", "KETAMINE HYDROCHLORIDE", "alpha-blocker beta"]


def test_two_drugs_may_share_what_is_left_of_their_names() -> None:
    entries = names("ketamine hydrochloride", "ketamine sulfate")
    assert found("ketamine", entries, DEFAULT) == [
        ("ketamine", "ketamine hydrochloride"),
        ("ketamine", "ketamine sulfate"),
    ]
    assert found("ketamine sulfate", entries, DEFAULT) == [("ketamine sulfate", "ketamine sulfate")]


def test_profiles() -> None:
    assert build_rules(Matching(profile="plain"))._replace(stop_words=()) == PLAIN
    on = {profile: {rule for rule in SWITCHES if getattr(build_rules(Matching(profile=profile)), rule)}
          for profile in ("plain", "default", "strict")}  # fmt: skip
    assert on["plain"] == {"unusable_names", "short_names"}
    assert on["default"] == on["plain"] | {"punctuation", "salts", "spelling", "stop_synonyms", "locants"}
    assert on["strict"] == set(SWITCHES)
    assert not build_rules(Matching(profile="strict", locants=False)).locants
    assert build_rules(Matching(profile="plain", stop_names=True)).stop_names


def test_stop_lists_extend_and_replace(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("lists") / "mine.txt"
    path.write_text("# mine\nKetamine, Eye-Lotion # both\n\n", encoding="utf-8")
    assert build_rules(Matching(stop_lists=(str(path),))).stop_words == ("eye lotion", "ketamine")
    both = build_rules(Matching(stop_lists=("built-in", str(path)))).stop_words
    assert set(both) == {*DEFAULT.stop_words, "eye lotion", "ketamine"}
    assert build_rules(Matching(stop_lists=())).stop_words == ()
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="not a text in UTF-8"):
        build_rules(Matching(stop_lists=(str(path),)))
    with pytest.raises(ConfigError, match="not a text in UTF-8"):
        build_rules(Matching(stop_lists=("\0",)))
    with pytest.raises(ConfigError, match="No such file"):
        build_rules(Matching(stop_lists=("nowhere.txt",)))


def test_the_stop_list_spares_names_of_drugs() -> None:
    for (
        drug
    ) in "alcohol caffeine oxygen insulin cannabis nicotine heparin glucose cholesterol no lithium aspirin".split():  # noqa: SIM905
        assert drug not in DEFAULT.stop_words
    assert len(DEFAULT.stop_words) > 2000


# Parity, and what incremental matching rests on.

WORDS = ["ketamine", "Ketamine", "sulfazine", "sulphazine", "alpha", "α", "sodium", "sodium", "Sulfate", "receptor",
         "NO", "blood", "FK", "506", "FK506", "methyl", "1", "6", "n", "zinc",
         "valproic acid", "valproate", "e\u0301", "½", "IL", "2", "KET", "S", "M-801", "ketamin",
         "salicylic acid", "salicylate", "tetrachloride"]  # fmt: skip
GAPS = [
    " ",
    " ",
    " ",
    " ",
    " ",
    "-",
    "-",
    ", ",
    ")",
    "]-",
    "(",
    " (",
    " (",
    ") ",
    ")",
    "™",
    "\u00ad",
    "\u0301",
    "  ",
    "\u00a0",
]
pieces = st.tuples(st.sampled_from(WORDS), st.sampled_from(GAPS))
titles = st.lists(pieces, max_size=8).map(lambda parts: "".join(word + gap for word, gap in parts))
terms = st.lists(pieces, min_size=1, max_size=3).map(lambda parts: "".join(word + gap for word, gap in parts).strip())
entries_lists = st.lists(st.tuples(terms, st.lists(terms, max_size=2).map("|".join)), min_size=1, max_size=5)
rule_sets = st.builds(
    Rules, **dict.fromkeys(SWITCHES, st.booleans()), stop_words=st.just(("blood", "no", "506"))
)  # fmt: skip


def cleaned(entries: Sequence[Entry]) -> list[tuple[str, str]]:
    """(drug, term) pairs as cleaning leaves them, a drug in its one spelling: what the oracle is to be asked about."""
    lexicon = lexicon_of(entries, PLAIN._replace(unusable_names=False, punctuation=False))
    return list(lexicon.names.filter(pl.col("added").is_null()).select("drug", "term").rows())


@given(st.lists(titles, max_size=4), entries_lists, rule_sets, st.sampled_from(["longest", "all"]))
def test_agrees_with_the_oracle(
    titles: list[str], entries: list[Entry], rules: Rules, overlaps: Literal["longest", "all"]
) -> None:
    pairs = cleaned(entries)
    wanted = [oracle.find_mentions(title, pairs, overlaps=overlaps, rules=rules) for title in titles]
    assert by_engine(titles, lexicon_of(entries, rules), overlaps) == wanted


@given(st.lists(titles, min_size=1, max_size=6), entries_lists, entries_lists, rule_sets)
def test_terms_change_mentions_only_where_they_stand(
    titles: list[str], entries: list[Entry], more: list[Entry], rules: Rules
) -> None:
    """A title's mentions are the same in two lexicons if no row in which they differ has its tokens in the title."""
    one, other = lexicon_of(entries, rules), lexicon_of([*entries, *more], rules)
    rows = [lexicon.terms.join(lexicon.forms, on="form").drop("form") for lexicon in (one, other)]
    differing = pl.concat([rows[0].join(rows[1], on=rows[0].columns, how="anti", nulls_equal=True),
                           rows[1].join(rows[0], on=rows[0].columns, how="anti", nulls_equal=True)])  # fmt: skip
    sequences = differing["tokens"].to_list()
    for title, before, after in zip(titles, by_engine(titles, one), by_engine(titles, other), strict=True):
        tokens = oracle.normal_form(title).split(" ")
        stands = any(tokens[at : at + len(sequence)] == sequence for sequence in sequences for at in range(len(tokens)))
        assert stands or before == after


def test_the_digest_tells_rules_and_lists_apart() -> None:
    entries = [("ketamine", "blood|sulfadiazine|NMDA receptor")]
    digests = {lexicon_of(entries, rules).digest for rules in (PLAIN, DEFAULT, STRICT, only(locants=True))}
    digests |= {lexicon_of(entries, only(stop_names=True, stop_words=words)).digest for words in ((), ("blood",))}
    assert len(digests) == 5  # an empty stop list is plain
    assert lexicon_of(entries, PLAIN).rules == PLAIN.on_titles() != DEFAULT.on_titles()
