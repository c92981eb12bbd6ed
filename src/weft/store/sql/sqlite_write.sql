-- The statements of the writer on SQLite. Each runs inside a transaction that began with BEGIN IMMEDIATE.

-- name: owned
-- Whether the caller owns the run under the epoch it believes in (fencing).
SELECT 1 FROM run WHERE run = ? AND owner = ? AND epoch = ?;

-- name: key_taken
SELECT 1 FROM run WHERE key = ?;

-- name: newest_seq
SELECT coalesce(max(seq), 0) FROM event;

-- name: add_event
INSERT INTO event (seq, run, lowest, highest, body) VALUES (?, ?, ?, ?, ?);

-- name: add_run
INSERT INTO run (
    run, uid, workflow, dialect, graph, version, state, owner, epoch, created_at,
    project, key, parent_run, parent_task, tags, params, facts, queue
)
VALUES (
    ?1, ?2, ?3, ?4, ?5, coalesce((SELECT version FROM graph WHERE digest = ?5), 0), ?6, ?7, ?8, ?9,
    ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17
);

-- name: change_run
-- The second hole is the time if it runs now, else NULL: a run has started once.
UPDATE run SET state = ?, started_at = coalesce(started_at, ?), ended_at = ?, result = ?, error = ?
WHERE run = ?;

-- name: add_task
INSERT INTO task_run (
    run, idx, state, attempt, generation, failures, cause, by, first_at, changed_at, started_at, ended_at,
    due_at, parent, map_index, ordinal, key, name, kind, node, worker, fingerprint,
    chosen, wait, inputs, result, error
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: change_task
-- ?8 tells whether the batch decides the start time (?9); if not, the same attempt keeps the one it has.
UPDATE task_run SET
    state = ?1, attempt = ?2, generation = ?3, failures = ?4, cause = ?5, by = ?6, changed_at = ?7,
    started_at = CASE WHEN ?8 THEN ?9 WHEN attempt = ?2 THEN started_at END,
    ended_at = ?10, due_at = ?11, worker = ?12, chosen = ?13, wait = ?14, result = ?15, error = ?16
WHERE run = ?17 AND idx = ?18;

-- name: remake_task
UPDATE task_run SET name = ?, node = ?, ordinal = ?, fingerprint = ?, inputs = ?
WHERE run = ? AND idx = ? RETURNING idx;

-- name: add_node
INSERT INTO node (run, digest, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING;

-- name: put_map
INSERT INTO map (run, idx, at, base, count, generation, items) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run, idx) DO UPDATE SET
    at = excluded.at, base = excluded.base, count = excluded.count, generation = excluded.generation,
    items = excluded.items;

-- name: put_signal
INSERT INTO signal (run, signal_id, first_seq, name, at, consumer, payload) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run, signal_id) DO UPDATE SET
    name = excluded.name, at = excluded.at, consumer = excluded.consumer, payload = excluded.payload;

-- name: put_published
INSERT INTO published (run, idx, key, first_seq, attempt, at, body) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run, idx, key) DO UPDATE SET attempt = excluded.attempt, at = excluded.at, body = excluded.body;

-- name: put_cache
INSERT INTO cache (key, run, idx, at, expires_at, result) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET
    run = excluded.run, idx = excluded.idx, at = excluded.at, expires_at = excluded.expires_at,
    result = excluded.result;

-- name: add_graph
-- The next number of its workflow; nothing if the digest is known.
INSERT INTO graph (digest, workflow, version, created_at, body)
SELECT ?1, ?2, 1 + coalesce((SELECT max(version) FROM graph WHERE workflow = ?2), 0), ?3, ?4
WHERE NOT EXISTS (SELECT 1 FROM graph WHERE digest = ?1);

-- name: reserve_runs
UPDATE meta SET value = value + ?1 WHERE name = 'next_run' RETURNING value - ?1;

-- name: add_engine
INSERT INTO engine (name, host, pid, process_started, started_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)
RETURNING engine;

-- name: set_expiry
UPDATE engine SET expires_at = ? WHERE engine = ? RETURNING engine;

-- name: claim_run
-- The epoch grows, so whatever the old owner still commits is refused.
UPDATE run SET owner = ?1, epoch = epoch + 1
WHERE run = ?2 AND (
    owner IN (SELECT value FROM json_each(?3))
    OR NOT EXISTS (SELECT 1 FROM engine WHERE engine = run.owner AND expires_at > ?4)
)
RETURNING epoch;

-- name: assign_run
UPDATE run SET queue = ? WHERE run = ? AND ended_at IS NULL;

-- name: next_revision
-- One counter for all records, so that a name that is used again does not get an old revision.
UPDATE meta SET value = value + 1 WHERE name = 'revision' RETURNING value;

-- name: revision
SELECT revision FROM record WHERE kind = ? AND name = ?;

-- name: put_record
INSERT INTO record (kind, name, revision, at, due_at, body) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (kind, name) DO UPDATE SET
    revision = excluded.revision, at = excluded.at, due_at = excluded.due_at, body = excluded.body;

-- name: delete_record
DELETE FROM record WHERE kind = ? AND name = ?;

-- name: add_request
INSERT INTO request (request_id, run, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING RETURNING number;

-- name: drop_request
DELETE FROM request WHERE request_id = ?;

-- name: delete_requests
DELETE FROM request WHERE run = ?;

-- name: doom_run
-- An ended run leaves the lists at once; its other rows follow in small transactions.
DELETE FROM run WHERE run = ? AND ended_at IS NOT NULL RETURNING run;

-- name: add_doomed
INSERT INTO doomed (run) VALUES (?) ON CONFLICT DO NOTHING;

-- name: end_doomed
DELETE FROM doomed WHERE run = ?;

-- name: delete_tasks
DELETE FROM task_run WHERE run = ?1 AND idx IN (SELECT idx FROM task_run WHERE run = ?1 LIMIT ?2)
RETURNING 1;

-- name: delete_events
DELETE FROM event WHERE seq IN (SELECT seq FROM event WHERE run = ?1 LIMIT ?2) RETURNING 1;

-- name: keep_seq
-- The newest seq is never used again, also when the run that it told of is deleted. See event_log.EMPTY.
INSERT INTO event (seq, run, lowest, highest, body) VALUES (?, 0, 0, -1, ?) ON CONFLICT DO NOTHING;

-- name: delete_old_keepers
DELETE FROM event WHERE run = 0 AND seq < (SELECT max(seq) FROM event);

-- name: delete_nodes
DELETE FROM node WHERE run = ?;

-- name: delete_maps
DELETE FROM map WHERE run = ?;

-- name: delete_signals
DELETE FROM signal WHERE run = ?;

-- name: delete_published
DELETE FROM published WHERE run = ?;

-- name: delete_cache
DELETE FROM cache WHERE run = ?;

-- name: delete_expired_cache
DELETE FROM cache WHERE expires_at < ?;

-- name: delete_engines
-- Engines that are long gone and own nothing that is open.
DELETE FROM engine
WHERE expires_at < ? AND engine NOT IN (SELECT owner FROM run WHERE ended_at IS NULL);
