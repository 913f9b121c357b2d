"""A result in words: the answer, the methods paragraph and the source. Nothing is claimed that P does not carry."""

from registry.analysis.design import methods as tests
from registry.analysis.design import named_groups, sections
from registry.analysis.presentation.numbers import number, p_phrase, percent
from registry.analysis.presentation.words import SYNTHETIC, Words, cohort_label, plan_label, variable_of
from registry.analysis.results.statistics import Sampled
from registry.analysis.results.written import rows_in
from registry.instruments import value_sets, variables
from registry.instruments.base import Label

TITLE = Label("{plan}: {times}", "{plan}：{times}")
BY_GROUPS = Label("Comparison of groups ({groups})", "群間比較（{groups}）")
NOBODY = Label("No patient came into this comparison.", "対象となる患者はいませんでした。")
ANALYSED = Label(
    "{n} of {enrolled} enrolled patients were analysed: {groups}.", "登録{enrolled}例中{n}例を解析：{groups}。"
)
IN_NO_GROUP = Label("{n} of them belong to no group that is compared.", "うち{n}例は比較群のいずれにも属しません。")
BETTER = Label(
    "{what}: better {after} than {before} in {groups} (P < {alpha}).",
    "{what}：{groups}で{before}より{after}に改善（P < {alpha}）。",
)
WORSE = Label(
    "{what}: worse {after} than {before} in {groups} (P < {alpha}).",
    "{what}：{groups}で{before}より{after}に悪化（P < {alpha}）。",
)
HIGHER = Label(
    "{what}: higher {after} than {before} in {groups} (P < {alpha}).",
    "{what}：{groups}で{before}より{after}に高値（P < {alpha}）。",
)
LOWER = Label(
    "{what}: lower {after} than {before} in {groups} (P < {alpha}).",
    "{what}：{groups}で{before}より{after}に低値（P < {alpha}）。",
)
RISEN = Label(
    "{what}: more frequent {after} than {before} in {groups} (P < {alpha}).",
    "{what}：{groups}で{before}より{after}に増加（P < {alpha}）。",
)
FALLEN = Label(
    "{what}: less frequent {after} than {before} in {groups} (P < {alpha}).",
    "{what}：{groups}で{before}より{after}に減少（P < {alpha}）。",
)
# {one} has less, or more, than each of {others}, which name their value and P.
LESS = Label("{what}, {when}: lower in {one} than in {others}.", "{what}（{when}）：{one}は{others}より低値。")
MORE = Label("{what}, {when}: higher in {one} than in {others}.", "{what}（{when}）：{one}は{others}より高値。")
RARER = Label(
    "{what}, {when}: “{category}” less frequent in {one} than in {others}.",
    "{what}（{when}）：「{category}」は{one}で{others}より少ない。",
)
COMMONER = Label(
    "{what}, {when}: “{category}” more frequent in {one} than in {others}.",
    "{what}（{when}）：「{category}」は{one}で{others}より多い。",
)
CATEGORY = Label("{what} “{category}”", "{what}「{category}」")
VALUE = Label("{group} ({value})", "{group}（{value}）")
VALUE_P = Label("{group} ({value}, {p})", "{group}（{value}、{p}）")
EVENT_DIFFERS = Label("{what}: the groups differ ({p}).", "{what}：群間に差あり（{p}）。")
NOT_SHOWN = Label(
    "Not shown to differ (P ≥ {alpha}; that does not show that the groups are alike): {what}.",
    "群間差は示されず（P ≥ {alpha}。同等であることを示すものではない）：{what}。",
)
NOT_ESTIMATED = Label("Not estimable from these data: {what}.", "このデータからは推定不能：{what}。")
JOIN = Label(", ", "、")
AND = Label(" and ", "と")


def title(result, language="en"):
    words, method = Words(result, language), result.method
    if method.sections:
        return words(plan_label(method.plan))
    times = words(JOIN).join(words.timepoint(code) for code in (method.baseline, *method.followups))
    name = words(plan_label(method.plan))
    if method.grouping != "segment_group":  # a plan of the segment study's that compares other groups
        name = words(BY_GROUPS, groups=words(named_groups.of_method(method).label))
    return words(TITLE, plan=name, times=times)


def answer(result, language="en"):
    """Sentences, the most general first. Differences are named only where P < the plan's alpha."""
    words = Words(result, language)
    if not any(result.cohort.groups.values()):
        return [words(NOBODY)]
    return [
        *_who(result, words),
        *_standing(result, words),
        *_changes(result, words),
        *_differences(result, words),
        *_statements(result, words),
    ]


