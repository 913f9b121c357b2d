# What the files of references share. Each defines `reference`, a list of functions, and `drawn()`, cases to be quoted.
#
#   Rscript FILE.R answer < cases   one line a case: name, then vectors, tab-separated; numbers space-separated, NA allowed
#   Rscript FILE.R quote > quoted   data drawn with fixed seeds, the R code, and its numbers
#
# A reference takes numeric vectors and returns a numeric vector; an error or a lone NA stands for "not estimable".

answer <- function(name, vectors) {
  tryCatch(as.numeric(suppressWarnings(do.call(reference[[name]], unname(vectors)))), error = function(e) NA_real_)
}
numbers <- function(x) ifelse(is.finite(x), sprintf("%.17g", x), "null")

respond <- function() {
  for (line in readLines(file("stdin"))) {
    parts <- strsplit(paste0(line, "\t"), "\t", fixed = TRUE)[[1]]
    vectors <- lapply(parts[-1], function(part) scan(text = part, quiet = TRUE))
    cat("[", paste(numbers(answer(parts[1], vectors)), collapse = ", "), "]\n", sep = "")
  }
}

quote_json <- function() {
  entries <- sapply(drawn(), function(case) {
    code <- gsub("\\s+", " ", paste(deparse(body(reference[[case[[1]]]]), 500), collapse = " "))
    data <- paste(sapply(case[[2]], function(v) sprintf("[%s]", paste(numbers(v), collapse = ", "))), collapse = ", ")
    sprintf(' {"name": "%s",\n  "r": "%s",\n  "data": [%s],\n  "result": [%s]}', case[[1]], gsub('"', "'", code), data,
            paste(numbers(answer(case[[1]], case[[2]])), collapse = ", "))
  })
  cat("[\n", paste(entries, collapse = ",\n"), "\n]\n", sep = "")
}

mode <- commandArgs(TRUE)[1]
if (mode == "answer") respond() else if (mode == "quote") quote_json() else stop("answer or quote")
