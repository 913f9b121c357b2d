"""What codes of a section's result are called, and its methods in words that a statistician signs."""

from registry.analysis.presentation.words import WHY_NOT, why_not
from registry.instruments import timepoints
from registry.instruments.base import Label
from registry.instruments.core import adverse_events

TEST_NAMES = {
    "log_rank": Label("log-rank test", "ログランク検定"),
    "log_rank_trend": Label("log-rank test for trend", "ログランク傾向検定"),
    "stratified_log_rank": Label("stratified log-rank test", "層別ログランク検定"),
    "robust_log_rank": Label("robust score test of weighted patients", "重み付き患者の頑健スコア検定"),
    "robust_stratified_log_rank": Label(
        "robust score test of weighted patients within strata", "重み付き患者の層別頑健スコア検定"
    ),
    "gray": Label("Gray's test", "Gray検定"),
    "marginal_homogeneity": Label("Stuart–Maxwell test", "Stuart-Maxwell検定"),
    "bowker": Label("Bowker's test of symmetry", "Bowkerの対称性検定"),
    "mcnemar": Label("McNemar's test", "McNemar検定"),
    "mann_whitney": Label("Mann–Whitney U test", "Mann-WhitneyのU検定"),
    "jonckheere": Label("Jonckheere–Terpstra test", "Jonckheere-Terpstra検定"),
    "kruskal_wallis": Label("Kruskal–Wallis test", "Kruskal-Wallis検定"),
    "paired_t": Label("paired t test", "対応のあるt検定"),
    "wilcoxon_signed_rank": Label("Wilcoxon signed-rank test", "Wilcoxonの符号付順位検定"),
    "signed_rank_exact": Label(
        "Wilcoxon signed-rank test, exact below 50 changes", "Wilcoxonの符号付順位検定（変化50例未満では正確検定）"
    ),
    "weighted_difference": Label("weighted difference with robust errors", "重み付き差（頑健標準誤差）"),
    "welch_t": Label("Welch's t test", "Welchのt検定"),
    "fisher_exact": Label("Fisher's exact test", "Fisherの正確確率検定"),
}
TEXTS = {
    "survival": Label("free of the event (Kaplan–Meier)", "イベントなし（Kaplan-Meier）"),
    "incidence": Label("with the event (Aalen–Johansen)", "累積発生（Aalen-Johansen）"),
    "group": Label("group", "群"),
    "adjusted": Label("adjusted", "調整済み"),
    "visit": Label("visit", "時点"),
    "visit:group": Label("visit × group", "時点×群"),
    "slopes": Label("group × baseline (slopes differ)", "群×ベースライン（傾きの差）"),
    "mean_difference": Label("difference of means", "平均の差"),
    "hodges_lehmann": Label("Hodges–Lehmann shift", "Hodges-Lehmann推定値"),
    "risk_difference": Label("difference of shares of the first category", "最初のカテゴリの割合の差"),
    "": Label("–", "–"),
}
AGAINST = Label("{variable}: {level} (against {reference})", "{variable}：{level}（対照：{reference}）")
AT = Label("{variable}, {visit}", "{variable}（{visit}）")
GROUP = Label("Group", "群")
BASELINE = Label("Baseline", "ベースライン")
VERSUS = Label("{first} – {second}", "{first} – {second}")


