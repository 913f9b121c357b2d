"""The rows of `comparisons` as tables and sentences: effects with intervals first, P and n beside them."""

from registry.analysis.design.methods import ADJUSTMENTS
from registry.analysis.design.variables.columns import WHY_LABELS
from registry.analysis.presentation import tested_p
from registry.analysis.presentation.numbers import ABSENT, count_percent, mean_sd, number, p_phrase, p_value
from registry.analysis.presentation.tables import Row, Table
from registry.analysis.presentation.words import LABEL_UNIT, UNITS, why_not
from registry.analysis.results.comparisons import Effect
from registry.analysis.sections.comparing import comparison_tests as tests
from registry.instruments.base import Label

VARIABLE = Label("Variable", "変数")
SMD = Label("SMD", "標準化差")
P, P_OVERALL = Label("P", "P値"), Label("P, all groups", "P値（全群）")
COMPLETE_SETS = Label("complete matched sets, tested", "検定したマッチ組数（全員既知）")
KNOWN = Label("n known (unknown)", "既知例数（不明）")
AT_VISIT = Label("{name}, {visit}", "{name}、{visit}")
INTERVAL = Label("{estimate} ({low} to {high})", "{estimate}（{low}～{high}）")
UNKNOWN = Label("unknown: {why}", "不明：{why}")
BEFORE, AFTER, CHANGE = Label("Before", "前"), Label("After", "後"), Label("Change", "変化")
BASELINE_OF_COMPARED = Label("Before surgery, of those compared", "術前値（比較対象例）")
BASELINE_OF_ALL = Label("Before surgery, of all", "術前値（全例）")
WORST_RANK = Label("P with the dead ranked worst", "死亡例を最低順位とした場合のP値")
SIGNS = Label(
    " (sign test of the pairs: the first group fares better in {wins}, worse in {losses})",
    "（対の符号検定：第1群が良い{wins}対、悪い{losses}対）",
)
COMPLETE = Label("P of complete cases", "完全例のみのP値")
OWN_ROW = Label("defines the groups: no test", "群の定義に用いた変数のため検定なし")
EXPLORATORY = Label("exploratory", "探索的")
SMALL = Label(
    "† {small} of {cells} expected counts are below 5: prefer the exact test.",
    "† 期待度数{cells}個のうち{small}個が5未満：正確検定が望ましい。",
)
NOTE = Label(
    "Values are mean ± SD, or n (%) of the patients whose value is known. Effects are the first group less (or over) "
    "the second. SMD: standardised mean difference. {tests}.",
    "値は平均±標準偏差、または既知例に対するn（%）。効果は第1群から第2群を引いた差（または比）。{tests}。",
)
OF_SETS = Label(
    "Matched patients of “{title}” alone ({sets}). Differences and P are of the sets in which everybody's value is "
    "known.",
    "「{title}」でマッチした患者のみ（{sets}）。差とP値は全員の値がある組による。",
)
OF_WEIGHTS = Label(
    "Patients weighted by “{title}” (effective sample sizes: {effective}). Means, SDs and shares are weighted, n are "
    "patients; P and intervals rest on robust (sandwich, HC0) errors that take the weights as given.",
    "「{title}」で重み付けした患者（有効サンプルサイズ：{effective}）。平均・標準偏差・割合は加重値、nは患者数。"
    "P値と信頼区間は重みを所与としたロバスト（サンドイッチ、HC0）標準誤差による。",
)
OF_SEVERAL = Label("Of several controls in a set, their mean counts.", "1組に複数の対照がある場合はその平均を用いた。")
NOBODY_MATCHED = Label("Nobody was matched: {why}.", "マッチした患者なし：{why}。")
WITHIN_NOTE = Label(
    "Values are of the patients with both; changes are later less earlier. {tests}.",
    "両時点の値がある患者のみ。変化は後の値から前の値を引いたもの。{tests}。",
)
ADJUSTED = Label("P and intervals adjusted over the {family}: {how}", "P値と信頼区間は{family}で調整：{how}")
FAMILIES = {
    "row": Label("pairs of each row", "各行の全ペア"),
    "section": Label("whole table", "表全体"),
}
NO_EFFECT = Effect(n=[])
LESS = Label("{first} − {second}", "{first} − {second}")


