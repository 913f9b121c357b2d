#!/usr/bin/env Rscript
# Computes every number of a comparison again from its data, and compares. Base R alone.
#
#   Rscript verify.R [--quick] [FOLDER ...]     folders of unpacked bundles; without one, the script's own
#
# data.csv is all that goes in; expected.csv says what was claimed. Each claim is printed beside R's number. The status
# is 0 if every claim was computed again and agrees, 1 if any differs or was not computed, 2 if the files cannot be read.
#
# --quick leaves out exact tests that take R minutes; it names each. They are computed without it.

RELATIVE <- 1e-9         # of every number, unless one of the next lines says otherwise
ROUNDING <- 1e-13        # absolute, in units of the data's largest value: a mean of zero has no relative difference
TUKEY <- 1e-9            # absolute. Where TukeyHSD is further away, ptukey itself may be the one that is out (by up to
TUKEY_OUT <- 2e-4        # this, most with few degrees of freedom): the same P from the definition then decides
FEXACT <- 1e-7           # relative, of exact tests of tables larger than 2 x k, and of 2 x k with more than MANY patients:
MANY <- 1000             # R's FEXACT joins the paths of partial tables by rounded keys and takes differences of log
                         # factorials, which grow with n; it is good to about 3e-8 there
SAMPLED_ERRORS <- 5      # standard errors between two Monte Carlo P, or between one and an exact P
RESAMPLES <- 100000      # of fisher.test(simulate.p.value = TRUE)
LONG <- 18               # log10 of the bound on the number of tables from where --quick leaves an r x c table out
BEYOND <- 28             # and from where R samples instead of enumerating

# What R found: a number, NA for "R cannot estimate it either", or why it was left out.
found <- function(value, how = "", relative = RELATIVE, absolute = 0, skipped = FALSE, setting = FALSE) {
  list(value = value, how = how, relative = relative, absolute = absolute, skipped = skipped, setting = setting)
}
exactly <- function(value) found(value, "", 0)
left_out <- function(why) found(NA_real_, why, skipped = TRUE)
# The value of an expression; NA where R stops, or gives NaN or infinity.
attempt <- function(expression) {
  value <- tryCatch(suppressWarnings(as.numeric(expression)), error = function(e) NA_real_)
  if (length(value) == 1 && is.finite(value)) value else NA_real_
}

# Reading ------------------------------------------------------------------------------------------------------------

read_table <- function(folder, name) {
  read.csv(file.path(folder, name), colClasses = "character", na.strings = "", check.names = FALSE, encoding = "UTF-8")
}
read_bundle <- function(folder) {
  b <- new.env(); b$folder <- folder
  for (name in c("data", "codebook", "expected", "value_sets")) b[[name]] <- read_table(folder, paste0(name, ".csv"))
  for (name in names(b$expected)) b$expected[[name]][is.na(b$expected[[name]])] <- ""
  for (name in names(b$codebook)) b$codebook[[name]][is.na(b$codebook[[name]])] <- ""
  b$texts <- if (file.exists(file.path(folder, "texts.csv"))) read_table(folder, "texts.csv") else NULL
  if (!is.null(b$texts)) b$texts$row[is.na(b$texts$row)] <- ""
  if (!identical(names(b$data), b$codebook$column)) stop("data.csv and codebook.csv do not have the same columns")
  b$groups <- codes_of(b, "group")
  b$members <- lapply(b$groups, function(code) which(b$data$group == code))
  names(b$members) <- b$groups
  b$rows <- split(seq_len(nrow(b$expected)), b$expected$row)
  b$pair_memory <- new.env(); b$typed <- new.env()
  b
}
split_codes <- function(text) if (text == "") character(0) else strsplit(text, "|", fixed = TRUE)[[1]]
codes_of <- function(b, column) split_codes(b$codebook$codes[b$codebook$column == column])
# A column as numbers, or as a factor whose levels are the codebook's codes.
typed <- function(b, column) {
  if (is.null(b$typed[[column]])) {
    kind <- b$codebook$kind[b$codebook$column == column]
    b$typed[[column]] <- if (kind == "continuous") as.numeric(b$data[[column]])
      else if (kind == "categorical") factor(b$data[[column]], levels = codes_of(b, column))
      else b$data[[column]]
  }
  b$typed[[column]]
}
column_for <- function(b, line, timepoint) {
  is <- b$codebook
  one <- which(is$variable == line$variable & is$timepoint == timepoint & is$value_set == line$value_set)
  if (length(one) != 1) stop("codebook.csv has no single column for ", line$variable, " at ", timepoint)
  is$column[one]
}
# The values of all patients; changes from baseline are rounded so that equal ones tie.
values_at <- function(b, line, timepoint) {
  if (timepoint != "delta") return(typed(b, column_for(b, line, timepoint)))
  round(typed(b, column_for(b, line, line$followup)) - typed(b, column_for(b, line, line$baseline)), 9)
}
values_in <- function(b, line, group, timepoint) values_at(b, line, timepoint)[b$members[[group]]]
pair_codes <- function(b, pair) {
  for (first in b$groups) for (second in b$groups) {
    if (first != second && paste0(first, "_vs_", second) == pair) return(c(first, second))
  }
  stop("no pair of groups: ", pair)
}

# Description --------------------------------------------------------------------------------------------------------

describe <- list(
  mean = mean, sd = sd, median = median, min = min, max = max,
  q1 = function(x) quantile(x, 0.25, names = FALSE), q3 = function(x) quantile(x, 0.75, names = FALSE)
)
described <- function(x, statistic) {
  x <- x[!is.na(x)]
  found(attempt(describe[[statistic]](x)), absolute = ROUNDING * max(0, abs(x)))
}

# Tests of a continuous variable ---------------------------------------------------------------------------------------

# y and g of the patients with a value and a group; groups without any are dropped.
grouped <- function(y, g) {
  known <- !is.na(y) & !is.na(g)
  list(y = y[known], g = droplevels(g[known]))
}
# Without scatter within groups F is 0/0, or what rounding left of it: aov() prints either.
no_scatter <- function(d) all(tapply(d$y, d$g, function(x) all(x == x[1])))

