# Computes the sections of a comparison again: endpoints, models, propensity, quality of life, transitions. Read by
# verify.R, where what is fitted by iteration agrees within FITTED. Package survival is needed for endpoints (R brings it); cmprsk is asked where it is installed; without it the limits of cumulative incidences and Gray's tests are left out, and said so.
#
# sections.csv holds what was declared, a folder `sections` the analysis data set of each section. A function of a kind
# gives every part of its result: a list of rows in the order of result.json, each a vector of named numbers.

SECTION_KINDS <- c("endpoints", "models", "propensity", "qol", "transitions")
FITTED <- 1e-6           # relative, of what is fitted by iteration: Cox, logistic and mixed models, which end within 1e-8
NEAR_ZERO <- 1e-9        # absolute, of standardised numbers about zero, such as a difference that weighting makes vanish
DAYS_A_MONTH <- 30.4375

read_sections <- function(folder, b) {
  b$sections <- list(); b$seen <- new.env()
  if (!file.exists(file.path(folder, "sections.csv"))) return(invisible())
  declared <- read_table(folder, "sections.csv"); declared$value[is.na(declared$value)] <- ""
  for (name in unique(declared$section)) {
    own <- declared[declared$section == name, ]
    values <- setNames(own$value, own$key)
    d <- read_table(folder, file.path("sections", paste0(sub("/", "-", name), ".csv")))
    for (column in names(d)) {
      levels <- values[paste0("levels/", column)]
      d[[column]] <- if (is.na(levels)) as.numeric(d[[column]]) else factor(d[[column]], levels = split_codes(levels))
    }
    b$sections[[name]] <- list(values = values, data = d, kind = sub("/.*", "", name), name = name)
  }
}
set_of <- function(s, key, otherwise = "") if (key %in% names(s$values)) unname(s$values[key]) else otherwise
list_of <- function(s, key) unname(s$values[grepl(paste0("^", key, "/[0-9]+$"), names(s$values))])
number_of <- function(s, key) as.numeric(set_of(s, key, NA))
groups_of <- function(s) levels(s$data$group)
pairs_of_groups <- function(groups) {
  k <- length(groups); if (k < 2) return(list())
  p <- do.call(rbind, lapply(seq_len(k - 1), function(a) cbind(a, (a + 1):k)))
  p <- p[order(p[, 2] - p[, 1], p[, 1]), , drop = FALSE]
  lapply(seq_len(nrow(p)), function(i) p[i, ])
}
# A number, or NA where R stops or gives none.
maybe <- function(expression, n) {
  value <- tryCatch(suppressWarnings(expression), error = function(e) NULL)
  if (is.null(value)) rep(NA_real_, n) else { value <- as.numeric(value); value[!is.finite(value)] <- NA; value }
}
rows_over <- function(items, f) lapply(items, f)
across <- function(name, values) if (length(values)) setNames(values, paste0(name, "/", seq_along(values) - 1)) else numeric(0)
# Covariates that can be in a model of `rows`: those known for somebody and varying among the complete; levels that
# nobody has are gone.
usable <- function(d, names, rows) {
  some <- vapply(names, function(x) any(!is.na(d[[x]][rows])), TRUE)
  for (x in names[some]) rows <- rows & !is.na(d[[x]])
  varies <- vapply(names, function(x) some[x] && length(unique(d[[x]][rows])) > 1, TRUE)
  frame <- droplevels(d[rows, names[varies], drop = FALSE])
  columns <- vapply(names[varies], function(x) if (is.factor(frame[[x]])) nlevels(frame[[x]]) - 1L else 1L, 1L)
  list(rows = rows, kept = names[varies], dropped = c(names[!some], names[some & !varies]), frame = frame, columns = columns)
}
as_formula <- function(left, right) as.formula(paste(left, "~", if (length(right)) paste0("`", right, "`", collapse = " + ") else "1"))

Surv <- function(...) survival::Surv(...); strata <- function(...) survival::strata(...) # as formulas want them: without ::

# Endpoints ------------------------------------------------------------------------------------------------------------

