# References of survival: packages survival and cmprsk. See oracle.R.

suppressPackageStartupMessages(library(survival))
options(digits = 15)

# groups: time, event, time, event, ...
paired <- function(d) {
  times <- d[c(TRUE, FALSE)]
  list(time = unlist(times), event = unlist(d[c(FALSE, TRUE)]), g = rep(seq_along(times), lengths(times)))
}
fit_of <- function(time, event, cells, ...) {
  x <- matrix(cells, length(time))
  coxph(Surv(time, event) ~ x, ..., control = coxph.control(eps = 1e-12, toler.chol = 1e-13, iter.max = 40))
}
numbers_of <- function(fit) {
  s <- summary(fit)
  c(coef(fit), sqrt(diag(vcov(fit))), s$conf.int[, 3:4], fit$loglik, s$logtest[c("test", "pvalue")])
}

reference <- list(
  reverse_kaplan_meier = function(time, event) {
    curve <- survfit(Surv(time, 1 - event) ~ 1); c(summary(curve)$table[c("median", "0.95LCL", "0.95UCL")], curve$surv)
  },
  rates = function(time, event, times) {
    s <- summary(survfit(Surv(time, event) ~ 1, conf.type = "log-log"), times = times[times <= max(time)])
    c(s$n.risk, s$surv, s$std.err, s$lower, s$upper)
  },
  restricted_mean = function(time, event, horizon) {
    summary(survfit(Surv(time, event) ~ 1), rmean = horizon)$table[c("rmean", "se(rmean)")]
  },
  landmark = function(time, event, at) {
    d <- data.frame(time = time - at, event)[time >= at, ]; survfit(Surv(time, event) ~ 1, d)$surv
  },
  stratified_log_rank = function(time, event, g, s) {
    r <- survdiff(Surv(time, event) ~ g + strata(s)); df <- sum(rowSums(as.matrix(r$exp)) > 0) - 1
    c(r$chisq, pchisq(r$chisq, df, lower.tail = FALSE))
  },
  log_rank_trend = function(...) {
    d <- paired(list(...)); r <- survdiff(Surv(d$time, d$event) ~ d$g); w <- sort(unique(d$g))
    chisq <- sum(w * (r$obs - r$exp))^2 / c(w %*% r$var %*% w); c(chisq, pchisq(chisq, 1, lower.tail = FALSE))
  },
  log_rank_trend_by_score = function(...) {
    d <- paired(list(...)); unname(summary(coxph(Surv(d$time, d$event) ~ d$g, ties = "exact"))$sctest[c("test", "pvalue")])
  },
  cumulative_incidence = function(time, cause, times) {
    times <- times[times <= max(time)]
    if (!any(cause == 1)) return(rep(0, 2 * length(times))) # cuminc has no such curve
    r <- cmprsk::timepoints(cmprsk::cuminc(time, cause)["1 1"], times); c(r$est, sqrt(r$var))
  },
  gray = function(...) {
    d <- paired(list(...)); cmprsk::cuminc(d$time, d$event, d$g)$Tests["1", c("stat", "pv")]
  },
  cox = function(time, event, cells) numbers_of(fit_of(time, event, cells)),
  cox_breslow = function(time, event, cells) numbers_of(fit_of(time, event, cells, ties = "breslow")),
  cox_strata = function(time, event, cells, s) {
    x <- matrix(cells, length(time))
    numbers_of(coxph(Surv(time, event) ~ x + strata(s), control = coxph.control(eps = 1e-12, iter.max = 40)))
  },
  cox_weights = function(time, event, cells, w) numbers_of(fit_of(time, event, cells, weights = w, robust = FALSE)),
  cox_cluster = function(time, event, cells, w, id) {
    fit <- fit_of(time, event, cells, weights = w, cluster = id); c(coef(fit), vcov(fit), summary(fit)$conf.int[, 3:4])
  },
  cox_score = function(time, event, cells) {
    s <- summary(fit_of(time, event, cells)); c(s$sctest[c("test", "pvalue")], s$waldtest["pvalue"])
  },
  proportional_hazards = function(time, event, cells) {
    fit <- fit_of(time, event, cells); c(sapply(c("km", "identity", "rank", "log"), function(g) cox.zph(fit, g, terms = FALSE)$table))
  },
  proportional_hazards_strata = function(time, event, cells, s) {
    x <- matrix(cells, length(time)); fit <- coxph(Surv(time, event) ~ x + strata(s), control = coxph.control(eps = 1e-12))
    c(cox.zph(fit, "km", terms = FALSE)$table, cox.zph(fit, "rank")$table[1, ])
  },
  scaled_schoenfeld = function(time, event, cells) c(cox.zph(fit_of(time, event, cells), "identity", terms = FALSE)$y)
)

drawn <- function() {
  set.seed(1972)
  n <- 90
  time <- sample(1:36, n, TRUE); event <- rbinom(n, 1, 0.6); cause <- sample(0:2, n, TRUE); g <- rep(1:3, 30)
  x <- round(cbind(rnorm(n, 60, 9), rbinom(n, 1, 0.4), rpois(n, 3)), 1); s <- sample(1:4, n, TRUE)
  w <- round(runif(n, 0.5, 2), 2); id <- sample(1:40, n, TRUE); times <- c(3, 6, 12, 24)
  split_by <- function(e) unlist(lapply(1:3, function(k) list(time[g == k], e[g == k])), recursive = FALSE)
  list(
    list("reverse_kaplan_meier", list(time, event)), list("rates", list(time, event, times)),
    list("restricted_mean", list(time, event, 24)), list("landmark", list(time, event, 3)),
    list("stratified_log_rank", list(time, event, g - 1, s)), list("log_rank_trend", split_by(event)),
    list("log_rank_trend_by_score", split_by(event)), list("cumulative_incidence", list(time, cause, times)),
    list("gray", split_by(cause)), list("cox", list(time, event, c(x))), list("cox_breslow", list(time, event, c(x))),
    list("cox_strata", list(time, event, c(x), s)), list("cox_weights", list(time, event, c(x), w)),
    list("cox_cluster", list(time, event, c(x), w, id)), list("cox_score", list(time, event, c(x))),
    list("proportional_hazards", list(time, event, c(x))), list("proportional_hazards_strata", list(time, event, c(x), s)),
    list("scaled_schoenfeld", list(time[1:30], event[1:30], c(x[1:30, ])))
  )
}

source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "oracle.R"))
