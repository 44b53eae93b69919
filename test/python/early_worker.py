"""The same tasks as those of newest_worker.py, for the SDK of the first generation."""

from asyncio import CancelledError, sleep

from avtomatika_worker import Worker

worker = Worker(worker_type="early-python")


@worker.task("echo")
async def echo(params, **_):
    odd = {"half": 0.5, "tiny": 1.5e-6, "whole": 2.0, "large": 9007199254740993, "name": "Ünïcödé 😀", "none": None}
    return {"status": "success", "data": {"echoed": params["value"], "odd": odd}}


@worker.task("fail")
async def fail(params, **_):
    return {"status": "failure", "error": {"code": params["value"], "message": "on purpose"}}


@worker.task("slow")
async def slow(params, task_id, job_id, send_progress, **_):
    await send_progress(task_id, job_id, 0.5, "half way: ½")
    try:
        await sleep(60)
    except CancelledError:
        print("slow was stopped", flush=True)
        raise


worker.run()
