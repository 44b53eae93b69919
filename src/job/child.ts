import { jsonObject } from "@batuta/worker/protocol";
import type { JobCommand } from "./command.ts";
import type { CreateJob } from "./create.ts";
import { filesForChild } from "./files.ts";
import type { ChildOutcome, JobRecord, Task } from "./record.ts";

/** What the child job that does a piece of work is created with. Its input is still to be checked by its blueprint. */
export function childRequestOf(job: JobRecord, task: Task): CreateJob {
  return {
    id: task.id,
    client: job.client,
    initialData: jsonObject.parse(task.request.params),
    requestDigest: "",
    tracing: { ...job.tracing },
    metadata: job.metadata,
    files: filesForChild(job, task),
    region: job.region,
    parent: { jobId: job.id, taskId: task.id, attempt: task.attempt },
    depth: job.depth + 1,
    deadlineAt: job.deadlineAt,
  };
}

/** How a child ended that could not even begin. */
export function refusedChild(error: string): ChildOutcome {
  return { status: "failed", state: "", result: null, error };
}

/** Why a child cannot be created when its blueprint is not there. */
export function notDeployed(blueprint: string): string {
  return `Blueprint '${blueprint}' is not deployed.`;
}

/** What a child is told that its parent does not wait for any more. Told again, it changes nothing. */
export function letChildGo(parentId: string): JobCommand {
  return { do: "cancel", reason: "the job that ran it goes on without it", id: parentId };
}