test_overall <- list(
  anova = function(y, g) {
    d <- grouped(y, g)
    if (no_scatter(d)) return(found(NA_real_, "no scatter within groups"))
    found(attempt(summary(aov(y ~ g, d))[[1]][1, "Pr(>F)"]), "aov")
  },
  kruskal_wallis = function(y, g) { d <- grouped(y, g); found(attempt(kruskal.test(d$y, d$g)$p.value), "kruskal.test") },
  t_test = function(y, g) test_two$t_test(y[g %in% levels(g)[1]], y[g %in% levels(g)[2]]),
  mann_whitney = function(y, g) test_two$mann_whitney(y[g %in% levels(g)[1]], y[g %in% levels(g)[2]]),
  welch_t = function(y, g) test_two$welch_t(y[g %in% levels(g)[1]], y[g %in% levels(g)[2]]),
  mann_whitney_exact = function(y, g) test_two$mann_whitney_exact(y[g %in% levels(g)[1]], y[g %in% levels(g)[2]]),
  welch_anova = function(y, g) {
    d <- grouped(y, g)
    if (any(tapply(d$y, d$g, function(x) all(x == x[1])))) return(found(NA_real_, "a group without scatter"))
    found(attempt(oneway.test(d$y ~ d$g)$p.value), "oneway.test")
  }
)
test_two <- list(
  t_test = function(x, y) found(attempt(t.test(x, y, var.equal = TRUE)$p.value), "t.test(var.equal)"),
  welch_t = function(x, y) found(attempt(t.test(x, y)$p.value), "t.test"),
  mann_whitney = function(x, y) found(attempt(wilcox.test(x, y, correct = TRUE, exact = FALSE)$p.value), "wilcox.test"),
  mann_whitney_exact = function(x, y) {
    x <- x[!is.na(x)]; y <- y[!is.na(y)]
    if (length(x) >= SMALL || length(y) >= SMALL) return(test_two$mann_whitney(x, y))
    if (length(x) == 0 || length(y) == 0 || length(unique(c(x, y))) == 1) return(found(NA_real_, "nothing to rank"))
    found(rank_sum_exact(x, y), "every arrangement")
  }
)
# Exact tests of ranks with ties: how many arrangements give each doubled sum of mid-ranks.
SMALL <- 50
rank_sum_exact <- function(x, y) {
  r <- round(2 * rank(c(x, y))); m <- length(x); most <- sum(sort(r, decreasing = TRUE)[1:m])
  ways <- matrix(0, most + 1, m + 1); ways[1, 1] <- 1
  for (v in r) if (v <= most) {
    moved <- (v + 1):(most + 1)
    ways[moved, -1] <- ways[moved, -1] + ways[seq_len(most + 1 - v), -(m + 1)]
  }
  p <- ways[, m + 1] / sum(ways[, m + 1]); away <- abs(0:most - m * (length(r) + 1))
  min(1, sum(p[away >= abs(sum(r[1:m]) - m * (length(r) + 1))]))
}
signed_rank_exact <- function(d) {
  r <- round(2 * rank(abs(d))); p <- 1
  for (v in r) p <- (c(p, numeric(v)) + c(numeric(v), p)) / 2
  s <- seq_along(p) - 1; v <- sum(r[d > 0]); min(1, 2 * min(sum(p[s <= v]), sum(p[s >= v])))
}
# All pairs at once: a function of the data that takes two group codes.
test_all_pairs <- list(
  tukey_hsd = function(y, g) {
    d <- grouped(y, g)
    if (length(d$y) == 0 || no_scatter(d)) return(function(a, b, claim) found(NA_real_, "no scatter within groups"))
    numbered <- factor(as.integer(factor(d$g, levels(g))))
    fit <- tryCatch(aov(y ~ g, list(y = d$y, g = numbered)), error = function(e) NULL)
    if (is.null(fit)) return(function(a, b, claim) found(NA_real_, "aov stops"))
    table <- tryCatch(suppressWarnings(TukeyHSD(fit)$g), error = function(e) NULL)
    function(a, b, claim) {
      place <- sort(match(c(a, b), levels(g)))
      name <- paste(rev(place), collapse = "-")
      if (is.null(table) || !name %in% rownames(table)) return(found(NA_real_, "TukeyHSD has no such pair"))
      p <- attempt(table[name, "p adj"])
      apart <- abs(p - claim)
      if (is.na(apart) || apart <= TUKEY || apart > TUKEY_OUT) return(found(p, "TukeyHSD", 0, TUKEY))
      exact <- by_definition(d, levels(g)[place], fit$df.residual)
      found(exact, sprintf("definition (TukeyHSD is out by %.0e)", abs(p - exact)), 0, TUKEY)
    }
  },
  dunn = function(y, g) {
    d <- grouped(y, g); r <- rank(d$y); n <- length(r); ties <- table(d$y)
    spread <- n * (n + 1) / 12 - sum(ties^3 - ties) / (12 * (n - 1))
    function(a, b, claim) {
      x <- r[d$g == a]; y <- r[d$g == b]
      z <- (mean(y) - mean(x)) / sqrt(spread * (1 / length(x) + 1 / length(y)))
      found(attempt(2 * pnorm(-abs(z))), "Dunn's formula")
    }
  }
)
# P of Tukey's test from the definition of the studentized range: sums over fine grids, on which both integrands are
# smooth and vanish at the ends, so that they are exact to about 1e-13.
by_definition <- function(d, pair, df) {
  n <- tapply(d$y, d$g, length); m <- tapply(d$y, d$g, mean); k <- nlevels(d$g)
  within <- sum((d$y - m[as.character(d$g)])^2) / df
  q <- unname(abs(m[pair[1]] - m[pair[2]]) / sqrt(within / 2 * (1 / n[pair[1]] + 1 / n[pair[2]])))
  z <- seq(-9, 14, 0.05)
  over <- function(w) k * 0.05 * sum(dnorm(z) * (pnorm(z)^(k - 1) - (pnorm(z) - pnorm(z - w))^(k - 1)))
  u <- seq(-40 / df - 6 / sqrt(df), 8 / sqrt(df), length.out = 500); s <- exp(u)
  (u[2] - u[1]) * sum(2 * df * s^2 * dchisq(df * s^2, df) * vapply(q * s, over, 0))
}
test_change <- list(
  wilcoxon_signed_rank = function(change) {
    found(attempt(wilcox.test(change, correct = TRUE, exact = FALSE)$p.value), "wilcox.test")
  },
  signed_rank_uncorrected = function(change) {
    found(attempt(wilcox.test(change, correct = FALSE, exact = FALSE)$p.value), "wilcox.test(correct = FALSE)")
  },
  signed_rank_exact = function(change) {
    moved <- change[!is.na(change) & change != 0]
    if (length(moved) == 0 || length(moved) >= SMALL) return(test_change$wilcoxon_signed_rank(change))
    found(signed_rank_exact(moved), "every arrangement")
  },
  paired_t = function(change) found(attempt(t.test(change)$p.value), "t.test")
)

# Tests of tables ------------------------------------------------------------------------------------------------------

