-- How often a request may be sent. At least once: it leaves the queue only together with the record of its outcome. At most
-- once: it leaves the queue before the first byte is sent.
create type net.delivery as enum ('at_least_once', 'at_most_once');
