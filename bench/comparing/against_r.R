# The tables of the segment comparison as a statistician computes them with R from the exported files. Base R alone.
#
#   Rscript against_r.R FOLDER     of patients.csv, assessments.csv, adverse_events.csv, value_set.csv (state, value)
#
# Prints the seconds of each part, then every P: table, variable, group or pair, timepoint, P. Each test runs once.
# What a run of the registry computes besides is left out: figures, survival, the EQ-5D report, the snapshot's hash.

folder <- commandArgs(TRUE)[1]
RESAMPLES <- 50000 # of Fisher's test where fisher.test finds the table too large: as many as the registry draws
GROUPS <- c("cervical", "thoracic", "tls")
VERTEBRAE <- c(paste0("C", 1:7), paste0("T", 1:12), paste0("L", 1:5), "S")
started <- proc.time()[["elapsed"]]
lap <- function(what) {
  now <- proc.time()[["elapsed"]]
  cat(sprintf("seconds,%s,%.2f\n", what, now - started))
  started <<- now
}

# Reading: the columns that are used, and no guessing what they hold ---------------------------------------------------

TEXTS <- c("patient_id", "sex", "primary_tumour", "lesion_levels", "procedure", "surgery_date", "last_contact_date",
           "vital_status", "death_date", "timepoint", "assessment_date", "frankel", "kind")
NUMBERS <- "^(age_at_surgery|operative_time_min|blood_loss_ml|ecog_ps|pain_vas_mm|eq_vas|(tokuhashi|sins|barthel|eq5d)_.*)$"
read <- function(name) {
  file <- file.path(folder, name)
  columns <- names(read.csv(file, nrows = 1))
  number <- grepl(NUMBERS, columns) & !grepl("_missing$", columns)
  classes <- ifelse(columns %in% TEXTS, "character", ifelse(number, "integer", "NULL"))
  read.csv(file, na.strings = "", colClasses = classes)
}
patients <- read("patients.csv"); assessments <- read("assessments.csv"); events <- read("adverse_events.csv")
value_set <- read.csv(file.path(folder, "value_set.csv"))
lap("read.csv")

# Who comes in, and what is derived ------------------------------------------------------------------------------------

lesion_group <- function(lesion) {
  at <- match(strsplit(lesion, ";", fixed = TRUE)[[1]], VERTEBRAE)
  if (length(at) > 3 || diff(range(at)) != length(at) - 1) return(NA_character_)
  if (any(at <= 7)) "cervical" else if (any(at >= 18)) "tls" else "thoracic"
}
lesions <- unique(na.omit(patients$lesion_levels))
groups <- vapply(lesions, lesion_group, "")
patients$group <- factor(groups[match(patients$lesion_levels, lesions)], GROUPS)
day <- function(text) { known <- unique(text); as.integer(as.Date(known))[match(text, known)] }
dead <- patients$vital_status %in% "dead"
end <- ifelse(dead & !is.na(patients$death_date), day(patients$death_date), day(patients$last_contact_date))
open <- which(is.na(end))
later <- assessments[assessments$timepoint != "preop", c("patient_id", "assessment_date")]
later <- later[later$patient_id %in% patients$patient_id[open], ]
last <- tapply(day(later$assessment_date), later$patient_id, max)
end[open] <- last[patients$patient_id[open]]
patients$followup <- end - day(patients$surgery_date)
patients <- patients[!is.na(patients$group) & !patients$procedure %in% "tes" & !is.na(patients$followup) &
                       patients$followup >= 30, ]
patients$followup_months <- patients$followup / 30.4375
sum_of <- function(data, prefix) rowSums(data[grepl(paste0("^", prefix, "_"), names(data)) & !grepl("_missing$", names(data))])
patients$tokuhashi_total <- sum_of(patients, "tokuhashi")
patients$sins_total <- sum_of(patients, "sins")
patients$sins_class <- cut(patients$sins_total, c(-1, 6, 12, 18))
patients$died <- patients$vital_status
had <- function(kinds) factor(patients$patient_id %in% events$patient_id[events$kind %in% kinds], c(TRUE, FALSE))
patients$ssi_or_wound <- had(c("surgical_site_infection", "wound_problem"))
patients$neurological <- had("neurological_deterioration")

