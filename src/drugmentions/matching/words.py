"""The words that the rules know, in normal form.

Sources: pharmacopoeial names of salts and International Nonproprietary Names (WHO), for salts and their spellings;
IUPAC's Nomenclature of Organic Chemistry, for locants and the endings of radicals.
"""

from typing import Final


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _with_plurals(words: tuple[str, ...]) -> tuple[str, ...]:
    plurals = (f"{word[:-1]}ies" if word.endswith("y") else f"{word}s" for word in words)
    return (*words, *plurals)


EDGES: Final = " \t.,;:*'\"`"
"""What `punctuation` cuts off the ends of synonyms."""


# Salts.

_ACIDS: Final = _words("""
    acetate acetonide ascorbate aspartate axetil benzoate besilate besylate bisulfate bitartrate bromide
    butyrate camsilate camsylate caproate carbonate chloride cipionate citrate cypionate decanoate diacetate
    dichloride dicitrate difumarate dihydrobromide dihydrochloride dimesylate dinitrate dipropionate
    disoproxil disulfate edetate edisylate embonate enantate enanthate esilate estolate esylate etabonate
    fluoride fumarate furoate gentisate gluceptate gluconate glucuronate glycolate hemifumarate hemisuccinate
    hemisulfate hexacetonide hippurate hyclate hydrobromide hydrochloride hydroiodide iodide isethionate
    lactate lactobionate laurate malate maleate malonate mandelate medoxomil mesilate mesylate methiodide
    methochloride methylbromide methylsulfate metilsulfate mofetil monohydrochloride mononitrate mucate
    napadisylate napsilate napsylate nicotinate nitrate oleate orotate oxalate oxoglurate palmitate pamoate
    pentahydrate phosphate pidolate pivalate pivoxil propionate proxetil saccharate salicylate stearate
    subsalicylate succinate sulfate sulphate tannate tartrate tebutate teoclate tosilate tosylate triacetate
    trihydrochloride undecanoate valerate xinafoate
""")
_BASES: Final = _words("""
    calcium diolamine dipotassium disodium erbumine meglumine potassium sodium trisodium trometamol tromethamine
""")
_WATERS: Final = _words("""
    anhydrous dihydrate hemihydrate monohydrate sesquihydrate tetrahydrate trihydrate
""")
SALTS: Final = _ACIDS + _BASES + _WATERS
"""Words that name a salt, an ester or a hydrate of the substance before them."""

ANIONS: Final = _words("""
    aminonucleoside arsenate arsenite azide bicarbonate bisulfite borate bromate chlorate chromate cyanate
    cyanide dichromate dioxide diphosphate disulfide disulphide epoxide ferricyanide ferrocyanide glucuronide
    heptahydrate hexachloride hexahydrate hydride hydroperoxide hydroxide hypochlorite iodate lactone
    metabisulfite metavanadate monophosphate monoxide nitride nitrite oxide oxime pentachloride pentoxide
    perchlorate permanganate peroxide persulfate pyrophosphate selenate selenide selenite silicate sulfide
    sulfite sulfone sulfoxide sulphide sulphite tetrachloride tetroxide thiocyanate thiosulfate trichloride
    trifluoride trioxide triphosphate tungstate vanadate
""")
"""Words that a span takes along as well, but without which the rest isn't a name of the same: carbon tetrachloride."""

SALTS_IN_A_ROW: Final = 3
"""So many of them, at most, follow a name: `sodium phosphate dihydrate`."""

CATIONS: Final = _words("""
    aluminium aluminum ammonium antimony barium beryllium bismuth cadmium caesium calcium carbon cerium cesium
    chromic chromium cobalt cobaltous copper cupric cuprous dibasic ferric ferrous gallium gold hydrogen indium
    iron lanthanum lead lithium magnesium manganese manganous mercuric mercurous mercury monobasic nickel
    palladium platinum polystyrene potassium radium rubidium samarium selenium silver sodium stannous strontium
    tetrabasic thallium thallous tin titanium tribasic uranyl vanadium vanadyl yttrium zinc zirconium
""")
"""What isn't a drug's name without its salt, nor with `mono`, `di`, ... before it: `zinc chloride` isn't `zinc`."""

