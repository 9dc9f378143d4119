//! What is sent, and what is made of the reply.

mod bodies;
mod codings;
mod odd_replies;
mod redirects;
mod replies;
mod requests;
mod traces;
mod wire;
