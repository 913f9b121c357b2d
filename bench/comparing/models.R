# The same models as a statistician fits them in R: Rscript models.R NAME FOLDER of columns as little-endian doubles.

arguments <- commandArgs(TRUE)
used <- function() sum(proc.time()[1:2])
column <- function(name) readBin(file.path(arguments[2], name), "double", 2e8)

work <- list(
  cox = function() {
    library(survival)
    d <- data.frame(time = column("time"), event = column("event"), x = matrix(column("x"), ncol = 10))
    started <- used()
    fit <- coxph(Surv(time, event) ~ ., d)
    list(started, c(coef(fit), sqrt(diag(vcov(fit)))))
  },
  repeated = function() {
    library(nlme)
    group <- column("group"); y <- matrix(column("y"), ncol = 6, byrow = TRUE); n <- length(group)
    d <- data.frame(id = rep(1:n, each = 6), visit = rep(1:6, n), y = c(t(y)), g = factor(rep(group, each = 6)),
                    b = rep(column("baseline"), each = 6))
    d <- d[!is.na(d$y), ]; d$v <- factor(d$visit)
    started <- used()
    fit <- gls(y ~ v + g + b + v:g + v:b, d, correlation = corSymm(form = ~ visit | id), weights = varIdent(form = ~ 1 | v))
    s <- summary(fit)$tTable
    list(started, c(coef(fit)[TRUE], s[TRUE, 2], logLik(fit)))
  },
  matching = function() {
    x <- matrix(column("x"), ncol = 12); treated <- column("treated"); y <- column("y")
    started <- used()
    score <- fitted(glm(treated ~ x, family = binomial))
    t <- which(treated == 1); t <- t[order(score[t], decreasing = TRUE)]
    free <- which(treated == 0); of_free <- score[free]; pair <- rep(NA, length(t))
    for (i in seq_along(t)) {
      away <- abs(of_free - score[t[i]])
      k <- which.min(away)
      if (length(k) && away[k] <= 0.02) { pair[i] <- free[k]; of_free[k] <- Inf }
    }
    t <- t[!is.na(pair)]; c <- pair[!is.na(pair)]
    pooled <- sqrt((apply(x[treated == 1, ], 2, var) + apply(x[treated == 0, ], 2, var)) / 2)
    smd <- (colMeans(x[t, ]) - colMeans(x[c, ])) / pooled
    list(started, c(length(t), t.test(y[t], y[c], paired = TRUE)$statistic, smd))
  }
)
done <- work[[arguments[1]]]()
seconds <- used() - done[[1]]
cat(sprintf('{"seconds": %.3f, "numbers": [%s]}\n', seconds, paste(sprintf("%.15g", done[[2]]), collapse = ", ")))
