# The registry: where it is and who asks, one request, and what is refused.

registry <- function(url, token = Sys.getenv("METASPINE_TOKEN")) {
  stopifnot(is.character(url), length(url) == 1, is.character(token), length(token) == 1)
  if (!grepl("^https?://", url)) stop("`url` is an address such as https://registry.example.org", call. = FALSE)
  if (grepl("^http://", url) && !grepl("^http://(localhost|127[.]0[.]0[.]1|\\[::1\\])([:/]|$)", url)) {
    stop("a token is sent by https only", call. = FALSE)
  }
  token <- trimws(token) # as a file has it, with the end of its line
  if (is.na(token) || !nzchar(token)) stop("`token` is empty: issue one on the page \"API tokens\"", call. = FALSE)
  if (!grepl("^[!-~]+$", token, perl = TRUE)) stop("this is no token: one is of letters, digits, - and _", call. = FALSE)
  # What stands before /api/ is of a registry beside others on its host.
  base <- paste0(sub("/+$", "", sub("/api(/.*)?$", "", sub("[?#].*$", "", url))), "/api/v1")
  # The token is kept in a function: neither print() nor str() of the registry shows it.
  structure(list(base = base, token = function() token), class = "metaspine_registry")
}

print.metaspine_registry <- function(x, ...) {
  cat("<metaspine registry at ", x$base, ">\n", sep = "")
  invisible(x)
}

# The answer to a GET; the body goes to the file `to` where one is named.
ask <- function(registry, path, query, accept, to = NULL) {
  if (!inherits(registry, "metaspine_registry")) stop("the first argument is what registry() gives", call. = FALSE)
  query <- lapply(query[!vapply(query, is.null, NA)], function(value) paste(value, collapse = ","))
  request <- httr2::request(registry$base)
  request <- httr2::req_url_path_append(request, path)
  request <- httr2::req_url_query(request, !!!query)
  request <- httr2::req_headers(request, Accept = accept)
  request <- httr2::req_auth_bearer_token(request, registry$token())
  request <- httr2::req_user_agent(request, "metaspine (R)")
  request <- httr2::req_retry(request, max_tries = 4)
  request <- httr2::req_error(request, is_error = function(response) FALSE)
  away <- function(error) stop(paste0("no registry answers at ", registry$base, ": ", conditionMessage(error)), call. = FALSE)
  response <- tryCatch(httr2::req_perform(request, path = to), httr2_failure = away, httr2_failed = away) # httr2 0.2: failed
  if (httr2::resp_status(response) >= 400) refuse(response)
  kind <- httr2::resp_content_type(response)
  if (!identical(kind, accept)) refuse(response, paste0(registry$base, " answers with ", kind, ". ", no_registry))
  response
}

no_registry <- "Is it the address of a registry, of a version that has this?"

refuse <- function(response, detail = paste(httr2::resp_status_desc(response), no_registry, sep = ". ")) {
  problem <- tryCatch(httr2::resp_body_json(response, check_type = FALSE), error = function(error) list())
  if (is.null(problem$detail) && is.null(problem$title)) problem$detail <- detail
  errors <- vapply(names(problem$errors), function(name) paste0(name, ": ", problem$errors[[name]][[1]]), "")
  text <- c(paste(httr2::resp_status(response), if (is.null(problem$detail)) problem$title else problem$detail), errors)
  stop(structure(
    class = c("metaspine_refused", "error", "condition"),
    list(message = paste(text, collapse = "\n  "), call = NULL, status = httr2::resp_status(response), errors = problem$errors)
  ))
}
