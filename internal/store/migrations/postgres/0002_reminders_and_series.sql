ALTER TABLE tasks
    ADD COLUMN remind_before    bigint, -- minutes
    ADD COLUMN timezone         text NOT NULL DEFAULT 'UTC',
    ADD COLUMN channels         jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN recurrence_start timestamptz,
    ADD COLUMN previous_id      bigint; -- may be gone

-- A task has one next task.
CREATE UNIQUE INDEX tasks_previous ON tasks (previous_id) WHERE previous_id IS NOT NULL;

-- Whoever holds the lock of a task's row holds its reminder too.
CREATE TABLE reminders (
    task_id  bigint PRIMARY KEY,
    due_at   timestamptz NOT NULL,
    state    text NOT NULL, -- scheduled, sent, missed, cancelled
    sequence bigint NOT NULL -- of its last event
);

CREATE INDEX reminders_due ON reminders (due_at, task_id) WHERE state = 'scheduled';

-- Of an earlier todoctl, which sent none: those to come are scheduled.
INSERT INTO reminders (task_id, due_at, state, sequence)
    SELECT id, remind_at, CASE WHEN remind_at > now() THEN 'scheduled' ELSE 'missed' END, 0
    FROM tasks WHERE remind_at IS NOT NULL AND NOT completed;

-- Events of others may have ids of any form. The table was not in use yet.
ALTER TABLE inbox ALTER COLUMN event_id TYPE text COLLATE "C";
CREATE INDEX inbox_age ON inbox (handled_at);

CREATE TABLE attempts (
    consumer   text COLLATE "C" NOT NULL,
    event_id   text COLLATE "C" NOT NULL,
    count      bigint NOT NULL,
    first_at   timestamptz NOT NULL,
    last_at    timestamptz NOT NULL,
    last_error text NOT NULL,
    PRIMARY KEY (consumer, event_id)
);

CREATE INDEX attempts_age ON attempts (last_at);
