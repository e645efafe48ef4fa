-- Times are microseconds since 1970, UTC.
CREATE TABLE tasks (
    id                INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice
    user_id           TEXT NOT NULL,
    title             TEXT NOT NULL,
    title_lower       TEXT NOT NULL, -- lower-cased by Go: the same order and search on every database
    description       TEXT NOT NULL,
    description_lower TEXT NOT NULL,
    completed         INTEGER NOT NULL,
    priority          INTEGER NOT NULL, -- its rank: 0 low, 1 medium, 2 high, 3 urgent
    tags              TEXT NOT NULL, -- JSON
    due_date          INTEGER,
    remind_at         INTEGER,
    recurrence        TEXT NOT NULL,
    recurrence_end    INTEGER,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    completed_at      INTEGER,
    seq               INTEGER NOT NULL
);

CREATE INDEX tasks_of_user ON tasks (user_id, created_at, id);

-- The payload is the last column: what else is read of a row lies before its overflow pages.
CREATE TABLE outbox (
    id              INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice: a late mark can't hit another event
    event_id        TEXT NOT NULL UNIQUE,
    topic           TEXT NOT NULL,
    type            TEXT NOT NULL,
    task_id         INTEGER NOT NULL,
    seq             INTEGER NOT NULL,
    traceparent     TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    attempts        INTEGER NOT NULL DEFAULT 0,
    next_attempt_at INTEGER NOT NULL,
    last_error      TEXT NOT NULL DEFAULT '',
    published_at    INTEGER,
    parked_at       INTEGER,
    payload         BLOB NOT NULL,
    UNIQUE (topic, task_id, seq)
);

CREATE INDEX outbox_pending ON outbox (id) WHERE published_at IS NULL AND parked_at IS NULL;
CREATE INDEX outbox_heads ON outbox (topic, task_id, seq) WHERE published_at IS NULL;
CREATE INDEX outbox_parked ON outbox (id) WHERE published_at IS NULL AND parked_at IS NOT NULL;

CREATE TABLE inbox (
    consumer   TEXT NOT NULL,
    event_id   TEXT NOT NULL,
    handled_at INTEGER NOT NULL,
    PRIMARY KEY (consumer, event_id)
) WITHOUT ROWID;

CREATE TABLE idempotency_keys (
    user_id     TEXT NOT NULL,
    key         TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    answer      TEXT NOT NULL, -- the answered task, JSON
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (user_id, key)
);

CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