# Rows and columns that hold nobody say nothing, as levels that do not occur.
occupied <- function(table) table[rowSums(table) > 0, colSums(table) > 0, drop = FALSE]
# claim: list(p, error) where the claim is a Monte Carlo P; NULL where it is exact.
test_table <- list(
  fisher_exact = function(table, claim, quick) {
    if (nrow(table) < 2) return(found(NA_real_, "one group"))
    if (ncol(table) < 2) return(found(1, "the variable does not vary"))
    r <- sort(rowSums(table)); k <- sort(colSums(table))
    bound <- sum(log10(outer(r[-length(r)], k[-length(k)], pmin) + 1))
    large <- min(dim(table)) > 2
    if (quick && large && bound > LONG && is.null(claim)) {
      return(left_out(sprintf("--quick: exact test of a %d x %d table of %d", nrow(table), ncol(table), sum(table))))
    }
    if (is.null(claim) && bound < BEYOND) for (workspace in if (bound < 12) c(2e6, 2e8) else 2e8) {
      p <- attempt(fisher.test(table, workspace = workspace, conf.int = FALSE)$p.value)
      if (!is.na(p)) return(found(p, "fisher.test", if (large || (max(dim(table)) > 2 && sum(table) > MANY)) FEXACT else RELATIVE))
    }
    sampled(table, claim)
  },
  chi_square = function(table, claim, quick) pearson(table, FALSE),
  chi_square_corrected = function(table, claim, quick) pearson(table, TRUE)
)
sampled <- function(table, claim) {
  set.seed(1)
  p <- attempt(fisher.test(table, simulate.p.value = TRUE, B = RESAMPLES)$p.value)
  error <- sqrt(p * (1 - p) / RESAMPLES + (if (is.null(claim)) 0 else claim$error)^2)
  found(p, "fisher.test sampled: 5 standard errors", 0, SAMPLED_ERRORS * error)
}
pearson <- function(table, correct) {
  if (min(dim(table)) < 2) return(found(NA_real_, "one row or column"))
  found(attempt(chisq.test(table, correct = correct)$p.value), "chisq.test")
}
mcnemar <- function(before, after) found(attempt(mcnemar.test(table(before, after))$p.value), "mcnemar.test")

ADJUSTMENTS <- c(none = "none", benjamini_hochberg = "BH", holm = "holm", bonferroni = "bonferroni")

# One claim ------------------------------------------------------------------------------------------------------------

# Of the row of a line, the values of another statistic of the same group or pair; character(0) if there is none.
same_row <- function(b, line, statistic) {
  of <- b$rows[[line$row]]
  b$expected$value[of[b$expected$statistic[of] == statistic & b$expected$group[of] == line$group]]
}
# The Monte Carlo P that a claim is, and its standard error; NULL for an exact one.
sampled_claim <- function(b, line) {
  error <- same_row(b, line, paste0(sub("^p(_raw)?", "monte_carlo", line$statistic), "/standard_error"))
  if (length(error) == 0) return(NULL)
  list(p = as.numeric(same_row(b, line, line$statistic)), error = as.numeric(error))
}
test_of <- function(line) {
  if (line$statistic %in% c("p", "p_raw")) line$test else sub("^p_", "", line$statistic)
}

p_overall <- function(b, line, quick) {
  y <- values_at(b, line, ""); g <- typed(b, "group")
  if (line$kind == "continuous") return(test_overall[[test_of(line)]](y, g))
  test_table[[test_of(line)]](occupied(table(g, y)), sampled_claim(b, line), quick)
}
p_recovery <- function(b, line, quick) {
  before <- values_in(b, line, line$group, line$baseline); after <- values_in(b, line, line$group, line$timepoint)
  if (line$kind == "continuous") return(test_change[[test_of(line)]](round(after - before, 9)))
  if (test_of(line) == "mcnemar") return(mcnemar(before, after))
  counts <- rbind(table(before), table(after))
  if (any(rowSums(counts) == 0)) return(found(NA_real_, "nobody at one of the times"))
  test_table[[test_of(line)]](occupied(counts), sampled_claim(b, line), quick)
}
p_of_pair <- function(b, line, pair, quick) {
  y <- values_at(b, line, line$timepoint); g <- factor(typed(b, "group"), b$groups)
  two <- pair_codes(b, pair)
  if (!is.null(test_all_pairs[[line$test]])) return(remembered(b, line, y, g)(two[1], two[2], as.numeric(line$value)))
  if (line$kind == "continuous") return(test_two[[line$test]](y[g %in% two[1]], y[g %in% two[2]]))
  line$group <- pair; line$statistic <- "p_raw"
  counts <- table(factor(g, two), y)
  if (any(rowSums(counts) == 0)) return(found(NA_real_, "an empty group"))
  test_table[[line$test]](occupied(counts), sampled_claim(b, line), quick)
}
remembered <- function(b, line, y, g) {
  if (is.null(b$pair_memory[[line$row]])) b$pair_memory[[line$row]] <- test_all_pairs[[line$test]](y, g)
  b$pair_memory[[line$row]]
}
# P adjusted over the pairs of the row. A Monte Carlo P, checked by itself, enters as claimed: two samples never agree.
p_adjusted <- function(b, line, quick) {
  of <- b$rows[[line$row]]
  pairs <- b$expected$group[of[b$expected$statistic[of] == "p"]]
  raw <- lapply(pairs, function(pair) p_of_pair(b, line, pair, quick))
  if (any(vapply(raw, `[[`, TRUE, "skipped"))) return(left_out("--quick: one of its tests was left out"))
  p <- vapply(seq_along(pairs), function(i) {
    one <- line; one$group <- pairs[i]; one$statistic <- "p_raw"
    claim <- sampled_claim(b, one)
    if (is.null(claim)) raw[[i]]$value else claim$p
  }, 0)
  adjusted <- p.adjust(p, ADJUSTMENTS[[line$adjust]])
  found(adjusted[match(line$group, pairs)], paste("p.adjust", ADJUSTMENTS[[line$adjust]]),
        max(vapply(raw, `[[`, 0, "relative")), max(vapply(raw, `[[`, 0, "absolute")))
}
p_value <- function(b, line, quick) {
  if (line$table == "recovery") return(p_recovery(b, line, quick))
  if (line$timepoint == "") return(p_overall(b, line, quick))
  if (line$statistic == "p_raw" || line$adjust == "") return(p_of_pair(b, line, line$group, quick))
  p_adjusted(b, line, quick)
}

