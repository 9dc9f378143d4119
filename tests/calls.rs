//! What a call of a request function takes, and what goes out for it.

mod encodings;
mod forms;
mod http_request;
mod requests;
mod signatures;
mod urlencode;
mod validation;
