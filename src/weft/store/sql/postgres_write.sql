-- The statements of the writer on PostgreSQL, in the order in which a commit runs them. Rows come as arrays,
-- one for each column (see store/postgres_arrays.py), so that a statement is one message however many they are.

-- name: begin
BEGIN;

-- name: commit
COMMIT;

-- name: rollback
ROLLBACK;

-- name: owned
-- Fencing: the caller owns these runs under the epochs that it believes in, and goes on to until the end of
-- this transaction. The locks are taken in order, so that two engines cannot wait for each other.
SELECT must(count(*) = cardinality($2::bigint[]), 'WF001') FROM (
    SELECT 1 FROM unnest($2::bigint[], $3::bigint[]) AS held (run, epoch) JOIN run USING (run)
    WHERE run.owner = $1 AND run.epoch = held.epoch
    ORDER BY run.run FOR NO KEY UPDATE OF run
) AS owned;

-- name: owners
-- Who owns these runs, for a commit of which some are refused.
SELECT run, owner, epoch FROM run WHERE run = ANY ($1::bigint[]) ORDER BY run FOR NO KEY UPDATE;

-- name: keys_taken
SELECT key FROM run WHERE key = ANY ($1::text[]);

-- name: add_runs
INSERT INTO run (
    run, uid, workflow, dialect, graph, owner, epoch, created_at, project, key, parent_run, parent_task,
    tags, params, facts, queue, state, started_at, ended_at, result, error, version
)
SELECT u.*, coalesce((SELECT version FROM graph WHERE digest = u.graph), 0)
FROM unnest(
    $1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::float8[],
    $9::text[], $10::text[], $11::text[], $12::int[], $13::text[], $14::bytea[], $15::bytea[], $16::text[],
    $17::text[], $18::float8[], $19::float8[], $20::bytea[], $21::text[]
) AS u (
    run, uid, workflow, dialect, graph, owner, epoch, created_at, project, key, parent_run, parent_task,
    tags, params, facts, queue, state, started_at, ended_at, result, error
);

-- name: change_runs
-- ran is the time if it runs now, else NULL: a run has started once.
UPDATE run SET
    state = u.state, started_at = coalesce(run.started_at, u.ran), ended_at = u.ended_at,
    result = u.result, error = u.error
FROM unnest($1::bigint[], $2::text[], $3::float8[], $4::float8[], $5::bytea[], $6::text[])
    AS u (run, state, ran, ended_at, result, error)
WHERE run.run = u.run;

-- name: add_nodes
INSERT INTO node (run, digest, body) SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[])
ON CONFLICT DO NOTHING;

-- name: put_maps
INSERT INTO map (run, idx, at, base, count, generation, items)
SELECT * FROM unnest($1::bigint[], $2::int[], $3::float8[], $4::int[], $5::int[], $6::int[], $7::bytea[])
ON CONFLICT (run, idx) DO UPDATE SET
    at = excluded.at, base = excluded.base, count = excluded.count, generation = excluded.generation,
    items = excluded.items;

-- name: add_tasks
INSERT INTO task_run (
    run, idx, state, attempt, generation, failures, cause, by, first_at, changed_at, started_at, ended_at,
    due_at, parent, map_index, ordinal, key, name, kind, node, worker, fingerprint,
    chosen, wait, inputs, result, error
)
SELECT * FROM unnest(
    $1::bigint[], $2::int[], $3::text[], $4::int[], $5::int[], $6::int[], $7::text[], $8::int[], $9::float8[],
    $10::float8[], $11::float8[], $12::float8[], $13::float8[], $14::int[], $15::int[], $16::int[],
    $17::text[], $18::text[], $19::text[], $20::text[], $21::text[], $22::text[],
    $23::bytea[], $24::bytea[], $25::bytea[], $26::bytea[], $27::text[]
);

-- name: remake_tasks
WITH remade AS (
    UPDATE task_run AS t SET
        name = u.name, node = u.node, ordinal = u.ordinal, fingerprint = u.fingerprint, inputs = u.inputs
    FROM unnest($1::bigint[], $2::int[], $3::text[], $4::text[], $5::int[], $6::text[], $7::bytea[])
        AS u (run, idx, name, node, ordinal, fingerprint, inputs)
    WHERE t.run = u.run AND t.idx = u.idx
    RETURNING 1
)
SELECT must(count(*) = cardinality($1::bigint[]), 'WF002') FROM remade;