def tables(entry, words):
    """The Table of a Comparison's result."""
    words = _narrowed(entry, words)
    build = _between if entry.comparison == "between" else _within
    title = words(entry.title)
    if entry.exploratory:
        title = f"{title} ({words(EXPLORATORY)})"
    return (build(entry, words, title),)


def _narrowed(entry, words):
    """The words for the groups that an entry compares: those of its matched cohort, where it has one."""
    if not entry.matched:
        return words
    return words.of_groups({row.group: row.n for row in entry.sizes})


def _effective(entry, words):
    """“Hybrid 41.3, en bloc 50.2”: how many equal patients the weighted ones of each group are worth."""
    listed = words(Label(", ", "、"))
    return listed.join(f"{words.groups[row.group]} {number(row.effective, 1)}" for row in entry.sizes)


def _sets(n, entry, words):
    """“55 pairs”, or “40 matched sets” where a patient may have several controls."""
    return words(SETS[entry.sets_are], n=n)


def variable_name(row, words):
    """“Blood loss, ml”."""
    name = words(row.label)
    if row.unit:
        unit = words(UNITS.get(row.unit, Label(row.unit, row.unit)))
        name = words(LABEL_UNIT, name=name, unit=unit)
    return name


def row_name(row, words):
    """“KPS, 1 month”, with its unit."""
    name = variable_name(row, words)
    return words(AT_VISIT, name=name, visit=words.visit(row.timepoint)) if row.timepoint else name


def choice_name(choice, row, words):
    """What a category is called; a grade with its code before it."""
    text = words(choice.label)
    return f"{choice.code}: {text}" if row.kind == "ordinal" and text != choice.code else text


def _between(entry, words, title):
    pairs = words.pairs(entry.rows)
    header = [words(VARIABLE), *words.groups_with_n()]
    spans = [("", len(header))]
    share = _share(entry, len(pairs))
    if len(words.groups) > 2:
        header.append(words(P_OVERALL))
        spans.append(("", 1))
    for name in pairs.values():
        header += [
            words(Label("Effect ({share}% CI)", "効果（{share}%信頼区間）").format(share=share)),
            words(P),
            words(SMD),
        ]
        spans.append((name, 3))
    sets = entry.sizes[0].sets if entry.matched else 0
    lines = [line for row in entry.rows for line in _lines(entry, row, words, pairs, sets)]
    notes = tuple(_notes(entry, words, NOTE))
    return Table(f"comparisons_{entry.code}", title, tuple(header), tuple(lines), tuple(spans), notes)


def _share(entry, pairs):
    """The intervals' confidence as printed: of each, where P is adjusted."""
    confidences = [
        effect.confidence for row in entry.rows for effect in row.effects.values() if effect.confidence is not None
    ]
    return f"{100 * (confidences[0] if confidences else entry.confidence):.3g}"


def _lines(entry, row, words, pairs, sets):
    groups = [row.groups[code] for code in words.groups]
    ends = _ends(entry, row, words, pairs)
    blank = ("",) * len(ends)
    name = row_name(row, words)
    if row.kind == "date":
        yield Row(name, (*("" for _ in groups), *ends))
    elif not row.categories:
        decimals = row.decimals
        yield Row(name, (*(mean_sd(group, decimals) for group in groups), *ends))
    elif row.kind == "binary":
        first = row.categories[0]
        text = words(first.label)
        label = name if first.code == "yes" else f"{name}: {text}"
        yield Row(label, (*(_share_of(group, first.code) for group in groups), *ends))
    else:
        yield Row(name, (*("" for _ in groups), *ends))
        for choice in _held(row, groups):
            cells = (_share_of(group, choice.code) for group in groups)
            yield Row(choice_name(choice, row, words), (*cells, *blank), indent=True)
    yield Row(words(KNOWN), (*(f"{group.n} ({group.missing})" for group in groups), *blank), indent=True)
    complete = [effect.sets for effect in row.effects.values() if effect.sets is not None]
    if complete and complete[0] < sets:
        yield Row(words(COMPLETE_SETS), (*(str(complete[0]) for _ in groups), *blank), indent=True)
    yield from _further(row, words, groups, blank)


