-- What pages ask of PostgreSQL: see store/summaries.py.

-- name: bars
SELECT idx, name, kind, parent, map_index, state, attempt, first_at, changed_at, started_at, ended_at, worker
FROM task_run WHERE run = $1 AND idx > $2 ORDER BY idx LIMIT $3;

-- name: bars_with_keys
SELECT
    idx, name, kind, parent, map_index, state, attempt, first_at, changed_at, started_at, ended_at, worker, key
FROM task_run WHERE run = $1 AND idx > $2 ORDER BY idx LIMIT $3;

-- name: cells
SELECT
    run, name, kind, state, count(*), min(idx), max(attempt), min(started_at), max(ended_at)
FROM task_run WHERE run = ANY ($1::bigint[])
GROUP BY run, name, kind, state ORDER BY run, min(idx);

-- name: task_keys
SELECT idx, key FROM task_run WHERE run = $1 AND idx = ANY ($2::bigint[]) ORDER BY idx;

-- name: newest_runs
SELECT newest.*
FROM unnest($1::text[]) AS wanted (name) CROSS JOIN LATERAL (
    SELECT run, uid, workflow, state, created_at, started_at, ended_at
    FROM run WHERE workflow = wanted.name ORDER BY run DESC LIMIT $2
) AS newest ORDER BY newest.run;

-- name: run_workflows
-- From each name to the next by index: as long as there are names, not as there are runs.
WITH RECURSIVE found (name) AS (
    SELECT min(workflow) FROM run WHERE workflow > $1 AND workflow >= $2 AND workflow < $3
    UNION ALL
    SELECT (SELECT min(workflow) FROM run WHERE workflow > found.name AND workflow < $3)
    FROM found WHERE name IS NOT NULL
)
SELECT name FROM found WHERE name IS NOT NULL LIMIT $4;

-- name: open_counts
SELECT workflow, state, count(*) FROM run
WHERE ended_at IS NULL GROUP BY workflow, state;

-- name: open_runs
SELECT {run} FROM run WHERE ended_at IS NULL ORDER BY run DESC LIMIT $1;

-- name: open_approvals
-- The wait is msgpack: behind the map's first byte its type comes first.
SELECT count(*) FROM run JOIN task_run USING (run)
WHERE run.ended_at IS NULL AND task_run.state = 'waiting'
    AND substring(wait FROM 2 FOR length($1::bytea)) = $1::bytea;

-- name: ended_runs
SELECT {run} FROM run
WHERE ended_at >= $2 AND state = $1 ORDER BY ended_at DESC, run DESC LIMIT $3;

-- name: ended_counts
SELECT floor(ended_at / $2)::bigint, state, count(*) FROM run
WHERE ended_at >= $1 GROUP BY 1, 2;

-- name: created_counts
SELECT
    floor(created_at / $3)::bigint, state,
    CASE WHEN state = 'succeeded' AND ended_at > started_at
        THEN floor(8 * ln(ended_at - started_at) / ln(2::float8))::bigint END,
    count(*)
FROM run WHERE workflow = $1 AND created_at >= $2 GROUP BY 1, 2, 3;

-- name: some_records
SELECT kind, name, body, revision, at, due_at FROM record
WHERE kind = $1 AND name = ANY ($2::text[]) ORDER BY name;

-- name: names_with
-- Where it comes earlier in the name is the better find. lower() knows ASCII only in this collation.
SELECT name FROM record WHERE kind = $1 AND strpos(lower(name), $2) > 0
ORDER BY strpos(lower(name), $2), name LIMIT $3;