class Names:
    """What the codes of one section's result are called in a language."""

    def __init__(self, result, words):
        self.result, self.words = result, words
        self.title = self.words(result.title)

    def join(self, parts):
        return self.words(Label("; ", "；")).join(parts)

    def group(self, code):
        """A group, or both of a pair."""
        if code in self.words.groups or "_vs_" not in code:
            return self.words.groups.get(code, code)
        first, second = self.words.codes_of_pair(code)
        return self.words(VERSUS, first=self.words.groups[first], second=self.words.groups[second])

    def place(self, code, otherwise=0):
        """The place of a group among all of the plan's: its colour is the same in every figure."""
        codes = list(self.words.groups)
        return codes.index(code) if code in codes else otherwise

    def variable(self, name):
        if name == "group":
            return self.words(GROUP)
        if name == "baseline":
            return self.words(BASELINE)
        named = self.result.names.get(name)
        return self.words(named.label) if named else name

    def level(self, variable, code):
        if variable == "group":
            return self.group(code)
        named = self.result.names.get(variable)
        return self.words(named.levels[code]) if named and code in named.levels else code

    def visit(self, code):
        """A visit of the schedule, or one that the plan declares."""
        if not code:
            return ""
        try:
            return self.words(timepoints.timepoint(code).label)
        except KeyError:
            return code

    def at_visit(self, variable, visit):
        name = self.variable(variable)
        return self.words(AT, variable=name, visit=self.visit(visit)) if visit else name

    def term(self, row):
        name = self.at_visit(row.variable, row.visit)
        if not row.level:
            return name
        levels = {part: self.level(row.variable, getattr(row, part)) for part in ("level", "reference")}
        return self.words(AGAINST, **levels, variable=name)

    def grade(self, code):
        grade = next((known for known in self.result.grades if known.code == code), None)
        return self.words(grade.label) if grade else code

    def why(self, reason):
        """Why something is not estimable; the columns that it names in brackets as they are called here."""
        sentence, opening, at = reason.partition(" (")
        if not opening or why_not(reason).en in WHY_NOT:
            return self.words(why_not(reason))
        called = self.variables(at.removesuffix(")").split(", "))
        return self.words(Label("{why} ({at})", "{why}（{at}）"), why=self.words(why_not(sentence)), at=called)

    def variables(self, names):
        return self.words(Label(", ", "、")).join(dict.fromkeys(self.variable(name) for name in names))


# The methods


def methods(result, words):
    """Sentences that say how a section was computed, on whom, and what it assumes."""
    return tuple(METHODS[result.kind](result, Names(result, words)))


def say(names, en, ja, **values):
    return names.words(Label(en, ja), **values)


def of_matched(result, names):
    if result.matched:
        yield say(
            names,
            "{title}: only the patients of the propensity section “{matched}” were analysed.",
            "{title}：傾向スコアのセクション「{matched}」の対象患者のみを解析した。",
            title=names.title,
            matched=result.matched,
        )


def events(declared, names):
    """Events of an endpoint in words: “death from any cause or hardware failure”."""
    return names.words(OR).join(EVENTS[event["kind"]](event, names) for event in declared)


def adverse_event(event, names):
    kinds = [names.words(kind.label) for kind in adverse_events.KINDS if kind.code in event.get("of", ())]
    what = names.words(Label(", ", "、")).join(kinds) or names.words(ANY_EVENT)
    return names.words(OF_GRADE, what=what, grade=event["grade"]) if event.get("grade") else what


def reached(event, names):
    limit = next(name for name in LIMITS if name in event)
    value = event[limit]
    if limit == "in":
        value = names.words(Label(", ", "、")).join(names.level(event["variable"], str(code)) for code in value)
    visits = names.words(Label(", ", "、")).join(map(names.visit, event["visits"]))
    return names.words(LIMITS[limit], variable=names.variable(event["variable"]), value=value, visits=visits)


OR = Label(" or ", "または")
BY_GRAY = Label(", compared by Gray's test", "し、Gray検定で比較")
GRAY_HAS_NO_WEIGHTS = Label(
    ", weighted and with robust limits (Gray's test takes no weights)",
    "（重み付き、頑健信頼区間。Gray検定は重みを扱えないため行わず）",
)
ANY_EVENT = Label("any adverse event", "有害事象（種類を問わない）")
OF_GRADE = Label("{what} of Clavien–Dindo grade {grade} or more", "{what}（Clavien-Dindo分類{grade}以上）")
LIMITS = {
    "at_least": Label("{variable} of {value} or more ({visits})", "{variable}が{value}以上（{visits}）"),
    "at_most": Label("{variable} of {value} or less ({visits})", "{variable}が{value}以下（{visits}）"),
    "in": Label("{variable}: {value} ({visits})", "{variable}：{value}（{visits}）"),
}
EVENTS = {
    "death": lambda event, names: names.words(Label("death from any cause", "全死因死亡")),
    "adverse_event": adverse_event,
    "date": lambda event, names: names.variable(event["variable"]),
    "days": lambda event, names: names.variable(event["variable"]),
    "reached": reached,
}


