"""Goes through the protocol package's own client, step by step, and prints what each step was answered."""

from asyncio import run
from json import dumps
from os import environ
from time import time

from rxon import create_transport
from rxon.exceptions import RxonError
from rxon.models import Heartbeat, SecurityContext, SkillInfo, TaskPayload, TaskResult, WorkerEventPayload, WorkerRegistration
from rxon.security import sign_payload

WORKER = environ["WORKER_ID"]
TYPE = environ["TYPE"]


def show(step, answer):
    print(dumps({"step": step, "answer": answer}), flush=True)


async def refusal(step):
    try:
        return await step
    except RxonError as error:
        return str(error)


async def main():
    client = create_transport(url=environ["ORCHESTRATOR_URL"], worker_id=WORKER, token=environ["WORKER_TOKEN"])
    await client.connect()

    def signed(model, **members):
        """As workers do it: a model, then the same with its signature, keyed by the token in use."""
        plain = model(timestamp=int(time()), **members)
        ignored = ["bubbling_chain"] if model is WorkerEventPayload else None
        signature = sign_payload(plain, client.token, ignore_fields=ignored)
        return model(
            timestamp=plain.timestamp, security=SecurityContext(signature=signature, signer_id=WORKER), **members
        )

    def beat(**members):
        return client.send_heartbeat(signed(Heartbeat, worker_id=WORKER, status="idle", **members))

    show("heartbeat of an unknown worker", await refusal(beat(skills_hash="one")))

    tokens = await client.refresh_token()
    show("token", {"expires_in": tokens.expires_in, "worker_id": tokens.worker_id, "used": client.token != environ["WORKER_TOKEN"]})
    again = await client.refresh_token()
    show("refreshed", {"worker_id": again.worker_id})

    skills = [SkillInfo(name=TYPE, description="é😀", properties={"ratio": 1e-6, "count": 3.0})]
    registration = signed(WorkerRegistration, worker_id=WORKER, supported_skills=skills, skills_hash="one")
    show("register", await client.register(registration))
    show("register again with the same message", await refusal(client.register(registration)))

    show("heartbeat", await beat(skills_hash="one", current_tasks=[]))
    show("heartbeat with other skills", await beat(skills_hash="two"))
    show("heartbeat with all skills", await beat(skills_hash="two", supported_skills=skills))
    show("heartbeat with the skills it now knows", await beat(skills_hash="two"))
    show("heartbeat with a task that is not its", await beat(skills_hash="two", current_tasks=["lost"]))
    unsigned = Heartbeat(worker_id=WORKER, status="idle", timestamp=int(time()))
    show("heartbeat without a signature", await refusal(client.send_heartbeat(unsigned)))
    late = signed(Heartbeat, worker_id=WORKER, status="idle")
    show("heartbeat that was changed", await refusal(client.send_heartbeat(Heartbeat(**{
        "worker_id": WORKER, "status": "busy", "timestamp": late.timestamp, "security": late.security}))))

    task = await client.poll_task(timeout=20, available_skills=[TYPE], hot_skills=[])
    show("task", {"is_payload": isinstance(task, TaskPayload), "type": task.type, "params": task.params,
                  "deadline": isinstance(task.deadline, int), "priority": task.priority})
    event = signed(
        WorkerEventPayload, event_id="e-1", worker_id=WORKER, origin_worker_id=WORKER, event_type="progress",
        payload={"progress": 0.25, "message": "¼"}, bubbling_chain=[WORKER], target_job_id=task.job_id,
        target_task_id=task.task_id,
    )
    show("event", await client.emit_event(event))
    result = signed(TaskResult, job_id=task.job_id, task_id=task.task_id, worker_id=WORKER, data={"tiny": 1.5e-6, "é": 2.0})
    show("result", await client.send_result(result))
    show("the same result", await client.send_result(result))
    show("result of an unknown job", await client.send_result(
        signed(TaskResult, job_id="nowhere", task_id="none", worker_id=WORKER)))
    show("poll without a task", await client.poll_task(timeout=0))
    await client.close()


run(main())
