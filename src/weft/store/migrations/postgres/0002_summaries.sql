-- What pages ask of runs: the newest of a workflow, and what ended lately.

-- A workflow's runs, in order. Neither column ever changes.
CREATE INDEX run_by_workflow ON run (workflow, run);

-- What ended since a moment. Without the state, whose every change would then need new index entries.
CREATE INDEX run_ended ON run (ended_at) WHERE ended_at IS NOT NULL;
