-- The first schema, in a schema of its own that the search path names.
--
-- The tables are SQLite's, and so are the rules: no index but the primary keys on task_run, the event log in
-- blocks (see store/event_log.py), structures as msgpack, errors and tags as JSON text. What differs:
--
-- Text is compared by its bytes (COLLATE "C"), as everywhere in Weft, whatever the database's locale.
-- Text cannot hold U+0000 here: store/postgres_text.py tells how it is written.
-- Rows that change get room on their page (fillfactor), so that a change needs no new index entries.

-- Counters. next_run never goes back, so that a deleted run's id is not used again.
CREATE TABLE meta (
    name  TEXT COLLATE "C" PRIMARY KEY,
    value BIGINT NOT NULL
) WITH (fillfactor = 10);

INSERT INTO meta (name, value) VALUES ('schema', 0), ('next_run', 1);

-- Who has opened the store for writing. Ids are not used again: a run's owner must not come to mean another.
CREATE TABLE engine (
    engine          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name            TEXT COLLATE "C" NOT NULL,
    host            TEXT COLLATE "C" NOT NULL,
    pid             BIGINT NOT NULL,
    process_started TEXT COLLATE "C" NOT NULL,
    started_at      DOUBLE PRECISION NOT NULL,
    expires_at      DOUBLE PRECISION NOT NULL
) WITH (fillfactor = 50);

-- Workflow versions, numbered from 1 for each workflow.
CREATE TABLE graph (
    digest     TEXT COLLATE "C" PRIMARY KEY,
    workflow   TEXT COLLATE "C" NOT NULL,
    version    INTEGER NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    body       BYTEA NOT NULL,
    UNIQUE (workflow, version)
);

CREATE TABLE run (
    run         BIGINT NOT NULL,
    uid         TEXT COLLATE "C" NOT NULL,
    workflow    TEXT COLLATE "C" NOT NULL,
    dialect     TEXT COLLATE "C" NOT NULL,
    graph       TEXT COLLATE "C" NOT NULL,
    version     INTEGER NOT NULL,
    state       TEXT COLLATE "C" NOT NULL,
    owner       BIGINT NOT NULL,
    epoch       BIGINT NOT NULL,
    created_at  DOUBLE PRECISION NOT NULL,
    started_at  DOUBLE PRECISION,
    ended_at    DOUBLE PRECISION,
    project     TEXT COLLATE "C" NOT NULL,
    key         TEXT COLLATE "C",
    parent_run  TEXT COLLATE "C" NOT NULL,
    parent_task INTEGER NOT NULL,
    tags        TEXT NOT NULL,
    queue       TEXT COLLATE "C" NOT NULL,
    params      BYTEA,
    facts       BYTEA,
    result      BYTEA,
    error       TEXT COLLATE "C",
    CONSTRAINT run_pkey PRIMARY KEY (run),
    CONSTRAINT run_uid UNIQUE (uid)
) WITH (fillfactor = 80);

-- A submission's key makes one run at most.
CREATE UNIQUE INDEX run_by_key ON run (key) WHERE key IS NOT NULL;

-- Claims look for open runs by owner; ended runs, the many, are not in it.
CREATE INDEX run_open ON run (owner) WHERE ended_at IS NULL;