def _share_of(group, code):
    """“17 (55%)”, or “52%” of a weighted group: its counts do not add up to what its shares say."""
    if group.weighted is None:
        return count_percent(group.counts[code], group.n)
    share = group.weighted[code]
    return ABSENT if share is None else f"{100 * share:.0f}%"


def _held(row, groups):
    """The categories that anybody has: a grade of nobody needs no line."""
    return [choice for choice in row.categories if any(group.counts[choice.code] for group in groups)]


def _further(row, words, groups, blank):
    for code in _reasons_of(groups):
        counts = (str(group.why.get(code, 0)) for group in groups)
        yield Row(words(UNKNOWN, why=words(WHY_LABELS[code])), (*counts, *blank), indent=True)
    for part, label in (("baseline_of_compared", BASELINE_OF_COMPARED), ("baseline_of_all", BASELINE_OF_ALL)):
        if briefs := getattr(row, part):
            cells = (_brief(row, briefs[code], words) for code in words.groups)
            yield Row(words(label), (*cells, *blank), indent=True)
    for part, label in (("worst_rank", WORST_RANK), ("complete_cases", COMPLETE)):
        again = getattr(row, part)
        if again and again.p is not None:
            counted = [""] * len(groups) if again.n is None else again.n
            signs = words(SIGNS, wins=again.wins, losses=again.losses) if again.wins is not None else ""
            text = f"{words(label)}{signs}: {p_value(again.p)}"
            yield Row(text, (*(f"n = {n}" if n != "" else "" for n in counted), *blank), indent=True)


def _reasons_of(groups):
    """Codes of the reasons that any of the groups has, in the order of WHY_LABELS."""
    return [code for code in WHY_LABELS if any(code in group.why for group in groups)]


def _brief(row, group, words):
    if row.categories:
        first = row.categories[0]
        if len(row.categories) == 2:
            return _share_of(group, first.code)
        if group.weighted is not None:
            return " / ".join(_share_of(group, choice.code) for choice in row.categories)
        return " / ".join(str(group.counts[choice.code]) for choice in row.categories)
    return f"{mean_sd(group, row.decimals)} (n = {group.n})"


def _ends(entry, row, words, pairs):
    ends = [_p(row, words)] if len(words.groups) > 2 else []
    for name in pairs:
        effect = row.effects.get(name, NO_EFFECT)
        ends += [_effect(effect, row, words), _p_of_pair(entry, row, name, words), number(effect.smd, 2)]
    return tuple(ends)


def _p(row, words):
    """P of all groups, which opens its test, the n of each, and the effect between each two."""
    text = p_value(row.p) + ("*" if row.monte_carlo else "") + ("†" if row.small_expected else "")
    known = words(Label(", ", "、")).join(f"{name} {row.groups[code].n}" for code, name in words.groups.items())
    details = [(words(tested_p.KNOWN), known), *_effects_of_pairs(row, words)]
    return _opened(text, row, words, details, groups=len(words.groups))


def _effects_of_pairs(row, words):
    """(label, value) of the effect between each two groups, unless there are too many to read."""
    pairs = words.pairs([row])
    for code, name in pairs.items() if len(pairs) <= tested_p.MOST_PAIRS else ():
        effect = row.effects.get(code, NO_EFFECT)
        for label, text in _effect_told(effect, _effect(effect, row, words), words):
            yield f"{name}: {label}", text


def _p_of_pair(entry, row, name, words):
    """P of two groups, which opens its test, n and effect."""
    effect = row.effects.get(name, NO_EFFECT)
    if effect.p is None:
        return ABSENT
    mark = ("*" if effect.monte_carlo else "") + ("†" if row.small_expected else "")
    two = words.codes_of_pair(name)
    known = words(Label(", ", "、")).join(f"{words.groups[code]} {n}" for code, n in zip(two, effect.n, strict=True))
    if effect.sets is not None:
        known += f" ({_sets(effect.sets, entry, words)})"
    details = [(words(tested_p.KNOWN), known), *_effect_told(effect, _effect(effect, row, words), words)]
    sides = ("second", "first") if effect.sets is not None else ("before", "after")
    return _opened(p_value(effect.p) + mark, effect, words, details, entry.adjust, sides)


