# The numbers of `comparisons`, computed again from data.csv. Read by verify.R.

of_section$comparisons <- function(b, line, claim, text) {
  b <- of_matched(b, line, text)
  if (!is.null(b$weight) && grepl("/sizes$", line$table)) {
    w <- b$weight[b$members[[line$group]]]
    return(c(n = length(w), effective = if (length(w)) sum(w)^2 / sum(w^2) else 0))
  }
  if (grepl("/sizes$", line$table)) return(c(n = length(b$members[[line$group]]), sets = length(unique(unlist(lapply(b$members, function(rows) b$set[rows]))))))
  if (!grepl("/rows$", line$table)) return(NULL)
  kind <- line$kind; name <- line$variable; when <- line$timepoint
  column <- function(visit) paste0("plan.", gsub(":", "_", name), if (visit == "") "" else paste0(".", visit))
  values <- function(visit) {
    x <- typed(b, column(visit))
    if (is.factor(x)) as.numeric(x) - 1 else x
  }
  if (!is.null(b$weight)) b$coded <- kind == "binary"
  confidence <- as.numeric(b$expected$value[b$expected$table == sub("/rows$", "", line$table) & b$expected$statistic == "confidence"])
  categories <- if (kind %in% c("binary", "ordinal", "nominal")) codes_of(b, column(when)) else NULL
  described <- function(x, brief = FALSE) {
    made <- c(n = sum(!is.na(x)), if (!brief) c(missing = sum(is.na(x))))
    if (is.null(categories)) return(c(made, moments(x)[c("mean", "sd", "median", "q1", "q3", "min", "max")]))
    counts <- vapply(seq_along(categories) - 1, function(place) sum(x == place, na.rm = TRUE), 0)
    made <- c(made, setNames(counts, paste0("counts/", categories)))
    if (brief || kind != "binary") return(made)
    n <- made[["n"]]; share <- c(share = NA, low = NA, high = NA)
    if (n > 0) {
      limits <- if (text("interval") == "wilson") prop.test(counts[1], n, correct = FALSE, conf.level = confidence)
        else binom.test(counts[1], n, conf.level = confidence)
      share <- c(counts[1] / n, suppressWarnings(limits$conf.int))
      if (text("interval") == "wilson") { if (counts[1] == 0) share[2] <- 0; if (counts[1] == n) share[3] <- 1 }
    }
    c(made, setNames(share, c("share", "low", "high")))
  }
  # Weighted groups: n and counts of patients, weighted means, SDs and shares.
  described_by_weight <- function(x, rows, brief = FALSE) {
    known <- rows[!is.na(x[rows])]; w <- b$weight[known]; y <- x[known]
    made <- c(n = length(known), if (!brief) c(missing = length(rows) - length(known)))
    if (is.null(categories)) {
      if (!length(y)) return(c(made, mean = NA, sd = NA))
      m <- cov.wt(cbind(y), w, method = "ML"); return(c(made, mean = unname(m$center), sd = sqrt(m$cov[1])))
    }
    places <- seq_along(categories) - 1
    c(made, setNames(vapply(places, function(k) sum(y == k), 0), paste0("counts/", categories)),
      setNames(vapply(places, function(k) if (length(y)) sum(w[y == k]) / sum(w) else NA_real_, 0), paste0("weighted/", categories)))
  }
  under <- function(path, x) if (length(x)) setNames(x, paste(path, names(x), sep = "/")) else NULL
  why <- function(rows, visit) {
    told <- table(b$data[[paste0(column(visit), ".why")]][rows])
    told <- told[names(told) != "" & told > 0]
    if (length(told)) setNames(as.numeric(told), names(told)) else NULL
  }
  number <- function(path) suppressWarnings(as.numeric(claim(path)))

  if (grepl("/within/", paste0("/", line$comparison, "/"))) return(within_rows(b, line, claim, text, values, described, under, why, column))
  x <- values(when)
  made <- numeric(0)
  for (code in b$groups) {
    rows <- b$members[[code]]
    made <- c(made, under(paste0("groups/", code), c(if (is.null(b$weight)) described(x[rows]) else described_by_weight(x, rows), under("why", why(rows, when)))))
  }
  g <- typed(b, "group")
  test <- line$test
  if (claim_there(claim, "p")) made <- c(made, p = if (!is.null(b$weight)) weighted_p(b, x, test) else if (is.null(b$set)) section_test(x, g, b$groups, test, kind) else sets_p(b, x, test, text))
  made <- c(made, told_statistic(claim, "", if (!is.null(b$weight)) weighted_statistic(b, x, test) else if (is.null(b$set)) section_statistic(x, g, b$groups, test) else sets_statistic(b, x, test)))
  if (claim_there(claim, "cells")) {
    counts <- occupied(table(g, x)); expected <- outer(rowSums(counts), colSums(counts)) / sum(counts)
    made <- c(made, small_expected = sum(expected < 5), cells = length(expected))
  }
  pairs <- unique(sub("^effects/([^/]+)/.*", "\\1", grep("^effects/", names(claim("*")), value = TRUE)))
  for (pair in pairs) {
    two <- pair_codes(b, pair); first <- x[b$members[[two[1]]]]; second <- x[b$members[[two[2]]]]
    path <- paste0("effects/", pair); has <- function(what) claim_there(claim, paste0(path, "/", what))
    effect <- c("n/0" = sum(!is.na(first)), "n/1" = sum(!is.na(second)))
    if (!is.null(b$set)) {
      whole <- in_whole_sets(b, x)
      effect <- c("n/0" = sum(whole[b$members[[two[1]]]]), "n/1" = sum(whole[b$members[[two[2]]]]), sets = length(unique(b$set[whole])))
    }
    if (has("smd")) effect <- c(effect, smd = if (!is.null(b$weight)) weighted_smd(b, x, categories) else section_smd(first, second, categories))
    if (has("estimate")) {
      each <- number(paste0(path, "/confidence"))
      effect <- c(effect, if (!is.null(b$weight)) weighted_effect(b, x, text(paste0(path, "/measure")), each) else if (!is.null(b$set)) sets_effect(b, x, text(paste0(path, "/measure")), each, text) else section_effect(first, second, text(paste0(path, "/measure")), each, text(paste0(path, "/test"))))
    }
    if (has("p_raw")) {
      effect <- c(effect, p_raw = if (!is.null(b$weight)) weighted_p(b, x, text(paste0(path, "/test"))) else if (!is.null(b$set)) sets_p(b, x, text(paste0(path, "/test")), text) else section_test(c(first, second), factor(rep(two, c(length(first), length(second))), two), two,
                                               text(paste0(path, "/test")), kind))
    }
    each <- text(paste0(path, "/test"))
    effect <- c(effect, told_statistic(claim, path, if (!is.null(b$weight)) weighted_statistic(b, x, each) else if (!is.null(b$set)) sets_statistic(b, x, each)
      else section_statistic(c(first, second), factor(rep(two, c(length(first), length(second))), two), two, each)))
    made <- c(made, under(path, effect))
  }
  made <- c(made, section_adjusted(b, line, claim, text, made))
  baseline <- line$baseline
  for (part in c("baseline_of_compared", "baseline_of_all")) if (any(startsWith(names(claim("*")), paste0(part, "/")))) {
    for (code in b$groups) {
      rows <- b$members[[code]]; before <- values(baseline)[rows]
      if (part == "baseline_of_compared") before <- before[if (is.null(b$set)) !is.na(x[rows]) else in_whole_sets(b, x)[rows]]
      if (!is.null(b$weight) && part == "baseline_of_compared") rows <- rows[!is.na(x[rows])]
      made <- c(made, under(paste(part, code, sep = "/"), if (is.null(b$weight)) described(before, TRUE) else described_by_weight(values(baseline), rows, TRUE)))
    }
  }
  if (claim_there(claim, "complete_cases/p")) {
    visits <- unique(b$expected$timepoint[b$expected$table == line$table & b$expected$variable == name])
    whole <- Reduce(`&`, lapply(visits, function(visit) !is.na(values(visit))))
    y <- ifelse(whole, x, NA)
    if (!is.null(b$set)) whole <- in_whole_sets(b, y)
    n <- vapply(b$groups, function(code) sum(whole[b$members[[code]]]), 0)
    made <- c(made, setNames(n, paste0("complete_cases/n/", seq_along(n) - 1)),
              "complete_cases/p" = if (!is.null(b$weight)) weighted_p(b, y, text("complete_cases/test")) else if (is.null(b$set)) section_test(y, g, b$groups, text("complete_cases/test"), kind)
                else sets_p(b, y, text("complete_cases/test"), text),
              under("complete_cases", told_statistic(claim, "complete_cases", if (!is.null(b$weight)) weighted_statistic(b, y, text("complete_cases/test")) else if (is.null(b$set)) section_statistic(y, g, b$groups, text("complete_cases/test"))
                else sets_statistic(b, y, text("complete_cases/test")))))
  }
  if (claim_there(claim, "worst_rank/died/0")) {
    died <- b$data[[paste0(column(when), ".why")]] %in% "died_before"
    day <- as.numeric(b$data[["plan.death_day"]])
    scored <- if (text("higher_is") == "better") x else -x
    lowest <- if (all(is.na(scored))) 0 else min(scored, na.rm = TRUE)
    worst <- if (anyNA(day[died])) rep(lowest - 1, length(x)) else lowest - 1 - (max(c(0, day[died])) - day)
    y <- ifelse(died, worst, scored)
    counted <- function(z) vapply(b$groups, function(code) sum(z[b$members[[code]]]), 0)
    if (!is.null(b$set)) {
      made <- c(made, setNames(counted(!is.na(y)), paste0("worst_rank/n/", seq_along(b$groups) - 1)),
                setNames(counted(died), paste0("worst_rank/died/", seq_along(b$groups) - 1)), under("worst_rank", sets_signs(b, y, text)))
    } else made <- c(made, setNames(counted(!is.na(y)), paste0("worst_rank/n/", seq_along(b$groups) - 1)),
              setNames(counted(died), paste0("worst_rank/died/", seq_along(b$groups) - 1)),
              "worst_rank/p" = section_test(y, g, b$groups, text("worst_rank/test"), "ordinal"),
              under("worst_rank", told_statistic(claim, "worst_rank", section_statistic(y, g, b$groups, text("worst_rank/test")))))
  } else if (claim_there(claim, "worst_rank/p")) made <- c(made, "worst_rank/p" = NA)
  made
}

