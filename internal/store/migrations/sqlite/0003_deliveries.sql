-- What is owed to a consumer outside of the database. The inbox has the receipt of each
-- from the moment that it is owed: an event is owed once.
CREATE TABLE deliveries (
    consumer        TEXT NOT NULL,
    event_id        TEXT NOT NULL,
    received_at     INTEGER NOT NULL,
    next_attempt_at INTEGER NOT NULL, -- while an attempt is under way, when others may make it
    attempts        INTEGER NOT NULL DEFAULT 0,
    last_error      TEXT NOT NULL DEFAULT '',
    payload         BLOB NOT NULL,
    PRIMARY KEY (consumer, event_id)
) WITHOUT ROWID;

CREATE INDEX deliveries_due ON deliveries (next_attempt_at);

-- attempts stays: a worker of the version before counts there.