-- name: change_tasks
-- decided tells whether the batch decides the start time; if not, the same attempt keeps the one it has.
WITH changed AS (
    UPDATE task_run AS t SET
        state = u.state, attempt = u.attempt, generation = u.generation, failures = u.failures, cause = u.cause,
        by = u.by, changed_at = u.at,
        started_at = CASE WHEN u.decided THEN u.started_at WHEN t.attempt = u.attempt THEN t.started_at END,
        ended_at = u.ended_at, due_at = u.due_at, worker = u.worker, chosen = u.chosen, wait = u.wait,
        result = u.result, error = u.error
    FROM unnest(
        $1::text[], $2::int[], $3::int[], $4::int[], $5::text[], $6::int[], $7::float8[], $8::bool[],
        $9::float8[], $10::float8[], $11::float8[], $12::text[], $13::bytea[], $14::bytea[], $15::bytea[],
        $16::text[], $17::bigint[], $18::int[]
    ) AS u (
        state, attempt, generation, failures, cause, by, at, decided,
        started_at, ended_at, due_at, worker, chosen, wait, result,
        error, run, idx
    )
    WHERE t.run = u.run AND t.idx = u.idx
    RETURNING 1
)
SELECT must(count(*) = cardinality($17::bigint[]), 'WF002') FROM changed;

-- name: put_caches
INSERT INTO cache (key, run, idx, at, expires_at, result)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::int[], $4::float8[], $5::float8[], $6::bytea[])
ON CONFLICT (key) DO UPDATE SET
    run = excluded.run, idx = excluded.idx, at = excluded.at, expires_at = excluded.expires_at,
    result = excluded.result;

-- name: lock
-- Until the end of the transaction. A statement of its own: what follows must see what the last holder did.
SELECT pg_advisory_xact_lock($1::int, $2::int);

-- name: add_events
-- Under the lock of the log, so that seq grows in the order of the commits. The offsets count from the newest.
INSERT INTO event (seq, run, lowest, highest, body)
SELECT newest.seq + u.upto, u.run, u.lowest, u.highest, u.body
FROM (SELECT coalesce(max(seq), 0) AS seq FROM event) AS newest,
    unnest($1::int[], $2::bigint[], $3::int[], $4::int[], $5::bytea[]) AS u (upto, run, lowest, highest, body)
RETURNING seq;

-- name: put_signals
-- back counts from the commit's last change, which is the newest of the log by now.
INSERT INTO signal (run, signal_id, first_seq, name, at, consumer, payload)
SELECT u.run, u.signal_id, (SELECT max(seq) FROM event) - u.back, u.name, u.at, u.consumer, u.payload
FROM unnest($1::bigint[], $2::text[], $3::int[], $4::text[], $5::float8[], $6::int[], $7::bytea[])
    AS u (run, signal_id, back, name, at, consumer, payload)
ON CONFLICT (run, signal_id) DO UPDATE SET
    name = excluded.name, at = excluded.at, consumer = excluded.consumer, payload = excluded.payload;

-- name: put_published
INSERT INTO published (run, idx, key, first_seq, attempt, at, body)
SELECT u.run, u.idx, u.key, (SELECT max(seq) FROM event) - u.back, u.attempt, u.at, u.body
FROM unnest($1::bigint[], $2::int[], $3::text[], $4::int[], $5::int[], $6::float8[], $7::bytea[])
    AS u (run, idx, key, back, attempt, at, body)
ON CONFLICT (run, idx, key) DO UPDATE SET attempt = excluded.attempt, at = excluded.at, body = excluded.body;

-- name: notify
-- Equal ones of a transaction are one. The payload is who sent it, so that nobody wakes itself.
SELECT pg_notify($1, $2);

-- name: was_committed
-- Whether a commit whose connection died was made: the block of one of its runs is in the log.
SELECT seq FROM event WHERE run = $1 AND seq > $2 AND body = $3;

-- name: newest_seq
SELECT coalesce(max(seq), 0) FROM event;

-- name: sign
-- The receipt of a transaction that is not a commit of an engine's.
INSERT INTO receipt (writer, number, made) VALUES ($1, $2, now())
ON CONFLICT (writer) DO UPDATE SET number = excluded.number, made = excluded.made;

-- name: was_signed
SELECT 1 FROM receipt WHERE writer = $1 AND number = $2;

-- name: forget_writer
DELETE FROM receipt WHERE writer = $1;

-- name: forget_old_writers
DELETE FROM receipt WHERE made < now() - interval '1 day';

-- name: end_backend
-- Of a connection that was lost: it may be at work still.
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start::text = $2;

-- name: add_graph
-- The next number of its workflow; nothing if the digest is known. Under a lock of its own.
INSERT INTO graph (digest, workflow, version, created_at, body)
SELECT $1, $2, 1 + coalesce((SELECT max(version) FROM graph WHERE workflow = $2), 0), $3, $4
WHERE NOT EXISTS (SELECT 1 FROM graph WHERE digest = $1);

-- name: reserve_runs
UPDATE meta SET value = value + $1 WHERE name = 'next_run' RETURNING value - $1;