def of_curves(result, names):
    if result.weighted:
        yield say(
            names,
            "Those without the event were censored at the end of their follow-up. Patients are weighted as the "
            "propensity section says: curves are weighted Kaplan–Meier estimates with robust 95% limits on the log "
            "scale, groups were compared by the robust score test of the weighted Cox model (the log-rank test's "
            "place), follow-up is the weighted reverse Kaplan–Meier median, and numbers at risk are patients, not "
            "weights.",
            "イベントのない患者は追跡終了時に打ち切りとした。患者は傾向スコアのセクションの重みで重み付けし、生存曲線は重み付き"
            "Kaplan-Meier法（対数変換、頑健95%信頼区間）で推定し、群間はログランク検定に代えて重み付きCox回帰の頑健スコア検定で"
            "比較した。追跡期間は重み付き逆Kaplan-Meier法による中央値、リスク集合は重みではなく患者数である。",
        )
        return
    yield say(
        names,
        "Those without the event were censored at the end of their follow-up. Curves are Kaplan–Meier estimates with "
        "95% limits on the log scale, groups were compared by the log-rank test, and follow-up is the reverse "
        "Kaplan–Meier median.",
        "イベントのない患者は追跡終了時に打ち切りとした。生存曲線はKaplan-Meier法（対数変換による95%信頼区間）で推定し、"
        "群間はログランク検定で比較した。追跡期間は逆Kaplan-Meier法による中央値である。",
    )


def of_endpoints(result, names):
    start, event = result.landmark_day, events(result.definition["event"], names)
    if start:
        yield say(
            names,
            "{title}: time ran from day {day} after surgery (landmark) to the event, {event}; patients whose follow-up "
            "ended before it were counted and not analysed, so that no time is immortal.",
            "{title}：術後{day}日（ランドマーク）からイベント（{event}）までを追跡期間とした。それ以前に追跡が終了した患者は"
            "計数のみとし解析から除いた（不死時間バイアスを避けるため）。",
            title=names.title,
            day=start,
            event=event,
        )
    else:
        yield say(
            names,
            "{title}: time ran from surgery to the event, {event}.",
            "{title}：手術からイベント（{event}）までを追跡期間とした。",
            title=names.title,
            event=event,
        )
    yield from of_curves(result, names)
    if result.competing:
        yield say(
            names,
            "Competing events ({rivals}) were not censored in the cumulative incidence, which is that of Aalen and "
            "Johansen{test}; curves and hazard ratios are cause-specific.",
            "競合イベント（{rivals}）を打ち切りとせず、累積発生率をAalen-Johansen法で推定{test}した。"
            "生存曲線とハザード比は原因別である。",
            test=names.words(GRAY_HAS_NO_WEIGHTS if result.weighted else BY_GRAY),
            rivals=events(result.definition["competing"], names),
        )
    undated = sum(row.undated for row in result.followed)
    if undated:
        yield say(
            names,
            "{n} had the event on a day not known; they count at the end of their follow-up.",
            "イベントの日付が不明な{n}例は追跡終了時に発生したものとした。",
            n=undated,
        )
    yield say(
        names,
        "Hazard ratios are of Cox models (ties by Efron); proportional hazards were tested by scaled Schoenfeld "
        "residuals, and a P below the level means that one hazard ratio does not describe the whole course.",
        "ハザード比はCox回帰（同時刻の処理はEfron法）による。比例ハザード性はSchoenfeld残差により検定した。"
        "有意な場合、単一のハザード比では経過全体を表せない。",
    )
    if any(fit.robust for fit in result.fits):
        yield say(
            names,
            "Errors of the matched or weighted patients are robust, by matched set; curves and log-rank tests are "
            "not weighted.",
            "マッチまたは重み付けした患者の標準誤差は組ごとの頑健推定である。曲線とログランク検定には重みを用いていない。",
        )
    if result.subgroups:
        yield say(
            names,
            "Subgroups are exploratory; the P of an interaction is of a likelihood ratio, unadjusted.",
            "サブグループ解析は探索的であり、交互作用のP値は尤度比検定による（多重性の補正なし）。",
        )
    yield from of_matched(result, names)


