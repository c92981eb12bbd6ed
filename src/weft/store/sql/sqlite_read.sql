-- The questions on SQLite. Each runs on a read-only connection, beside any writer.
-- {run} and {task} are the columns of store/rows.py; {where} is a condition made by store/query.py,
-- with holes for its values: no text of the caller's is ever put into a statement.

-- name: run_by_uid
SELECT {run} FROM run WHERE uid = ?;

-- name: runs_by_prefix
SELECT {run} FROM run WHERE uid >= ? AND uid < ? ORDER BY uid LIMIT ?;

-- name: latest_run
SELECT {run} FROM run ORDER BY run DESC LIMIT 1;

-- name: run_by_id
SELECT {run} FROM run WHERE run = ?;

-- name: run_by_key
SELECT {run} FROM run WHERE key = ?;

-- name: runs
SELECT {run} FROM run WHERE run < ? AND {where} ORDER BY run DESC LIMIT ?;

-- name: all_runs
SELECT {run} FROM run WHERE run > ? ORDER BY run LIMIT ?;

-- name: counts
SELECT state, count(*) FROM task_run WHERE run = ? GROUP BY state;

-- name: tasks
SELECT {task} FROM task_run WHERE run = ? AND idx > ? AND {where} ORDER BY idx LIMIT ?;

-- name: tasks_of_parent
SELECT {task} FROM task_run WHERE run = ? AND idx > ? AND parent = ? AND {where} ORDER BY idx LIMIT ?;

-- name: all_tasks
SELECT {task} FROM task_run WHERE run = ? ORDER BY idx;

-- name: task
SELECT {task} FROM task_run WHERE run = ? AND idx = ?;

-- name: task_by_key
-- A scan of the run: an index would cost every task run, for a question that a person asks now and then.
-- A map that was expanded anew has items of the same keys again: the latest counts.
SELECT {task} FROM task_run WHERE run = ? AND key = ? ORDER BY idx DESC LIMIT 1;

-- name: events_of_run
SELECT seq, run, body FROM event WHERE run = ? AND seq > ? ORDER BY seq;

-- name: events_of_task
SELECT seq, run, body FROM event
WHERE run = ?1 AND seq > ?2 AND lowest <= ?3 AND highest >= ?3 ORDER BY seq;

-- name: events_since
SELECT seq, run, body FROM event WHERE seq > ? ORDER BY seq;

-- name: newest_seq
SELECT coalesce(max(seq), 0) FROM event;

-- name: published
SELECT idx, attempt, at, body FROM published WHERE run = ? ORDER BY first_seq;

-- name: published_by_task
SELECT idx, attempt, at, body FROM published WHERE run = ? AND idx = ? ORDER BY first_seq;

-- name: maps
SELECT run, idx, at, base, count, generation, items FROM map WHERE run = ? ORDER BY idx;

-- name: signals
SELECT run, name, at, payload, signal_id, consumer FROM signal WHERE run = ? ORDER BY first_seq;

-- name: graph
SELECT body FROM graph WHERE digest = ?;

-- name: graph_version
SELECT version FROM graph WHERE digest = ?;

-- name: nodes
SELECT digest, body FROM node WHERE run = ? ORDER BY digest;

-- name: engines
SELECT engine, name, host, pid, process_started, started_at, expires_at FROM engine ORDER BY engine;

-- name: workflows
-- SQLite gives the bare columns of the row that has the maximum.
SELECT workflow, max(version), digest, created_at FROM graph GROUP BY workflow ORDER BY workflow;

-- name: cached
SELECT key, run, idx, at, expires_at, result FROM cache
WHERE key = ? AND (expires_at IS NULL OR expires_at > ?);

-- name: claimable
-- Open runs whose owner is dead or said to be; the writer checks each again. Left alone, SQLite would rather
-- walk all runs in order than sort the few open ones.
SELECT run FROM run INDEXED BY run_open
WHERE ended_at IS NULL AND (
    owner IN (SELECT value FROM json_each(?1))
    OR NOT EXISTS (SELECT 1 FROM engine WHERE engine = run.owner AND expires_at > ?2)
) AND (?3 IS NULL OR queue IN (SELECT value FROM json_each(?3)))
ORDER BY run LIMIT ?4;

-- name: record
SELECT kind, name, body, revision, at, due_at FROM record WHERE kind = ? AND name = ?;

-- name: records
SELECT kind, name, body, revision, at, due_at FROM record
WHERE kind = ? AND name > ? AND name >= ? AND name < ? ORDER BY name LIMIT ?;

-- name: last_records
SELECT kind, name, body, revision, at, due_at FROM record
WHERE kind = ? AND name >= ? AND name < ? ORDER BY name DESC LIMIT ?;

-- name: due
SELECT kind, name, body, revision, at, due_at FROM record
WHERE kind = ? AND due_at <= ? ORDER BY due_at, name LIMIT ?;

-- name: requests
-- Asked again and again by every engine: the table is nearly always empty.
SELECT request.body FROM request JOIN run USING (run)
WHERE run.owner = ? AND run.ended_at IS NULL ORDER BY request.number;

-- name: ended_before
SELECT run, uid FROM run WHERE ended_at < ? ORDER BY run LIMIT ?;

-- name: doomed
SELECT run FROM doomed ORDER BY run;

-- name: check
PRAGMA integrity_check;
