//! What the queue is compared with.

use postgres::Client;

/// Makes `public.plain`, a table with the queue's columns, types, indexes and defaults, with sequences of its own.
pub(crate) fn make(client: &mut Client) {
    client
        .batch_execute(
            "create table public.plain (like net.http_request_queue including defaults including indexes);
             create sequence public.plain_id_seq;
             create sequence public.plain_row_key_seq;
             alter table public.plain
                 alter column id set default nextval('public.plain_id_seq'),
                 alter column row_key set default nextval('public.plain_row_key_seq')",
        )
        .expect("make a plain table");
}
