# References of effects, exact tests and tests of ordered or paired categories: base R, exactRankTests, coin's formulas.

table_of <- function(cells) matrix(cells, 2, byrow = TRUE)
square_of <- function(cells) matrix(cells, sqrt(length(cells)), byrow = TRUE)
z <- qnorm(0.975)
known <- function(x) x[!is.na(x)]

reference <- list(
  wilson = function(x, n) prop.test(x, n, correct = FALSE)$conf.int,
  clopper_pearson = function(x, n) binom.test(x, n)$conf.int,
  risk_difference_wald = function(cells) {
    t <- table_of(cells); c(-diff(t[, 1] / rowSums(t)), prop.test(t, correct = FALSE)$conf.int)
  },
  risk_difference_newcombe = function(cells) {
    t <- table_of(cells); n <- rowSums(t); p <- t[, 1] / n
    w <- sapply(1:2, function(i) prop.test(t[i, 1], n[i], correct = FALSE)$conf.int)
    c(p[1] - p[2], p[1] - p[2] - sqrt((p[1] - w[1, 1])^2 + (w[2, 2] - p[2])^2),
      p[1] - p[2] + sqrt((w[2, 1] - p[1])^2 + (p[2] - w[1, 2])^2))
  },
  risk_ratio = function(cells) {
    t <- table_of(cells); n <- rowSums(t); rr <- t[1, 1] / n[1] / (t[2, 1] / n[2])
    r <- exp(log(rr) + c(0, -z, z) * sqrt(1 / t[1, 1] - 1 / n[1] + 1 / t[2, 1] - 1 / n[2])); if (all(is.finite(r))) r else NA
  },
  odds_ratio = function(cells) {
    if (any(cells == 0)) return(NA)
    d <- data.frame(y = c(1, 0, 1, 0), g = c(1, 1, 0, 0), n = cells)
    fit <- glm(y ~ g, binomial, d, weights = n, control = list(epsilon = 1e-15, maxit = 100))
    exp(c(coef(fit)[2], coef(fit)[2] + c(-z, z) * sqrt(sum(1 / cells)))) # vcov(fit) is that sum to its convergence
  },
  odds_ratio_exact = function(cells) fisher.test(table_of(cells))[c("estimate", "conf.int")] |> unlist(),
  odds_ratio_exact_tails = function(cells) { # what the limits must satisfy, which fisher.test does to four digits
    t <- table_of(cells); if (any(t == 0)) return(NA)
    m <- sum(t[, 1]); n <- sum(t[, 2]); k <- sum(t[1, ]); s <- max(0, k - n):min(k, m)
    d <- function(psi) { w <- dhyper(s, m, n, k, log = TRUE) + s * psi; w <- exp(w - max(w)); w / sum(w) }
    root <- function(f) exp(uniroot(f, c(-30, 30), tol = 1e-14, maxiter = 5000)$root)
    c(root(function(p) sum(s * d(p)) - t[1]), root(function(p) sum(d(p)[s >= t[1]]) - 0.025),
      root(function(p) sum(d(p)[s <= t[1]]) - 0.025))
  },
  hodges_lehmann = function(x, y) {
    c(median(outer(x, y, "-")), wilcox.test(x, y, conf.int = TRUE, exact = FALSE, tol.root = 1e-13)$conf.int)
  },
  hodges_lehmann_exact = function(x, y) {
    r <- wilcox.test(x, y, conf.int = TRUE, exact = TRUE); c(r$estimate, r$conf.int)
  },
  pseudomedian = function(d) {
    d <- d[d != 0]; w <- outer(d, d, "+") / 2
    c(median(w[upper.tri(w, TRUE)]), wilcox.test(d, conf.int = TRUE, exact = FALSE, tol.root = 1e-13)$conf.int)
  },
  pseudomedian_exact = function(d) { r <- wilcox.test(d, conf.int = TRUE, exact = TRUE); c(r$estimate, r$conf.int) },
  mann_whitney_exact = function(x, y) { # wilcox.exact, whose comparison with a mean that is no double loses a tail at times
    if (length(unique(c(x, y))) == 1) return(NA)
    r <- 2 * rank(c(x, y)); m <- length(x); s <- 0:sum(r); t <- sum(r[1:m]); e <- m * (length(r) + 1)
    d <- exactRankTests::dperm(s, as.integer(r), m); c(t / 2 - m * (m + 1) / 2, min(1, sum(d[abs(s - e) >= abs(t - e)])))
  },
  mann_whitney_untied = function(x, y) { r <- wilcox.test(x, y, exact = TRUE); c(r$statistic, r$p.value) },
  signed_rank_exact = function(d) { r <- exactRankTests::wilcox.exact(d, exact = TRUE); c(r$statistic, r$p.value) },
  smd = function(x, y) { x <- known(x); y <- known(y); (mean(x) - mean(y)) / sqrt((var(x) + var(y)) / 2) },
  smd_categories = function(x, y) {
    held <- x + y > 0; p <- (x / sum(x))[held][-1]; q <- (y / sum(y))[held][-1]
    S <- (diag(p, length(p)) - p %o% p + diag(q, length(q)) - q %o% q) / 2; sqrt(c((p - q) %*% solve(S, p - q)))
  },
  cochran_armitage = function(events, sizes) { r <- prop.trend.test(events, sizes); c(r$statistic, r$p.value) },
  jonckheere = function(...) {
    groups <- list(...); y <- unlist(groups); g <- rep(seq_along(groups), lengths(groups))
    r <- cor.test(y, g, method = "kendall", exact = FALSE); c(r$statistic, r$p.value)
  },
  bowker = function(cells) {
    t <- square_of(cells); u <- upper.tri(t); b <- t[u]; c <- t(t)[u]; e <- b + c > 0
    x <- sum((b - c)[e]^2 / (b + c)[e]); c(x, sum(e), pchisq(x, sum(e), lower.tail = FALSE))
  },
  bowker_by_mcnemar = function(cells) {
    r <- mcnemar.test(square_of(cells), correct = FALSE); c(r$statistic, r$parameter, r$p.value)
  },
  marginal_homogeneity = function(cells) { # Stuart and Maxwell; coin::mh_test gives the same statistic
    t <- square_of(cells); k <- nrow(t); d <- (rowSums(t) - colSums(t))[-k]
    V <- -(t + t(t)); diag(V) <- rowSums(t) + colSums(t) - 2 * diag(t); x <- c(d %*% solve(V[-k, -k], d))
    c(x, k - 1, pchisq(x, k - 1, lower.tail = FALSE))
  }
)