endpoint_section <- function(b, s) {
  d <- s$data; groups <- groups_of(s); times <- as.numeric(list_of(s, "times")); competing <- any(grepl("^competing/", names(s$values)))
  d$event <- as.numeric(d$cause == 1); d$free <- as.numeric(d$cause == 0)
  mine <- lapply(groups, function(g) d[which(d$group == g), ])
  known <- lapply(mine, function(x) x[!is.na(x$months), ])
  weighted <- !is.null(d$weight) && any(d$weight != 1)
  curve <- function(x, event) if (weighted) weighted_curve(x, event) else kaplan_meier(x$months, event)
  curves <- lapply(known, function(x) if (nrow(x)) curve(x, x$event))
  risks <- lapply(known, function(x) if (competing && nrow(x)) if (weighted) weighted_risk(x) else incidence_of(x$months, x$cause))
  halves <- function(x, event) {
    if (!nrow(x)) return(rep(NA, 3))
    k <- curve(x, event); c(time_of_half(k$time, k$survival), time_of_half(k$time, k$low), time_of_half(k$time, k$high))
  }
  followed <- lapply(seq_along(groups), function(i) {
    x <- mine[[i]]; k <- known[[i]]; m <- halves(k, k$event); f <- halves(k, k$free)
    c(n = nrow(k), missing = sum(is.na(x$months) & x$before_landmark == 0), events = sum(k$cause == 1), competing = sum(k$cause == 2),
      censored = sum(k$cause == 0), undated = sum(x$undated), before_landmark = sum(x$before_landmark), before_start = sum(x$before_start),
      median = m[1], median_low = m[2], median_high = m[3], follow_up = f[1], follow_up_low = f[2], follow_up_high = f[3])
  })
  rates <- list()
  for (i in seq_along(groups)) {
    for (t in times) rates <- c(rates, list(c(time = t, if (is.null(curves[[i]])) c(at_risk = NA, estimate = NA, low = NA, high = NA) else
      setNames(landmark(curves[[i]], known[[i]]$months, t), c("at_risk", "estimate", "low", "high")))))
    for (t in if (competing) times) rates <- c(rates, list(c(time = t, incidence_point(risks[[i]], known[[i]]$months, t))))
  }
  c(list(followed = followed, rates = rates, restricted = restricted_rows(s, curves), tests = if (weighted) weighted_tests(s, d, competing) else endpoint_tests(b, s, d, competing)),
    endpoint_models(s, d), list(subgroups = subgroup_rows(s, d), at_risk = lapply(known, function(x) {
      across("at_risk", vapply(s$ticks, function(t) sum(x$months >= t), 0))
    }), steps = unlist(lapply(seq_along(groups), function(i) list(
      if (!is.null(curves[[i]])) steps_row(curves[[i]], curves[[i]]$survival), if (!is.null(risks[[i]])) steps_row(risks[[i]], risks[[i]]$incidence)
    )), recursive = FALSE) |> Filter(f = Negate(is.null))))
}
# Curves of weighted patients, with errors by the infinitesimal jackknife, those of one set summed; counts are of people.
weighted_curve <- function(x, event) {
  k <- kaplan_meier(x$months, event); x$e <- event
  fit <- survival::survfit(Surv(months, e) ~ 1, x, weights = weight, cluster = set, robust = TRUE)
  fit$call$data <- x  # residuals() looks for it where it is called from
  k$survival <- fit$surv; gone <- k$died == k$at_risk
  k$survival[gone] <- 0; k$low <- ifelse(gone, NA, fit$lower); k$high <- ifelse(gone, NA, fit$upper)
  k$area_error <- function(h) sqrt(sum(rowsum(as.numeric(residuals(fit, times = h, type = "auc", weighted = TRUE)), x$set)^2))
  k
}
weighted_risk <- function(x) {
  x$state <- factor(x$cause, 0:2); t <- sort(unique(x$months)); count <- function(w) tabulate(match(x$months[w], t), length(t))
  fit <- survival::survfit(Surv(months, state) ~ 1, x, weights = weight, robust = TRUE); fit$call$data <- x; F <- fit$pstate[, 2]; error <- fit$std.err[, 2]
  if (anyDuplicated(x$set)) {  # survfit of several states knows no clusters: the patients' shares, summed by set
    shares <- residuals(fit, times = t, type = "pstate", weighted = TRUE); dim(shares) <- c(nrow(x), length(t), 3)
    error <- sqrt(colSums(rowsum(matrix(shares[, , 2], nrow(x)), x$set)^2))
  }
  inner <- F; inner[F <= 0 | F >= 1] <- NA; factor <- exp(qnorm(0.975) * error / (inner * log(inner)))
  list(time = t, at_risk = vapply(t, function(u) sum(x$months >= u), 0), died = count(x$cause == 1), censored = count(x$cause == 0),
       incidence = F, low = inner^(1 / factor), high = inner^factor)
}
weighted_tests <- function(s, d, competing) {
  none <- c(statistic = NA, df = NA, p = NA); asked <- list_of(s, "tests"); strata <- list_of(s, "strata")
  score <- function(k) {
    k <- droplevels(k[!is.na(k$months) & !is.na(k$group), ])
    if (!sum(k$event == 1) || nlevels(k$group) < 2) return(none)
    formula <- if (is.null(k$stratum)) Surv(months, event) ~ group else Surv(months, event) ~ group + strata(stratum)
    fit <- suppressWarnings(tryCatch(survival::coxph(formula, k, weights = weight, cluster = set), error = function(e) NULL))
    if (is.null(fit) || !is.finite(fit$rscore)) return(none)
    df <- nlevels(k$group) - 1; c(statistic = fit$rscore, df = df, p = pchisq(fit$rscore, df, lower.tail = FALSE), n = nrow(k))
  }
  rows <- c(list(score(d)), if ("trend" %in% asked) list(none))
  if ("stratified" %in% asked && length(strata)) {
    k <- d; k$stratum <- interaction(k[paste0("x.", strata)], drop = TRUE); rows <- c(rows, list(score(k[!is.na(k$stratum), ])))
  } else if ("stratified" %in% asked && any(!is.na(d$matched_set))) {
    k <- d; k$stratum <- factor(k$matched_set)
    rows <- c(rows, list(survdiff_row(k[!is.na(k$stratum), ], Surv(months, event) ~ group + strata(stratum))))
  }
  c(rows, if (competing) list(none))
}
steps_row <- function(k, estimate) {
  c(across("time", k$time), across("at_risk", k$at_risk), across("events", k$died), across("censored", k$censored),
    across("estimate", estimate), across("low", k$low), across("high", k$high))
}
# Aalen and Johansen's incidence of cause 1; the variance is that of package cmprsk, where it is installed.
has_cmprsk <- requireNamespace("cmprsk", quietly = TRUE)
if (!has_cmprsk) message("Package cmprsk is not installed: limits of cumulative incidences and Gray's tests are not computed again")
incidence_of <- function(time, cause) {
  t <- sort(unique(time)); count <- function(w) tabulate(match(time[w], t), length(t))
  left <- count(rep(TRUE, length(time))); n <- as.numeric(rev(cumsum(rev(left)))); one <- count(cause == 1); two <- count(cause == 2)
  free <- cumprod(1 - (one + two) / n); before <- c(1, free[-length(free)]); F <- cumsum(before * one / n)
  error <- rep(NA_real_, length(t)); alone <- !has_cmprsk && any(one > 0)
  if (has_cmprsk && any(one > 0)) error <- sqrt(c(cmprsk::timepoints(cmprsk::cuminc(time, cause)["1 1"], t)$var))
  if (!any(one > 0)) error <- rep(0, length(t))
  inner <- F; inner[F <= 0 | F >= 1] <- NA; factor <- exp(qnorm(0.975) * error / (inner * log(inner)))
  list(time = t, at_risk = n, died = one, two = two, censored = left - one - two, incidence = F,
       low = if (alone) rep(LEFT_OUT, length(t)) else inner^(1 / factor), high = if (alone) rep(LEFT_OUT, length(t)) else inner^factor)
}
incidence_point <- function(k, time, t) {
  names <- c("at_risk", "estimate", "low", "high")
  if (is.null(k)) return(setNames(rep(NA_real_, 4), names))
  if (t > max(k$time)) return(setNames(c(0, NA, NA, NA), names))
  i <- sum(k$time <= t); at_risk <- sum(time >= t)
  setNames(if (i == 0) c(at_risk, 0, NA, NA) else c(at_risk, k$incidence[i], k$low[i], k$high[i]), names)
}
restricted_rows <- function(s, curves) {
  h <- number_of(s, "horizon"); if (is.na(h)) return(list())
  means <- lapply(curves, function(k) if (!is.null(k)) {
    inside <- k$time <= h; t <- c(0, k$time[inside], h); S <- c(1, k$survival[inside]); area <- diff(t) * S
    if (!is.null(k$area_error)) return(c(sum(area), k$area_error(h)))
    later <- rev(cumsum(rev(area)))[-1]; left <- k$at_risk[inside] - k$died[inside]
    hazard <- ifelse(left > 0, k$died[inside] / (k$at_risk[inside] * left), 0)
    c(sum(area), sqrt(sum(later^2 * hazard)))
  })
  row <- function(m, p = NULL, z = NULL) {
    if (is.null(m)) return(c(horizon = h, estimate = NA, standard_error = NA, low = NA, high = NA))
    c(horizon = h, estimate = m[1], standard_error = m[2], low = m[1] - qnorm(0.975) * m[2], high = m[1] + qnorm(0.975) * m[2], p = p, statistic = z)
  }
  c(lapply(means, row), lapply(pairs_of_groups(groups_of(s)), function(p) {
    one <- means[[p[1]]]; two <- means[[p[2]]]
    if (is.null(one) || is.null(two) || one[2]^2 + two[2]^2 == 0) return(row(NULL))
    m <- c(two[1] - one[1], sqrt(one[2]^2 + two[2]^2)); row(m, 2 * pnorm(-abs(m[1] / m[2])), m[1] / m[2])
  }))
}
survdiff_row <- function(d, ...) {
  d <- d[!is.na(d$months) & !is.na(d$group), ]; n <- nrow(d)
  fit <- suppressWarnings(tryCatch(survival::survdiff(..., data = droplevels(d)), error = function(e) NULL))
  if (is.null(fit) || !any(d$event == 1) || length(unique(d$group)) < 2) return(c(statistic = NA, df = NA, p = NA))
  expected <- if (is.matrix(fit$exp)) rowSums(fit$exp) else fit$exp; df <- sum(expected > 0) - 1
  if (df < 1 || !is.finite(fit$chisq)) return(c(statistic = NA, df = NA, p = NA))
  c(statistic = unname(fit$chisq), df = df, p = pchisq(unname(fit$chisq), df, lower.tail = FALSE), n = n)
}
endpoint_tests <- function(b, s, d, competing) {
  rows <- list(survdiff_row(d, Surv(months, event) ~ group)); asked <- list_of(s, "tests")
  if ("trend" %in% asked) {
    k <- d[!is.na(d$months) & !is.na(d$group), ]
    rows <- c(rows, list(tryCatch({
      fit <- survival::survdiff(Surv(months, event) ~ group, k); w <- match(levels(droplevels(k)$group), levels(k$group)) - 1
      chisq <- sum(w * (fit$obs - fit$exp))^2 / c(w %*% fit$var %*% w)
      if (!is.finite(chisq)) stop("none")
      c(statistic = chisq, df = 1, p = pchisq(chisq, 1, lower.tail = FALSE), n = nrow(k))
    }, error = function(e) c(statistic = NA, df = NA, p = NA))))
  }
  strata <- list_of(s, "strata")
  if ("stratified" %in% asked && (length(strata) || (!is.null(d$matched_set) && any(!is.na(d$matched_set))))) {
    k <- d
    k$stratum <- if (length(strata)) interaction(k[paste0("x.", strata)], drop = TRUE) else factor(k$matched_set)
    rows <- c(rows, list(survdiff_row(k[!is.na(k$stratum), ], Surv(months, event) ~ group + strata(stratum))))
  }
  if (competing) rows <- c(rows, list(gray_row(d)))
  groups <- groups_of(s)
  if (length(groups) > 2) {
    each <- lapply(pairs_of_groups(groups), function(p) survdiff_row(d[d$group %in% groups[p], ], Surv(months, event) ~ group))
    raw <- vapply(each, function(x) x["p"], 0); adjusted <- adjusted_p(raw, set_of(s, "adjust_tests"))
    rows <- c(rows, Map(function(x, p) { x["p_raw"] <- x["p"]; x["p"] <- p; x }, each, adjusted))
  }
  rows
}
adjusted_p <- function(p, method) p.adjust(p, c(none = "none", holm = "holm", bonferroni = "bonferroni", benjamini_hochberg = "BH")[[method]])
gray_row <- function(d) {
  d <- droplevels(d[!is.na(d$months) & !is.na(d$group), ])
  if (!has_cmprsk) return(c(statistic = LEFT_OUT, df = LEFT_OUT, p = LEFT_OUT, n = LEFT_OUT))
  if (!any(d$cause == 1) || nlevels(d$group) < 2) return(c(statistic = NA, df = NA, p = NA))
  test <- tryCatch(cmprsk::cuminc(d$months, d$cause, d$group)$Tests["1", ], error = function(e) NULL)
  if (is.null(test)) c(statistic = NA, df = NA, p = NA) else c(statistic = test[["stat"]], df = test[["df"]], p = test[["pv"]], n = nrow(d))
}
CONTROL <- function(eps = 1e-13) survival::coxph.control(eps = eps, toler.chol = 1e-14, iter.max = 60)
# A Cox model, or NULL where R warns that it runs away, or cannot be fitted. Where rounding keeps the likelihood from
# standing still to 13 digits, coxph ends at its last iteration although nothing moves: then 11 must do.
cox_of <- function(formula, d, weights, cluster, eps = 1e-13) {
  if (!sum(d$event == 1)) return(NULL)
  d$.w <- weights; d$.c <- cluster; away <- FALSE; ended <- FALSE
  arguments <- list(formula, data = d, control = CONTROL(eps))
  if (!is.null(weights)) arguments$weights <- quote(.w)
  if (!is.null(cluster)) arguments$cluster <- quote(.c)
  fit <- withCallingHandlers(tryCatch(do.call(survival::coxph, arguments), error = function(e) NULL), warning = function(w) {
    away <<- away || grepl("infinite", conditionMessage(w)); ended <<- ended || grepl("converge", conditionMessage(w)); invokeRestart("muffleWarning")
  })
  if (ended && !away && eps < 1e-11) return(cox_of(formula, d, weights, cluster, 1e-11))
  if (is.null(fit) || away || ended || anyNA(coef(fit))) NULL else fit
}
endpoint_models <- function(s, d) {
  strata <- if ("stratified" %in% list_of(s, "tests")) list_of(s, "strata") else character(0); more <- setdiff(list_of(s, "covariates"), strata); shared <- intersect(list_of(s, "covariates"), strata)
  models <- c(list("group"), if (length(list_of(s, "covariates"))) list(c("group", paste0("x.", more)[seq_along(more)])))
  hazards <- list(); fits <- list()
  for (i in seq_along(models)) {
    found <- cox_rows(s, d, models[[i]], strata)
    hazards <- c(hazards, if (i == 2) rep(list(numeric(0)), length(shared)), found$hazards); fits <- c(fits, list(found$fit))
  }
  list(hazards = hazards, fits = fits)
}
NO_HAZARD <- c(estimate = NA, low = NA, high = NA, p = NA, ph_statistic = NA, ph_df = NA, ph_p = NA)
cox_rows <- function(s, d, names, strata) {
  known <- !is.na(d$months); layer <- if (length(strata)) interaction(d[paste0("x.", strata)], drop = TRUE)
  u <- usable(d, names, if (is.null(layer)) known else known & !is.na(layer))
  gone <- rep(list(NO_HAZARD), length(u$dropped))
  inside <- u$rows & (is.null(d$weight) | (if (is.null(d$weight)) TRUE else d$weight > 0))
  data <- cbind(d[inside, c("months", "event")], droplevels(d[inside, u$kept, drop = FALSE]))
  right <- u$kept
  formula <- as_formula("Surv(months, event)", right)
  if (length(strata)) { data$.s <- droplevels(layer[inside]); formula <- update(formula, . ~ . + strata(.s)) }
  weights <- if (is.null(d$weight) || all(d$weight[inside] == 1)) NULL else d$weight[inside]
  cluster <- if (is.null(d$set)) NULL else d$set[inside]
  fit <- if (length(u$kept)) cox_of(formula, data, weights, cluster)
  if (is.null(fit)) return(list(hazards = c(gone, rep(list(NO_HAZARD), sum(u$columns))), fit = c(likelihood_ratio = NA, df = NA, p = NA, ph_statistic = NA, ph_p = NA, n = 0, events = 0, missing = 0)))
  table <- summary(fit); zph <- tryCatch(survival::cox.zph(fit, "km")$table, error = function(e) NULL)
  hazards <- list(); k <- 0
  for (j in seq_along(u$kept)) for (i in seq_len(u$columns[j])) {
    k <- k + 1
    ph <- if (i == 1 && !is.null(zph)) zph[j, ] else rep(NA, 3)
    hazards <- c(hazards, list(c(estimate = unname(exp(coef(fit)[k])), low = table$conf.int[k, 3], high = table$conf.int[k, 4],
      p = table$coefficients[k, ncol(table$coefficients)], statistic = table$coefficients[k, "z"], ph_statistic = ph[[1]], ph_df = ph[[2]], ph_p = ph[[3]])))
  }
  whole <- if (is.null(zph)) c(NA, NA, NA) else zph[nrow(zph), ]
  list(hazards = c(gone, hazards), fit = c(n = fit$n, events = fit$nevent, missing = sum(known) - fit$n, likelihood_ratio = table$logtest[["test"]],
    df = table$logtest[["df"]], p = table$logtest[["pvalue"]], ph_statistic = whole[[1]], ph_p = whole[[3]]))
}
subgroup_rows <- function(s, d) {
  rows <- list(); groups <- groups_of(s)
  for (x in list_of(s, "subgroups")) for (place in seq_along(groups)[-1]) {
    k <- d[which(d$group %in% groups[c(1, place)] & !is.na(d$months)), ]; k$treated <- as.numeric(k$group == groups[place])
    k$level <- k[[paste0("x.", x)]]; known <- droplevels(k[!is.na(k$level), ])
    crossed <- if (nlevels(factor(known$level)) > 1) list(cox_of(Surv(months, event) ~ treated + level, known, NULL, NULL),
                                                  cox_of(Surv(months, event) ~ treated * level, known, NULL, NULL))
    p <- NA; x2 <- NA; df <- NA
    if (length(crossed) == 2 && !is.null(crossed[[1]]) && !is.null(crossed[[2]])) {
      x2 <- max(0, 2 * diff(vapply(crossed, function(f) f$loglik[2], 0))); df <- nlevels(known$level) - 1; p <- pchisq(x2, df, lower.tail = FALSE)
    }
    for (code in levels(k$level)) {
      part <- k[which(k$level == code), ]; if (!nrow(part)) next
      fit <- if (length(unique(part$treated)) > 1) cox_of(Surv(months, event) ~ treated, part,
        if (is.null(part$weight) || all(part$weight == 1)) NULL else part$weight, part$set)
      told <- if (is.null(fit)) rep(NA, 5) else { z <- summary(fit); c(exp(coef(fit)), z$conf.int[1, 3:4], z$coefficients[1, ncol(z$coefficients)], z$coefficients[1, "z"]) }
      rows <- c(rows, list(c(n = nrow(part), events = sum(part$event), estimate = told[[1]], low = told[[2]], high = told[[3]], p = told[[4]], p_interaction = p, statistic = told[[5]], statistic_interaction = x2, df_interaction = df)))
    }
  }
  rows
}