# Kendall's test of values against the order of groups; of two observations cor.test divides by zero, where z is 1 or -1.
kendall <- function(y, g) {
  k <- !is.na(y) & !is.na(g); y <- y[k]; g <- g[k]
  if (length(y) == 2 && y[1] != y[2] && g[1] != g[2]) return(list(statistic = sign((y[2] - y[1]) * (g[2] - g[1])), p.value = 2 * pnorm(-1)))
  cor.test(y, g, method = "kendall", exact = FALSE)
}
# Statistics of tests, with their degrees of freedom after them: c(2.31, 45.2). Of samples, of tables, of changes.
number_and_df <- function(test) tryCatch({ t <- suppressWarnings(test); unname(c(t$statistic, t$parameter)) }, error = function(e) NA_real_)
first_two <- function(y, g) list(y[g %in% levels(g)[1]], y[g %in% levels(g)[2]])
rank_sum <- function(y, g) { two <- first_two(y, g); number_and_df(wilcox.test(two[[1]], two[[2]], exact = FALSE)) }
signed_ranks <- function(change) number_and_df(wilcox.test(change, exact = FALSE))
statistic_of <- list(
  anova = function(y, g) { d <- grouped(y, g); s <- summary(aov(y ~ g, d))[[1]]; c(s[1, "F value"], s$Df) },
  welch_anova = function(y, g) { d <- grouped(y, g); number_and_df(oneway.test(d$y ~ d$g)) },
  kruskal_wallis = function(y, g) { d <- grouped(y, g); number_and_df(kruskal.test(d$y, d$g)) },
  t_test = function(y, g) { two <- first_two(y, g); number_and_df(t.test(two[[1]], two[[2]], var.equal = TRUE)) },
  welch_t = function(y, g) { two <- first_two(y, g); number_and_df(t.test(two[[1]], two[[2]])) },
  mann_whitney = rank_sum, mann_whitney_exact = rank_sum, mann_whitney_uncorrected = rank_sum,
  jonckheere = function(y, g) number_and_df(kendall(y, as.numeric(g))),
  wilcoxon_signed_rank = signed_ranks, signed_rank_exact = signed_ranks, signed_rank_uncorrected = signed_ranks,
  paired_t = function(change) number_and_df(t.test(change)),
  chi_square = function(table) number_and_df(chisq.test(table, correct = FALSE)),
  chi_square_corrected = function(table) number_and_df(chisq.test(table, correct = TRUE)),
  mcnemar = function(table) number_and_df(mcnemar.test(table))
)
# Of one pair, from all groups: q of Tukey's test, z of Dunn's.
statistic_of_pair <- list(
  tukey_hsd = function(y, g, two) {
    d <- grouped(y, g); df <- length(d$y) - nlevels(d$g); m <- tapply(d$y, d$g, mean); n <- tapply(d$y, d$g, length)
    within <- sum((d$y - m[as.character(d$g)])^2) / df
    c(abs(m[[two[1]]] - m[[two[2]]]) / sqrt(within / 2 * sum(1 / n[two])), df)
  },
  dunn = function(y, g, two) {
    d <- grouped(y, g); r <- rank(d$y); n <- length(r); ties <- table(d$y)
    spread <- n * (n + 1) / 12 - sum(ties^3 - ties) / (12 * (n - 1)); x <- r[d$g == two[1]]; z <- r[d$g == two[2]]
    (mean(z) - mean(x)) / sqrt(spread * (1 / length(x) + 1 / length(z)))
  }
)
# The first number, or degrees of freedom by their place: what a line `statistic`, `df` or `df/1` claims.
part_of <- function(numbers, name) {
  place <- if (startsWith(name, "statistic")) 1 else 2 + if (grepl("/", name)) as.integer(sub(".*/", "", name)) else 0
  found(attempt(numbers[place]), "statistic", absolute = 1e-9)
}
statistic_value <- function(b, line) {
  name <- line$statistic; further <- sub("^(statistic|df)_?", "", sub("/.*", "", name)); when <- line$timepoint
  test <- if (further == "") line$test else further; g <- factor(typed(b, "group"), b$groups)
  if (line$table == "recovery") {
    before <- values_in(b, line, line$group, line$baseline); after <- values_in(b, line, line$group, when)
    if (line$kind == "continuous") return(part_of(statistic_of[[test]](round(after - before, 9)), name))
    taken <- if (test == "mcnemar") table(before, after) else occupied(rbind(table(before), table(after)))
    return(part_of(statistic_of[[test]](taken), name))
  }
  y <- values_at(b, line, when); two <- if (when == "") levels(droplevels(g)) else pair_codes(b, line$group)
  if (!is.null(statistic_of_pair[[test]])) return(part_of(statistic_of_pair[[test]](y, g, two), name))
  if (line$kind != "continuous") return(part_of(statistic_of[[test]](occupied(table(factor(g, two), y))), name))
  part_of(statistic_of[[test]](y[g %in% two], factor(g[g %in% two], two)), name)
}

# Counts of patients. What was excluded is not in the data: each step of the flow must follow from the next one, and
# the sites must add up to it.
cohort_count <- function(b, line) {
  everyone <- nrow(b$data)
  flow <- function(statistic, place) {
    all <- b$expected[b$expected$table == "cohort" & b$expected$statistic == statistic, ]
    as.numeric(all$value[all$code == place])
  }
  place <- suppressWarnings(as.integer(line$code))
  # The sum over one site, or over all the others; of one step or of all.
  of_sites <- function(statistic, site, at = NULL, others = FALSE) {
    all <- b$expected[b$expected$table == "cohort" & b$expected$statistic == statistic, ]
    all <- all[xor(all$group == site, others), ]
    if (!is.null(at)) all <- all[all$code == at, ]
    sum(as.numeric(all$value))
  }
  switch(line$statistic,
    n = exactly(if (line$group == "") everyone else length(b$members[[line$group]])),
    in_no_group = exactly(sum(is.na(b$data$group))),
    flow_n = {
      excluded <- flow("flow_excluded", place + 1)
      if (length(excluded)) found(flow("flow_n", place + 1) + excluded, "the next step and its excluded", 0)
      else exactly(everyone)
    },
    flow_excluded = found(flow("flow_n", place - 1) - line$number, "patients before less patients after", 0),
    site_enrolled = found(of_sites("site_excluded", line$group) + of_sites("site_analysed", line$group),
                          "excluded and analysed of the site", 0),
    site_excluded = found(flow("flow_excluded", place) - of_sites("site_excluded", line$group, place, others = TRUE),
                          "excluded less those of the other sites", 0),
    site_analysed = found(everyone - of_sites("site_analysed", line$group, others = TRUE),
                          "analysed less those of the other sites", 0),
    NULL
  )
}

recompute <- function(b, line, quick) {
  statistic <- line$statistic
  if (line$table == "cohort") {
    if (statistic == "flow_excluded") {
      after <- b$expected[b$expected$table == "cohort" & b$expected$statistic == "flow_n" & b$expected$code == line$code, ]
      line$number <- as.numeric(after$value)
    }
    return(cohort_count(b, line))
  }
  if (grepl("^p(_|$)", statistic)) return(p_value(b, line, quick))
  if (grepl("^(statistic|df)($|[_/])", statistic)) return(statistic_value(b, line))
  if (grepl("^monte_carlo", statistic)) return(of_sampling(b, line))
  if (statistic == "pairs") {
    before <- values_in(b, line, line$group, line$baseline); after <- values_in(b, line, line$group, line$timepoint)
    return(exactly(sum(!is.na(before) & !is.na(after))))
  }
  x <- values_in(b, line, line$group, line$timepoint)
  if (statistic == "n") return(exactly(sum(!is.na(x))))
  if (statistic == "missing") return(exactly(sum(is.na(x))))
  if (statistic == "counts") return(exactly(sum(x == line$code, na.rm = TRUE)))
  if (!is.null(describe[[statistic]])) return(described(x, statistic))
  NULL
}
# How a P was sampled: its standard error follows from it; the number of samples and the seed are what was chosen.
of_sampling <- function(b, line) {
  part <- sub(".*/", "", line$statistic)
  if (part %in% c("resamples", "seed")) return(found(as.numeric(line$value), "chosen, not computed", setting = TRUE))
  if (part != "standard_error") return(NULL)
  suffix <- sub("^monte_carlo", "", sub("/.*", "", line$statistic))
  raw <- same_row(b, line, "p_raw")
  p <- if (suffix == "" && length(raw)) raw else same_row(b, line, paste0("p", suffix))
  p <- as.numeric(p); resamples <- as.numeric(same_row(b, line, paste0("monte_carlo", suffix, "/resamples")))
  found(sqrt(p * (1 - p) / resamples), "from P and the number of samples")
}

