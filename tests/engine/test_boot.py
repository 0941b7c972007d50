"""A worker on topics of another shape does not start."""

import os
import subprocess
import sys
import uuid
from pathlib import Path

from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

ROOT = Path(__file__).resolve().parents[2]


def test_a_worker_refuses_topics_with_another_partition_count(kafka: str, tmp_path: Path) -> None:
    app_id = f"boot-{uuid.uuid4().hex[:8]}"
    changelog = f"{app_id}-g1-accounts-changelog"
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(changelog, 2, 1)])[changelog].result(20)
    env = {**os.environ, "MARGINSTREAM_KAFKA_BOOTSTRAP": kafka, "MARGINSTREAM_APP_ID": app_id, "MARGINSTREAM_PARTITIONS": "7",
           "MARGINSTREAM_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "streams", "worker"]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=40, check=False)
    assert done.returncode == 1
    assert f"topic {changelog}: expected 7 partitions, was 2" in done.stdout + done.stderr
    groups = admin.list_consumer_groups().result(10).valid
    assert app_id not in " ".join(group.group_id for group in groups)  # it read nothing