NO_NAMES: Final = _words("""
    acetyl albumin allyl amyl benzyl butyl capryl cetyl decyl dodecyl ethyl ethylene glyceryl heptyl hexyl ic
    lauryl methyl methylene myristyl nonyl octyl oleyl palmityl pentyl phenyl propyl propylene stearyl tolyl
    vinyl
""")
"""Endings likewise: `dimethyl fumarate` isn't `dimethyl`, nor `oleic chloride` `oleic`."""

COUNTERIONS: Final = _words("acetate carbonate nitrate phosphate sulfate sulphate")
"""Salts that mostly stand in the names of others, and aren't looked for where a list has the acid."""

ACID: Final = "(?:[^ ]+ ){0,2}[a-z]{2,}"
"""What stands before `ic acid`, and before `ate` in the name of its salts: valproic acid, valproate."""


SODIUM: Final = ("potassium", "sodium")
SODIUM_SALT: Final = "[a-z]{3,}(?:ate|ide|barbital|barbitone|pental|pentone)"
"""What may be a salt of one of these, and then stands behind it: sodium valproate, sodium thiopental."""


# Spelling.

SPELLINGS: Final = (
    ("sulf", "sulph"),
    ("estradiol", "oestradiol"),
    ("estriol", "oestriol"),
    ("estrogen", "oestrogen"),
    ("estrone", "oestrone"),
    (" cef", " ceph"),
    (" ciclo", " cyclo"),
    ("oxicillin", "oxycillin"),
    ("thalidone", "talidone"),
    ("chol", "col"),
    ("micin", "mycin"),
    ("amfetamin", "amphetamin"),
    ("ethinyl", "ethynyl"),
    (" aluminum ", " aluminium "),
    (" cesium ", " caesium "),
    ("alpha ", "α "),
    ("beta ", "β "),
    ("gamma ", "γ "),
    ("delta ", "δ "),
    ("omega ", "ω "),
)
"""Letters that stand for each other, in a name between two blanks."""

SPELLINGS_AT_ONCE: Final = 3
"""A name that holds letters of more pairs is left as it is: each pair doubles what is looked for."""

STEM: Final = "[a-z]{4,}"
ENDS: Final = ("ine", "in")
"""The ends of a name of one word, after a stem, that stand for each other: bupivacaine, bupivacain."""

LETTERED: Final = "[a-z]{3,}(?:cidin|cillin|icin|mycin|myxin|sporine?)"
"""An antibiotic that a letter follows, and that titles name without it: amphotericin B."""

CODE_LETTERS: Final = "[a-z]{2,5}"
CODE_DIGITS: Final = "[0-9]{3,}"
"""What a research code is made of: `FK-506`, `RAD001`."""


# Targets and classes.

_TARGETS: Final = _words("""
    actin actinin adrenoceptor adrenoreceptor amyloid angiotensinogen annexin antiporter apolipoprotein
    autoantigen autoreceptor cadherin calcineurin calmodulin catenin channel chaperone claudin complement
    connexin coreceptor cotransporter cyclin cytochrome desmin dynein dystrophin elastin enzyme exchanger
    fibronectin filament histone huntingtin importin integrin isoenzyme isoform keratin kinase kinesin lamin
    laminin mapk mucin myelin myoglobin myosin nestin neurofilament nucleosome oligonucleosome oncogene
    oncoprotein opsin osteocalcin osteopontin presenilin prion procollagen pump purinoceptor receptor rhodopsin
    ribosome selectin spectrin subunit symporter synapsin synaptophysin synuclein telomere titin transporter
    tropomyosin troponin tubulin ubiquitin vimentin vinculin vitronectin
""")
TARGET_WORDS: Final = _with_plurals(_TARGETS)
"""A name that holds one of these tokens is that of a target."""