# Transitions ----------------------------------------------------------------------------------------------------------

transition_section <- function(b, s) {
  d <- s$data; groups <- groups_of(s); grades <- levels(d$before); parts <- list(moved = list(), cells = list(), margins = list(), tests = list())
  for (g in groups) {
    k <- d[which(d$group == g), ]; both <- k[!is.na(k$before) & !is.na(k$after), ]; t <- unclass(table(both$before, both$after)); n <- sum(t)
    parts$moved <- c(parts$moved, list(c(n = n, missing = nrow(k) - n, up = sum(t[upper.tri(t)]), same = sum(diag(t)), down = sum(t[lower.tri(t)]))))
    for (i in seq_along(grades)) for (j in seq_along(grades)) {
      parts$cells <- c(parts$cells, list(c(count = t[i, j], percent = if (sum(t[i, ])) 100 * t[i, j] / sum(t[i, ]) else NA)))
    }
    parts$margins <- c(parts$margins, lapply(seq_along(grades), function(i) c(before = sum(t[i, ]), after = sum(t[, i]))))
    parts$tests <- c(parts$tests, list(stuart_maxwell(t), bowker_row(t)))
  }
  change <- as.numeric(d$after) - as.numeric(d$before); k <- !is.na(change) & !is.na(d$group)
  y <- change[k]; g <- d$group[k]
  last <- c(statistic = NA, p = NA)
  if (length(groups) == 2 && all(table(g) > 0) && length(unique(y)) > 1) {
    w <- suppressWarnings(wilcox.test(y[g == groups[1]], y[g == groups[2]], correct = TRUE, exact = FALSE)); last <- c(statistic = unname(w$statistic), p = w$p.value, n = length(y))
  } else if (length(groups) > 2 && length(unique(g)) > 1 && length(unique(y)) > 1) {
    p <- suppressWarnings(cor.test(y, as.numeric(g), method = "kendall", exact = FALSE)$p.value)
    if (length(y) == 2) p <- 2 * pnorm(-1)  # of two pairs, where cor.test divides zero by zero: S is 1 or -1, its variance 1
    place <- as.numeric(g); J <- 0
    for (a in sort(unique(place))) for (z in sort(unique(place))) if (a < z) { e <- outer(y[place == z], y[place == a], "-"); J <- J + sum(e > 0) + sum(e == 0) / 2 }
    last <- c(statistic = J, p = p, n = length(y))
  }
  parts$tests <- c(parts$tests, list(last)); parts
}
bowker_row <- function(t) {
  u <- t[upper.tri(t)]; l <- t(t)[upper.tri(t)]; k <- u + l > 0
  if (!any(k)) return(c(statistic = NA, df = NA, p = NA))
  x <- sum((u - l)[k]^2 / (u + l)[k]); c(statistic = x, df = sum(k), p = pchisq(x, sum(k), lower.tail = FALSE), n = sum(t))
}
stuart_maxwell <- function(t) {
  m <- t; diag(m) <- 0; if (!sum(m)) return(c(statistic = NA, df = NA, p = NA))
  d <- rowSums(m) - colSums(m); V <- -(m + t(m)); diag(V) <- rowSums(m) + colSums(m)
  e <- eigen(V, symmetric = TRUE); k <- e$values > 1e-9 * max(e$values)  # of a part that hangs together the last is given by the others
  x <- sum((crossprod(e$vectors[, k, drop = FALSE], d))^2 / e$values[k]); c(statistic = x, df = sum(k), p = pchisq(x, sum(k), lower.tail = FALSE), n = sum(t))
}

