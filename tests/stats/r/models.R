# References of models: lm, glm, packages nlme and emmeans. See oracle.R.

suppressPackageStartupMessages({ library(nlme); library(emmeans) })
emm_options(msg.interaction = FALSE, msg.nesting = FALSE)

coefficients_of <- function(fit) { s <- coef(summary(fit)); c(s[, 1], s[, 2], s[, 4]) }
means_of <- function(e) { s <- as.data.frame(summary(e)); c(s$emmean, s$SE, s$lower.CL, s$upper.CL) }
contrasts_of <- function(e, adjust) {
  s <- as.data.frame(summary(pairs(e, reverse = TRUE, adjust = adjust), infer = TRUE))
  c(s$estimate, s$SE, s$p.value, s$lower.CL, s$upper.CL)
}
long <- function(cells, g, b) {
  n <- length(g); v <- length(cells) / n
  d <- data.frame(y = cells, v = factor(rep(1:v, n)), visit = rep(1:v, n), id = rep(1:n, each = v),
                  g = factor(rep(g, each = v)), b = rep(b, each = v))
  d[!is.na(d$y), ]
}
gls_of <- function(d, ...) {
  fit <- gls(y ~ v + g + b + v:g + v:b, d, ..., control = glsControl(maxIter = 200, msMaxIter = 500, apVar = FALSE))
  fit$call$model <- y ~ v + g + b + v:g + v:b; fit$call$data <- d
  fit
}
by_gls <- function(cells, g, b) {
  gls_of(long(cells, g, b), correlation = corSymm(form = ~ visit | id), weights = varIdent(form = ~ 1 | v))
}
compound <- function(cells, g, b) {
  fit <- gls_of(long(cells, g, b), correlation = corCompSymm(form = ~ 1 | id)); fit
}
# gls searches by differences of the likelihood, which leaves about five digits. From where it (or least squares) ends,
# Newton's method on the same restricted likelihood, with extrapolated derivatives, finds the rest.
polished <- function(cells, g, b) {
  d <- long(cells, g, b); X <- model.matrix(y ~ v + g + b + v:g + v:b, d); k <- max(d$visit); N <- nrow(d)
  parts <- lapply(split(seq_len(N), d$id), function(i) list(v = d$visit[i], X = X[i, , drop = FALSE], y = d$y[i]))
  key <- sapply(parts, function(p) paste(p$v, collapse = " "))
  groups <- lapply(split(parts, key), function(ps) {
    m <- length(ps[[1]]$v); Z <- sapply(ps, function(p) c(cbind(p$X, p$y)))
    list(v = ps[[1]]$v, n = length(ps), M = array(tcrossprod(Z), c(m, ncol(X) + 1, m, ncol(X) + 1)))
  })
  S_of <- function(t) { S <- matrix(0, k, k); S[upper.tri(S, TRUE)] <- t; S + t(S) - diag(diag(S), k) }
  at <- function(t) {
    S <- S_of(t); T <- 0; det <- 0; q <- ncol(X) + 1
    for (p in groups) {
      W <- solve(S[p$v, p$v, drop = FALSE]); det <- det - p$n * c(determinant(W)$modulus)
      T <- T + matrix(apply(p$M, c(2, 4), function(m) sum(m * W)), q)
    }
    A <- T[-q, -q]; b <- T[-q, q]; V <- solve(A); beta <- c(V %*% b)
    list(beta = beta, V = V, S = S, l = -(det + c(determinant(A)$modulus) + T[q, q] - sum(b * beta) + (N - q + 1) * log(2 * pi)) / 2)
  }
  f <- function(t) -2 * at(t)$l
  r <- matrix(NA, max(d$id), k); r[cbind(d$id, d$visit)] <- resid(lm.fit(X, d$y)); S <- cov(r, use = "complete.obs")
  t <- optim(S[upper.tri(S, TRUE)], f, method = "BFGS", control = list(maxit = 500, reltol = 1e-12))$par
  for (i in 1:3) t <- t - solve(numDeriv::hessian(f, t), numDeriv::grad(f, t))
  at(t)
}
as_gls <- function(cells, g, b) { # for emmeans: gls's object with these estimates
  p <- polished(cells, g, b); fit <- by_gls(cells, g, b); fit$coefficients[] <- p$beta; fit$varBeta[] <- p$V; fit
}
fixed_of <- function(fit) c(coef(fit), sqrt(diag(vcov(fit))), logLik(fit))
df_of <- function(fit) fit$dims$N - fit$dims$p

