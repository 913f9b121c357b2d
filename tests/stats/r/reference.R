# The reference implementation of the tests of samples and tables: base R and package survival. See oracle.R.

grouped <- function(groups) {
  y <- unlist(groups)
  list(y = y, g = droplevels(factor(rep(seq_along(groups), lengths(groups)))[!is.na(y)]), known = y[!is.na(y)])
}
table_of <- function(shape, cells) matrix(cells, shape[1], byrow = TRUE)
f_and_p <- function(y, g) unlist(summary(aov(y ~ g))[[1]][1, c("F value", "Pr(>F)")])

reference <- list(
  describe = function(x) {
    missing <- sum(is.na(x)); x <- x[!is.na(x)]; m <- function(k) mean((x - mean(x))^k)
    counts <- table(x)
    interval <- if (length(unique(x)) > 1) t.test(x)$conf.int else rep(if (length(x) > 1) mean(x) else NA, 2)
    c(length(x), missing, mean(x), sd(x), sd(x) / sqrt(length(x)), interval, quantile(x, c(0, .25, .5, .75, 1)),
      c(as.numeric(names(counts)[which.max(counts)]), NA)[1], m(3) / m(2)^1.5, m(4) / m(2)^2)
  },
  anova = function(...) { d <- grouped(list(...)); f_and_p(d$known, d$g) },
  welch_anova = function(...) {
    d <- grouped(list(...)); r <- oneway.test(d$known ~ d$g); c(r$statistic, r$parameter, r$p.value)
  },
  tukey = function(...) { # a row a pair: difference, limits, P
    d <- grouped(list(...)); y <- d$known; g <- d$g; t(TukeyHSD(aov(y ~ g))$g)
  },
  student_t = function(x, y) { r <- t.test(x, y, var.equal = TRUE); c(r$statistic, r$parameter, r$p.value, r$conf.int) },
  welch_t = function(x, y) { r <- t.test(x, y); c(r$statistic, r$parameter, r$p.value, r$conf.int) },
  paired_t = function(x, y) { r <- t.test(y, x, paired = TRUE); c(r$statistic, r$parameter, r$p.value, r$conf.int) },
  wilcoxon = function(x, y) {
    r <- wilcox.test(round(y - x, 9), correct = TRUE, exact = FALSE); c(r$statistic, r$p.value)
  },
  mann_whitney = function(x, y) { r <- wilcox.test(x, y, correct = TRUE, exact = FALSE); c(r$statistic, r$p.value) },
  kruskal = function(...) { d <- grouped(list(...)); r <- kruskal.test(d$known, d$g); c(r$statistic, r$p.value) },
  dunn = function(...) {
    d <- grouped(list(...)); r <- rank(d$known); n <- length(r); ties <- table(d$known)
    mean_rank <- tapply(r, d$g, mean); size <- tapply(r, d$g, length)
    pairs <- combn(nlevels(d$g), 2)
    spread <- n * (n + 1) / 12 - sum(ties^3 - ties) / (12 * (n - 1))
    z <- (mean_rank[pairs[2, ]] - mean_rank[pairs[1, ]]) / sqrt(spread * (1 / size[pairs[1, ]] + 1 / size[pairs[2, ]]))
    p <- 2 * pnorm(-abs(z))
    rbind(z, p, p.adjust(p, "holm"))
  },
  chi_square = function(shape, cells) {
    r <- chisq.test(table_of(shape, cells), correct = FALSE); c(r$statistic, r$parameter, r$p.value)
  },
  chi_square_corrected = function(shape, cells) { r <- chisq.test(table_of(shape, cells)); c(r$statistic, r$parameter, r$p.value) },
  mcnemar = function(shape, cells) { r <- mcnemar.test(table_of(shape, cells)); c(r$statistic, r$parameter, r$p.value) },
  mcnemar_exact = function(shape, cells) binom.test(cells[2], cells[2] + cells[3])$p.value,
  fisher = function(shape, cells) fisher.test(table_of(shape, cells), workspace = 2e7)$p.value,
  bonferroni = function(p) p.adjust(p, "bonferroni"),
  holm = function(p) p.adjust(p, "holm"),
  benjamini_hochberg = function(p) p.adjust(p, "BH"),
  survival_log = function(time, event) curve_of(time, event, "log"),
  survival_log_log = function(time, event) curve_of(time, event, "log-log"),
  survival_plain = function(time, event) curve_of(time, event, "plain"),
  log_rank = function(...) { # time, event, time, event, ...
    d <- list(...); times <- d[c(TRUE, FALSE)]; events <- unlist(d[c(FALSE, TRUE)])
    g <- rep(seq_along(times), lengths(times))
    r <- survival::survdiff(survival::Surv(unlist(times), events) ~ g)
    c(r$chisq, pchisq(r$chisq, sum(r$exp > 0) - 1, lower.tail = FALSE))
  }
)

curve_of <- function(time, event, type) {
  curve <- survival::survfit(survival::Surv(time, event) ~ 1, conf.type = type)
  s <- summary(curve, times = curve$time)
  c(s$table[c("median", "0.95LCL", "0.95UCL")], curve$n.risk, curve$n.event, curve$surv, s$std.err, curve$lower, curve$upper)
}

drawn <- function() {
  set.seed(20241)
  points <- function(n, p = NULL) sample(seq(0, 100, 5), n, TRUE, p)
  holes <- function(x, k) replace(x, sample(length(x), k), NA)
  barthel <- list(points(31), holes(points(82, 31:11), 5), holes(points(90, 25:45), 7))
  before <- round(rnorm(60, 0.4, 0.2), 3); after <- round(before + sample(c(-0.05, 0, 0.05, 0.1, 0.2), 60, TRUE), 3)
  months <- sample(1:40, 120, TRUE); died <- rbinom(120, 1, 0.6)
  cells <- function(r, c, n) list(c(r, c), as.vector(rmultinom(1, n, rep(1, r * c))))
  c(
    lapply(c("describe"), function(name) list(name, barthel[2])),
    lapply(c("anova", "welch_anova", "tukey", "kruskal", "dunn"), function(name) list(name, barthel)),
    lapply(c("student_t", "welch_t", "mann_whitney"), function(name) list(name, barthel[2:3])),
    lapply(c("paired_t", "wilcoxon"), function(name) list(name, list(holes(before, 3), holes(after, 4)))),
    lapply(c("chi_square", "chi_square_corrected", "mcnemar", "mcnemar_exact", "fisher"),
           function(name) list(name, cells(2, 2, 60))),
    lapply(c("chi_square", "mcnemar", "fisher"), function(name) list(name, cells(4, 4, 60))),
    lapply(c(2, 3, 5), function(k) list("fisher", cells(k, 3, 90))),
    lapply(c("bonferroni", "holm", "benjamini_hochberg"), function(name) list(name, list(holes(round(runif(12)^3, 4), 2)))),
    lapply(c("survival_log", "survival_log_log", "survival_plain"), function(name) list(name, list(months, died))),
    list(list("log_rank", list(months[1:40], died[1:40], months[41:80], died[41:80], months[81:120], died[81:120])))
  )
}

source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "oracle.R"))
