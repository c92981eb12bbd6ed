-- What pages ask of runs: the newest of a workflow, and what ended lately.

-- A workflow's runs, in order: behind the name SQLite keeps the row's own id, which is the run.
CREATE INDEX run_by_workflow ON run (workflow);

-- What ended since a moment, counted by state without reading the runs. Open runs are not in it.
CREATE INDEX run_ended ON run (ended_at, state) WHERE ended_at IS NOT NULL;