# Derived columns ------------------------------------------------------------------------------------------------------

# Further terms of the published value sets, from the five levels.
TERMS <- list(
  any_problem = function(l) any(l > 1), any_4_or_5 = function(l) any(l > 3), any_5 = function(l) any(l > 4),
  count_4_or_5_minus_1_squared = function(l) max(0, sum(l > 3) - 1)^2,
  MO_x_AD = function(l) (l[1] - 1) * (l[5] - 1), PD_x_AD = function(l) (l[4] - 1) * (l[5] - 1)
)
hsuv_of <- function(state, terms) {
  l <- as.integer(strsplit(state, "")[[1]])
  main <- paste0(c("MO", "SC", "UA", "PD", "AD"), l)[l > 1]
  further <- setdiff(names(terms), c("full_health", outer(c("MO", "SC", "UA", "PD", "AD"), 2:5, paste0)))
  terms[["full_health"]] + sum(terms[main]) + sum(vapply(further, function(t) terms[[t]] * TERMS[[t]](l), 0))
}
derived_hsuv <- function(b, from, value_set) {
  mine <- b$value_sets[b$value_sets$value_set == value_set, ]
  terms <- setNames(as.numeric(mine$coefficient), mine$term)
  states <- unique(from[!is.na(from)])
  values <- vapply(states, hsuv_of, 0, terms)
  unname(values[match(from, states)])
}
derived <- function(b, source, rule) {
  from <- b$data[[source]]
  kind <- sub(":.*", "", rule); detail <- sub("^[^:]*:", "", rule)
  if (kind == "divide") return(as.numeric(from) / as.numeric(detail))
  if (kind == "recode") {
    parts <- split_codes(detail); cut <- regexpr("=", parts, fixed = TRUE)
    to <- substring(parts, cut + 1); to[to == ""] <- NA
    return(to[match(from, substring(parts, 1, cut - 1))])
  }
  if (kind == "value_set") {
    return(derived_hsuv(b, from, detail))
  }
  stop("no such rule: ", rule)
}
# How many patients have another value than the rule gives.
check_derived <- function(b, column, source, rule) {
  given <- b$data[[column]]
  made <- derived(b, source, rule)
  if (is.numeric(made)) {
    given <- as.numeric(given)
    unlike <- abs(given - made) > 1e-12
  } else unlike <- given != made
  sum(is.na(given) != is.na(made)) + sum(unlike, na.rm = TRUE)
}

# Reports: survival, EQ-5D, and what the figures draw ------------------------------------------------------------------
#
# Each function gives every number of one row, named by its path: c(n = 31, "counts/0/1" = 4). `claim` gives a setting
# of the row, such as the width of a step, by its path.

DIMENSIONS <- c("eq5d_mobility", "eq5d_self_care", "eq5d_usual_activities", "eq5d_pain_discomfort", "eq5d_anxiety_depression")
VERTEBRAE <- c(paste0("C", 1:7), paste0("T", 1:12), paste0("L", 1:5), "S")

is_setting <- function(table, statistic) {
  table == "figures/thresholds" | statistic %in% c("step", "threshold", "days_in_unit", "landmark_day") | grepl("^ticks/", statistic) |
    grepl("^landmarks/[0-9]+/time$", statistic) | grepl("(^|/)(decimals|confidence|resamples|seed|iterations)$", statistic) |
    any(vapply(section_settings, grepl, TRUE, x = table[1]))
}
people <- function(b, group) if (group == "all") unlist(b$members, use.names = FALSE) else b$members[[group]]
at <- function(b, line, variable, timepoint, value_set = "") {
  line$variable <- variable; line$value_set <- value_set
  values_at(b, line, timepoint)[people(b, line$group)]
}
or_na <- function(f, x) if (length(x)) f(x) else NA_real_
known <- function(x) c(n = sum(!is.na(x)), missing = sum(is.na(x)))
moments <- function(x) {
  x <- x[!is.na(x)]; n <- length(x)
  m <- function(k) mean((x - mean(x))^k)
  varied <- n > 1 && any(x != x[1])
  counted <- table(x)
  c(mean = or_na(mean, x), sd = if (n > 1) sd(x) else NA, standard_error = if (n > 1) sd(x) / sqrt(n) else NA,
    median = or_na(median, x), q1 = quartile(x, 0.25), q3 = quartile(x, 0.75), min = or_na(min, x), max = or_na(max, x),
    range = if (n) max(x) - min(x) else NA, mode = if (n) as.numeric(names(counted)[which.max(counted)]) else NA,
    skewness = if (varied) m(3) / m(2)^1.5 else NA, kurtosis = if (varied) m(4) / m(2)^2 else NA)
}
quartile <- function(x, p) { # quantile(x, p), type 7, in the order of operations that keeps a whisker's end on a value
  if (length(x) == 0) return(NA_real_)
  x <- sort(x); place <- (length(x) - 1) * p; low <- floor(place)
  x[low + 1] + (place - low) * (x[min(low + 2, length(x))] - x[low + 1])
}
# A list of vectors of the same names, each element's names led by its place: "most_frequent/0/count".
numbered <- function(rows, path) {
  named <- lapply(seq_along(rows), function(i) setNames(rows[[i]], paste(path, i - 1, names(rows[[i]]), sep = "/")))
  unlist(named)
}
# Rows of whole numbers and how often each occurs, in ascending order; worth: what a whole number stands for.
counted_rows <- function(columns, worth = identity) {
  if (length(columns[[1]]) == 0) return(NULL)
  key <- do.call(paste, columns)
  first <- !duplicated(key)
  rows <- lapply(columns, `[`, first)
  times <- as.vector(table(key)[key[first]])
  order <- do.call(base::order, rows)
  table <- do.call(cbind, c(lapply(rows, worth), list(times)))[order, , drop = FALSE]
  numbered(lapply(seq_len(nrow(table)), function(i) setNames(table[i, ], seq_len(ncol(table)) - 1)), "counts")
}
on_steps <- function(x, step) floor(x / step + 0.5)
stepped <- function(step) function(place) round(place * step, 6)
value_set_of <- function(b, variable) {
  if (variable != "hsuv") return("")
  b$codebook$value_set[b$codebook$variable == "hsuv"][1]
}
change_of <- function(b, line) {
  line$followup <- line$timepoint
  at(b, line, line$variable, "delta", value_set_of(b, line$variable))
}
# (patients x 5) levels of a group at a timepoint.
levels_of <- function(b, line, timepoint) {
  matrix(vapply(DIMENSIONS, function(d) as.numeric(as.character(at(b, line, d, timepoint))), numeric(length(people(b, line$group)))),
         ncol = 5, dimnames = list(NULL, DIMENSIONS))
}
complete_levels <- function(l) l[rowSums(is.na(l)) == 0, , drop = FALSE]
state_of <- function(l) as.vector(l %*% 10^(4:0))
both_levels <- function(b, line) {
  before <- levels_of(b, line, line$baseline); after <- levels_of(b, line, line$timepoint)
  both <- rowSums(is.na(before)) == 0 & rowSums(is.na(after)) == 0
  list(before = before[both, , drop = FALSE], after = after[both, , drop = FALSE], known = c(n = sum(both), missing = sum(!both)))
}
# Value and rank (1 the best, equal ones share) of the 3125 profiles; names are states.
ranks_of <- function(b) {
  if (is.null(b$ranks)) {
    l <- as.matrix(expand.grid(1:5, 1:5, 1:5, 1:5, 1:5)); states <- as.character(state_of(l))
    worth <- round(derived_hsuv(b, states, value_set_of(b, "hsuv")), 9)
    b$ranks <- setNames(rank(-worth), states)
  }
  b$ranks
}