# The bundle narrowed to the matched cohort of an entry: its two groups, and the set of each patient.
of_matched <- function(b, line, text) {
  if (text("matched") == "") return(b)
  narrowed <- list2env(as.list(b, all.names = TRUE)); sizes <- sub("/(rows|sizes)$", "/sizes", line$table)
  narrowed$groups <- unique(b$expected$group[b$expected$table == sizes])
  if (text("sets_are") == "weights") {
    narrowed$weight <- as.numeric(b$data[[paste0("plan.weight.", text("matched"))]])
    narrowed$members <- lapply(b$members[narrowed$groups], function(rows) rows[!is.na(narrowed$weight[rows])])
    return(narrowed)
  }
  narrowed$set <- as.numeric(b$data[[paste0("plan.set.", text("matched"))]])
  narrowed$members <- lapply(b$members[narrowed$groups], function(rows) rows[!is.na(narrowed$set[rows])])
  narrowed
}
# The two weighted groups: shares or means with the sandwich's (HC0) variance, and what is tested of them.
weighted_sides <- function(b, y) lapply(b$members, function(rows) {
  rows <- rows[!is.na(y[rows])]; w <- b$weight[rows]; z <- y[rows]; m <- sum(w * z) / sum(w)
  list(n = length(z), mean = m, variance = sum((w * (z - m))^2) / sum(w)^2, all = length(unique(z)) < 2)
})
as_number <- function(b, y, codes) if (codes) ifelse(is.na(y), NA, as.numeric(y == 0)) else y
weighted_statistic <- function(b, y, test) {
  rows <- unlist(b$members, use.names = FALSE); first <- rep(c(1, 0), lengths(b$members)); known <- !is.na(y[rows])
  rows <- rows[known]; first <- first[known]; w <- b$weight[rows]; z <- y[rows]
  if (length(unique(first)) < 2 || length(unique(z)) < 2) return(NA_real_)
  if (test == "weighted_difference") {
    if (isTRUE(b$coded)) z <- as.numeric(z == 0)
    f <- lm(z ~ first, weights = w); X <- model.matrix(f); u <- solve(crossprod(X, w * X), t(w * X))[2, ] * resid(f)
    spread <- sqrt(sum(u^2)); return(if (spread < 1e-14) NA_real_ else unname(coef(f)[2]) / spread)
  }
  f <- lm(model.matrix(~ factor(z))[, -1, drop = FALSE] ~ first, weights = w); X <- model.matrix(f)
  u <- solve(crossprod(X, w * X), t(w * X))[2, ] * resid(f); away <- if (is.matrix(coef(f))) coef(f)[2, ] else coef(f)[2]
  u <- as.matrix(u); covariance <- crossprod(u)
  if (qr(covariance, tol = 1e-10)$rank < length(away)) return(NA_real_)
  c(drop(away %*% solve(covariance, away)), length(away))
}
weighted_p <- function(b, y, test) {
  if (test == "") return(NA_real_)
  s <- weighted_statistic(b, y, test)
  if (test == "weighted_difference") 2 * pnorm(-abs(s[1])) else pchisq(s[1], s[2], lower.tail = FALSE)
}
weighted_effect <- function(b, y, measure, confidence) {
  if (measure != "mean_difference") y <- as_number(b, y, TRUE)
  s <- weighted_sides(b, y); q <- qnorm((1 + confidence) / 2); nothing <- c(estimate = NA, low = NA, high = NA)
  if (!s[[1]]$n || !s[[2]]$n) return(nothing)
  if (measure %in% c("mean_difference", "risk_difference")) {
    e <- s[[1]]$mean - s[[2]]$mean; m <- q * sqrt(s[[1]]$variance + s[[2]]$variance)
    return(if (m < 1e-14) nothing else c(estimate = e, low = e - m, high = e + m))
  }
  if (s[[1]]$all || s[[2]]$all) return(nothing)
  other <- vapply(s, function(x) if (measure == "risk_ratio") 1 else 1 - x$mean, 0); p <- vapply(s, function(x) x$mean, 0)
  e <- log(p[1] / other[1]) - log(p[2] / other[2]); m <- q * sqrt(sum(vapply(s, function(x) x$variance, 0) / (p * other)^2))
  setNames(exp(c(e, e - m, e + m)), c("estimate", "low", "high"))
}
# The difference of the weighted means over the spread before weighting.
weighted_smd <- function(b, y, categories) {
  if (length(categories) > 2) return(NA_real_)
  y <- as_number(b, y, !is.null(categories)); s <- weighted_sides(b, y)
  spread <- sqrt(mean(vapply(b$members, function(rows) var(y[rows], na.rm = TRUE), 0)))
  if (is.na(spread) || spread == 0) NA_real_ else (s[[1]]$mean - s[[2]]$mean) / spread
}
# In how many pairs the first group's patient has the higher value, the lower one, or the same.
sets_signs <- function(b, y, text) {
  if (text("sets_are") != "pairs") return(c(p = NA_real_))
  two <- sides_of_sets(b, y); wins <- sum(two[[1]] > two[[2]]); losses <- sum(two[[1]] < two[[2]])
  if (!(wins + losses)) return(c(p = NA_real_))
  c(wins = wins, losses = losses, ties = length(two[[1]]) - wins - losses, p = binom.test(wins, wins + losses)$p.value)
}
# Which patients are in a set of whom every value is known.
in_whole_sets <- function(b, y) {
  inside <- unlist(b$members, use.names = FALSE); broken <- unique(b$set[inside][is.na(y[inside])])
  seq_along(y) %in% inside & !b$set %in% broken
}
# Values of the first and of the second group of each whole set; the mean, of several in a set.
sides_of_sets <- function(b, y) {
  whole <- in_whole_sets(b, y)
  lapply(b$members, function(rows) { rows <- rows[whole[rows]]; as.numeric(tapply(y[rows], factor(b$set[rows]), mean)) })
}
sets_p <- function(b, y, test, text) {
  if (test == "") return(NA_real_)
  two <- sides_of_sets(b, y)
  if (!test %in% names(test_change) && text("sets_are") != "pairs") return(NA_real_)
  section_paired(two[[1]], two[[2]], round(two[[1]] - two[[2]], 9), test)
}
sets_effect <- function(b, y, measure, confidence, text) {
  two <- sides_of_sets(b, y); change <- round(two[[1]] - two[[2]], 9); nothing <- c(estimate = NA, low = NA, high = NA)
  if (measure == "mean_difference") return(section_t(t_or_na(change, confidence)))
  if (measure == "hodges_lehmann") return(section_pseudomedian(change, confidence))
  n <- length(change); forth <- sum(two[[1]] == 0 & two[[2]] != 0); back <- sum(two[[1]] != 0 & two[[2]] == 0)
  if (text("sets_are") != "pairs" || forth + back == 0) return(nothing)
  if (measure == "odds_ratio") {
    p <- binom.test(forth, forth + back, conf.level = confidence)$conf.int; e <- c(forth / back, p / (1 - p)); e[!is.finite(e)] <- NA
    return(setNames(e, names(nothing)))
  }
  e <- (forth - back) / n; m <- qnorm((1 + confidence) / 2) * sqrt(forth + back - (forth - back)^2 / n) / n
  c(estimate = e, low = e - m, high = e + m)
}

