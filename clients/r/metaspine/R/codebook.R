# What each column is, and who is in the rows.

codebook_list <- function(registry, query) {
  httr2::resp_body_json(ask(registry, "codebook", query, "application/json"))$items
}

codebook <- function(registry, language = c("en", "ja"), content = usual_content, value_sets = "JP", ...) {
  language <- match.arg(language)
  items <- codebook_list(registry, list(content = content, value_sets = value_sets, ...))
  text <- function(name) vapply(items, function(item) item[[name]], "")
  number <- function(name) vapply(items, function(item) if (is.null(item[[name]])) NA_integer_ else as.integer(item[[name]]), 1L)
  codes <- function(item) {
    labels <- vapply(item$codes, function(code) code$label[[language]], "")
    names(labels) <- vapply(item$codes, function(code) as.character(code$code), "")
    labels
  }
  tibble::tibble(
    table = text("table"), column = text("column"),
    label = vapply(items, function(item) item$label[[language]], ""), kind = text("kind"), unit = text("unit"),
    minimum = number("minimum"), maximum = number("maximum"),
    ordered = vapply(items, function(item) item$ordered, NA), codes = lapply(items, codes),
    timepoint = text("timepoint"), reason_for = text("reason_for"), instrument = text("instrument"),
    higher_is = text("higher_is"), source = text("source"), licence = text("licence")
  )
}

contents <- function(registry, ...) {
  httr2::resp_body_json(ask(registry, "data", list(...), "application/json"), simplifyVector = TRUE)
}
