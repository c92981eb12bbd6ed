-- The first schema.
--
-- What changes for every task run is kept lean: no index but the primary keys on task_run, and the event log
-- in blocks (see store/event_log.py). Columns that lists filter by are plain; structures are msgpack blobs,
-- except errors and tags, which are JSON text because queries look into them. Big columns come last, so that
-- a scan of the small ones does not read them.

-- Counters. next_run never goes back, so that a deleted run's id is not used again.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO meta (name, value) VALUES ('next_run', 1);

-- Who has opened the store for writing. Ids are not used again: a run's owner must not come to mean another.
CREATE TABLE engine (
    engine          INTEGER PRIMARY KEY AUTOINCREMENT,
    name            TEXT NOT NULL,
    host            TEXT NOT NULL,
    pid             INTEGER NOT NULL,
    process_started TEXT NOT NULL,
    started_at      REAL NOT NULL,
    expires_at      REAL NOT NULL
) STRICT;

-- Workflow versions, numbered from 1 for each workflow.
CREATE TABLE graph (
    digest     TEXT PRIMARY KEY,
    workflow   TEXT NOT NULL,
    version    INTEGER NOT NULL,
    created_at REAL NOT NULL,
    body       BLOB NOT NULL,
    UNIQUE (workflow, version)
) STRICT;

CREATE TABLE run (
    run         INTEGER PRIMARY KEY,
    uid         TEXT NOT NULL UNIQUE,
    workflow    TEXT NOT NULL,
    dialect     TEXT NOT NULL,
    graph       TEXT NOT NULL,
    version     INTEGER NOT NULL,
    state       TEXT NOT NULL,
    owner       INTEGER NOT NULL,
    epoch       INTEGER NOT NULL,
    created_at  REAL NOT NULL,
    started_at  REAL,
    ended_at    REAL,
    project     TEXT NOT NULL,
    key         TEXT,
    parent_run  TEXT NOT NULL,
    parent_task INTEGER NOT NULL,
    tags        TEXT NOT NULL,
    params      BLOB,
    facts       BLOB,
    result      BLOB,
    error       TEXT
) STRICT;

-- A submission's key makes one run at most.
CREATE UNIQUE INDEX run_by_key ON run (key) WHERE key IS NOT NULL;

-- Claims look for open runs by owner; ended runs, the many, are not in it.
CREATE INDEX run_open ON run (owner) WHERE ended_at IS NULL;

CREATE TABLE task_run (
    run         INTEGER NOT NULL,
    idx         INTEGER NOT NULL,
    state       TEXT NOT NULL,
    attempt     INTEGER NOT NULL,
    generation  INTEGER NOT NULL,
    failures    INTEGER NOT NULL,
    cause       TEXT NOT NULL,
    by          INTEGER NOT NULL,
    first_at    REAL NOT NULL,
    changed_at  REAL NOT NULL,
    started_at  REAL,
    ended_at    REAL,
    due_at      REAL,
    parent      INTEGER NOT NULL,
    map_index   INTEGER NOT NULL,
    ordinal     INTEGER NOT NULL,
    key         TEXT NOT NULL,
    name        TEXT NOT NULL,
    kind        TEXT NOT NULL,
    node        TEXT NOT NULL,
    worker      TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    chosen      BLOB,
    wait        BLOB,
    inputs      BLOB,
    result      BLOB,
    error       TEXT,
    PRIMARY KEY (run, idx)
) STRICT, WITHOUT ROWID;

-- The log. seq is that of the block's last change; lowest and highest bound the indexes in it.
CREATE TABLE event (
    seq     INTEGER PRIMARY KEY,
    run     INTEGER NOT NULL,
    lowest  INTEGER NOT NULL,
    highest INTEGER NOT NULL,
    body    BLOB NOT NULL
) STRICT;

-- A run's log in order, and a task run's blocks in it without touching the others.
CREATE INDEX event_by_run ON event (run, seq, lowest, highest);

-- The nodes that a run's flows called.
CREATE TABLE node (
    run    INTEGER NOT NULL,
    digest TEXT NOT NULL,
    body   BLOB NOT NULL,
    PRIMARY KEY (run, digest)
) STRICT, WITHOUT ROWID;

-- Expanded maps, the latest generation of each.
CREATE TABLE map (
    run        INTEGER NOT NULL,
    idx        INTEGER NOT NULL,
    at         REAL NOT NULL,
    base       INTEGER NOT NULL,
    count      INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    items      BLOB NOT NULL,
    PRIMARY KEY (run, idx)
) STRICT, WITHOUT ROWID;

-- Events sent to runs. first_seq keeps them in the order in which they came.
CREATE TABLE signal (
    run       INTEGER NOT NULL,
    signal_id TEXT NOT NULL,
    first_seq INTEGER NOT NULL,
    name      TEXT NOT NULL,
    at        REAL NOT NULL,
    consumer  INTEGER NOT NULL,
    payload   BLOB NOT NULL,
    PRIMARY KEY (run, signal_id)
) STRICT, WITHOUT ROWID;

-- What task runs show to people, the latest of each key. first_seq keeps the order of first appearance.
CREATE TABLE published (
    run       INTEGER NOT NULL,
    idx       INTEGER NOT NULL,
    key       TEXT NOT NULL,
    first_seq INTEGER NOT NULL,
    attempt   INTEGER NOT NULL,
    at        REAL NOT NULL,
    body      BLOB NOT NULL,
    PRIMARY KEY (run, idx, key)
) STRICT, WITHOUT ROWID;

-- Results that may stand in for running. They go when the run that made them is deleted.
CREATE TABLE cache (
    key        TEXT PRIMARY KEY,
    run        INTEGER NOT NULL,
    idx        INTEGER NOT NULL,
    at         REAL NOT NULL,
    expires_at REAL,
    result     BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX cache_by_run ON cache (run);

-- What is asked of the engine that owns a run, until it has seen to it. number keeps the order.
CREATE TABLE request (
    number     INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL UNIQUE,
    run        INTEGER NOT NULL,
    body       BLOB NOT NULL
) STRICT;

-- Runs whose rows are being deleted in small transactions: the run itself is gone already.
CREATE TABLE doomed (
    run INTEGER PRIMARY KEY
) STRICT;