FOLLOWS = Label(
    "This follows the locked plan “{name}”, version {version} (locked {at} by {by}), {data}. Entries marked "
    "exploratory are, the others were planned.",
    "固定済み計画「{name}」第{version}版（{at}、{by}が固定）に従う。{data}。探索的と記した項目以外は事前に計画されたもの。",
)
DEVIATES = Label(
    "A plan “{name}” is locked (version {version}, {at}); this run is not that plan: every number here is exploratory.",
    "計画「{name}」（第{version}版、{at}）が固定されているが、この解析はそれと異なる。すべての数値は探索的である。",
)
BEFORE = {
    True: Label("whose data were frozen after it", "データの凍結は計画の固定後"),
    False: Label(
        "whose data had been frozen before it was locked, so that it cannot show that the plan came first",
        "データの凍結は計画の固定前であり、計画が先であったことは示せない",
    ),
    None: Label("of the registry as it is, no frozen state", "凍結していない現在の登録データによる"),
}
NO_LOCK = Label(
    "No plan of this name was locked before the data were seen: the numbers are exploratory.",
    "この名前の固定済み計画はない。数値は探索的である。",
)


def _standing(result, words):
    """Whether the run follows a locked plan, and so which numbers are exploratory; nothing of the study's own plan."""
    method = result.method
    locked = method.locked_plan
    if locked is None:
        if method.sections:
            yield words(NO_LOCK)
        return
    named = {"name": locked.name, "version": locked.version, "at": locked.locked_at[:10]}
    if locked.follows:
        yield words(FOLLOWS, **named, by=locked.locked_by, data=words(BEFORE[locked.before]))
    else:
        yield words(DEVIATES, **named)


def _statements(result, words):
    """What the sections' entries say in words."""
    for section, entry in sections.entries_of(result):
        yield from section.answers(entry, words)


def _who(result, words):
    cohort = result.cohort
    groups = words(JOIN).join(f"{name} {cohort.groups[code]}" for code, name in words.groups.items())
    yield words(ANALYSED, n=cohort.n, enrolled=cohort.flow[0].n, groups=groups)
    if cohort.in_no_group:
        yield words(IN_NO_GROUP, n=cohort.in_no_group)


def _changes(result, words):
    """Outcomes that changed in the same direction in the same groups share a sentence."""
    alpha, changes = result.method.alpha, {}
    for row in result.recovery:
        if row.p is not None and row.p < alpha and _tells(row.baseline, row.followup):
            what, wording = _direction(row, words)
            changes.setdefault((row.timepoint, wording, what), []).append(words.groups[row.group])
    shared = {}
    for (after, wording, what), groups in changes.items():
        shared.setdefault((after, wording, tuple(groups)), []).append(what)
    for (after, wording, groups), what in shared.items():
        yield words(
            wording,
            what=words(JOIN).join(what),
            groups=words(JOIN).join(groups),
            before=words.at(result.method.baseline),
            after=words.at(after),
            alpha=alpha,
        )


def _direction(row, words):
    """What changed, and which wording says in which direction."""
    variable = variable_of(row)
    if variable.kind == "categorical":
        category = variable.categories[0]
        before, after = (_share(cell, str(category.code)) for cell in (row.baseline, row.followup))
        return words(
            CATEGORY, what=words(variable.label), category=words(category.label)
        ), RISEN if after > before else FALLEN
    rises = row.followup.mean > row.baseline.mean
    if not variable.higher_is:
        return words(variable.label), HIGHER if rises else LOWER
    return words(variable.label), BETTER if rises == (variable.higher_is == "better") else WORSE


def _tells(*cells):
    """Whether it is told which of some groups or times has more: means of few patients are hidden."""
    return all(getattr(cell, "mean", 0) is not None for cell in cells)


def _share(cell, code):
    return cell.counts[code] / cell.n if cell.n else 0


