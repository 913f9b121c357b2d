# Tables of the registry as tibbles: the rows that an export with the same choices has.

usual_content <- c("items", "totals", "hsuv", "changes")

registry_table <- function(registry, name, labels = FALSE, language = c("en", "ja"), content = usual_content,
                           value_sets = "JP", missing = c("columns", "none"), dates = c("dates", "shifted", "days"),
                           shape = c("long", "wide"), fields = NULL, cohort = NULL, snapshot = NULL, site_code = NULL) {
  language <- match.arg(language)
  described <- list(content = content, value_sets = value_sets, missing = match.arg(missing), dates = match.arg(dates),
                    shape = match.arg(shape))
  columns <- codebook_list(registry, described)
  columns <- columns[vapply(columns, function(column) column$table == name, NA)]
  names(columns) <- vapply(columns, function(column) column$column, "")
  file <- tempfile(fileext = ".csv")
  on.exit(unlink(file))
  query <- c(described, list(fields = fields, cohort = cohort, snapshot = snapshot, site_code = site_code))
  ask(registry, paste0("data/", name), query, "text/csv", to = file)
  read_rows(file, columns, labels, language)
}

patients <- function(registry, ...) registry_table(registry, "patients", ...)
assessments <- function(registry, ...) registry_table(registry, "assessments", ...)
adverse_events <- function(registry, ...) registry_table(registry, "adverse_events", ...)
follow_up_ends <- function(registry, ...) registry_table(registry, "follow_up_ends", ...)

readers <- list(integer = "i", number = "d", code = "c", text = "c", date = "D")

read_rows <- function(file, columns, labels, language) {
  written <- names(readr::read_csv(file, n_max = 0, col_types = readr::cols(.default = "c")))
  if (length(unknown <- setdiff(written, names(columns)))) {
    stop("the codebook does not know the column ", unknown[1], call. = FALSE)
  }
  kinds <- vapply(columns[written], function(column) readers[[column$kind]], "")
  # A row of one column without a value is an empty line, and no row is dropped; texts keep their spaces.
  rows <- readr::read_csv(file, col_types = paste(kinds, collapse = ""), na = "", progress = FALSE, lazy = FALSE,
                          skip_empty_rows = FALSE, trim_ws = FALSE)
  if (nrow(faults <- readr::problems(rows))) {
    stop("column ", written[faults$col[1]], ", row ", faults$row[1], ": ", faults$actual[1], " is no ",
         columns[[written[faults$col[1]]]]$kind, call. = FALSE)
  }
  for (name in written) rows[[name]] <- as_declared(rows[[name]], columns[[name]], labels, language)
  tibble::as_tibble(rows)
}

as_declared <- function(values, column, labels, language) {
  if (labels && length(column$codes)) values <- as_labels(values, column, language)
  # A text that a spreadsheet would run as a formula comes with an apostrophe in front.
  if (is.character(values)) values <- sub("^'(?=[-=+@\t\r])", "", values, perl = TRUE)
  attr(values, "label") <- column$label[[language]]
  values
}

as_labels <- function(values, column, language) {
  codes <- vapply(column$codes, function(code) as.character(code$code), "")
  words <- vapply(column$codes, function(code) code$label[[language]], "")
  if (column$ordered || anyDuplicated(words)) {
    words <- ifelse(startsWith(words, codes), words, paste(codes, words))
  }
  known <- if (is.character(values)) codes else as.integer(codes)
  place <- match(values, known)
  if (any(is.na(place) & !is.na(values))) stop(column$column, " has a code that the codebook does not know", call. = FALSE)
  structure(place, levels = words, class = c(if (column$ordered) "ordered", "factor"))
}
