# Reads one problem, then answers each line "thresh" on stdin by one glmnet() call, "cv thresh" by
# one cv.glmnet() call on five folds of consecutive rows.
#   Rscript glmnet.R FOLDER MIXING INTERCEPT
# FOLDER holds shape (n, p, nnz or -1), y, and X (n x p) or X_x, X_i, X_p (CSC), raw little-endian.
# Each call reads FOLDER/lambda, writes FOLDER/out_{x,i,p,a0} and prints "seconds S" or "error ...";
# only the call itself is timed. X is used as given: standardize = FALSE.

suppressMessages({
  library(Matrix)
  library(glmnet)
})

arguments <- commandArgs(trailingOnly = TRUE)
folder <- arguments[1]
mixing <- as.double(arguments[2])
intercept <- arguments[3] == "1"
at <- function(name) file.path(folder, name)
read <- function(name, what, size) {
  count <- file.size(at(name)) / size
  readBin(at(name), what, n = count, size = size, endian = "little")
}

shape <- read("shape", "double", 8)
y <- read("y", "double", 8)
if (shape[3] < 0) {
  X <- read("X", "double", 8)
  dim(X) <- shape[1:2]
} else {
  X <- new("dgCMatrix",
    x = read("X_x", "double", 8), i = read("X_i", "integer", 4),
    p = read("X_p", "integer", 4), Dim = as.integer(shape[1:2])
  )
}

# A user-given path is computed to its end: no stop on deviance explained.
glmnet.control(fdev = 0, devmax = 1)
lines <- file("stdin", open = "r")
folds <- cut(seq_len(shape[1]), 5, labels = FALSE)
while (length(line <- readLines(lines, n = 1)) > 0) {
  words <- strsplit(line, " ")[[1]]
  thresh <- as.double(words[length(words)])
  lambda <- read("lambda", "double", 8)
  answer <- tryCatch(
    {
      start <- Sys.time()
      if (words[1] == "cv") {
        fit <- suppressWarnings(cv.glmnet(
          X, y,
          alpha = mixing, lambda = lambda, foldid = folds, thresh = thresh,
          standardize = FALSE, intercept = intercept, maxit = 1e9
        ))$glmnet.fit
      } else {
        fit <- suppressWarnings(glmnet(
          X, y,
          alpha = mixing, lambda = lambda, thresh = thresh,
          standardize = FALSE, intercept = intercept, maxit = 1e9
        ))
      }
      seconds <- as.double(difftime(Sys.time(), start, units = "secs"))
      writeBin(fit$beta@x, at("out_x"))
      writeBin(fit$beta@i, at("out_i"))
      writeBin(fit$beta@p, at("out_p"))
      writeBin(as.double(fit$a0), at("out_a0"))
      paste("seconds", format(seconds, digits = 9))
    },
    error = function(problem) paste("error", gsub("\n", " ", conditionMessage(problem)))
  )
  cat(answer, "\n", sep = "")
  flush(stdout())
}
