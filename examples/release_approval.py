"""A release that waits for a person, durably: kill it while it waits, resume it, and it still waits.

python examples/release_approval.py                   # approves itself after five seconds
weft run examples/release_approval.py -p patience=1h  # waits an hour; then, elsewhere:
weft approve @latest                                  # or: weft reject @latest
"""

from weft import approval, current, flow, now, sleep, task


@task(retries=2, retry_delay="1s", retry_backoff=2)
def build(version: str) -> str:
    """Make what is to be released."""
    current().logger.info("building %s", version)
    return f"app-{version}.tar.gz"


def withdraw(event: dict[str, object]) -> None:
    """Undo an upload of a release that did not go through; runs after a crash too."""
    print(f"withdrawing {event['result']}")


@task(on_rollback=withdraw)
def upload(package: str) -> str:
    """Put the package where only testers see it."""
    print(f"uploaded {package} to staging")
    return f"staging/{package}"


@task
def publish(staged: str, by: str) -> str:
    """Let everyone have it."""
    current().markdown(f"**{staged}** was published, approved by *{by}*.", title="Release")
    return staged.replace("staging", "public")


@flow
def release(version: str = "1.4.0", patience: str = "5s") -> str:
    """Build, upload, ask, publish."""
    started = now()
    staged = upload(build(version))
    sleep("200ms")  # Let the mirrors settle; a crash here does not start the pause anew.
    answer = approval(f"Publish `{version}`, built {started:%Y-%m-%d}?", timeout=patience, default=True)
    if not answer:
        raise RuntimeError(f"{answer.by} turned {version} down")
    return publish(staged, answer.by)


if __name__ == "__main__":
    print(release())
