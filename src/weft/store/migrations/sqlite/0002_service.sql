-- What the service needs beside runs: who may take a run, and records.

-- The engines that may take the run over serve this queue; "" is none, for runs that a script began.
ALTER TABLE run ADD COLUMN queue TEXT NOT NULL DEFAULT '';

-- Named documents of every kind: schedules, variables, deliveries. See Record in store/protocol.py.
CREATE TABLE record (
    kind     TEXT NOT NULL,
    name     TEXT NOT NULL,
    revision INTEGER NOT NULL,
    at       REAL NOT NULL,
    due_at   REAL,
    body     BLOB NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX record_due ON record (kind, due_at) WHERE due_at IS NOT NULL;

INSERT INTO meta (name, value) VALUES ('revision', 0);