def _differences(result, words):
    alpha, equal, unknown = result.method.alpha, {}, {}
    for row in result.between_groups:
        p = row.p.values()
        different = [pair for pair, value in row.p.items() if value is not None and value < alpha]
        yield from _pairs_that_differ(row, different, words)
        if p and not different:
            place = unknown if None in p else equal
            place.setdefault(words(variable_of(row).label), []).append(words.at(row.when))
    for row in result.adverse_events:
        what = words(variable_of(row).label)
        if row.p is None:
            unknown[what] = []
        elif row.p < alpha:
            yield words(EVENT_DIFFERS, what=what, p=p_phrase(row.p))
        else:
            equal[what] = []
    if equal:
        yield words(NOT_SHOWN, alpha=alpha, what=_listed(equal, words))
    if unknown:
        yield words(NOT_ESTIMATED, what=_listed(unknown, words))


def _listed(named, words):
    """“HSUV (before surgery, at 1 month), EQ VAS (at 1 month)”."""
    shown = (words(VALUE, group=what, value=words(JOIN).join(when)) if when else what for what, when in named.items())
    return words(JOIN).join(shown)


def _pairs_that_differ(row, pairs, words):
    """One sentence for each group that is lower than others, or higher, whichever takes fewer sentences."""
    variable = variable_of(row)
    ranked = [
        (*sorted(words.codes_of_pair(pair), key=lambda code: _level(variable, row.groups[code])), row.p[pair])
        for pair in pairs
        if _tells(*(row.groups[code] for code in words.codes_of_pair(pair)))
    ]
    by_lower, by_higher = {}, {}
    for lower, higher, p in ranked:
        by_lower.setdefault(lower, []).append((higher, p))
        by_higher.setdefault(higher, []).append((lower, p))
    if variable.kind == "continuous":
        wording = (MORE, by_higher) if len(by_higher) < len(by_lower) else (LESS, by_lower)
    else:
        wording = (RARER, by_lower) if len(by_lower) < len(by_higher) else (COMMONER, by_higher)
    label, grouped = wording
    for first, others in grouped.items():
        yield words(label, **_named_pair(row, variable, first, others, words))


def _named_pair(row, variable, first, others, words):
    def value(code):
        return {"group": words.groups[code], "value": _shown(variable, row.groups[code])}

    return {
        "what": words(variable.label),
        "when": words.at(row.when),
        "one": words(VALUE, **value(first)),
        "others": words(AND).join(words(VALUE_P, **value(code), p=p_phrase(p)) for code, p in others),
        "category": words(variable.categories[0].label) if variable.categories else "",
    }


def _level(variable, cell):
    return cell.mean if variable.kind == "continuous" else _share(cell, str(variable.categories[0].code))


def _shown(variable, cell):
    if variable.kind == "continuous":
        return number(cell.mean, variable.decimals)
    return percent(cell.counts[str(variable.categories[0].code)], cell.n)