within_rows <- function(b, line, claim, text, values, described, under, why, column) {
  before <- values(text("from")); after <- values(line$timepoint); made <- numeric(0)
  for (code in b$groups) {
    rows <- b$members[[code]]; both <- rows[!is.na(before[rows]) & !is.na(after[rows])]
    path <- paste0("groups/", code); has <- function(what) claim_there(claim, paste0(path, "/", what))
    change <- round(after[both] - before[both], 9)
    group <- c(n = length(both), missing = length(rows) - length(both), under("why", why(rows, line$timepoint)),
               under("baseline_of_compared", described(before[both], TRUE)),
               under("baseline_of_all", described(before[rows], TRUE)), under("followup", described(after[both], TRUE)))
    if (has("p")) group <- c(group, p = section_paired(before[both], after[both], change, text(paste0(path, "/test"))))
    group <- c(group, told_statistic(claim, path, section_paired_statistic(before[both], after[both], change, text(paste0(path, "/test")))))
    if (has("estimate")) {
      confidence <- as.numeric(b$expected$value[b$expected$table == sub("/rows$", "", line$table) & b$expected$statistic == "confidence"])
      group <- c(group, if (text(paste0(path, "/measure")) == "mean_change") section_t(t_or_na(change, confidence)) else
        section_pseudomedian(change, confidence))
    }
    if (has("changed/up")) {
      group <- c(group, "changed/up" = sum(change > 0), "changed/down" = sum(change < 0), "changed/same" = sum(change == 0))
    }
    made <- c(made, under(path, group))
  }
  made
}