_PROTEIN_ENDINGS: Final = _words("""
    aminase anhydrase aromatase atpase caspase convertase cyclase cyclooxygenase deacetylase decarboxylase
    dehydratase dehydrogenase demethylase dioxygenase dismutase endonuclease esterase exonuclease gtpase
    helicase hydrolase hydroxylase isomerase kine ligase lipoxygenase lyase methylase mutase oxidase oxygenase
    peptidase phosphatase phosphorylase polymerase protease proteinase reductase secretase synthase synthetase
    telomerase topoisomerase transferase
""")
TARGET_ENDINGS: Final = _with_plurals(_PROTEIN_ENDINGS)
"""Likewise a token that ends in one of these."""

_CLASSES: Final = _words("""
    action activator adjuvant agent agonist allergen amplifier anaesthetic analgesic analog analogue anesthetic
    anorectic antagonist antibody anxiolytic aphrodisiac astringent biomarker biosimilar blocker bronchodilator
    calcimimetic cardiotonic cathartic chelator chemokine chemotherapeutic coagulant cofactor compound
    convulsant cytokine cytostatic cytotoxin decongestant demulcent depressant derivative detergent disinfectant
    diuretic drug effect emetic emollient enhancer excipient excitant expectorant factor family fibrinolytic
    fungicide gene glycoprotein hallucinogen hemostatic herbicide hypnotic immunomodulator immunosuppressant
    immunosuppressive inducer inhibitor inotrope insecticide interleukin isotope keratolytic laxative ligand
    lipoprotein lymphokine metabolite microrna mimetic mirna mitogen modulator monoclonal mrna mucolytic mutagen
    mydriatic narcotic nematicide neuroleptic neuropeptide neurotoxin neurotransmitter nootropic nsaid opener
    parasympatholytic parasympathomimetic pathway pesticide phenomenon polypeptide potentiator preservative
    probe progestational protein proteoglycan psychostimulant psychotropic purgative radioisotope
    radiopharmaceutical radiosensitizer reagent relaxant releaser rodenticide scavenger sedative sensitizer snri
    solvent spasmolytic spermicide ssri stabilizer stimulant stimulator substrate sympatholytic sympathomimetic
    system therapeutic thrombolytic tocolytic tracer tranquilizer tranquilliser uncoupler uricosuric
    vasoconstrictor vasodilator vasopressor
""")
_CLASSES_AS_THEY_ARE: Final = _words("""
    adrenergic cholinergic dopaminergic gabaergic glutamatergic hormones muscarinic nicotinic noradrenergic
    opioidergic purinergic serotonergic serotoninergic toxins vitamins
""")
CLASS_WORDS: Final = _with_plurals(_CLASSES) + _CLASSES_AS_THEY_ARE
"""A name whose last token is one of these is that of a class."""

ANTI: Final = "anti"
ANTI_ENDINGS: Final = _words("""
    acid acids al als ant ants body bodies dote dotes gen gens ic ics ive ives histamine histamines ory platelet
""")
"""Likewise one whose last token begins with `anti` and ends so: antipsychotic, antidepressants, antigen."""

NUMBERED: Final = ("cyp", "il", "interleukin")
"""Proteins that are numbered: a name that begins with one of these, a number after it, in one token or two."""


# Locants.

RADICAL_ENDINGS: Final = _words("""
    yl oxy oxo amino imino thio chloro fluoro bromo iodo nitro hydro aza
""")
"""A name that directly follows one of these, but for a closing bracket or a hyphen, is the end of a longer one."""

NOT_BEFORE: Final = ("releasing factor", "releasing hormone", "releasing peptide", "syndrome", "syndromes")
"""A name before one of these, a blank or hyphen between, is a part of that: serotonin syndrome."""

PARENT_ENDINGS: Final = ("ate", "ide")
"""A name that is followed by a locant between hyphens and a word of these endings is the beginning of a longer one."""
