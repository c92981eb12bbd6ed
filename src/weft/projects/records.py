"""The records of projects: one collection for each kind."""

from weft.model.projects import ProjectEntry, VersionEntry, WorkflowEntry
from weft.model.schedules import KIND, Scheduled
from weft.model.triggers import TRIGGER, Armed
from weft.store.records import Collection

PROJECTS = Collection("project", ProjectEntry)
WORKFLOWS = Collection("workflow", WorkflowEntry)
VERSIONS = Collection("version", VersionEntry)
SCHEDULES = Collection(KIND, Scheduled)
TRIGGERS = Collection(TRIGGER, Armed)