kaplan_meier <- function(time, died) {
  t <- sort(unique(time)); left <- tabulate(match(time, t), length(t))
  n <- as.numeric(rev(cumsum(rev(left)))); d <- tabulate(match(time[died == 1], t), length(t))
  s <- cumprod(1 - d / n); factor <- exp(qnorm(0.975) * sqrt(cumsum(d / (n * (n - d)))))
  s[s < 1e-15] <- 0
  alive <- s; alive[s == 0] <- NA
  list(time = t, at_risk = n, died = d, censored = left - d, survival = s, low = alive / factor, high = pmin(1, alive * factor))
}
time_of_half <- function(time, s) {
  first <- which(s <= 0.5 + 2e-8)[1]; below <- which(s < 0.5 - 2e-8)[1]
  if (is.na(first)) NA else if (s[first] < 0.5 - 2e-8 || is.na(below)) time[first] else (time[first] + time[below]) / 2
}
# From the landmark on, where the cohort asks for a follow-up of some days: nobody in it can have died before.
followed <- function(b, line, landmark = as.numeric(b$expected$value[b$expected$statistic == "landmark_day"])) {
  months <- at(b, line, "followup_months", ""); died <- at(b, line, "died", "") == "yes"
  if (landmark > 0) months <- (round(months * 30.4375) - landmark) / 30.4375
  both <- !is.na(months) & !is.na(died)
  list(time = months[both], died = as.numeric(died[both]), known = c(n = sum(both), missing = sum(!both)))
}
landmark <- function(curve, time, t) {
  if (t > max(curve$time)) return(c(at_risk = 0, survival = NA, low = NA, high = NA))
  step <- sum(curve$time <= t); at_risk <- sum(time >= t)
  if (step == 0) return(c(at_risk = at_risk, survival = 1, low = 1, high = 1))
  c(at_risk = at_risk, survival = curve$survival[step], low = curve$low[step], high = curve$high[step])
}

