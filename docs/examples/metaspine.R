# A client of the registry's API in R, with nothing but base R.
#
#   METASPINE_URL=https://registry.example.org METASPINE_TOKEN=msp_... Rscript metaspine.R
#
# prints the mean EQ VAS of each timepoint. To have the functions: source("metaspine.R") in a session of your own.

# JSON as R: objects and arrays become lists, null becomes NA. Base R has no reader of its own.
from_json <- function(text) {
  pattern <- '"(?:[^"\\\\]|\\\\.)*"|[\\[\\]{}:,]|[^\\[\\]{}:,"\\s]+'
  tokens <- regmatches(text, gregexpr(pattern, text, perl = TRUE))[[1]]
  at <- 0
  following <- function() { at <<- at + 1; tokens[at] }
  value <- function(token) {
    first <- substr(token, 1, 1)
    if (first == "{") return(members())
    if (first == "[") return(elements())
    if (first == '"') return(string(token))
    switch(token, null = NA, true = TRUE, false = FALSE, as.numeric(token))
  }
  string <- function(token) {
    inside <- substr(token, 2, nchar(token) - 1)
    if (!grepl("\\", inside, fixed = TRUE)) return(inside)
    parts <- regmatches(inside, gregexpr("\\\\u[0-9a-fA-F]{4}|\\\\.|[^\\\\]+", inside, perl = TRUE))[[1]]
    paste(vapply(parts, function(part) {
      if (substr(part, 1, 2) == "\\u") return(intToUtf8(strtoi(substr(part, 3, 6), 16L)))
      if (substr(part, 1, 1) != "\\") return(part)
      switch(substr(part, 2, 2), n = "\n", t = "\t", r = "\r", b = "\b", f = "\f", substr(part, 2, 2))
    }, ""), collapse = "")
  }
  members <- function() {
    found <- list()
    while ((token <- following()) != "}") {
      if (token == ",") token <- following()
      following() # the colon
      found[[string(token)]] <- value(following())
    }
    found
  }
  elements <- function() {
    found <- list()
    while ((token <- following()) != "]") {
      if (token == ",") token <- following()
      found[[length(found) + 1]] <- value(token)
    }
    found
  }
  value(following())
}

ask <- function(address) {
  if (!startsWith(address, "http")) address <- paste0(Sys.getenv("METASPINE_URL"), "/api/v1/", address)
  headers <- c(Authorization = paste("Bearer", Sys.getenv("METASPINE_TOKEN")))
  connection <- url(address, open = "rb", headers = headers, method = "libcurl")
  on.exit(close(connection))
  lines <- readLines(connection, encoding = "UTF-8", warn = FALSE)
  from_json(paste(lines, collapse = "\n"))
}

# Every row of a list as a data frame, page by page. A column of a row that holds several values is left out.
all_rows <- function(path) {
  address <- paste0(path, if (grepl("?", path, fixed = TRUE)) "&" else "?", "limit=500")
  rows <- list()
  while (!is.na(address)) {
    page <- ask(address)
    rows <- c(rows, page$items)
    address <- page[["next"]]
  }
  single <- lapply(rows, function(row) as.data.frame(Filter(function(one) !is.list(one), row)))
  columns <- Reduce(intersect, lapply(single, names))
  do.call(rbind, lapply(single, function(row) row[columns]))
}

if (sys.nframe() == 0) {
  assessments <- all_rows("assessments?state=complete,verified,locked")
  known <- assessments[!is.na(assessments$eq_vas), ]
  for (timepoint in unique(known$timepoint)) {
    values <- known$eq_vas[known$timepoint == timepoint]
    cat(sprintf("%s\t%d\t%.1f\n", timepoint, length(values), mean(values)))
  }
}