def of_models(result, names):
    outcome = names.variable(result.outcome)
    visits = names.words(Label(", ", "、")).join(map(names.visit, result.visits))
    more = names.variables(row.variable for row in result.coefficients if row.variable not in ("group", "baseline"))
    if result.model == "ancova":
        yield say(
            names,
            "{title}: {outcome} at {visit} was compared between groups by analysis of covariance, given its value at "
            "{baseline}{more}; complete cases, assuming equal residual variances and one slope (tested).",
            "{title}：{visit}の{outcome}を、{baseline}の値{more}を共変量とする共分散分析で群間比較した。"
            "完全例の解析であり、残差の等分散と傾きの等しさを仮定する（傾きの差は検定した）。",
            title=names.title,
            outcome=outcome,
            visit=visits,
            baseline=names.visit(result.baseline),
            more=also(more, names),
        )
    elif result.model == "logistic":
        yield say(
            names,
            "{title}: {outcome} was related to the groups{more} by logistic regression; odds ratios with Wald limits, "
            "complete cases.",
            "{title}：{outcome}と群{more}との関連をロジスティック回帰で解析した。オッズ比とWaldの信頼区間を示す（完全例）。",
            title=names.title,
            outcome=outcome,
            more=also(more, names),
        )
    else:
        yield say(
            names,
            "{title}: {outcome} at {visits} was analysed by a mixed model for repeated measures (restricted maximum "
            "likelihood, {structure} covariance, {degrees} degrees of freedom) with visit, group and their "
            "interaction{more}; means are least-squares means. Missing values are taken as missing at random, which "
            "death is not: the means are of patients as if alive.",
            "{title}：{visits}の{outcome}を、時点・群・その交互作用{more}を含む反復測定混合モデル（制限付き最尤法、"
            "共分散構造：{structure}、自由度：{degrees}）で解析し、最小二乗平均を示した。欠測はランダムな欠測を仮定する。"
            "死亡はこの仮定に当てはまらず、平均は生存を仮定した値である。",
            title=names.title,
            outcome=outcome,
            visits=visits,
            more=also(more, names),
            structure=names.words(STRUCTURES[result.settings["structure"]]),
            degrees=names.words(DEGREES[result.settings["degrees"]]),
        )
    if result.settings["adjust"] != "none":
        yield say(
            names,
            "Contrasts are adjusted over the pairs of groups at each visit ({adjust}), not over visits.",
            "群間差は各時点の群の組について補正した（{adjust}）。時点間の補正はしていない。",
            adjust=result.settings["adjust"],
        )
    yield from of_matched(result, names)


STRUCTURES = {
    "unstructured": Label("unstructured", "無構造"),
    "compound_symmetry": Label("compound symmetry", "複合対称"),
}
DEGREES = {"satterthwaite": Label("Satterthwaite's", "Satterthwaite"), "residual": Label("residual", "残差")}


def also(more, names):
    return say(names, " and {more}", "と{more}", more=more) if more else ""


def of_propensity(result, names):
    settings, both = result.settings, [names.group(getattr(result, side)) for side in ("treated", "control")]
    covariates = names.variables(row.variable for row in result.scores)
    yield say(
        names,
        "{title}: the propensity score of {treated} against {control} came from logistic regression on {covariates}.",
        "{title}：{control}に対する{treated}の傾向スコアを、{covariates}によるロジスティック回帰で推定した。",
        title=names.title,
        treated=both[0],
        control=both[1],
        covariates=covariates,
    )
    if result.method == "matching":
        caliper = settings["caliper"]
        yield say(
            names,
            "Each patient of {treated} was matched with {ratio} of {control} by the nearest {scale} ({replace}), in "
            "the order: {order}{caliper}{exact}.",
            "{treated}の各患者に、{scale}が最も近い{control}を{ratio}例ずつマッチさせた（{replace}、順序：{order}{caliper}{exact}）。",
            treated=both[0],
            control=both[1],
            ratio=settings["ratio"],
            scale=names.words(SCALES[settings["on"]]),
            replace=names.words(REPLACED if settings["replace"] else NOT_REPLACED),
            order=names.words(ORDERS[settings["order"]]),
            caliper=within(settings, names) if caliper else "",
            exact=say(names, ", exactly on {exact}", "、完全一致：{exact}", exact=settings["exact"])
            if settings.get("exact")
            else "",
        )
        yield say(
            names,
            "Outcomes of matched patients are compared within pairs; the estimate is the effect in the matched treated "
            "patients.",
            "マッチした患者のアウトカムは対内で比較した。推定されるのはマッチした治療群における効果である。",
        )
    else:
        yield say(
            names,
            "Patients were weighted by the score (estimand: {estimand}), with robust errors.",
            "スコアによる重み付け（推定対象：{estimand}）を行い、頑健標準誤差を用いた。",
            estimand=settings["estimand"].upper() if settings["estimand"] != "overlap" else settings["estimand"],
        )
    yield say(
        names,
        "Balance is told by standardised differences in units of the spread before, below 0.1 being usual; what was "
        "not measured is not balanced.",
        "バランスは調整前の標準偏差を単位とする標準化差で示した（目安は0.1未満）。測定していない因子は調整されない。",
    )