def _effect_told(piece, text, words):
    """(label, value) of an effect with its interval, of a pair or a group; nothing where there is none."""
    if not piece.measure or text == ABSENT:
        return []
    return [(words(tests.EFFECT_LABELS[piece.measure]), text)]


def _opened(text, answer, words, details, adjust="none", sides=("before", "after"), groups=0):
    if answer.test not in tests.ALL_TESTS:
        return text
    label = tests.ALL_TESTS[answer.test].label
    label = tested_p.of_all(label, groups) if groups > 2 else label
    return tested_p.opened(text, words, label, tested_p.Answer.of(answer), details, adjust, sides)


def _effect(effect, row, words):
    if not effect.measure:
        return ABSENT
    return interval(effect, words, _decimals(effect.measure, row), _scale(effect.measure))


def _decimals(measure, row):
    return 1 if measure == "risk_difference" else 2 if measure in tests.RATIOS else row.decimals


def _scale(measure):
    return 100 if measure == "risk_difference" else 1


def interval(effect, words, decimals, scale=1):
    """“−4.2 (−8.1 to −0.3)”; ∞ where an end does not exist."""
    if effect.estimate is None and effect.low is None and effect.high is None:
        return ABSENT
    endless = {"low": "−∞"}
    estimate, low, high = (
        endless.get(name, "∞") if getattr(effect, name) is None else number(scale * getattr(effect, name), decimals)
        for name in ("estimate", "low", "high")
    )
    return words(INTERVAL, estimate=estimate, low=low, high=high)


def _within(entry, words, title):
    header = [words(VARIABLE)]
    spans = [("", 1)]
    for text in words.groups_with_n():
        header += [words(BEFORE), words(AFTER), words(CHANGE), words(P)]
        spans.append((text, 4))
    lines = [line for row in entry.rows for line in _paired_lines(row, words)]
    notes = tuple(_notes(entry, words, WITHIN_NOTE))
    return Table(f"comparisons_{entry.code}", title, tuple(header), tuple(lines), tuple(spans), notes)


def _paired_lines(row, words):
    groups = [row.groups[code] for code in words.groups]
    name = f"{variable_name(row, words)}, {words.visit(row.start)} → {words.visit(row.timepoint)}"
    cells = []
    for group in groups:
        change = interval(group, words, row.decimals) if group.measure else _changed(group)
        before, after = (_value(row, getattr(group, part)) for part in ("baseline_of_compared", "followup"))
        details = [(words(tested_p.KNOWN), words(tested_p.PAIRS, n=group.n)), *_effect_told(group, change, words)]
        cells += [before, after, change, _opened(p_value(group.p), group, words, details)]
    yield Row(name, tuple(cells))
    parts = [getattr(group, part) for group in groups for part in ("baseline_of_compared", "followup")]
    for choice in _held(row, parts) if len(row.categories) > 2 else ():
        of_choice = []
        for group in groups:
            parts = (group.baseline_of_compared, group.followup)
            of_choice += [*(count_percent(part.counts[choice.code], part.n) for part in parts), "", ""]
        yield Row(choice_name(choice, row, words), tuple(of_choice), indent=True)
    counted = [cell for group in groups for cell in (f"{group.n} ({group.missing})", "", "", "")]
    yield Row(words(KNOWN), tuple(counted), indent=True)
    whole = [cell for group in groups for cell in (_value(row, group.baseline_of_all), "", "", "")]
    yield Row(words(BASELINE_OF_ALL), tuple(whole), indent=True)
    for code in _reasons_of(groups):
        counts = [cell for group in groups for cell in ("", str(group.why.get(code, 0)), "", "")]
        yield Row(words(UNKNOWN, why=words(WHY_LABELS[code])), tuple(counts), indent=True)


def _changed(group):
    changed = group.changed
    return f"↑{changed.up} ={changed.same} ↓{changed.down}" if changed else ABSENT