report <- list(
  "figures/levels" = function(b, line, claim) {
    lesions <- b$data$lesion_levels[people(b, line$group)]
    each <- paste0(";", lesions, ";")
    c(known(lesions), setNames(vapply(VERTEBRAE, function(v) sum(grepl(paste0(";", v, ";"), each, fixed = TRUE)), 0),
                               paste0("counts/", VERTEBRAE)))
  },
  "figures/distributions" = function(b, line, claim) {
    all <- at(b, line, line$variable, line$timepoint, value_set_of(b, line$variable)); x <- all[!is.na(all)]
    m <- moments(x); reach <- 1.5 * (m[["q3"]] - m[["q1"]])
    inside <- x[x >= m[["q1"]] - reach & x <= m[["q3"]] + reach]
    c(known(all), m[c("mean", "median", "q1", "q3", "min", "max")],
      low = if (length(x)) min(inside, m[["q1"]]) else NA, high = if (length(x)) max(inside, m[["q3"]]) else NA,
      counted_rows(list(on_steps(x, claim("step"))), stepped(claim("step"))))
  },
  "figures/trajectories" = function(b, line, claim) {
    set <- value_set_of(b, line$variable)
    before <- at(b, line, line$variable, line$baseline, set); after <- at(b, line, line$variable, line$timepoint, set)
    both <- !is.na(before) & !is.na(after); step <- claim("step")
    c(n = sum(both), missing = sum(!both),
      counted_rows(list(on_steps(before[both], step), on_steps(after[both], step)), stepped(step)))
  },
  "figures/changes" = function(b, line, claim) {
    x <- change_of(b, line); m <- moments(x); n <- sum(!is.na(x))
    margin <- if (n > 1) qt(0.975, n - 1) * m[["standard_error"]] else NA
    c(known(x), m[c("mean", "sd")], low = m[["mean"]] - margin, high = m[["mean"]] + margin)
  },
  "figures/responders" = function(b, line, claim) {
    x <- change_of(b, line)
    better <- if (b$codebook$higher_is[b$codebook$variable == line$variable][1] == "better") x else -x
    c(known(x), responders = sum(better >= claim("threshold"), na.rm = TRUE),
      worsened = sum(better <= -claim("threshold"), na.rm = TRUE))
  },
  "lesion_levels/groups" = function(b, line, claim) {
    lesions <- strsplit(b$data$lesion_levels[people(b, line$group)], ";", fixed = TRUE)
    known <- c(n = sum(!is.na(lesions)), missing = sum(is.na(lesions)))
    each <- table(factor(unlist(lesions[!is.na(lesions)]), VERTEBRAE))
    c(known, involved = sum(each), per_patient = if (known[["n"]]) sum(each) / known[["n"]] else NA,
      setNames(as.vector(each), paste0("counts/", VERTEBRAE)))
  },
  "sins_by_procedure/rows" = function(b, line, claim) {
    done <- line$variable; x <- at(b, line, "sins_total", "")
    if (done != "all") x <- x[at(b, line, "procedure", "") %in% done]
    class <- cut(x, c(-1, 6, 12, 18), labels = c("stable", "potentially_unstable", "unstable"))
    c(known(x), moments(x)[c("mean", "sd")], setNames(as.vector(table(class)), paste0("classes/", levels(class))),
      setNames(vapply(0:18, function(score) sum(x == score, na.rm = TRUE), 0), paste0("counts/", 0:18)))
  },
  "survival/log_rank" = function(b, line, claim) {
    all <- lapply(b$groups, function(group) { line$group <- group; followed(b, line) })
    some <- vapply(all, function(one) length(one$time) > 0, TRUE)
    t <- sort(unique(unlist(lapply(all, function(one) one$time[one$died == 1]))))
    if (sum(some) < 2 || length(t) == 0) return(c(p = NA))
    n <- t(vapply(all, function(one) length(one$time) - findInterval(t, sort(one$time), left.open = TRUE) + 0, numeric(length(t))))
    d <- t(vapply(all, function(one) tabulate(match(one$time[one$died == 1], t), length(t)) + 0, numeric(length(t))))
    dim(n) <- dim(d) <- c(length(all), length(t))
    share <- sweep(n, 2, colSums(n), "/"); total <- colSums(n); died <- colSums(d)
    expected <- as.vector(share %*% died); observed <- rowSums(d)
    spread <- died * (total - died) / pmax(total - 1, 1)
    variance <- diag(as.vector(share %*% spread), length(all)) - sweep(share, 2, spread, "*") %*% t(share)
    compared <- which(expected > 0)[-1]
    if (length(compared) == 0 || all(spread == 0)) return(c(p = NA))
    away <- (observed - expected)[compared]
    statistic <- sum(away * solve(variance[compared, compared, drop = FALSE], away))
    c(statistic = statistic, df = length(compared), p = pchisq(statistic, length(compared), lower.tail = FALSE),
      setNames(observed, paste0("observed/", b$groups)), setNames(expected, paste0("expected/", b$groups)))
  },
  "survival/follow_up" = function(b, line, claim) {
    all <- lapply(b$groups, function(group) { line$group <- group; followed(b, line, 0) })
    time <- unlist(lapply(all, `[[`, "time")); ended <- 1 - unlist(lapply(all, `[[`, "died"))
    if (length(time) == 0) return(c(median = NA, median_low = NA, median_high = NA))
    curve <- kaplan_meier(time, ended)
    c(median = time_of_half(curve$time, curve$survival), median_low = time_of_half(curve$time, curve$low),
      median_high = time_of_half(curve$time, curve$high))
  },
  "survival/curves" = function(b, line, claim) {
    f <- followed(b, line); ticks <- b$expected[b$expected$table == "survival" & grepl("^ticks/", b$expected$statistic), ]
    risk <- vapply(as.numeric(ticks$value), function(t) sum(f$time >= t), 0)
    risk <- setNames(risk, sub("^ticks", "at_risk_at_ticks", ticks$statistic))
    if (length(f$time) == 0) return(c(f$known, events = 0, median = NA, risk))
    curve <- kaplan_meier(f$time, f$died)
    marks <- numbered(lapply(0:(claim(NULL) - 1), function(i) landmark(curve, f$time, claim(paste0("landmarks/", i, "/time")))), "landmarks")
    steps <- unlist(lapply(names(curve), function(name) setNames(curve[[name]], paste("steps", name, seq_along(curve$time) - 1, sep = "/"))))
    c(f$known, events = sum(f$died), median = time_of_half(curve$time, curve$survival),
      median_low = time_of_half(curve$time, curve$low), median_high = time_of_half(curve$time, curve$high), risk, marks, steps)
  },
  "eq5d_report/levels" = function(b, line, claim) {
    x <- levels_of(b, line, line$timepoint)[, line$variable]
    c(known(x), setNames(vapply(1:5, function(l) sum(x == l, na.rm = TRUE), 0), paste0("counts/", 1:5)),
      any_problem = sum(x > 1, na.rm = TRUE))
  },
  "eq5d_report/profiles" = function(b, line, claim) {
    l <- levels_of(b, line, line$timepoint); states <- state_of(complete_levels(l))
    times <- table(states); order <- order(-times, as.numeric(names(times)))
    top <- head(order, 10)
    rows <- lapply(top, function(i) c(state = as.numeric(names(times)[i]), count = times[[i]]))
    c(n = length(states), missing = nrow(l) - length(states), different = length(times), numbered(rows, "most_frequent"),
      "worst/state" = 55555, "worst/count" = sum(states == 55555))
  },
  "eq5d_report/level_sum_scores" = function(b, line, claim) {
    l <- levels_of(b, line, line$timepoint); x <- rowSums(complete_levels(l))
    c(n = length(x), missing = nrow(l) - length(x), moments(x)[c("mean", "sd", "median", "q1", "q3")],
      setNames(vapply(5:25, function(score) sum(x == score), 0), paste0("counts/", 5:25)))
  },
  "eq5d_report/level_frequency_scores" = function(b, line, claim) {
    all <- levels_of(b, line, line$timepoint); l <- complete_levels(all)
    known <- c(n = nrow(l), missing = nrow(all) - nrow(l))
    if (nrow(l) == 0) return(known)
    score <- do.call(paste0, lapply(1:5, function(level) rowSums(l == level)))
    worth <- derived_hsuv(b, as.character(state_of(l)), value_set_of(b, "hsuv"))
    rows <- lapply(sort(unique(score), decreasing = TRUE), function(s) c(count = sum(score == s), mean_value = mean(worth[score == s])))
    c(known, numbered(rows, "scores"))
  },
  "eq5d_report/profile_change" = function(b, line, claim) {
    two <- both_levels(b, line)
    better <- rowSums(two$after < two$before) > 0; worse <- rowSums(two$after > two$before) > 0
    c(two$known, "classes/no_change" = sum(!better & !worse), "classes/improve" = sum(better & !worse),
      "classes/worsen" = sum(!better & worse), "classes/mixed_change" = sum(better & worse),
      no_problems = sum(state_of(two$before) == 11111 & state_of(two$after) == 11111))
  },
  "eq5d_report/dimension_change" = function(b, line, claim) {
    two <- both_levels(b, line)
    change <- two$after[, line$variable] - two$before[, line$variable]
    c(two$known, improve = sum(change < 0), no_change = sum(change == 0), worsen = sum(change > 0))
  },
  "eq5d_report/values" = function(b, line, claim) {
    x <- at(b, line, "hsuv", line$timepoint, value_set_of(b, "hsuv")); c(known(x), moments(x))
  },
  "eq5d_report/eq_vas" = function(b, line, claim) { x <- at(b, line, "eq_vas", line$timepoint); c(known(x), moments(x)) },
  "eq5d_report/grid" = function(b, line, claim) {
    two <- both_levels(b, line); ranks <- ranks_of(b); step <- claim("step")
    first <- ranks[as.character(state_of(two$before))]; second <- ranks[as.character(state_of(two$after))]
    c(two$known, better = sum(second < first), same = sum(second == first), worse = sum(second > first),
      counted_rows(list(unname((first - 1) %/% step), unname((second - 1) %/% step))))
  }
)
# How near numbers are asked to be: what is fitted by iteration less so. A file beside this one says of which tables.
fitted_tables <- character(0)
is_fitted <- function(table) any(vapply(fitted_tables, grepl, TRUE, x = table))
relative_of <- function(table) if (is_fitted(table)) FITTED else RELATIVE
absolute_of <- function(table) if (is_fitted(table)) NEAR_ZERO else 10 * ROUNDING
LEFT_OUT <- -1e308  # a number that needs a package which is not installed
section_settings <- character(0)  # patterns of tables that hold what was declared
# Sections of a plan: code of the section to a function as those of `report`, in a file verify_<code>.R beside this one.
# `claim("*")` are all claims of the row; `text` gives a text of the row, or of its entry, by its path: result.csv.
of_section <- list()
section_text <- function(b, line) function(path) {
  told <- b$texts[b$texts$table %in% c(line$table, sub("/[^/]*$", "", line$table)) & b$texts$path == path, ]
  own <- told$value[told$row == line$row]
  if (length(own)) own[1] else if (any(told$row == "")) told$value[told$row == ""][1] else ""
}
section_numbers <- function(b, line, claim) {
  made <- of_section[[sub("/.*", "", line$table)]]
  if (is.null(made)) stop("no function computes this section")
  text <- section_text(b, line)
  line$comparison <- text("comparison")
  made(b, line, claim, text)
}
# The claims of one row of a report beside R's numbers: a data frame of what is printed, a line a claim or a number of
# R's that was not claimed.
compare_report <- function(b, of) {
  line <- lapply(b$expected, `[`, of[1])
  names <- b$expected$statistic[of]; ours <- setNames(as.numeric(b$expected$value[of]), names)
  marks <- sum(grepl("^landmarks/[0-9]+/time$", names))
  claim <- function(name) if (is.null(name)) marks else if (name == "*") ours else ours[[name]]
  computed_by <- if (is.null(report[[line$table]])) section_numbers else report[[line$table]]
  made <- if (all(is_setting(line$table, names))) NULL else tryCatch(computed_by(b, line, claim), error = function(e) {
    message(line$table, ": ", conditionMessage(e)); NULL
  })
  every <- union(names, names(made))
  ours <- ours[every]; theirs <- unname(made[every])
  if (is.null(made)) theirs <- rep(NA_real_, length(every))
  setting <- is_setting(line$table, every); computed <- every %in% names(made); claimed <- every %in% names
  apart <- abs(ours - theirs)
  agree <- ifelse(is.na(ours) | is.na(theirs), is.na(ours) & !is.finite(theirs),
                  apart <= pmax(relative_of(line$table) * pmax(abs(ours), abs(theirs)), absolute_of(line$table)))
  verdict <- ifelse(setting, "setting", ifelse(!claimed, "NOT CLAIMED", ifelse(!computed, "NOT COMPUTED", ifelse(agree, "ok", "DIFFERS"))))
  verdict[computed & theirs %in% LEFT_OUT] <- "skipped"; theirs[theirs %in% LEFT_OUT] <- NA
  text <- function(x) ifelse(is.na(x), "not estimable", sprintf("%.15g", x))
  relative <- sprintf("%.1e", apart / pmax(abs(ours), abs(theirs)))
  cat(sprintf(FORMAT, verdict, line$table, line$variable, line$group, line$timepoint, every,
              ifelse(claimed, text(ours), ""), ifelse(computed, text(theirs), ""),
              ifelse(setting | is.na(apart), "", ifelse(apart == 0, "0", relative)),
              ""), sep = "")
  verdict
}