-- name: add_engine
INSERT INTO engine (name, host, pid, process_started, started_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
RETURNING engine;

-- name: set_expiry
UPDATE engine SET expires_at = $2 WHERE engine = $1 RETURNING engine;

-- name: claimable
-- Open runs whose owner is dead or said to be, or nobody. A run that somebody else is claiming, or that its
-- old owner is committing, is left for the next time.
SELECT run FROM run
WHERE ended_at IS NULL AND (
    owner = ANY ($1::bigint[])
    OR NOT EXISTS (SELECT 1 FROM engine WHERE engine = run.owner AND expires_at > $2)
) AND ($3::text[] IS NULL OR queue = ANY ($3::text[]))
ORDER BY run LIMIT $4::bigint
FOR NO KEY UPDATE OF run SKIP LOCKED;

-- name: claimable_of
-- The same of runs that are named, ended ones too. These are waited for.
SELECT run FROM run
WHERE run = ANY ($3::bigint[]) AND (
    owner = ANY ($1::bigint[])
    OR NOT EXISTS (SELECT 1 FROM engine WHERE engine = run.owner AND expires_at > $2)
)
ORDER BY run LIMIT $4::bigint
FOR NO KEY UPDATE OF run;

-- name: claim
-- The epoch grows, so whatever the old owner still commits is refused.
UPDATE run SET owner = $1, epoch = epoch + 1 WHERE run = ANY ($2::bigint[]) RETURNING run, epoch;

-- name: assign
UPDATE run SET queue = $2 WHERE run = ANY ($1::bigint[]) AND ended_at IS NULL;

-- name: lock_records
-- In order, so that two writers of the same records do not wait for each other.
SELECT 1 FROM record WHERE (kind, name) IN (SELECT * FROM unnest($1::text[], $2::text[]))
ORDER BY kind, name FOR UPDATE;

-- name: revision
SELECT revision FROM record WHERE kind = $1 AND name = $2;

-- name: put_record
INSERT INTO record (kind, name, revision, at, due_at, body) VALUES ($1, $2, nextval('revision'), $3, $4, $5)
ON CONFLICT (kind, name) DO UPDATE SET
    revision = excluded.revision, at = excluded.at, due_at = excluded.due_at, body = excluded.body
RETURNING revision;

-- name: add_record
INSERT INTO record (kind, name, revision, at, due_at, body) VALUES ($1, $2, nextval('revision'), $3, $4, $5)
ON CONFLICT DO NOTHING RETURNING revision;

-- name: change_record
UPDATE record SET revision = nextval('revision'), at = $3, due_at = $4, body = $5
WHERE kind = $1 AND name = $2 AND revision = $6 RETURNING revision;

-- name: delete_record
-- A revision is spent on it too, as on every write.
WITH gone AS (
    DELETE FROM record WHERE kind = $1 AND name = $2 AND revision = coalesce($3::bigint, revision) RETURNING 1
)
SELECT nextval('revision')
WHERE coalesce($3::bigint, 0) = 0 AND ($3::bigint IS NULL OR NOT EXISTS (
    SELECT 1 FROM record WHERE kind = $1 AND name = $2
)) OR EXISTS (SELECT 1 FROM gone);

-- name: add_request
INSERT INTO request (request_id, run, body) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING number;

-- name: drop_requests
DELETE FROM request WHERE request_id = ANY ($1::text[]);

-- name: doom_runs
-- An ended run leaves the lists at once; its other rows follow in small transactions.
WITH gone AS (
    DELETE FROM run WHERE run = ANY ($1::bigint[]) AND ended_at IS NOT NULL RETURNING run
)
INSERT INTO doomed (run) SELECT run FROM gone ON CONFLICT DO NOTHING RETURNING run;

-- name: end_doomed
DELETE FROM doomed WHERE run = $1;

-- name: delete_tasks
DELETE FROM task_run WHERE ctid = ANY (ARRAY(SELECT ctid FROM task_run WHERE run = $1 LIMIT $2)) RETURNING 1;

-- name: keep_seq
-- The newest seq is never used again, also when the run that it told of is deleted: its block is emptied.
-- See event_log.EMPTY. Under the lock of the log, so that it stays the newest.
UPDATE event SET run = 0, lowest = 0, highest = -1, body = $2
WHERE run = $1 AND seq = (SELECT max(seq) FROM event);

-- name: delete_old_keepers
DELETE FROM event WHERE run = 0 AND seq < (SELECT max(seq) FROM event);

-- name: delete_events
DELETE FROM event WHERE seq = ANY (ARRAY(SELECT seq FROM event WHERE run = $1 LIMIT $2)) RETURNING 1;

-- name: delete_nodes
DELETE FROM node WHERE run = $1;

-- name: delete_maps
DELETE FROM map WHERE run = $1;

-- name: delete_signals
DELETE FROM signal WHERE run = $1;

-- name: delete_published
DELETE FROM published WHERE run = $1;

-- name: delete_cache
DELETE FROM cache WHERE run = $1;

-- name: delete_requests
DELETE FROM request WHERE run = $1;

-- name: delete_expired_cache
DELETE FROM cache WHERE expires_at < $1;

-- name: delete_engines
-- Engines that are long gone and own nothing that is open.
DELETE FROM engine
WHERE expires_at < $1 AND NOT EXISTS (SELECT 1 FROM run WHERE owner = engine.engine AND ended_at IS NULL);