# Models ---------------------------------------------------------------------------------------------------------------

model_section <- function(b, s) list(ancova = ancova_parts, logistic = logistic_parts, repeated = repeated_parts)[[set_of(s, "model")]](s)
covariate_columns <- function(s) grep("^x\\.", names(s$data), value = TRUE)
blank_row <- function(n) rep(list(c(estimate = NA, low = NA, high = NA, p = NA)), n)
# Least-squares means: factors averaged evenly, numbers at their mean over the people of the model.
reference_rows <- function(frame, formula, settings, n) {
  at <- frame[rep(1, n), , drop = FALSE]; total <- 0; names <- setdiff(names(frame), c(names(settings), ".y"))
  grids <- expand.grid(lapply(frame[names], function(x) if (is.factor(x)) levels(x) else mean(x)), stringsAsFactors = FALSE)
  X <- 0
  for (i in seq_len(max(1, nrow(grids)))) {
    for (x in names) at[[x]] <- if (is.factor(frame[[x]])) factor(grids[i, x], levels = levels(frame[[x]])) else grids[i, x]
    for (x in names(settings)) at[[x]] <- factor(settings[[x]], levels = levels(frame[[x]]))
    X <- X + model.matrix(formula, at)
  }
  X / max(1, nrow(grids))
}
contrast_rows <- function(L, groups, present, beta, V, df_of, adjust) {
  pairs <- pairs_of_groups(groups); k <- length(present); none <- c(estimate = NA, standard_error = NA, df = NA, low = NA, high = NA, p_raw = NA, p = NA)
  in_r <- if (k > 1) do.call(rbind, lapply(2:k, function(z) cbind(z, 1:(z - 1)))) else matrix(0, 0, 2)
  told <- apply(in_r, 1, function(p) {
    l <- L[p[1], ] - L[p[2], ]; e <- sum(l * beta); se <- sqrt(c(l %*% V %*% l)); df <- df_of(l); c(e, se, df, 2 * pt(-abs(e / se), df))
  })
  told <- matrix(told, nrow = 4); m <- ncol(told)
  if (adjust == "tukey" && k > 2 && any(told[3, ] < 2)) return(rep(list(none), length(pairs)))
  p <- if (adjust == "tukey" && k > 2) ptukey(abs(told[1, ] / told[2, ]) * sqrt(2), k, told[3, ], lower.tail = FALSE) else
    p.adjust(told[4, ], c(none = "none", tukey = "none", bonferroni = "bonferroni", holm = "holm")[[adjust]])
  level <- if (adjust %in% c("bonferroni", "holm")) 1 - 0.05 / m else 0.95
  margin <- if (adjust == "tukey" && k > 2) qtukey(0.95, k, told[3, ]) / sqrt(2) * told[2, ] else qt((1 + level) / 2, told[3, ]) * told[2, ]
  lapply(pairs, function(g) {
    i <- which(in_r[, 1] == match(g[2], present) & in_r[, 2] == match(g[1], present))
    if (!length(i)) return(none)
    c(estimate = told[1, i], standard_error = told[2, i], df = told[3, i], low = told[1, i] - margin[i], high = told[1, i] + margin[i], p_raw = told[4, i], p = p[i], statistic = told[1, i] / told[2, i])
  })
}
wald_f <- function(places, beta, V, df) { f <- c(beta[places] %*% solve(V[places, places], beta[places])) / length(places); c(statistic = f, df = length(places), df_residual = df, p = pf(f, length(places), df, lower.tail = FALSE)) }
ancova_parts <- function(s) {
  d <- s$data; y <- grep("^y\\.", names(d), value = TRUE); groups <- groups_of(s); names <- c("group", "baseline", covariate_columns(s))
  u <- usable(d, names, !is.na(d[[y]]) & !is.na(d$group)); frame <- u$frame; frame$.y <- d[[y]][u$rows]
  gone <- blank_row(length(u$dropped)); formula <- as_formula(".y", u$kept); fit <- NULL
  if ("group" %in% u$kept) { fit <- lm(formula, frame); if (anyNA(coef(fit)) || fit$df.residual < 1 || sum(residuals(fit)^2) <= 1e-24 * sum(frame$.y^2)) fit <- NULL }  # nothing is left over
  if (is.null(fit)) return(list(fits = list(c(n = 0, missing = sum(!is.na(d$group)) - sum(u$rows))), coefficients = gone, means = rep(list(c(n = 0, estimate = NA)), length(groups)), contrasts = list(), terms = list()))
  t <- coef(summary(fit)); ci <- confint(fit); V <- vcov(fit); beta <- coef(fit); df <- fit$df.residual; present <- match(levels(frame$group), groups)
  L <- reference_rows(frame, formula(delete.response(terms(fit))), list(group = levels(frame$group)), length(present))
  means <- lapply(seq_along(groups), function(i) {
    k <- match(i, present); n <- sum(frame$group == groups[i]); if (is.na(k)) return(c(n = n, estimate = NA, standard_error = NA, low = NA, high = NA))
    e <- sum(L[k, ] * beta); se <- sqrt(c(L[k, ] %*% V %*% L[k, ])); c(n = n, estimate = e, standard_error = se, low = e - qt(0.975, df) * se, high = e + qt(0.975, df) * se)
  })
  slopes <- c(statistic = NA, df = NA, df_residual = NA, p = NA)
  if ("baseline" %in% u$kept) {
    full <- update(fit, . ~ . + group:baseline)
    if (!anyNA(coef(full)) && full$df.residual > 0) { a <- anova(fit, full)[2, ]; slopes <- c(statistic = a[["F"]], df = a[["Df"]], df_residual = full$df.residual, p = a[["Pr(>F)"]]) }
  }
  list(fits = list(c(n = nrow(frame), missing = sum(!is.na(d$group)) - nrow(frame), spread = sigma(fit), r_squared = summary(fit)$r.squared)),
    coefficients = c(gone, lapply(seq_along(beta)[-1], function(i) c(estimate = t[i, 1], low = ci[i, 1], high = ci[i, 2], p = t[i, 4], statistic = t[i, 3], df = df))),
    means = means, contrasts = contrast_rows(L, groups, present, beta, V, function(l) df, set_of(s, "adjust")),
    terms = list(wald_f(which(fit$assign == match("group", u$kept)), beta, V, df), slopes))
}
logistic_parts <- function(s) {
  d <- s$data; names <- c("group", if ("baseline" %in% names(d)) "baseline", covariate_columns(s)); inside <- !is.na(d$event) & !is.na(d$group)
  u <- usable(d, names, inside); frame <- u$frame; frame$.y <- d$event[u$rows]; gone <- blank_row(length(u$dropped)); away <- FALSE
  fit <- if (length(u$kept) && length(unique(frame$.y)) > 1) withCallingHandlers(
    glm(as_formula(".y", u$kept), binomial, frame, control = list(epsilon = 1e-14, maxit = 100)),
    warning = function(w) { away <<- away || grepl("0 or 1|converge", conditionMessage(w)); invokeRestart("muffleWarning") })
  missing <- sum(!is.na(d$group)) - nrow(frame)
  if (is.null(fit) || away || anyNA(coef(fit))) return(list(fits = list(c(n = 0, missing = missing)), coefficients = c(gone, blank_row(sum(u$columns)))))
  t <- coef(summary(fit)); ci <- exp(suppressMessages(confint.default(fit))); x <- fit$null.deviance - fit$deviance; k <- length(coef(fit)) - 1
  list(fits = list(c(n = nrow(frame), events = sum(frame$.y), missing = missing, likelihood_ratio = x, df = k, p = pchisq(x, k, lower.tail = FALSE))),
    coefficients = c(gone, lapply(seq_len(k) + 1, function(i) c(estimate = exp(t[i, 1]), low = ci[i, 1], high = ci[i, 2], p = t[i, 4], statistic = t[i, 3]))))
}
# The mixed model: gls gives about five digits, so the restricted likelihood is written out and scored to its end.
repeated_parts <- function(s) {
  d <- s$data; groups <- groups_of(s); visits <- list_of(s, "visits"); Y <- as.matrix(d[paste0("y.", visits)])
  more <- c(if ("baseline" %in% names(d)) "baseline", covariate_columns(s)); known <- rowSums(!is.na(Y)) > 0 & !is.na(d$group)
  u <- usable(d, c("group", more), known); gone <- blank_row(length(u$dropped)); missing <- sum(!is.na(d$group)) - sum(u$rows)
  counts <- function(i, v) sum(u$rows & d$group %in% groups[i] & !is.na(Y[, v]))
  none <- list(fits = list(c(n = 0, missing = missing)), coefficients = gone, contrasts = list(), terms = list(), covariance = list(),
    means = unlist(lapply(seq_along(groups), function(i) lapply(seq_along(visits), function(v) c(n = counts(i, v), estimate = NA))), recursive = FALSE))
  held <- which(colSums(!is.na(Y[u$rows, , drop = FALSE])) > 0)
  if (length(held) < 2 || !"group" %in% u$kept) return(none)
  y <- Y[u$rows, held, drop = FALSE]; n <- nrow(y); m <- length(held); frame <- u$frame
  long <- frame[rep(seq_len(n), each = m), , drop = FALSE]; long$visit <- factor(rep(seq_len(m), n)); long$.y <- c(t(y)); id <- rep(seq_len(n), each = m)
  right <- c("visit", "group", if ("baseline" %in% u$kept) "baseline", setdiff(u$kept, c("group", "baseline")))
  formula <- as.formula(paste("~", paste(c(paste0("`", right, "`"), "visit:group", if ("baseline" %in% u$kept) "visit:baseline"), collapse = " + ")))
  X <- model.matrix(formula, long); here <- !is.na(long$.y); fit <- tryCatch(reml(X[here, ], long$.y[here], id[here], as.integer(long$visit)[here], m, set_of(s, "structure", "unstructured")), error = function(e) NULL)
  if (is.null(fit)) return(none)
  df_residual <- sum(here) - ncol(X); df_of <- if (set_of(s, "degrees", "satterthwaite") == "residual") function(l) df_residual else fit$satterthwaite
  model_frame <- cbind(long[here, right, drop = FALSE]); present <- match(levels(frame$group), groups)
  means <- list(); contrasts <- list()
  L <- lapply(seq_len(m), function(v) reference_rows(model_frame, formula, list(group = levels(frame$group), visit = rep(as.character(v), length(present))), length(present)))
  for (i in seq_along(groups)) for (v in seq_along(visits)) {
    k <- match(i, present); w <- match(v, held); row <- c(n = counts(i, v), estimate = NA, standard_error = NA, low = NA, high = NA)
    if (!is.na(k) && !is.na(w)) { l <- L[[w]][k, ]; e <- sum(l * fit$beta); se <- sqrt(c(l %*% fit$V %*% l)); q <- qt(0.975, df_of(l)); row[2:5] <- c(e, se, e - q * se, e + q * se) }
    means <- c(means, list(row))
  }
  for (v in seq_len(m)) contrasts <- c(contrasts, contrast_rows(L[[v]], groups, present, fit$beta, fit$V, df_of, set_of(s, "adjust", "none")))
  assign <- attr(X, "assign"); labels <- gsub("`", "", attr(terms(formula), "term.labels")); S <- fit$S; r <- S / sqrt(diag(S) %o% diag(S))
  list(fits = list(c(n = n, values = sum(here), missing = missing, log_likelihood = fit$l)), coefficients = gone, means = means, contrasts = contrasts,
    terms = lapply(c("group", "visit", "visit:group"), function(x) wald_f(which(assign == match(x, labels)), fit$beta, fit$V, df_residual)),
    covariance = unlist(lapply(seq_len(m), function(a) lapply(a:m, function(z) c(covariance = S[a, z], correlation = r[a, z]))), recursive = FALSE))
}
reml <- function(X, y, id, visit, m, structure) {
  p <- ncol(X); N <- length(y); q <- p + 1; scale <- sqrt(colMeans(X^2)); scale[1] <- 1; Z <- cbind(sweep(X, 2, scale, "/"), y)
  key <- tapply(visit, id, paste, collapse = " "); rows <- split(seq_len(N), id)
  patterns <- lapply(split(names(rows), key[names(rows)]), function(ids) {
    v <- visit[rows[[ids[1]]]]; W <- sapply(rows[ids], function(i) c(Z[i, , drop = FALSE])); W <- matrix(W, nrow = length(v) * q)
    list(v = v, n = length(ids), M = array(tcrossprod(W), c(length(v), q, length(v), q)))
  })
  basis <- if (structure == "compound_symmetry") list(diag(m), matrix(1, m, m)) else {
    at <- which(upper.tri(diag(m), TRUE), arr.ind = TRUE); at <- at[order(at[, 1], at[, 2]), ]
    lapply(seq_len(nrow(at)), function(i) { B <- matrix(0, m, m); B[at[i, 1], at[i, 2]] <- B[at[i, 2], at[i, 1]] <- 1; B })
  }
  S_of <- function(t) Reduce(`+`, Map(`*`, t, basis))
  at <- function(t) {
    S <- S_of(t); T <- matrix(0, q, q); det <- 0
    for (k in patterns) {
      C <- S[k$v, k$v, drop = FALSE]; W <- chol2inv(chol(C)); det <- det + k$n * c(determinant(C)$modulus)
      T <- T + matrix(apply(k$M, c(2, 4), function(x) sum(x * W)), q)
    }
    A <- T[-q, -q]; b <- T[-q, q]; V <- chol2inv(chol(A)); beta <- c(V %*% b); form <- T[q, q] - sum(b * beta)
    list(beta = beta, V = V, S = S, deviance = det + c(determinant(A)$modulus) + form)
  }
  slope <- function(t) {
    a <- at(t); out <- c(-a$beta, 1); G <- matrix(0, m, m); I <- matrix(0, length(basis), length(basis))
    for (k in patterns) {
      W <- solve(a$S[k$v, k$v, drop = FALSE]); l <- length(k$v)
      R <- matrix(apply(k$M, c(1, 3), function(x) c(out %*% x %*% out)), l) + matrix(apply(k$M, c(1, 3), function(x) sum(x[-q, -q] * a$V)), l)
      G[k$v, k$v] <- G[k$v, k$v] + k$n * W - W %*% R %*% W
      turned <- lapply(basis, function(B) W %*% B[k$v, k$v, drop = FALSE])
      I <- I + k$n * outer(seq_along(basis), seq_along(basis), Vectorize(function(i, j) sum(turned[[i]] * t(turned[[j]]))))
    }
    list(gradient = vapply(basis, function(B) sum(G * B), 0), information = I, at = a)
  }
  r <- resid(lm.fit(X, y)); t <- qr.coef(qr(sapply(basis, c)), c(diag(mean(r^2), m)))
  done <- FALSE
  for (i in 1:201) {
    now <- slope(t); step <- c(solve(now$information, -now$gradient)); gain <- -sum(step * now$gradient) / 4; f <- 1
    if (gain < 1e-18) { done <- TRUE; break }
    while (gain > 1e-6 && !isTRUE(tryCatch(at(t + f * step)$deviance, error = function(e) Inf) <= now$at$deviance)) { f <- f / 2; if (f < 1e-10) stop("singular") }
    t <- t + f * step
  }
  if (!done) stop("not converged")
  a <- at(t); D <- lapply(basis, function(B) {
    total <- matrix(0, p, p)
    for (k in patterns) { W <- solve(a$S[k$v, k$v, drop = FALSE]); mid <- W %*% B[k$v, k$v, drop = FALSE] %*% W; total <- total + matrix(apply(k$M, c(2, 4), function(x) sum(x * mid)), q)[-q, -q] }
    a$V %*% total %*% a$V / (scale %o% scale)
  })
  size <- 1e-4 * sqrt(abs(diag(solve(slope(t)$information))))
  H <- sapply(seq_along(t), function(i) { e <- replace(numeric(length(t)), i, size[i]); (slope(t + e)$gradient - slope(t - e)$gradient) / (2 * size[i]) })
  P <- 2 * solve((H + t(H)) / 2); V <- a$V / (scale %o% scale)
  list(beta = a$beta / scale, V = V, S = a$S, l = -(a$deviance + (N - p) * log(2 * pi) + 2 * sum(log(scale))) / 2,
    satterthwaite = function(l) { v <- c(l %*% V %*% l); g <- vapply(D, function(M) c(l %*% M %*% l), 0); 2 * v^2 / c(g %*% P %*% g) })
}