def _value(row, group):
    if not row.categories:
        return mean_sd(group, row.decimals)
    first = row.categories[0].code
    return count_percent(group.counts[first], group.n) if len(row.categories) == 2 else ""


def _notes(entry, words, note):
    rows = entry.rows
    pieces = rows if entry.comparison == "between" else [group for row in rows for group in row.groups.values()]
    used = list(dict.fromkeys(piece.test for piece in pieces if piece.test))
    pairwise = (effect.test for row in rows for effect in row.effects.values() if effect.test)
    used = list(dict.fromkeys((*used, *pairwise)))
    measures = list(dict.fromkeys(_measures(entry)))
    listed = words(Label("; ", "、"))
    text = listed.join(
        [
            *(words(tests.EFFECT_LABELS[code]) for code in measures),
            *(words(tests.ALL_TESTS[code].label) for code in used),
        ]
    )
    yield words(note, tests=text or ABSENT)
    if entry.sets_are == "weights":
        yield words(OF_WEIGHTS, title=words(entry.matched_title), effective=_effective(entry, words))
    elif entry.matched:
        yield words(OF_SETS, title=words(entry.matched_title), sets=_sets(entry.sizes[0].sets, entry, words))
    if entry.sets_are == "sets":
        yield words(OF_SEVERAL)
    if entry.reason:
        yield words(NOBODY_MATCHED, why=words(why_not(entry.reason)))
    if entry.adjust != "none" and entry.comparison == "between":
        yield words(ADJUSTED, family=words(FAMILIES[entry.family]), how=words(ADJUSTMENTS[entry.adjust]))
    for row in rows:
        if row.small_expected:
            yield f"{row_name(row, words)}: " + words(SMALL, small=row.small_expected, cells=row.cells)
        for reason in _reasons_not_tested(row):
            yield f"{row_name(row, words)}: {words(OWN_ROW if reason == 'it defines the groups' else why_not(reason))}"


def _reasons_not_tested(row):
    pieces = [row, *row.effects.values(), *(row.groups.values() if row.start else ())]
    return dict.fromkeys(why for piece in pieces for why in (piece.reason, getattr(piece, "effect_reason", "")) if why)


def _measures(entry):
    for row in entry.rows:
        for piece in (*row.effects.values(), *row.groups.values()):
            if piece.measure:
                yield piece.measure


# Methods

BETWEEN_METHOD = Label(
    "{title}: groups were compared by {tests}; differences are given as {effects} with {share}% confidence intervals.",
    "{title}：群間比較には{tests}を用い、差は{effects}と{share}%信頼区間で示した。",
)
WITHIN_METHOD = Label(
    "{title}: values before and after were compared within each group, of the patients with both, by {tests}.",
    "{title}：各群内で両時点の値がある患者を対象に、{tests}により前後を比較した。",
)
MATCHED_METHOD = Label(
    "{title}: the {sets} of “{matched}” alone were compared, by tests of paired data, as matched patients "
    "are not independent.",
    "{title}：「{matched}」でマッチした{sets}のみを対象とし、マッチした患者は独立でないため対応のある検定を用いた。",
)
WEIGHTED_METHOD = Label(
    "{title}: the two groups were compared as weighted by “{matched}”, with robust (sandwich) standard errors that "
    "take the weights as given.",
    "{title}：「{matched}」により重み付けした2群を、重みを所与としたロバスト（サンドイッチ）標準誤差により比較した。",
)
MATCHED_ALONE = Label(
    "{title}: only the patients of the {sets} of “{matched}” were analysed.",
    "{title}：「{matched}」でマッチした{sets}の患者のみを解析した。",
)
EXPLORATORY_METHOD = Label("These comparisons are exploratory.", "これらの比較は探索的である。")
MULTIPLICITY = Label(
    "P-values and intervals are adjusted over the {family} ({how}).", "P値と信頼区間は{family}で調整した（{how}）。"
)
UNADJUSTED = Label("P-values are not adjusted for multiplicity.", "P値は多重性の調整を行っていない。")