def within(settings, names):
    unit = Label(" standard deviations", "標準偏差") if settings["caliper_unit"] == "sd" else Label("", "")
    return say(
        names,
        ", caliper {caliper}{unit}",
        "、キャリパー{caliper}{unit}",
        caliper=settings["caliper"],
        unit=names.words(unit),
    )


SCALES = {"score": Label("score", "スコア"), "logit": Label("logit of the score", "スコアのロジット")}
ORDERS = {
    "largest": Label("largest score first", "スコアの大きい順"),
    "smallest": Label("smallest score first", "スコアの小さい順"),
    "data": Label("as the data stand", "データの順"),
    "random": Label("random, by a fixed seed", "乱数順（シード固定）"),
}
REPLACED, NOT_REPLACED = Label("with replacement", "復元あり"), Label("without replacement", "復元なし")


def of_quality(result, names):
    variable = names.variable(result.variable)
    if result.measure == "qaly":
        yield say(
            names,
            "{title}: quality-adjusted life years are the area under {variable} from the first visit to {horizon} "
            "months, zero from death on; gaps: {gaps}.",
            "{title}：QALYは最初の時点から{horizon}か月までの{variable}の曲線下面積で、死亡以降は0とした。欠測の扱い：{gaps}。",
            title=names.title,
            variable=variable,
            horizon=f"{result.horizon:g}",
            gaps=names.words(GAPS[result.gaps]),
        )
    elif result.measure == "course":
        yield say(
            names,
            "{title}: means of {variable} are told of survivors with a value, and again with the dead at {dead}; those "
            "missing for another reason are in neither. Ranks with the dead lowest use the day of death.",
            "{title}：{variable}の平均を、値のある生存者と、死亡例を{dead}として含めた場合について示した。"
            "他の理由の欠測はどちらにも含まれない。死亡例を最下位とした順位は死亡日の順による。",
            title=names.title,
            variable=variable,
            dead=f"{result.dead_at:g}",
        )
    else:
        yield say(
            names,
            "{title}: a responder improved by {threshold} or more from {first}; shares with Wilson's, differences with "
            "Newcombe's interval. Patients without both values, the dead among them, are not counted.",
            "{title}：{first}から{threshold}以上改善した患者をレスポンダーとした。割合はWilson、差はNewcombeの信頼区間で示す。"
            "両時点の値がない患者（死亡を含む）は含まれない。",
            title=names.title,
            threshold=f"{result.threshold:g}",
            first=names.visit(result.visits[0]),
        )
    yield from of_matched(result, names)


GAPS = {
    "linear": Label("a straight line between known values", "既知の値の間を線形補間"),
    "carried": Label("each value carried to the next", "直前の値を維持"),
    "complete": Label("patients with a gap are left out", "欠測のある患者を除外"),
}


def of_transitions(result, names):
    yield say(
        names,
        "{title}: {variable} at {before} and at {after} of the same patients; the margins were compared by the "
        "Stuart–Maxwell test and symmetry by Bowker's, in patients with both.",
        "{title}：同じ患者の{before}と{after}の{variable}。周辺分布はStuart-Maxwell検定、対称性はBowker検定で比較した"
        "（両時点の値がある患者）。",
        title=names.title,
        variable=names.variable(result.variable),
        before=names.visit(result.before),
        after=names.visit(result.after),
    )
    yield from of_matched(result, names)


METHODS = {
    "endpoints": of_endpoints,
    "models": of_models,
    "propensity": of_propensity,
    "qol": of_quality,
    "transitions": of_transitions,
}
