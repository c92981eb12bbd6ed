-- What pages ask of SQLite: see store/summaries.py. Lists of values come as JSON.

-- name: bars
SELECT idx, name, kind, parent, map_index, state, attempt, first_at, changed_at, started_at, ended_at, worker
FROM task_run WHERE run = ? AND idx > ? ORDER BY idx LIMIT ?;

-- name: bars_with_keys
SELECT
    idx, name, kind, parent, map_index, state, attempt, first_at, changed_at, started_at, ended_at, worker, key
FROM task_run WHERE run = ? AND idx > ? ORDER BY idx LIMIT ?;

-- name: cells
SELECT
    run, name, kind, state, count(*), min(idx), max(attempt), min(started_at), max(ended_at)
FROM task_run WHERE run IN (SELECT value FROM json_each(?))
GROUP BY run, name, kind, state ORDER BY run, min(idx);

-- name: task_keys
SELECT idx, key FROM task_run WHERE run = ? AND idx IN (SELECT value FROM json_each(?)) ORDER BY idx;

-- name: newest_runs
-- The inner question is asked by index once for each name.
SELECT run.run, uid, run.workflow, state, created_at, started_at, ended_at
FROM json_each(?1) AS wanted CROSS JOIN run
WHERE run.run IN (SELECT run FROM run WHERE workflow = wanted.value ORDER BY run DESC LIMIT ?2)
ORDER BY run.run;

-- name: run_workflows
-- From each name to the next by index: as long as there are names, not as there are runs.
WITH RECURSIVE found (name) AS (
    SELECT min(workflow) FROM run WHERE workflow > ?1 AND workflow >= ?2 AND workflow < ?3
    UNION ALL
    SELECT (SELECT min(workflow) FROM run WHERE workflow > found.name AND workflow < ?3)
    FROM found WHERE name IS NOT NULL
)
SELECT name FROM found WHERE name IS NOT NULL LIMIT ?4;

-- name: open_counts
SELECT workflow, state, count(*) FROM run INDEXED BY run_open
WHERE ended_at IS NULL GROUP BY workflow, state;

-- name: open_runs
SELECT {run} FROM run
WHERE run IN (SELECT run FROM run INDEXED BY run_open WHERE ended_at IS NULL ORDER BY run DESC LIMIT ?)
ORDER BY run DESC;

-- name: open_approvals
-- The wait is msgpack: behind the map's first byte its type comes first.
SELECT count(*) FROM run INDEXED BY run_open CROSS JOIN task_run USING (run)
WHERE run.ended_at IS NULL AND task_run.state = 'waiting' AND substr(wait, 2, length(?1)) = ?1;

-- name: ended_runs
SELECT {run} FROM run
WHERE ended_at >= ?2 AND state = ?1 ORDER BY ended_at DESC, run DESC LIMIT ?3;

-- name: ended_counts
SELECT CAST(floor(ended_at / ?2) AS INTEGER), state, count(*) FROM run
WHERE ended_at >= ?1 GROUP BY 1, 2;

-- name: created_counts
SELECT
    CAST(floor(created_at / ?3) AS INTEGER), state,
    CASE WHEN state = 'succeeded' AND ended_at > started_at
        THEN CAST(floor(8 * log2(ended_at - started_at)) AS INTEGER) END,
    count(*)
FROM run WHERE workflow = ?1 AND created_at >= ?2 GROUP BY 1, 2, 3;

-- name: some_records
SELECT kind, name, body, revision, at, due_at FROM record
WHERE kind = ? AND name IN (SELECT value FROM json_each(?)) ORDER BY name;

-- name: names_with
-- Where it comes earlier in the name is the better find. lower() knows ASCII only, as everywhere here.
SELECT name FROM record WHERE kind = ?1 AND instr(lower(name), ?2) > 0
ORDER BY instr(lower(name), ?2), name LIMIT ?3;
