"""Statistics: pure functions on arrays or on counts of distinct values. No framework; numpy, and SciPy when called.

A *sample* is an (n,) array in which NaN is missing, `arrays.Counts(values, counts, missing=0)`, or a mapping
value -> count; a *group* may also be `arrays.Moments.summary(n, mean, sd)`, the numbers a paper prints. Every function
returns a small frozen dataclass (`p`, `statistic`, `df`, `n`, `method`, …) or raises `arrays.NotEstimable`, whose
`reason` is a key of `arrays.REASONS`, where R would print NaN or stop. Nothing returns NaN but a
survival curve's limits where none exist (R: NA).

| function                                     | R 4                                                         |
|----------------------------------------------|-------------------------------------------------------------|
| describe.describe(sample)                    | mean, sd, quantile(type = 7), t.test(x)$conf.int            |
| describe.quantiles(sample, probabilities)    | quantile(x, probabilities)                                  |
| anova.anova(groups)                          | summary(aov(y ~ g))                                         |
| anova.welch_anova(groups)                    | oneway.test(y ~ g)                                          |
| anova.tukey_hsd(groups)                      | TukeyHSD(aov(y ~ g))                                        |
| ttest.student_t(x, y)                        | t.test(x, y, var.equal = TRUE)                              |
| ttest.welch_t(x, y)                          | t.test(x, y)                                                |
| ttest.paired_t(differences)                  | t.test(after, before, paired = TRUE)                        |
| rank.wilcoxon_signed_rank(differences)       | wilcox.test(round(y - x, 9), correct = TRUE, exact = FALSE) |
| rank.mann_whitney(x, y)                      | wilcox.test(x, y, correct = TRUE, exact = FALSE)            |
| rank.kruskal_wallis(groups)                  | kruskal.test(y, g)                                          |
| rank.dunn(groups, adjust_method)             | written out in tests/stats/r/reference.R                    |
| categorical.chi_square(table, correct=False) | chisq.test(table, correct = FALSE)                          |
| categorical.mcnemar(table)                   | mcnemar.test(table)                                         |
| categorical.mcnemar_exact(table)             | binom.test(b, b + c)                                        |
| exact.fisher.fisher_exact(table)             | fisher.test(table)                                          |
| exact.fisher.fisher_monte_carlo(table, …)    | fisher.test(table, simulate.p.value = TRUE, B = n)          |
| exact.fisher.fisher(table)                   | the exact test, or Monte Carlo where it would take too long |
| adjust.adjust(p_values, method)              | p.adjust(p, "BH" or "holm" or "bonferroni")                 |
| survival.kaplan_meier(time, event)           | survfit(Surv(time, event) ~ 1)                              |
| survival.survival_at(curve, times)           | summary(curve, times = times)                               |
| survival.log_rank(groups)                    | survdiff(Surv(time, event) ~ g)                             |
| survival.log_rank_trend(groups)              | coxph(…, ties = "exact"), score test                        |
| survival.stratified_log_rank(…)              | survdiff(Surv(time, event) ~ g + strata(s))                 |
| survival.restricted_mean(curve, horizon)     | summary(curve, rmean = horizon)                             |
| survival.competing.cumulative_incidence(…)   | cmprsk::cuminc(time, cause)                                 |
| survival.competing.gray(groups)              | cmprsk::cuminc(time, cause, g)$Tests                        |
| survival.cox.cox(time, event, covariates, …) | coxph(Surv(time, event) ~ x + strata(s), cluster = c)       |
| survival.cox.proportional_hazards(model)     | cox.zph(fit, transform)                                     |
| effects.proportions.*                        | prop.test, binom.test, fisher.test                          |
| effects.shift.*                              | wilcox.test(conf.int = TRUE)                                |
| effects.standardised.*                       | written out in tests/stats/r/effects.R                      |
| exact.ranks.*                                | exactRankTests::wilcox.exact                                |
| ordered.trend.*                              | prop.trend.test, cor.test(method = "kendall")               |
| ordered.symmetry.*                           | mcnemar.test, coin::mh_test                                 |
| models.linear.ancova(…)                      | lm(y ~ g + b), emmeans                                      |
| models.logistic.logistic(…)                  | glm(family = binomial)                                      |
| models.repeated.repeated_measures(…)         | nlme::gls(corSymm or corCompSymm)                           |
| models.means.*                               | emmeans, pairs                                              |
| matching.score.propensity(…)                 | fitted(glm(…))                                              |
| matching.nearest.nearest(…)                  | MatchIt::matchit(method = "nearest")                        |
| matching.balance.balance(…)                  | summary(matchit(…))                                         |
| matching.weights.weighted_difference(…)      | lm(y ~ t, weights = w) with sandwich::vcovHC(type = "HC0")  |
| matching.paired.pair_risk_difference(table)  | written out in tests/stats/models/test_matching.py                 |
| quality.qaly.qaly(…)                         | the trapezoid rule, written out there                       |
| quality.change.*                             | table, prop.test                                            |

`arrays.differences(before, after)` makes the differences of complete pairs; `arrays.tabulate(sample)` makes Counts.
"""
