ALTER TABLE tasks ADD COLUMN remind_before INTEGER; -- minutes
ALTER TABLE tasks ADD COLUMN timezone TEXT NOT NULL DEFAULT 'UTC';
ALTER TABLE tasks ADD COLUMN channels TEXT NOT NULL DEFAULT '[]'; -- JSON
ALTER TABLE tasks ADD COLUMN recurrence_start INTEGER;
ALTER TABLE tasks ADD COLUMN previous_id INTEGER; -- may be gone

-- A task has one next task.
CREATE UNIQUE INDEX tasks_previous ON tasks (previous_id) WHERE previous_id IS NOT NULL;

CREATE TABLE reminders (
    task_id  INTEGER PRIMARY KEY,
    due_at   INTEGER NOT NULL,
    state    TEXT NOT NULL, -- scheduled, sent, missed, cancelled
    sequence INTEGER NOT NULL -- of its last event
);

CREATE INDEX reminders_due ON reminders (due_at, task_id) WHERE state = 'scheduled';

-- Of an earlier todoctl, which sent none: those to come are scheduled.
INSERT INTO reminders (task_id, due_at, state, sequence)
    SELECT id, remind_at, CASE WHEN remind_at > unixepoch() * 1000000 THEN 'scheduled' ELSE 'missed' END, 0
    FROM tasks WHERE remind_at IS NOT NULL AND NOT completed;

CREATE INDEX inbox_age ON inbox (handled_at);

CREATE TABLE attempts (
    consumer   TEXT NOT NULL,
    event_id   TEXT NOT NULL,
    count      INTEGER NOT NULL,
    first_at   INTEGER NOT NULL,
    last_at    INTEGER NOT NULL,
    last_error TEXT NOT NULL,
    PRIMARY KEY (consumer, event_id)
) WITHOUT ROWID;

CREATE INDEX attempts_age ON attempts (last_at);
