-- Where requests may go, for everybody or for a role and its members. For the owner alone: no one else has a right on it.

-- Raises an error that says what is wrong, where a text is no pattern for hosts.
create or replace function net._check_host_pattern(host text) returns bool
    language c immutable strict parallel safe
    as 'MODULE_PATHNAME', 'check_host_pattern';

create table net.egress_rule (
    id int generated always as identity primary key,
    -- Whose requests it is about: this role's and its members'. Everybody's, where there is none.
    role regrole check (role::oid <> 0),
    action text not null check (action in ('allow', 'deny')),
    -- Which targets it is about: those that are like all that is given.
    host text check (net._check_host_pattern(host)),
    network cidr,
    port int check (port between 1 and 65535),
    comment text
);

comment on table net.egress_rule is
    'Where requests may go. A role that has rules, its own or through a membership, may call only what they allow.';

-- Tells the worker and the sessions, when the transaction commits, to read the table again. Its rows are the user's, and belong
-- in a dump: the table is a configuration table of the extension while it has any.
create or replace function net._settings_changed() returns trigger
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'settings_changed';

create trigger announce after insert or update or delete or truncate on net.egress_rule
    for each statement execute function net._settings_changed();
alter table net.egress_rule enable always trigger announce;