CREATE TABLE task_run (
    run         BIGINT NOT NULL,
    idx         INTEGER NOT NULL,
    state       TEXT COLLATE "C" NOT NULL,
    attempt     INTEGER NOT NULL,
    generation  INTEGER NOT NULL,
    failures    INTEGER NOT NULL,
    cause       TEXT COLLATE "C" NOT NULL,
    by          INTEGER NOT NULL,
    first_at    DOUBLE PRECISION NOT NULL,
    changed_at  DOUBLE PRECISION NOT NULL,
    started_at  DOUBLE PRECISION,
    ended_at    DOUBLE PRECISION,
    due_at      DOUBLE PRECISION,
    parent      INTEGER NOT NULL,
    map_index   INTEGER NOT NULL,
    ordinal     INTEGER NOT NULL,
    key         TEXT COLLATE "C" NOT NULL,
    name        TEXT COLLATE "C" NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    node        TEXT COLLATE "C" NOT NULL,
    worker      TEXT COLLATE "C" NOT NULL,
    fingerprint TEXT COLLATE "C" NOT NULL,
    chosen      BYTEA,
    wait        BYTEA,
    inputs      BYTEA,
    result      BYTEA,
    error       TEXT COLLATE "C",
    PRIMARY KEY (run, idx)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

-- The log. seq is that of the block's last change; lowest and highest bound the indexes in it. Large blocks
-- are compressed by the server: a quarter of the disk, at no cost that could be measured.
CREATE TABLE event (
    seq     BIGINT PRIMARY KEY,
    run     BIGINT NOT NULL,
    lowest  INTEGER NOT NULL,
    highest INTEGER NOT NULL,
    body    BYTEA NOT NULL
);

-- A run's log in order, and a task run's blocks in it without touching the others.
CREATE INDEX event_by_run ON event (run, seq, lowest, highest);

-- The nodes that a run's flows called.
CREATE TABLE node (
    run    BIGINT NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    body   BYTEA NOT NULL,
    PRIMARY KEY (run, digest)
);

-- Expanded maps, the latest generation of each.
CREATE TABLE map (
    run        BIGINT NOT NULL,
    idx        INTEGER NOT NULL,
    at         DOUBLE PRECISION NOT NULL,
    base       INTEGER NOT NULL,
    count      INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    items      BYTEA NOT NULL,
    PRIMARY KEY (run, idx)
);

-- Events sent to runs. first_seq keeps them in the order in which they came.
CREATE TABLE signal (
    run       BIGINT NOT NULL,
    signal_id TEXT COLLATE "C" NOT NULL,
    first_seq BIGINT NOT NULL,
    name      TEXT COLLATE "C" NOT NULL,
    at        DOUBLE PRECISION NOT NULL,
    consumer  INTEGER NOT NULL,
    payload   BYTEA NOT NULL,
    PRIMARY KEY (run, signal_id)
);

-- What task runs show to people, the latest of each key. first_seq keeps the order of first appearance.
CREATE TABLE published (
    run       BIGINT NOT NULL,
    idx       INTEGER NOT NULL,
    key       TEXT COLLATE "C" NOT NULL,
    first_seq BIGINT NOT NULL,
    attempt   INTEGER NOT NULL,
    at        DOUBLE PRECISION NOT NULL,
    body      BYTEA NOT NULL,
    PRIMARY KEY (run, idx, key)
);

-- Results that may stand in for running. They go when the run that made them is deleted.
CREATE TABLE cache (
    key        TEXT COLLATE "C" PRIMARY KEY,
    run        BIGINT NOT NULL,
    idx        INTEGER NOT NULL,
    at         DOUBLE PRECISION NOT NULL,
    expires_at DOUBLE PRECISION,
    result     BYTEA NOT NULL
);

CREATE INDEX cache_by_run ON cache (run);

-- What is asked of the engine that owns a run, until it has seen to it. number keeps the order.
CREATE TABLE request (
    number     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_id TEXT COLLATE "C" NOT NULL UNIQUE,
    run        BIGINT NOT NULL,
    body       BYTEA NOT NULL
);

-- Named documents of every kind: schedules, variables, deliveries. See Record in store/protocol.py.
CREATE TABLE record (
    kind     TEXT COLLATE "C" NOT NULL,
    name     TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    at       DOUBLE PRECISION NOT NULL,
    due_at   DOUBLE PRECISION,
    body     BYTEA NOT NULL,
    PRIMARY KEY (kind, name)
) WITH (fillfactor = 80);

CREATE INDEX record_due ON record (kind, due_at, name) WHERE due_at IS NOT NULL;

-- One for all records, so that a name that is used again does not get an old revision.
CREATE SEQUENCE revision;

-- Runs whose rows are being deleted in small transactions: the run itself is gone already.
CREATE TABLE doomed (
    run BIGINT PRIMARY KEY
);

-- The latest transaction of each writer, so that one whose connection died in a COMMIT can be looked up.
CREATE TABLE receipt (
    writer TEXT COLLATE "C" PRIMARY KEY,
    number BIGINT NOT NULL,
    made   TIMESTAMPTZ NOT NULL
) WITH (fillfactor = 50);

-- Ends the transaction unless the condition holds, so that a check needs no answer before what follows it.
CREATE FUNCTION must(holds BOOLEAN, otherwise TEXT) RETURNS VOID LANGUAGE plpgsql AS $$
BEGIN
    IF holds IS NOT TRUE THEN
        RAISE EXCEPTION 'refused' USING ERRCODE = otherwise;
    END IF;
END
$$;