BESIDE = Label(", with {test} beside it", "（{test}を併記）")
THRESHOLDS = Label(
    "Minimal clinically important differences: {which}. ", "臨床的に意味のある最小変化量（MCID）：{which}。"
)
FURTHER = Label(
    "As a sensitivity analysis they were computed again with the value sets of {sets}. ",
    "感度分析として{sets}の換算表でも算出した。",
)
SAMPLED = Label(
    "Exact tests that would take more work or memory than is allowed were estimated by Monte Carlo sampling: {which}. ",
    "許容される計算量またはメモリを超える正確検定はモンテカルロ法で推定した：{which}。",
)
SAMPLES = Label(
    "{n} with {resamples} samples, since {why} (seed {seed}, standard error of P at most {error})",
    "{n}件、標本数{resamples}、理由：{why}（シード{seed}、P値の標準誤差は最大{error}）",
)
FROZEN = Label(
    "The data were those of the snapshot “{name}” ({hash}), which never changes. ",
    "データは変更されないスナップショット「{name}」（{hash}）による。",
)
OF_FROZEN = Label("Snapshot “{name}”, {hash}. ", "スナップショット「{name}」、{hash}。")
METHODS = Label(
    "{frozen}Outcomes {times} were compared between groups ({grouping}). "
    "Cohort: {cohort}. {uses}Survival {since}: Kaplan–Meier estimates, compared by the "
    "log-rank test. {thresholds}Health state utility values were computed from the "
    "EQ-5D-5L with the value set of {value_set}. {further}Patients without a value were left out of that "
    "analysis and are counted as unknown; no value was imputed. {sampled}P < {alpha} was "
    "considered significant. {software}.",
    "{frozen}{times}の転帰を群間（{grouping}）で比較した。対象：{cohort}。"
    "{uses}{since}生存：Kaplan-Meier法による推定とログランク検定。{thresholds}"
    "効用値（HSUV）はEQ-5D-5Lから{value_set}の換算表により算出した。{further}"
    "欠測例は当該解析から除き不明として示し、補完は行っていない。{sampled}P < {alpha}を有意とした。{software}。",
)
FROM_SURGERY = Label("from surgery to death from any cause", "手術から全死因死亡までの")
FROM_LANDMARK = Label(
    "from day {days} after surgery (a landmark, since only patients followed that long were analysed) to death from "
    "any cause",
    "術後{days}日（それ以上追跡された患者のみを解析したためのランドマーク）から全死因死亡までの",
)
USES = (  # tables of a result, and which tests they take
    (
        ("characteristics", "adverse_events"),
        Label(
            "Characteristics and adverse events: {overall_continuous} (continuous variables) or "
            "{overall_categorical} (categorical variables). ",
            "患者背景と有害事象：連続変数は{overall_continuous}、カテゴリ変数は{overall_categorical}。",
        ),
    ),
    (
        ("recovery",),
        Label(
            "Within each group, baseline against follow-up: {before_after_continuous} on complete pairs, or "
            "{before_after_categorical} (categories). ",
            "群内の術前後比較：両時点の値がそろう例に対する{before_after_continuous}、または{before_after_categorical}。",
        ),
    ),
    (
        ("between_groups", "eq5d_domains"),
        Label(
            "Between pairs of groups: {pairwise_continuous}, or {pairwise_categorical} ({adjust}). ",
            "2群間：{pairwise_continuous}、または{pairwise_categorical}（{adjust}）。",
        ),
    ),
)
SOURCE = Label(
    "Computed from the data with the fingerprint {snapshot}; value set {value_set}, version {value_set_version}; "
    "segment rule {segment_rule}; {software}.",
    "データの識別値 {snapshot}、換算表 {value_set}（版 {value_set_version}）、"
    "病変部位群の規則 {segment_rule}、{software}。",
)


def methods(result, language="en"):
    """The methods paragraph, written from what was in fact done."""
    words, method = Words(result, language), result.method
    if method.sections:
        return _methods_of_sections(result, words)
    used = method.tests
    named = {place: _tests(place, used, words) for place in used if not place.startswith("second_")}
    named["adjust"] = words(tests.ADJUSTMENTS[used["adjust"]])
    done = [label for tables, label in USES if any(getattr(result, table) for table in tables)]
    published = value_sets.get(method.value_set)
    return words(
        METHODS,
        uses="".join(words(label, **named) for label in done),
        since=_since(result, words),
        thresholds=_thresholds(result, words),
        sampled=_sampled(result, words),
        frozen=_frozen(result, words, FROZEN),
        further=_further(result, words),
        times=words(AND).join(words.at(code) for code in (method.baseline, *method.followups)),
        grouping=words(named_groups.of_method(method).label),
        cohort=words(cohort_label(result.cohort.name)),
        value_set=f"{words(published.label)} (doi:{published.doi})",
        alpha=method.alpha,
        software=method.software,
    )


OF_SECTIONS = Label(
    "{frozen}Population: {cohort}. Groups: {grouping}. {sentences} A value counts as missing by the reason recorded; "
    "who died before a visit and whose visit was not yet due by {as_of} are told apart from it. {deaths}{imputed} "
    "A P-value of {alpha} or more does not show that groups are alike. {software}.",
    "{frozen}対象：{cohort}。群：{grouping}。{sentences}欠測は記録された理由別に数え、来院前の死亡と{as_of}時点で時期未到来の来院は"
    "欠測と区別した。{deaths}{imputed}P ≥ {alpha}は同等であることを示すものではない。{software}。",
)
DEATHS = Label(
    "Of {n} deaths the day is not known, so that no visit could be placed before or after them. ",
    "死亡日不明の死亡が{n}例あり、来院との前後は判定できない。",
)
NOT_IMPUTED = Label("No value was imputed.", "補完は行っていない。")
INTERPOLATED = Label(
    "No value was imputed but as said of QALYs, whose area needs one between visits.",
    "QALYについて述べた来院間の補間を除き、補完は行っていない。",
)
CRITERIA = Label("{name} ({steps})", "{name}（{steps}）")