def methods(entry, words):
    """The sentences of the methods that a Comparison's result needs."""
    between = entry.comparison == "between"
    pieces = entry.rows if between else [group for row in entry.rows for group in row.groups.values()]
    used = dict.fromkeys(piece.test for piece in pieces if piece.test)
    listed = words(Label(", ", "、"))
    text = listed.join(words(tests.ALL_TESTS[code].label) for code in used) or ABSENT
    effects = listed.join(words(tests.EFFECT_LABELS[code]) for code in dict.fromkeys(_measures(entry))) or ABSENT
    share = _share(entry, 0)
    title = words(entry.title)
    if entry.sets_are == "weights":
        yield words(WEIGHTED_METHOD, title=title, matched=words(entry.matched_title))
    elif entry.matched:
        matched, sets = words(entry.matched_title), _sets(entry.sizes[0].sets, entry, words)
        yield words(MATCHED_METHOD if between else MATCHED_ALONE, title=title, matched=matched, sets=sets)
    yield words(BETWEEN_METHOD if between else WITHIN_METHOD, title=title, tests=text, effects=effects, share=share)
    if between and entry.adjust != "none":
        yield words(MULTIPLICITY, family=words(FAMILIES[entry.family]), how=words(ADJUSTMENTS[entry.adjust]))
    elif between:
        yield words(UNADJUSTED)
    if entry.exploratory:
        yield words(EXPLORATORY_METHOD)


# In words

DIFFERS = Label(
    "{what}: {measure} {effect}, {first} against {second} ({p}; n = {n}).",
    "{what}：{first}と{second}の{measure} {effect}（{p}、n = {n}）。",
)
DIFFERS_ALL = Label("{what}: the groups differ ({p}).", "{what}：群間に差あり（{p}）。")
SETS = {"pairs": Label("{n} pairs", "{n}対"), "sets": Label("{n} matched sets", "{n}組")}
CHANGED = Label(
    "{what}, {group}: {measure} {effect} ({p}; n = {n} pairs).",
    "{what}（{group}）：{measure} {effect}（{p}、n = {n}対）。",
)
NOT_SHOWN = Label(
    "{title}: not shown to differ (P ≥ {alpha}; that does not show that the groups are alike): {what}.",
    "{title}：差は示されず（P ≥ {alpha}。同等であることを示すものではない）：{what}。",
)


def answers(entry, words):
    """What differs with its effect, and what was not shown to."""
    words = _narrowed(entry, words)
    alpha, open_rows = words.result.method.alpha, []
    between = entry.comparison == "between"
    for row in entry.rows:
        sentences = list(_of_pairs(entry, row, words, alpha) if between else _of_changes(row, words, alpha))
        yield from sentences
        if not sentences and _has_p(row):
            open_rows.append(row_name(row, words))
    if open_rows:
        listed = words(Label("; ", "、")).join(open_rows)
        yield words(NOT_SHOWN, title=words(entry.title), alpha=alpha, what=listed)


def _has_p(row):
    pieces = [row, *row.effects.values(), *(row.groups.values() if row.start else ())]
    return any(piece.p is not None for piece in pieces)


def _of_pairs(entry, row, words, alpha):
    if len(words.groups) > 2 and row.p is not None and row.p < alpha:
        yield words(DIFFERS_ALL, what=row_name(row, words), p=p_phrase(row.p))
    for pair, effect in row.effects.items():
        if effect.p is not None and effect.p < alpha:
            first, second = words.codes_of_pair(pair)
            yield words(
                DIFFERS,
                what=row_name(row, words),
                first=words.groups[first],
                second=words.groups[second],
                measure=words(tests.EFFECT_LABELS[effect.measure]) if effect.measure else "",
                effect=_effect(effect, row, words) if effect.measure else "",
                p=p_phrase(effect.p),
                n=_sets(effect.sets, entry, words) if effect.sets is not None else " + ".join(map(str, effect.n)),
            )


def _of_changes(row, words, alpha):
    for code, group in row.groups.items():
        if group.p is not None and group.p < alpha:
            change = interval(group, words, row.decimals) if group.measure else _changed(group)
            yield words(
                CHANGED,
                what=row_name(row, words),
                group=words.groups[code],
                measure=words(tests.EFFECT_LABELS[group.measure] if group.measure else CHANGE),
                effect=change,
                p=p_phrase(group.p),
                n=group.n,
            )
