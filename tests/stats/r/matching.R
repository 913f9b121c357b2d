# References of propensity: glm, MatchIt, and plain R. See oracle.R.

suppressPackageStartupMessages(library(MatchIt))

# A match matrix as ours: for each treated patient in the order of the data, the position of each control, 0 for nobody.
matrix_of <- function(m, n) { found <- m$match.matrix; c(t(ifelse(is.na(found), 0, match(found, 1:n)))) }
# Debian's MatchIt 4.5.1 takes the absolute value of a difference as a whole number (mended in 4.5.4), so that all scores
# below 1 are alike to it: scores go in as billionths, which whole numbers hold.
UNIT <- 1e9
match_by <- function(score, treated, ...) {
  d <- data.frame(treated, score, row.names = seq_along(score))
  suppressWarnings(matchit(treated ~ score, d, method = "nearest", distance = round(score * UNIT), ...))
}

reference <- list(
  propensity = function(treated, cells) {
    x <- matrix(cells, length(treated)); fitted(glm(treated ~ x, binomial, control = list(epsilon = 1e-14, maxit = 50)))
  },
  nearest = function(score, treated) { m <- match_by(score, treated); c(matrix_of(m, length(score)), m$weights) },
  nearest_caliper = function(score, treated, width) {
    m <- match_by(score, treated, caliper = width * UNIT, std.caliper = FALSE); c(matrix_of(m, length(score)), m$weights)
  },
  nearest_caliper_sd = function(score, treated, width) {
    m <- match_by(score, treated, caliper = width); c(matrix_of(m, length(score)), m$caliper / UNIT)
  },
  nearest_ratio = function(score, treated, ratio) {
    # written out: in its second round MatchIt 4.5.1 passes over the control that follows the first one in the data
    t <- which(treated == 1); free <- which(treated == 0); free <- free[order(score[free])]; m <- matrix(0, length(t), ratio)
    for (k in 1:ratio) for (i in order(score[t], decreasing = TRUE)) if (length(free) && (k == 1 || m[i, k - 1] > 0)) {
      j <- which.min(round(abs(score[free] - score[t[i]]) * UNIT)); m[i, k] <- free[j]; free <- free[-j]
    }
    w <- numeric(length(score)); size <- rowSums(m > 0); w[m[m > 0]] <- (1 / size)[row(m)[m > 0]]
    w[m[m > 0]] <- w[m[m > 0]] * sum(m > 0) / sum(w); w[t[size > 0]] <- 1; c(t(m), w)
  },
  nearest_smallest = function(score, treated) matrix_of(match_by(score, treated, m.order = "smallest"), length(score)),
  nearest_data = function(score, treated) matrix_of(match_by(score, treated, m.order = "data"), length(score)),
  nearest_exact = function(score, treated, e) {
    d <- data.frame(treated, score, e, row.names = seq_along(score))
    m <- suppressWarnings(matchit(treated ~ score, d, method = "nearest", distance = round(score * UNIT), exact = ~ e))
    c(matrix_of(m, length(score)), m$weights)
  },
  nearest_replace = function(score, treated) { # of several controls, MatchIt 4.5 gives the nearest one twice
    m <- match_by(score, treated, replace = TRUE); c(matrix_of(m, length(score)), m$weights)
  },
  balance = function(treated, cells) {
    x <- matrix(cells, length(treated)); x1 <- x[treated == 1, , drop = FALSE]; x0 <- x[treated == 0, , drop = FALSE]
    v1 <- apply(x1, 2, var); v0 <- apply(x0, 2, var); c((colMeans(x1) - colMeans(x0)) / sqrt((v1 + v0) / 2), v1 / v0)
  },
  balance_matched = function(treated, cells, score) {
    x <- data.frame(matrix(cells, length(treated))); d <- cbind(treated, x)
    m <- suppressWarnings(matchit(reformulate(names(x), "treated"), d, method = "nearest", distance = round(score * UNIT)))
    s <- summary(m)$sum.matched[names(x), c("Means Treated", "Means Control", "Std. Mean Diff.", "Var. Ratio"), drop = FALSE]
    c(s)
  },
  weights = function(score, treated) {
    e <- score; c(ifelse(treated == 1, 1 / e, 1 / (1 - e)), ifelse(treated == 1, 1, e / (1 - e)), ifelse(treated == 1, 1 - e, e))
  }
)

drawn <- function() {
  set.seed(1983)
  n <- 70; x <- cbind(rnorm(n, 60, 9), rpois(n, 3) + rnorm(n) / 10); treated <- rbinom(n, 1, plogis((x[, 1] - 68) / 8))
  score <- round(plogis(rnorm(n, treated - 1)), 6); e <- sample(1:3, n, TRUE)
  list(
    list("propensity", list(treated, c(x))), list("nearest", list(score, treated)),
    list("nearest_caliper", list(score, treated, 0.02)), list("nearest_caliper_sd", list(score, treated, 0.2)),
    list("nearest_ratio", list(score, treated, 2)), list("nearest_smallest", list(score, treated)),
    list("nearest_data", list(score, treated)), list("nearest_exact", list(score, treated, e)),
    list("nearest_replace", list(score, treated)), list("balance", list(treated, c(x))),
    list("balance_matched", list(treated, c(x), score)), list("weights", list(score, treated))
  )
}

source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "oracle.R"))
