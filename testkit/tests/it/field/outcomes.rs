//! What is wrong with a request is its outcome, and no error of the statement that made it; and what settings and logs do to it.
