-- The questions on PostgreSQL. Each runs on a connection that only reads, beside any writer.
-- {run} and {task} are the columns of store/rows.py; {where} is a condition made by store/postgres_query.py,
-- with holes for its values: no text of the caller's is ever put into a statement.

-- name: begin_snapshot
BEGIN ISOLATION LEVEL REPEATABLE READ;

-- name: commit
COMMIT;

-- name: run_by_uid
SELECT {run} FROM run WHERE uid = $1;

-- name: runs_by_prefix
SELECT {run} FROM run WHERE uid >= $1 AND uid < $2 ORDER BY uid LIMIT $3;

-- name: latest_run
SELECT {run} FROM run ORDER BY run DESC LIMIT 1;

-- name: run_by_id
SELECT {run} FROM run WHERE run = $1;

-- name: run_by_key
SELECT {run} FROM run WHERE key = $1;

-- name: runs
SELECT {run} FROM run WHERE run < $1 AND {where} ORDER BY run DESC LIMIT $2;

-- name: all_runs
SELECT {run} FROM run WHERE run > $1 ORDER BY run LIMIT $2;

-- name: counts
SELECT state, count(*) FROM task_run WHERE run = $1 GROUP BY state;

-- name: tasks
SELECT {task} FROM task_run WHERE run = $1 AND idx > $2 AND {where} ORDER BY idx LIMIT $3;

-- name: tasks_of_parent
SELECT {task} FROM task_run WHERE run = $1 AND idx > $2 AND parent = $4 AND {where} ORDER BY idx LIMIT $3;

-- name: all_tasks
SELECT {task} FROM task_run WHERE run = $1 ORDER BY idx;

-- name: task
SELECT {task} FROM task_run WHERE run = $1 AND idx = $2;

-- name: task_by_key
-- A scan of the run: an index would cost every task run, for a question that a person asks now and then.
-- A map that was expanded anew has items of the same keys again: the latest counts.
SELECT {task} FROM task_run WHERE run = $1 AND key = $2 ORDER BY idx DESC LIMIT 1;

-- name: events_of_run
SELECT seq, run, body FROM event WHERE run = $1 AND seq > $2 ORDER BY seq LIMIT $3;

-- name: events_of_task
SELECT seq, run, body FROM event
WHERE run = $1 AND seq > $2 AND lowest <= $4 AND highest >= $4 ORDER BY seq LIMIT $3;

-- name: events_since
SELECT seq, run, body FROM event WHERE seq > $1 ORDER BY seq LIMIT $2;

-- name: newest_seq
SELECT coalesce(max(seq), 0) FROM event;

-- name: published
SELECT idx, attempt, at, body FROM published WHERE run = $1 ORDER BY first_seq;

-- name: published_by_task
SELECT idx, attempt, at, body FROM published WHERE run = $1 AND idx = $2 ORDER BY first_seq;

-- name: maps
SELECT run, idx, at, base, count, generation, items FROM map WHERE run = $1 ORDER BY idx;

-- name: signals
SELECT run, name, at, payload, signal_id, consumer FROM signal WHERE run = $1 ORDER BY first_seq;

-- name: graph
SELECT body FROM graph WHERE digest = $1;

-- name: graph_of_run
SELECT body FROM graph WHERE digest = (SELECT graph FROM run WHERE run = $1);

-- name: graph_version
SELECT version FROM graph WHERE digest = $1;

-- name: nodes
SELECT digest, body FROM node WHERE run = $1 ORDER BY digest;

-- name: engines
SELECT engine, name, host, pid, process_started, started_at, expires_at FROM engine ORDER BY engine;

-- name: workflows
SELECT DISTINCT ON (workflow) workflow, version, digest, created_at FROM graph
ORDER BY workflow, version DESC;

-- name: record
SELECT kind, name, body, revision, at, due_at FROM record WHERE kind = $1 AND name = $2;

-- name: records
SELECT kind, name, body, revision, at, due_at FROM record
WHERE kind = $1 AND name > $2 AND name >= $3 AND name < $4 ORDER BY name LIMIT $5;

-- name: last_records
SELECT kind, name, body, revision, at, due_at FROM record
WHERE kind = $1 AND name >= $2 AND name < $3 ORDER BY name DESC LIMIT $4;

-- name: due
SELECT kind, name, body, revision, at, due_at FROM record
WHERE kind = $1 AND due_at <= $2 ORDER BY due_at, name LIMIT $3;

-- name: cached
SELECT key, run, idx, at, expires_at, result FROM cache
WHERE key = $1 AND (expires_at IS NULL OR expires_at > $2);

-- name: any_claimable
-- Asked again and again by idle engines: nothing is locked when there is nothing to claim.
SELECT 1 FROM run
WHERE ended_at IS NULL AND (
    owner = ANY ($1::bigint[])
    OR NOT EXISTS (SELECT 1 FROM engine WHERE engine = run.owner AND expires_at > $2)
) AND ($3::text[] IS NULL OR queue = ANY ($3::text[]))
LIMIT 1;

-- name: requests
-- Asked again and again by every engine: the table is nearly always empty.
SELECT request.body FROM request JOIN run USING (run)
WHERE run.owner = $1 AND run.ended_at IS NULL ORDER BY request.number;

-- name: ended_before
SELECT run, uid FROM run WHERE ended_at < $1 ORDER BY run LIMIT $2;

-- name: doomed
SELECT run FROM doomed ORDER BY run;

-- name: damaged_pages
-- Pages that did not match their checksum since the statistics began; NULL without checksums.
SELECT coalesce(checksum_failures, 0) FROM pg_stat_database WHERE datname = current_database();

-- name: about
-- Version of the server, the bytes of all tables and indexes of a schema, and the time there.
SELECT
    current_setting('server_version'), coalesce(sum(pg_total_relation_size(pg_class.oid)), 0)::bigint,
    extract(epoch FROM clock_timestamp())::float8
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname = $1 AND relkind = 'r';