# Propensity -----------------------------------------------------------------------------------------------------------

weighted_moments <- function(x, w) { k <- !is.na(x); x <- x[k]; w <- w[k]; t <- sum(w); m <- sum(w * x) / t; c(m, sum(w * (x - m)^2) / (t - sum(w^2) / t)) }
propensity_section <- function(b, s) {
  d <- s$data; inside <- !is.na(d$treated); names <- paste0("x.", list_of(s, "asked")); u <- usable(d, names, inside)
  away <- FALSE; frame <- u$frame; frame$.y <- d$treated[u$rows]; matching <- set_of(s, "method", "matching") == "matching"
  fit <- if (length(u$kept) && length(unique(frame$.y)) > 1) withCallingHandlers(glm(as_formula(".y", u$kept), binomial, frame, control = list(epsilon = 1e-14, maxit = 100)),
    warning = function(w) { away <<- away || grepl("0 or 1|converge", conditionMessage(w)); invokeRestart("muffleWarning") })
  if (away || (!is.null(fit) && anyNA(coef(fit)))) fit <- NULL
  score <- rep(NA_real_, nrow(d)); if (!is.null(fit)) score[u$rows] <- fitted(fit)
  scale <- if (set_of(s, "on", "score") == "score") score else qlogis(score)
  caliper <- number_of(s, "caliper"); if (!is.na(caliper) && set_of(s, "caliper_unit", "score") == "sd") caliper <- caliper * sd(scale[inside], na.rm = TRUE)
  failed <- is.null(fit)
  weight <- rep(0, nrow(d)); set <- d$set
  if (!failed && matching) {
    wrong <- replayed(s, d, scale, caliper); if (wrong) message(s$name, ": ", wrong, " matches are not the nearest that were free")
    failed <- all(is.na(set)); weight <- if (wrong) rep(NA, nrow(d)) else set_weights(d$treated, set, s)
  } else if (!failed) {
    e <- score; t <- d$treated == 1 & inside
    of <- switch(set_of(s, "estimand", "ate"), ate = list(1 / e, 1 / (1 - e)), att = list(1 + 0 * e, e / (1 - e)), atc = list((1 - e) / e, 1 + 0 * e), overlap = list(1 - e, e))
    weight <- ifelse(is.na(e), 0, ifelse(t, of[[1]], of[[2]])); weight[!inside] <- 0
    for (side in 0:1) { k <- inside & d$treated %in% side & !is.na(e); weight[k] <- weight[k] / mean(weight[k]) }
  }
  sides <- list(which(d$treated == 1), which(d$treated == 0))
  sizes <- lapply(sides, function(k) {
    w <- weight[k]; used <- sum(w > 0); c(n = length(k), scored = sum(!is.na(score[k])), used = used, unmatched = sum(!is.na(score[k])) - used, effective = if (sum(w^2)) sum(w)^2 / sum(w^2) else NA)
  })
  scores <- c(blank_row(length(u$dropped)), if (is.null(fit)) blank_row(sum(u$columns)) else { t <- coef(summary(fit)); ci <- exp(confint.default(fit)); lapply(seq_len(nrow(t))[-1], function(i) c(estimate = exp(t[i, 1]), low = ci[i, 1], high = ci[i, 2], p = t[i, 4], statistic = t[i, 3])) })
  n <- sum(u$rows) * !is.null(fit); missing <- sum(inside) - sum(u$rows)
  whole <- if (failed) c(n = 0, missing = missing) else c(n = n, missing = missing, if (matching) c(sets = length(unique(set[!is.na(set)])), caliper = caliper) else c(largest_weight = max(weight)))
  bins <- unlist(lapply(sides, function(k) lapply(0:19, function(i) {
    x <- score[k]; here <- which(!is.na(x) & pmin(floor(round(x * 20, 9)), 19) == i)
    c(low = i / 20, high = (i + 1) / 20, count = length(here), weight = sum(weight[k][here]))
  })), recursive = FALSE)
  out <- outcome_parts(s, d, set, weight, failed)
  list(fits = list(whole), sizes = sizes, scores = scores, balance = balance_rows(s, d, u$rows, weight), overlap = bins, outcomes = out$outcomes, categories = out$categories, settings = list(numeric(0)))
}
# How many matched patients did not get the nearest control that was free when it was their turn.
replayed <- function(s, d, scale, caliper) {
  treated <- which(d$treated == 1 & !is.na(scale)); treated <- treated[order(d$turn[treated])]; ratio <- number_of(s, "ratio"); if (is.na(ratio)) ratio <- 1
  exact <- list_of(s, "matched_on"); stratum <- if (length(exact)) interaction(lapply(d[paste0("x.", exact)], function(x) factor(ifelse(is.na(x), "-", as.character(x))))) else factor(rep(1, nrow(d)))
  free <- which(d$treated == 0 & !is.na(scale)); again <- set_of(s, "replace", "False") == "True"; if (again) return(0)
  mates <- lapply(treated, function(i) { if (is.na(d$set[i])) return(integer(0)); k <- which(d$treated == 0 & d$set %in% d$set[i]); k[order(abs(scale[k] - scale[i]))] })
  wrong <- 0
  for (round in seq_len(ratio)) for (j in seq_along(treated)) {
    if (length(mates[[j]]) < round - 1) next
    i <- treated[j]; k <- free[stratum[free] == stratum[i]]; near <- if (length(k)) min(abs(scale[k] - scale[i])) else Inf
    if (length(mates[[j]]) < round) { if (is.finite(near) && near <= (if (is.na(caliper)) Inf else caliper) * (1 - 1e-9)) wrong <- wrong + 1; next }
    mine <- mates[[j]][round]; away <- abs(scale[mine] - scale[i])
    if (away > near + 1e-9 || (!is.na(caliper) && away > caliper * (1 + 1e-9) + 1e-12)) wrong <- wrong + 1
    free <- setdiff(free, mine)
  }
  wrong
}
set_weights <- function(treated, set, s) {
  if (set_of(s, "replace", "False") == "True") return(s$data$weight)
  w <- rep(0, length(set)); k <- !is.na(set); w[k & treated %in% 1] <- 1; c <- which(k & treated %in% 0)
  w[c] <- 1 / ave(rep(1, length(c)), set[c], FUN = sum); if (length(c)) w[c] <- w[c] * length(c) / sum(w[c]); w
}
balance_rows <- function(s, d, rows, weight) {
  if (!any(rows)) return(list())
  told <- list(); t <- d$treated == 1
  for (x in paste0("x.", list_of(s, "asked"))) {
    v <- d[[x]]; if (is.factor(v) && all(is.na(v[rows]))) v <- as.numeric(v[NA])  # known for nobody: one row, of no category
    parts <- if (is.factor(v)) lapply(levels(droplevels(v[rows])), function(l) as.numeric(v == l)) else list(v)
    for (p in parts) {
      one <- rows & t; two <- rows & !t; b <- rbind(weighted_moments(p[which(one)], rep(1, sum(one, na.rm = TRUE))), weighted_moments(p[which(two)], rep(1, sum(two, na.rm = TRUE))))
      spread <- switch(set_of(s, "denominator", "pooled"), pooled = mean(b[, 2]), treated = b[1, 2], control = b[2, 2])
      row <- function(m, after) setNames(c(m[1, 1], m[2, 1], if (isTRUE(spread > 0)) (m[1, 1] - m[2, 1]) / sqrt(spread) else NA, if (isTRUE(m[2, 2] > 0)) m[1, 2] / m[2, 2] else NA),
        paste0(c("treated_", "control_", "smd_", "ratio_"), after))
      a <- if (any(weight > 0)) rbind(weighted_moments(p[which(one)], weight[which(one)]), weighted_moments(p[which(two)], weight[which(two)]))
      told <- c(told, list(c(row(b, "before"), if (is.null(a)) NULL else row(a, "after"))))
    }
  }
  told
}
outcome_parts <- function(s, d, set, weight, failed) {
  outcomes <- list(); categories <- list(); tests <- list_of(s, "outcome_tests"); ratio <- number_of(s, "ratio"); if (is.na(ratio)) ratio <- 1
  for (i in seq_along(tests)) {
    y <- d[[paste0("y.", list_of(s, "outcome_columns")[i])]]; test <- tests[i]
    if (failed) { outcomes <- c(outcomes, list(c(n = 0, missing = 0))); next }
    if (test == "weighted_difference") { outcomes <- c(outcomes, list(weighted_row(y, d$treated, weight))); next }
    first <- tapply(seq_along(set)[d$treated %in% 1], set[d$treated %in% 1], c); ids <- names(first)
    mates <- lapply(ids, function(k) which(d$treated == 0 & set == as.numeric(k)))
    if (test %in% c("mcnemar", "bowker") || (is.factor(y) && ratio == 1)) {
      one <- y[first]; two <- y[vapply(mates, `[`, 1L, 1)]; t <- if (is.factor(y)) unclass(table(one, two))
    }
    if (is.factor(y) && ratio == 1) categories <- c(categories, lapply(seq_len(nlevels(y)), function(k) c(treated = sum(t[k, ]), control = sum(t[, k]))))
    if (test %in% c("mcnemar", "bowker")) outcomes <- c(outcomes, list(if (!is.factor(y) || ratio != 1 || (test == "mcnemar" && nlevels(y) != 2)) c(n = 0, missing = 0) else table_row(test, t, length(ids))))
    else {
      v <- as.numeric(y) - is.factor(y); a <- v[first]; z <- vapply(mates, function(k) mean(v[k]), 0); outcomes <- c(outcomes, list(paired_row(test, a, z, is.factor(y))))
    }
  }
  list(outcomes = outcomes, categories = categories)
}
table_row <- function(test, t, sets) {
  n <- sum(t); row <- c(n = n, missing = sets - n)
  if (nrow(t) == 2) { x <- t[1, 2]; z <- t[2, 1]; e <- (x - z) / n; m <- qnorm(0.975) * sqrt(x + z - (x - z)^2 / n) / n; if (n && x + z) row <- c(row, estimate = e, low = e - m, high = e + m) }
  if (test == "bowker") return(c(row, bowker_row(t)[c("statistic", "df", "p")]))
  x <- t[1, 2]; z <- t[2, 1]; if (x + z == 0) return(c(row, statistic = NA, p = NA))
  if (x + z < 25) return(c(row, p = binom.test(x, x + z)$p.value))
  k <- suppressWarnings(mcnemar.test(t)); c(row, statistic = unname(k$statistic), df = 1, p = k$p.value)
}
paired_row <- function(test, a, z, graded) {
  k <- !is.na(a) & !is.na(z); e <- round(a[k] - z[k], 9); n <- sum(k); row <- c(n = n, missing = sum(!k))
  if (!graded) row <- c(row, treated_mean = if (n) mean(a[k]) else NA, treated_sd = if (n > 1) sd(a[k]) else NA, control_mean = if (n) mean(z[k]) else NA, control_sd = if (n > 1) sd(z[k]) else NA)
  if (test == "paired_t") {
    if (n < 2 || all(e == e[1])) return(c(row, estimate = NA, p = NA))
    t <- t.test(e); return(c(row, estimate = unname(t$estimate), low = t$conf.int[1], high = t$conf.int[2], statistic = unname(t$statistic), df = n - 1, p = t$p.value))
  }
  if (!n || all(e == 0)) return(c(row, estimate = NA, p = NA))
  c(row, pseudomedian(e), signed_rank(e, test == "signed_rank_exact"))
}
signed_rank <- function(e, exactly) {
  x <- e[e != 0]; r <- rank(abs(x)); v <- sum(r[x > 0])
  if (exactly && length(x) < 50) {
    w <- 1; for (k in round(2 * r)) w <- c(w, rep(0, k)) + c(rep(0, k), w); w <- w / sum(w); i <- round(2 * v)
    return(c(statistic = v, p = min(1, 2 * min(sum(w[seq_len(i + 1)]), sum(w[(i + 1):length(w)])))))
  }
  k <- suppressWarnings(wilcox.test(e, exact = FALSE, correct = TRUE)); c(statistic = unname(k$statistic), p = k$p.value)
}
pseudomedian <- function(e) {
  x <- e[e != 0]; n <- length(x); walsh <- outer(x, x, "+") / 2; w <- sort(walsh[upper.tri(walsh, TRUE)]); key <- round(w, 9); estimate <- median(w)
  if (n < 50 && !anyDuplicated(abs(x)) && n == length(e)) {
    if (psignrank(0, n) > 0.75 * 0.05) return(c(estimate = estimate, low = NA, high = NA))  # so few have no such interval
    k <- max(1, qsignrank(0.025, n)); return(c(estimate = estimate, low = w[k], high = w[length(w) + 1 - k]))
  }
  t <- table(x); variance <- n * (n + 1) * (2 * n + 1) / 24 - sum(t^3 - t) / 48
  if (!(variance > 0) || (length(w) - 1) / 2 / sqrt(variance) < qnorm(0.975)) return(c(estimate = estimate, low = NA, high = NA))
  values <- w[!duplicated(key)]; above <- vapply(unique(key), function(v) sum(key > v), 0) - length(w) / 2; z <- (above - 0.5 * sign(above)) / sqrt(variance)
  passed <- function(q) { k <- which(z < q)[1]; if (is.na(k)) values[length(values)] else values[k] }
  c(estimate = estimate, low = passed(qnorm(0.975)), high = passed(qnorm(0.025)))
}
weighted_row <- function(y, treated, weight) {
  if (is.factor(y)) { if (nlevels(y) != 2) return(c(n = 0, missing = 0)); y <- as.numeric(y == levels(y)[1]) }
  used <- weight > 0; k <- which(used & !is.na(y)); x <- list(k[treated[k] == 1], k[treated[k] == 0])
  row <- c(n = length(k), missing = sum(used) - length(k)); if (!length(x[[1]]) || !length(x[[2]])) return(c(n = 0, missing = 0))
  m <- vapply(x, function(i) weighted.mean(y[i], weight[i]), 0); v <- sum(mapply(function(i, c) sum((weight[i] * (y[i] - c))^2) / sum(weight[i])^2, x, m))
  if (v <= 0) return(c(n = 0, missing = 0))
  e <- m[1] - m[2]; se <- sqrt(v); c(row, treated_mean = m[1], control_mean = m[2], estimate = e, low = e - qnorm(0.975) * se, high = e + qnorm(0.975) * se, statistic = e / se, p = 2 * pnorm(-abs(e / se)))
}

