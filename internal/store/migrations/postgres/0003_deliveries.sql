-- What is owed to a consumer outside of the database. The inbox has the receipt of each
-- from the moment that it is owed: an event is owed once.
CREATE TABLE deliveries (
    consumer        text COLLATE "C" NOT NULL,
    event_id        text COLLATE "C" NOT NULL,
    payload         bytea NOT NULL,
    received_at     timestamptz NOT NULL,
    next_attempt_at timestamptz NOT NULL, -- while an attempt is under way, when others may make it
    attempts        bigint NOT NULL DEFAULT 0,
    last_error      text NOT NULL DEFAULT '',
    PRIMARY KEY (consumer, event_id)
);

CREATE INDEX deliveries_due ON deliveries (next_attempt_at);

-- Rows come and go as those of the outbox do.
ALTER TABLE deliveries SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.1);

-- attempts stays: a worker of the version before counts there.