def _methods_of_sections(result, words):
    method = result.method
    dead = method.deaths_without_a_day
    return words(
        OF_SECTIONS,
        frozen=_frozen(result, words, FROZEN),
        cohort=_criteria(result, words),
        grouping=words(JOIN).join(words.groups.values()) or words(named_groups.of_method(method).label),
        sentences=words(Label(" ", "")).join(sections.methods_of(result, words)),
        imputed=words(INTERPOLATED if any(part.years for part in result.qol) else NOT_IMPUTED),
        as_of=method.as_of,
        deaths=words(DEATHS, n=dead) if dead else "",
        alpha=method.alpha,
        software=method.software,
    )


def _criteria(result, words):
    """The cohort by its criteria, not by its name alone."""
    steps = [step["label"] for step in words.flow()][1:]
    name = words(cohort_label(result.cohort.name))
    return words(CRITERIA, name=name, steps=words(Label("; ", "、")).join(steps)) if steps else name


def _tests(place, used, words):
    """The test of a place, and the further one whose P stands beside it."""
    codes = dict.fromkeys((used[place], used.get(f"second_{place}")))
    names = [words(tests.BY_CODE[code].label) for code in codes if code in tests.BY_CODE]
    return names[0] + (words(BESIDE, test=names[1]) if len(names) > 1 else "") if names else ""


def _since(result, words):
    """From when on survival is counted."""
    day = result.survival.landmark_day if result.survival else 0
    return words(FROM_LANDMARK, days=day) if day else words(FROM_SURGERY)


def _thresholds(result, words):
    """Which changes counted as a response, each with its source."""
    thresholds = result.figures.thresholds if result.figures else ()
    if not thresholds:
        return ""
    parts = (
        f"{words(variables.get(threshold.variable).label)} {threshold.value:g} ({threshold.source})"
        for threshold in thresholds
    )
    return words(THRESHOLDS, which=words(JOIN).join(parts))


def _further(result, words):
    """The value sets of the sensitivity analysis."""
    sets = [words(value_sets.get(entry.value_set).label) for entry in result.sensitivity]
    return words(FURTHER, sets=words(JOIN).join(sets)) if sets else ""


MORE_OBSERVATIONS = "there are more than {most} observations"
REASONS = {  # why a table was sampled, as `stats` says it
    "the distribution would not fit into memory": "分布がメモリに収まらないため",
    "the time would not suffice": "計算量が上限を超えるため",
    "the memory would not suffice": "必要なメモリが上限を超えるため",
    "costs of so many observations do not fit 64 bits": "例数が多く64ビットに収まらないため",
    "the table has too many states": "分割表の状態数が多すぎるため",
    "costs of this many states do not fit one code": "分割表の状態数が多すぎるため",
}


def reason(why):
    """The Label of why a table was sampled; of words that are not known the words themselves."""
    before, after = MORE_OBSERVATIONS.split("{most}")
    most = why.removeprefix(before).removesuffix(after)
    if why and MORE_OBSERVATIONS.format(most=most) == why:
        return Label(why, f"例数が{most}を超えるため")
    return Label(why or "that was asked for", REASONS.get(why, why or "指定による"))


def _sampled(result, words):
    """Which tests were sampled instead of enumerated: seeds and numbers of samples; empty where none was."""
    sampled = {}
    tables = result.characteristics, result.recovery, result.adverse_events, result.between_groups, result.eq5d_domains
    for sample in (part for table in tables for part in rows_in(table) if isinstance(part, Sampled)):
        asked = sample.resamples, sample.seed, sample.why
        sampled.setdefault(asked, []).append(sample.standard_error)
    parts = [
        words(
            SAMPLES, n=len(errors), resamples=resamples, seed=seed, error=f"{max(errors):.2g}", why=words(reason(why))
        )
        for (resamples, seed, why), errors in sampled.items()
    ]
    return words(SAMPLED, which=words(JOIN).join(parts)) if parts else ""


def _frozen(result, words, label):
    """The snapshot that a result was computed from; empty for the registry as it was."""
    snapshot = result.method.frozen
    return words(label, name=snapshot["label"], hash=snapshot["hash"]) if snapshot else ""


def source(result, language="en"):
    """What the result was computed from."""
    words, method = Words(result, language), result.method
    names = ("snapshot", "value_set", "value_set_version", "segment_rule", "software")
    return _frozen(result, words, OF_FROZEN) + words(SOURCE, **{name: getattr(method, name) for name in names})


def mark(result, language="en"):
    """What stands above every file about patients who are made up; empty for real ones."""
    return SYNTHETIC.in_language(language) if result.method.synthetic else ""