drawn <- function() {
  set.seed(1963)
  x <- sample(0:10, 14, TRUE); y <- sample(2:12, 11, TRUE); u <- round(rnorm(9), 3); v <- round(rnorm(12, 1), 3)
  d <- sample(-3:6, 18, TRUE); cells <- c(9, 21, 3, 30); square <- c(8, 5, 3, 9, 12, 4, 7, 6, 10)
  list(
    list("wilson", list(9, 30)), list("clopper_pearson", list(9, 30)), list("risk_difference_wald", list(cells)),
    list("risk_difference_newcombe", list(cells)), list("risk_ratio", list(cells)), list("odds_ratio", list(cells)),
    list("odds_ratio_exact", list(cells)), list("odds_ratio_exact_tails", list(cells)), list("hodges_lehmann", list(x, y)),
    list("hodges_lehmann_exact", list(u, v)), list("pseudomedian", list(d)), list("pseudomedian_exact", list(v)),
    list("mann_whitney_exact", list(x, y)), list("mann_whitney_untied", list(u, v)), list("signed_rank_exact", list(d)), list("smd", list(x, y)),
    list("smd_categories", list(c(4, 9, 5, 2), c(8, 3, 6, 2))), list("cochran_armitage", list(c(3, 6, 9), c(20, 22, 19))),
    list("jonckheere", list(x, y, y + 2)), list("bowker", list(square)), list("bowker_by_mcnemar", list(square)),
    list("marginal_homogeneity", list(square))
  )
}

source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "oracle.R"))