# Comparing and printing -----------------------------------------------------------------------------------------------

verdict_of <- function(ours, r) {
  if (is.null(r)) return("NOT COMPUTED")
  if (r$skipped) return("skipped")
  if (r$setting) return("setting")
  if (is.na(ours) || is.na(r$value)) return(if (is.na(ours) && is.na(r$value)) "ok" else "DIFFERS")
  if (abs(ours - r$value) <= max(r$relative * max(abs(ours), abs(r$value)), r$absolute)) "ok" else "DIFFERS"
}
shown <- function(x) if (is.na(x)) "not estimable" else sprintf("%.15g", x)
difference_of <- function(ours, r) {
  if (is.null(r) || r$skipped || is.na(ours) || is.na(r$value)) return("")
  apart <- abs(ours - r$value)
  if (apart == 0) "0" else if (r$relative == 0) sprintf("%.1e abs", apart)
  else sprintf("%.1e", apart / max(abs(ours), abs(r$value)))
}
FORMAT <- "%-12s %-20s %-22s %-22s %-9s %-24s %22s %22s %11s  %s\n"

verify <- function(folder, quick) {
  b <- read_bundle(folder)
  cat(sprintf("%s: %d patients, %d numbers\n\n", basename(normalizePath(folder)), nrow(b$data), nrow(b$expected)))
  cat(sprintf(FORMAT, "", "table", "variable", "group or pair", "time", "statistic", "result", "R", "difference", "R by"))
  verdicts <- character(0); reasons <- character(0)
  tell <- function(verdict, ...) { verdicts <<- c(verdicts, verdict); cat(sprintf(FORMAT, verdict, ...)) }

  rules <- b$codebook[b$codebook$rule != "", ]
  for (i in seq_len(nrow(rules))) {
    unlike <- check_derived(b, rules$column[i], rules$source[i], rules$rule[i])
    tell(if (unlike == 0) "ok" else "DIFFERS", "data", rules$column[i], "", "", "unlike its source", "0", unlike, "",
         sub(":.*", "", rules$rule[i]))
  }
  reported <- grepl("/", b$expected$table) | b$expected$table == "survival"
  for (i in which(!reported)) {
    line <- lapply(b$expected, `[`, i)
    ours <- as.numeric(if (line$value == "") NA else line$value)
    r <- tryCatch(recompute(b, line, quick), error = function(e) {
      message(line$variable, " ", line$statistic, ": ", conditionMessage(e)); NULL
    })
    verdict <- verdict_of(ours, r)
    if (verdict == "skipped") reasons <- c(reasons, paste0(line$variable, " ", line$statistic, ": ", r$how))
    what <- paste0(line$statistic, if (line$code != "") paste0(" [", line$code, "]"))
    when <- if (line$timepoint == "delta") paste0("d ", line$followup) else line$timepoint
    which <- paste0(line$variable, if (line$value_set != "") paste0(" ", line$value_set))
    tell(verdict, line$table, which, line$group, when, what, shown(ours), if (is.null(r) || r$skipped) "" else shown(r$value),
         difference_of(ours, r), if (is.null(r)) "" else r$how)
  }
  for (of in split(which(reported), as.integer(b$expected$row[reported]))) verdicts <- c(verdicts, compare_report(b, of))
  summarise(basename(normalizePath(folder)), verdicts, reasons)
}
summarise <- function(name, verdicts, reasons) {
  count <- function(verdict) sum(verdicts == verdict)
  cat(sprintf("\n%d agree, %d differ, %d on one side alone, %d skipped; %d settings as given.\n",
              count("ok"), count("DIFFERS"), count("NOT COMPUTED") + count("NOT CLAIMED"), count("skipped"), count("setting")))
  for (reason in reasons) cat("  skipped:", reason, "\n")
  cat(sprintf("Tolerances: relative %g; counts and quantities of patients exactly; P of Tukey's test absolute %g;\n", RELATIVE, TUKEY),
      sprintf(" exact tests of tables larger than 2 x k, or 2 x k of more than %d patients, relative %g, because R's FEXACT\n", MANY, FEXACT),
      sprintf(" is good to about 3e-8 there; sampled P %d standard errors; zero is zero within %g of the data's largest value.\n", SAMPLED_ERRORS, ROUNDING),
      sep = "")
  agreed <- all(verdicts %in% c("ok", "skipped", "setting"))
  cat(sprintf("%s\n%s: %s\n\n", R.version.string, name, if (agreed) "VERIFIED" else "NOT VERIFIED"))
  agreed
}

arguments <- commandArgs(trailingOnly = TRUE)
own_folder <- function() {
  file <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
  if (length(file)) dirname(file) else "."
}
for (file in sort(list.files(own_folder(), "^verify_.*[.]R$", full.names = TRUE))) source(file)
folders <- setdiff(arguments, "--quick")
agreed <- tryCatch(
  vapply(if (length(folders)) folders else own_folder(), verify, TRUE, "--quick" %in% arguments),
  error = function(e) { message("Cannot verify: ", conditionMessage(e)); quit(status = 2) }
)
quit(status = if (all(agreed)) 0 else 1)