EQ5D <- paste0("eq5d_", c("mobility", "self_care", "usual_activities", "pain_discomfort", "anxiety_depression"))
at <- function(timepoint) {
  visit <- assessments[assessments$timepoint == timepoint, ]
  visit <- visit[match(patients$patient_id, visit$patient_id), ]
  state <- as.vector(as.matrix(visit[EQ5D]) %*% 10^(4:0))
  data.frame(frankel_abc = factor(visit$frankel %in% c("A", "B", "C"), c(TRUE, FALSE))[ifelse(is.na(visit$frankel), NA, seq_len(nrow(visit)))],
             ecog_ps_over_2 = factor(ifelse(visit$ecog_ps == 5, NA, visit$ecog_ps > 2), c(TRUE, FALSE)),
             pain_vas_mm = visit$pain_vas_mm, barthel_total = sum_of(visit, "barthel"),
             hsuv = value_set$value[match(state, value_set$state)], eq_vas = visit$eq_vas, visit[EQ5D])
}
preop <- at("preop"); month <- at("1m"); g <- patients$group
lap("preparing")

# Tests and descriptions -----------------------------------------------------------------------------------------------

rows <- character(0)
tell <- function(table, variable, group, timepoint, p) {
  rows <<- c(rows, sprintf("p,%s,%s,%s,%s,%.15g", table, variable, group, timepoint, p))
}
described <- function(x) {
  x <- x[!is.na(x)]
  c(n = length(x), mean = mean(x), sd = sd(x), quantile(x, c(0, 0.25, 0.5, 0.75, 1)))
}
describe <- function(x) if (is.numeric(x)) tapply(x, g, described) else table(g, x)
fisher <- function(table) {
  p <- if (length(table) <= 6) tryCatch(fisher.test(table, conf.int = FALSE)$p.value, error = function(e) NULL)
  if (is.null(p)) fisher.test(table, simulate.p.value = TRUE, B = RESAMPLES)$p.value else p
}
overall <- function(table, variable, x) {
  describe(x)
  if (is.numeric(x)) return(tell(table, variable, "", "", summary(aov(x ~ g))[[1]][1, "Pr(>F)"]))
  counts <- table(g, x)
  tell(table, variable, "sampled"[length(counts) > 4], "", fisher(counts))
  tell(table, variable, "chi_square", "", chisq.test(counts, correct = FALSE)$p.value)
}
categorical <- function(name) if (is.numeric(patients[[name]])) patients[[name]] else factor(patients[[name]])
for (name in c("age_at_surgery", "sex", "primary_tumour", "tokuhashi_total", "sins_total", "sins_class", "procedure",
               "operative_time_min", "blood_loss_ml", "followup_months", "died")) overall("characteristics", name, categorical(name))
for (name in c("ssi_or_wound", "neurological")) overall("adverse_events", name, patients[[name]])
lap("Tables 2 and 5")

for (name in names(preop)[1:6]) for (code in GROUPS) {
  before <- preop[[name]][g == code]; after <- month[[name]][g == code]
  if (is.numeric(before)) {
    described(before); described(after)
    tell("recovery", name, code, "1m", wilcox.test(round(after - before, 9), exact = FALSE, correct = TRUE)$p.value)
  } else {
    tell("recovery", name, code, "1m", fisher(rbind(table(before), table(after))))
    tell("recovery", name, paste(code, "mcnemar"), "1m", mcnemar.test(table(before, after))$p.value)
  }
}
lap("Table 4")

PAIRS <- list(c(1, 2), c(2, 3), c(1, 3))
between <- function(table, name, timepoint, x) {
  describe(x)
  if (is.numeric(x)) {
    p <- TukeyHSD(aov(x ~ g))$g[c("thoracic-cervical", "tls-thoracic", "tls-cervical"), "p adj"]
  } else {
    counts <- table(g, x)
    p <- p.adjust(vapply(PAIRS, function(pair) fisher(counts[pair, ]), 0), "BH")
  }
  for (i in 1:3) tell(table, name, paste(GROUPS[PAIRS[[i]]], collapse = "_vs_"), timepoint, p[[i]])
}
for (name in names(preop)[1:6]) {
  between("between_groups", name, "preop", preop[[name]]); between("between_groups", name, "1m", month[[name]])
  if (is.numeric(preop[[name]])) between("between_groups", name, "delta", round(month[[name]] - preop[[name]], 9))
}
lap("Table 6")
for (name in EQ5D) {
  between("eq5d_domains", name, "preop", factor(preop[[name]])); between("eq5d_domains", name, "1m", factor(month[[name]]))
}
lap("Figure 5")
cat(rows, sep = "\n")