claim_there <- function(claim, name) name %in% names(claim("*"))
section_test <- function(y, g, groups, test, kind) {
  if (test == "") return(NA_real_)
  g <- factor(g, groups)
  if (test == "jonckheere") return(attempt(kendall(y, as.numeric(g))$p.value))
  if (test == "cochran_armitage") {
    counts <- table(g, factor(y, c(0, 1))); held <- rowSums(counts) > 0
    return(attempt(prop.trend.test(counts[held, 1], rowSums(counts)[held], seq_along(groups)[held])$p.value))
  }
  if (test == "mann_whitney_uncorrected") {
    return(attempt(wilcox.test(y[g %in% groups[1]], y[g %in% groups[2]], correct = FALSE, exact = FALSE)$p.value))
  }
  if (test %in% names(test_overall)) {
    known <- !is.na(y) & !is.na(g)
    if (length(unique(g[known])) < 2) return(NA_real_)
    return(test_overall[[test]](y, g)$value)
  }
  counts <- occupied(table(g, y))
  if (nrow(counts) < 2) return(NA_real_)
  test_table[[test]](counts, NULL, FALSE)$value
}
# Of numbers c(statistic, df …) those that a row claims under a path, by their names there.
told_statistic <- function(claim, path, numbers) {
  every <- names(claim("*")); led <- if (path == "") "" else paste0(path, "/")
  own <- substring(every[startsWith(every, led)], nchar(led) + 1); own <- own[grepl("^(statistic|df)(/[0-9]+)?$", own)]
  if (!length(own)) return(NULL)
  setNames(vapply(own, function(name) part_of(numbers, name)$value, 0), own)
}
section_statistic <- function(y, g, groups, test) {
  g <- factor(g, groups); known <- !is.na(y) & !is.na(g)
  if (test == "cochran_armitage") {
    counts <- table(g, factor(y, c(0, 1))); held <- rowSums(counts) > 0
    return(tryCatch(unname(prop.trend.test(counts[held, 1], rowSums(counts)[held], seq_along(groups)[held])$statistic), error = function(e) NA_real_))
  }
  if (is.null(statistic_of[[test]])) return(NA_real_)
  if (startsWith(test, "chi_square")) return(statistic_of[[test]](occupied(table(g, y))))
  statistic_of[[test]](y[known], if (test == "jonckheere") g[known] else factor(g[known], groups))
}
sets_statistic <- function(b, y, test) {
  two <- sides_of_sets(b, y); section_paired_statistic(two[[1]], two[[2]], round(two[[1]] - two[[2]], 9), test)
}
section_paired_statistic <- function(before, after, change, test) {
  if (test %in% names(test_change)) return(statistic_of[[test]](change))
  levels <- sort(unique(c(before, after))); pairs <- table(factor(before, levels), factor(after, levels))
  if (test == "mcnemar") return(statistic_of$mcnemar(pairs))
  upper <- upper.tri(pairs); forth <- pairs[upper]; back <- t(pairs)[upper]; changed <- forth + back > 0
  if (test == "bowker") return(c(sum((forth - back)[changed]^2 / (forth + back)[changed]), sum(changed)))
  if (test == "marginal_homogeneity") return(homogeneity(pairs))
  NA_real_
}
section_paired <- function(before, after, change, test) {
  if (test %in% names(test_change)) return(test_change[[test]](change)$value)
  levels <- sort(unique(c(before, after)))
  pairs <- table(factor(before, levels), factor(after, levels))
  if (sum(pairs) == sum(diag(pairs))) return(NA_real_)
  upper <- upper.tri(pairs); forth <- pairs[upper]; back <- t(pairs)[upper]
  if (test == "mcnemar_exact") return(binom.test(sum(forth), sum(forth + back))$p.value)
  if (test == "mcnemar") return(attempt(mcnemar.test(pairs)$p.value))
  if (test == "bowker") {
    changed <- forth + back > 0
    return(pchisq(sum((forth - back)[changed]^2 / (forth + back)[changed]), sum(changed), lower.tail = FALSE))
  }
  found <- homogeneity(pairs)
  pchisq(found[1], found[2], lower.tail = FALSE)
}
# Stuart and Maxwell's statistic and its degrees of freedom.
homogeneity <- function(pairs) {
  away <- rowSums(pairs) - colSums(pairs); variance <- -(pairs + t(pairs))
  diag(variance) <- rowSums(pairs) + colSums(pairs) - 2 * diag(pairs)
  parts <- eigen(variance, symmetric = TRUE); held <- parts$values > 1e-9 * max(parts$values)
  turned <- crossprod(parts$vectors[, held, drop = FALSE], away)
  c(sum(turned^2 / parts$values[held]), sum(held))
}
t_or_na <- function(change, confidence) tryCatch(t.test(change, conf.level = confidence), error = function(e) NULL)
section_t <- function(t) {
  # Of constants R refuses ("data are essentially constant"), but of zeros alone, which it tells without an interval.
  if (is.null(t) || anyNA(t$conf.int)) return(c(estimate = NA, low = NA, high = NA))
  estimate <- if (length(t$estimate) == 2) t$estimate[[1]] - t$estimate[[2]] else t$estimate[[1]]
  c(estimate = estimate, low = t$conf.int[1], high = t$conf.int[2])
}
middle <- function(values) median(values)
# The ends of an interval by the normal approximation: where the standardised rank statistic passes the quantile.
passed <- function(values, variance, confidence) {
  values <- sort(values); key <- round(values, 9); at <- values[!duplicated(key)]; total <- length(values)
  above <- total - findInterval(unique(key), key); away <- above - total / 2
  z <- (away - 0.5 * sign(away)) / sqrt(variance); q <- qnorm((1 + confidence) / 2)
  if (!(variance > 0) || (total - 1) / 2 / sqrt(variance) < q) return(c(low = NA, high = NA))  # so few have no such interval
  end <- function(limit) { below <- which(z < limit); if (length(below)) at[below[1]] else at[length(at)] }
  c(low = end(q), high = end(-q))
}
section_shift <- function(x, y, confidence) {
  x <- x[!is.na(x)]; y <- y[!is.na(y)]
  if (!length(x) || !length(y)) return(c(estimate = NA, low = NA, high = NA))
  every <- outer(x, y, "-"); both <- c(x, y)
  if (max(length(x), length(y)) < SMALL && !anyDuplicated(both)) {
    limits <- wilcox.test(x, y, conf.int = TRUE, conf.level = confidence, exact = TRUE)$conf.int
    if (pwilcox(0, length(x), length(y)) > 0.75 * (1 - confidence)) limits <- c(NA, NA)
    return(c(estimate = middle(every), low = limits[1], high = limits[2]))
  }
  n <- length(both); ties <- as.numeric(c(table(x), table(y)))  # beside a shift the groups tie within themselves alone
  variance <- length(x) * as.numeric(length(y)) / 12 * ((n + 1) - sum(ties^3 - ties) / (n * (n - 1)))
  c(estimate = middle(every), passed(every, variance, confidence))
}
section_pseudomedian <- function(change, confidence) {
  moved <- change[change != 0]
  if (!length(moved)) return(c(estimate = NA, low = NA, high = NA))
  sums <- outer(moved, moved, "+") / 2; every <- sums[lower.tri(sums, diag = TRUE)]; n <- length(moved)
  if (n < SMALL && n == length(change) && !anyDuplicated(abs(moved))) {
    limits <- wilcox.test(moved, conf.int = TRUE, conf.level = confidence, exact = TRUE)$conf.int
    if (psignrank(0, n) > 0.75 * (1 - confidence)) limits <- c(NA, NA)
    return(c(estimate = middle(every), low = limits[1], high = limits[2]))
  }
  ties <- as.numeric(table(moved))  # beside a shift, values of two signs tie no more
  c(estimate = middle(every), passed(every, n * (n + 1) * (2 * n + 1) / 24 - sum(ties^3 - ties) / 48, confidence))
}
section_effect <- function(x, y, measure, confidence, test) {
  nothing <- c(estimate = NA, low = NA, high = NA)
  if (measure == "mean_difference") {
    return(section_t(tryCatch(t.test(x, y, var.equal = test == "t_test", conf.level = confidence), error = function(e) NULL)))
  }
  if (measure == "hodges_lehmann") return(section_shift(x, y, confidence))
  x <- x[!is.na(x)]; y <- y[!is.na(y)]
  a <- sum(x == 0); c <- sum(y == 0); n1 <- length(x); n2 <- length(y); z <- qnorm((1 + confidence) / 2)
  if (!n1 || !n2) return(nothing)
  if (measure == "risk_difference") {
    wilson <- function(events, n) {
      limits <- suppressWarnings(prop.test(events, n, correct = FALSE, conf.level = confidence)$conf.int)
      c(if (events == 0) 0 else limits[1], if (events == n) 1 else limits[2])
    }
    w1 <- wilson(a, n1); w2 <- wilson(c, n2); p1 <- a / n1; p2 <- c / n2
    return(c(estimate = p1 - p2, low = p1 - p2 - sqrt((p1 - w1[1])^2 + (w2[2] - p2)^2),
             high = p1 - p2 + sqrt((w1[2] - p1)^2 + (p2 - w2[1])^2)))
  }
  if (measure == "risk_ratio") {
    if (a == 0 || c == 0) return(nothing)
    middle <- log(a / n1 / (c / n2)); margin <- z * sqrt(1 / a - 1 / n1 + 1 / c - 1 / n2)
    return(exp(c(estimate = middle, low = middle - margin, high = middle + margin)))
  }
  cells <- c(a, n1 - a, c, n2 - c)
  if (measure == "odds_ratio") {
    if (any(cells == 0)) return(nothing)
    middle <- log(cells[1] * cells[4] / (cells[2] * cells[3])); margin <- z * sqrt(sum(1 / cells))
    return(exp(c(estimate = middle, low = middle - margin, high = middle + margin)))
  }
  if (a + c == 0 || a + c == n1 + n2) return(nothing)
  exact_odds(a, n1, c, n2, confidence)
}
# fisher.test finds its roots to four digits alone: the same equations, solved further.
exact_odds <- function(a, n1, c, n2, confidence) {
  support <- max(0, a + c - n2):min(n1, a + c); weight <- dhyper(support, n1, n2, a + c, log = TRUE)
  share <- function(t, chosen) { w <- exp(weight + support * t - max(weight + support * t)); sum(w[chosen]) / sum(w) }
  mean_at <- function(t) { w <- exp(weight + support * t - max(weight + support * t)); sum(w * support) / sum(w) }
  root <- function(f) exp(uniroot(f, c(-50, 50), tol = 1e-14, maxiter = 5000)$root)
  tail <- (1 - confidence) / 2; least <- a == support[1]; most <- a == support[length(support)]
  c(estimate = if (least) 0 else if (most) NA else root(function(t) mean_at(t) - a),
    low = if (least) 0 else root(function(t) share(t, support >= a) - tail),
    high = if (most) NA else root(function(t) tail - share(t, support <= a)))
}
section_smd <- function(x, y, categories) {
  x <- x[!is.na(x)]; y <- y[!is.na(y)]
  if (!length(x) || !length(y)) return(NA_real_)
  if (is.null(categories)) {
    spread <- sqrt((var(x) + var(y)) / 2)
    return(if (is.na(spread) || spread == 0) NA_real_ else (mean(x) - mean(y)) / spread)
  }
  p <- vapply(seq_along(categories) - 1, function(k) mean(x == k), 0)
  q <- vapply(seq_along(categories) - 1, function(k) mean(y == k), 0)
  if (length(categories) == 2) {
    spread <- sqrt((p[1] * (1 - p[1]) + q[1] * (1 - q[1])) / 2)
    return(if (spread == 0) NA_real_ else (p[1] - q[1]) / spread)
  }
  held <- which(p + q > 0)
  if (length(held) < 2) return(NA_real_)
  p <- p[held][-1]; q <- q[held][-1]
  covariance <- (diag(p, length(p)) - outer(p, p) + diag(q, length(q)) - outer(q, q)) / 2
  if (qr(covariance, tol = 1e-12)$rank < length(p)) return(NA_real_)
  sqrt(drop((p - q) %*% solve(covariance, p - q)))
}
# P of the row's pairs adjusted over the family, as the entry says: those of the row, or of every row of the entry.
section_adjusted <- function(b, line, claim, text, made) {
  ours <- grep("^effects/[^/]+/p_raw$", names(claim("*")), value = TRUE)
  if (!length(ours)) return(NULL)
  raw <- made[ours]
  others <- numeric(0)
  if (text("family") == "section") {
    elsewhere <- b$expected$table == line$table & b$expected$row != line$row & grepl("^effects/[^/]+/p_raw$", b$expected$statistic)
    others <- suppressWarnings(as.numeric(b$expected$value[elsewhere]))
  }
  adjusted <- p.adjust(c(raw, others), ADJUSTMENTS[[text("adjust")]])[seq_along(raw)]
  setNames(adjusted, sub("p_raw$", "p", ours))
}