# Quality of life ------------------------------------------------------------------------------------------------------

mean_with_limits <- function(x) { n <- length(x); if (n < 2) return(c(if (n) mean(x) else NA, NA, NA)); m <- qt(0.975, n - 1) * sd(x) / sqrt(n); c(mean(x), mean(x) - m, mean(x) + m) }
welch_row <- function(x, y) {
  n <- length(x) + length(y); t <- if (length(x) > 1 && length(y) > 1) tryCatch(t.test(y, x), error = function(e) NULL)
  if (is.null(t) || !is.finite(t$statistic)) c(estimate = NA, low = NA, high = NA, p = NA, n = n) else c(estimate = mean(y) - mean(x), low = t$conf.int[1], high = t$conf.int[2], p = t$p.value, n = n, statistic = unname(t$statistic), df = unname(t$parameter))
}
quality_section <- function(b, s) list(qaly = qaly_parts, course = course_parts, responders = responder_parts)[[set_of(s, "measure")]](s)
area_of <- function(t, u, death, horizon, gaps) {
  k <- !is.na(u); end <- if (is.na(death)) horizon else min(horizon, death)
  if (!k[1] || (gaps == "complete" && any(!k & !is.na(t) & t <= end))) return(NA)
  if (end == 0) return(0)
  t <- t[k]; u <- u[k]
  if (gaps == "carried") { before <- t < end; edge <- c(t[before], end); return(sum(diff(edge) * u[before]) / 365.25) }
  if (!is.na(death)) { on <- t == death; t <- c(t[!on], death); u <- c(u[!on], 0) }
  if (t[length(t)] < end) return(NA)
  last <- approx(t, u, end, rule = 2, ties = "ordered")$y; inside <- t < end; t <- c(t[inside], end); u <- c(u[inside], last)
  sum(diff(t) * (head(u, -1) + tail(u, -1)) / 2) / 365.25
}
qaly_parts <- function(s) {
  d <- s$data; groups <- groups_of(s); visits <- list_of(s, "visits"); horizon <- number_of(s, "horizon") * DAYS_A_MONTH
  t <- as.matrix(d[paste0("day.", visits)]); u <- as.matrix(d[paste0("u.", visits)])
  q <- vapply(seq_len(nrow(d)), function(i) if ((d$died[i] %in% 1 && is.na(d$death_day[i])) || (!is.na(d$death_day[i]) && d$death_day[i] < 0)) NA_real_ else
    area_of(t[i, ], u[i, ], d$death_day[i], horizon, set_of(s, "gaps", "linear")), 0)
  each <- lapply(groups, function(g) q[which(d$group == g)])
  years <- lapply(seq_along(groups), function(i) {
    x <- each[[i]]; k <- x[!is.na(x)]; died <- d$death_day[which(d$group == groups[i])]; row <- c(n = length(k), unknown = sum(is.na(x)), died = sum(!is.na(x) & !is.na(died) & died <= horizon))
    if (!length(k)) return(row)
    m <- mean_with_limits(k); c(row, mean = m[1], sd = if (length(k) > 1) sd(k) else NA, low = m[2], high = m[3], median = median(k), q1 = quantile(k, 0.25, names = FALSE), q3 = quantile(k, 0.75, names = FALSE))
  })
  list(years = years, differences = lapply(pairs_of_groups(groups), function(p) welch_row(each[[p[1]]][!is.na(each[[p[1]]])], each[[p[2]]][!is.na(each[[p[2]]])])))
}
course_parts <- function(s) {
  d <- s$data; groups <- groups_of(s); rows <- list(); pairs <- list(); ranks <- list(); zero <- number_of(s, "dead"); if (is.na(zero)) zero <- 0
  for (v in list_of(s, "visits")) {
    y <- d[[paste0("y.", v)]]; dead <- d[[paste0("dead.", v)]] == 1; all <- ifelse(dead, zero, y)
    for (g in groups) {
      k <- which(d$group == g); x <- y[k][!is.na(y[k])]; w <- all[k][!is.na(all[k])]; row <- c(n = length(x), missing = length(k) - length(x) - sum(dead[k]), died = sum(dead[k]))
      if (length(w)) { m <- mean_with_limits(x); a <- mean_with_limits(w); row <- c(row, mean = m[1], sd = if (length(x) > 1) sd(x) else NA, low = m[2], high = m[3], mean_with_dead = a[1], low_with_dead = a[2], high_with_dead = a[3]) }
      rows <- c(rows, list(row))
    }
    known <- lapply(groups, function(g) { k <- all[which(d$group == g)]; k[!is.na(k)] })
    pairs <- c(pairs, lapply(pairs_of_groups(groups), function(p) welch_row(known[[p[1]]], known[[p[2]]])))
    better <- set_of(s, "higher_is") != "worse"; r <- rep(NA_real_, nrow(d)); r[!is.na(y)] <- if (better) y[!is.na(y)] else -y[!is.na(y)]
    low <- suppressWarnings(min(r, na.rm = TRUE)); if (!is.finite(low)) low <- 0
    if (any(dead)) r[dead] <- if (anyNA(d$death_day[dead])) low - 1 else low - 1 - (max(d$death_day[dead]) - d$death_day[dead])
    inside <- !is.na(r) & !is.na(d$group); g <- droplevels(d$group[inside]); x <- r[inside]
    test <- if (nlevels(g) > 1 && length(unique(x)) > 1) if (length(groups) == 2) suppressWarnings(wilcox.test(x ~ g, correct = TRUE, exact = FALSE)) else kruskal.test(x, g)
    ranks <- c(ranks, list(c(n = length(x), dead = sum(dead & !is.na(d$group)), unlist(list(p = test$p.value, statistic = unname(test$statistic), df = unname(test$parameter))))))
  }
  list(course = rows, differences = pairs, worst_rank = ranks)
}
responder_parts <- function(s) {
  d <- s$data; groups <- groups_of(s); visits <- list_of(s, "visits"); limit <- number_of(s, "threshold"); rows <- list(); pairs <- list()
  wilson <- function(x, n) suppressWarnings(prop.test(x, n, correct = FALSE)$conf.int)
  for (v in visits[-1]) {
    change <- round(d[[paste0("y.", v)]] - d[[paste0("y.", visits[1])]], 9); if (set_of(s, "higher_is") == "worse") change <- -change
    table <- list()
    for (g in groups) {
      k <- change[which(d$group == g)]; x <- k[!is.na(k)]; n <- length(x); up <- sum(x >= limit); down <- sum(x <= -limit)
      row <- c(n = n, missing = sum(is.na(k)), improved = up, same = n - up - down, worse = down); table <- c(table, list(c(up, n - up)))
      if (n) { w <- wilson(up, n); row <- c(row, share = up / n, low = w[1], high = w[2]) }
      rows <- c(rows, list(row))
    }
    pairs <- c(pairs, lapply(pairs_of_groups(groups), function(p) {
      one <- table[[p[1]]]; two <- table[[p[2]]]; n <- sum(one) + sum(two); if (!sum(one) || !sum(two)) return(c(estimate = NA, n = n))
      p1 <- two[1] / sum(two); p0 <- one[1] / sum(one); w1 <- wilson(two[1], sum(two)); w0 <- wilson(one[1], sum(one)); e <- p1 - p0
      c(estimate = e, low = e - sqrt((p1 - w1[1])^2 + (w0[2] - p0)^2), high = e + sqrt((w1[2] - p1)^2 + (p0 - w0[1])^2), p = fisher.test(rbind(two, one))$p.value, n = n)
    }))
  }
  list(responders = rows, differences = pairs)
}