reference <- list(
  linear = function(y, g, b) { fit <- lm(y ~ factor(g) + b); c(coefficients_of(fit), sigma(fit), summary(fit)$r.squared) },
  ancova_means = function(y, g, b) means_of(emmeans(lm(y ~ g + b, data.frame(y, g = factor(g), b)), ~ g)),
  ancova_contrasts = function(y, g, b) {
    contrasts_of(emmeans(lm(y ~ g + b, data.frame(y, g = factor(g), b)), ~ g), "none")
  },
  ancova_tukey = function(y, g, b) contrasts_of(emmeans(lm(y ~ g + b, data.frame(y, g = factor(g), b)), ~ g), "tukey"),
  ancova_tests = function(y, g, b) {
    g <- factor(g); fit <- lm(y ~ g + b)
    c(unlist(drop1(fit, test = "F")["g", c("F value", "Pr(>F)")]), unlist(anova(fit, lm(y ~ g * b))[2, c("F", "Pr(>F)")]))
  },
  logistic = function(event, cells) {
    x <- matrix(cells, length(event)); fit <- glm(event ~ x, binomial, control = list(epsilon = 1e-14, maxit = 50))
    c(coefficients_of(fit), exp(confint.default(fit)), fit$deviance, fit$null.deviance)
  },
  logistic_means = function(event, g, b) {
    fit <- glm(event ~ g + b, binomial, data.frame(event, g = factor(g), b), control = list(epsilon = 1e-14))
    predict(fit, type = "response")
  },
  repeated_unstructured = function(cells, g, b) { p <- polished(cells, g, b); c(p$beta, sqrt(diag(p$V)), p$l) },
  repeated_by_gls = function(cells, g, b) fixed_of(by_gls(cells, g, b)),
  repeated_compound = function(cells, g, b) fixed_of(compound(cells, g, b)),
  repeated_covariance = function(cells, g, b) c(polished(cells, g, b)$S),
  repeated_means = function(cells, g, b) {
    fit <- as_gls(cells, g, b); s <- as.data.frame(emmeans(fit, ~ v * g, df = df_of(fit)))
    s <- s[order(s$v, s$g), ]; c(s$emmean, s$SE, s$lower.CL, s$upper.CL)
  },
  repeated_contrasts = function(cells, g, b) {
    fit <- as_gls(cells, g, b); e <- emmeans(fit, ~ g | v, df = df_of(fit))
    s <- as.data.frame(summary(pairs(e, reverse = TRUE, adjust = "none"), infer = TRUE))
    c(s$estimate, s$SE, s$p.value, s$lower.CL, s$upper.CL)
  }
)

drawn <- function() {
  set.seed(2008)
  n <- 60; g <- rep(0:2, 20); b <- round(rnorm(n, 50, 10)); y <- round(b * 0.5 + 3 * g + rnorm(n, 0, 6))
  event <- rbinom(n, 1, plogis((b - 50) / 10)); cells <- c(b, rbinom(n, 1, 0.4), rpois(n, 3))
  arm <- rep(0:1, 30); u <- rnorm(n, 0, 5)
  visits <- round(t(sapply(1:n, function(i) 20 + 0.5 * b[i] + arm[i] * c(0, 2, 4) + u[i] + rnorm(3, 0, c(3, 4, 6)))), 1)
  visits[cbind(sample(n, 9), sample(2:3, 9, TRUE))] <- NA
  list(
    list("linear", list(y, g, b)), list("ancova_means", list(y, g, b)), list("ancova_contrasts", list(y, g, b)),
    list("ancova_tukey", list(y, g, b)), list("ancova_tests", list(y, g, b)), list("logistic", list(event, cells)),
    list("logistic_means", list(event, arm, b)), list("repeated_unstructured", list(c(t(visits)), arm, b)),
    list("repeated_by_gls", list(c(t(visits)), arm, b)), list("repeated_compound", list(c(t(visits)), arm, b)), list("repeated_covariance", list(c(t(visits)), arm, b)),
    list("repeated_means", list(c(t(visits)), arm, b)), list("repeated_contrasts", list(c(t(visits)), arm, b))
  )
}

source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "oracle.R"))
