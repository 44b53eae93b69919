"""A worker made with the newest published SDK: what its tasks are called is what they do."""

from asyncio import CancelledError, sleep

from avtomatika_worker import Worker

worker = Worker(worker_type="newest-python")


@worker.skill("echo")
async def echo(params: dict):
    # Numbers and letters that two languages write differently.
    odd = {"half": 0.5, "tiny": 1.5e-6, "whole": 2.0, "large": 9007199254740993, "name": "Ünïcödé 😀", "none": None}
    return {"data": {"echoed": params["value"], "odd": odd}}


@worker.skill("fail")
async def fail(params: dict):
    return {"status": "failure", "error": {"code": params["value"], "message": "on purpose"}}


@worker.skill("slow")
async def slow(task_id: str, job_id: str, send_progress):
    await send_progress(task_id, job_id, 0.5, "half way: ½")
    try:
        await sleep(60)
    except CancelledError:
        print("slow was stopped", flush=True)
        raise


worker.run()