SECTIONS <- list(endpoints = endpoint_section, models = model_section, propensity = propensity_section, qol = quality_section, transitions = transition_section)
# R's numbers of the next row of a table such as endpoints/os/rates: verify.R asks for one row after the other.
section_row <- function(b, line, claim, text) {
  if (is.null(b$sections)) read_sections(b$folder, b)
  parts <- strsplit(line$table, "/", fixed = TRUE)[[1]]; name <- paste(parts[1:2], collapse = "/"); s <- b$sections[[name]]; claims <- claim("*")
  if (is.null(s)) stop("sections.csv has no ", name)
  if (length(parts) < 3) return(NULL)
  if (is.null(b$seen[[name]])) {
    ticks <- b$expected$table == name & grepl("^ticks/", b$expected$statistic); s$ticks <- as.numeric(b$expected$value[ticks])
    b$seen[[name]] <- SECTIONS[[parts[1]]](b, s)
  }
  place <- if (is.null(b$seen[[line$table]])) 1 else b$seen[[line$table]] + 1
  b$seen[[line$table]] <- place
  rows <- b$seen[[name]][[parts[3]]]; made <- if (place <= length(rows)) rows[[place]] else numeric(0)
  none <- setdiff(names(claims)[is.na(claims)], names(made))  # nothing is claimed, and R has no such number either
  c(made[names(made) %in% names(claims) | !is.na(made)], setNames(rep(NA_real_, length(none)), none))
}
for (kind in SECTION_KINDS) of_section[[kind]] <- section_row
fitted_tables <- c("^endpoints/.*/(hazards|fits|subgroups)$", "^models/", "^propensity/")
section_settings <- "^(endpoints|models|propensity|qol|transitions)/[^/]+(/settings|/definition)?$"
