import type { Env } from "../../src/env.ts";
import type { JobRecord, Notice } from "../../src/job/record.ts";
import { isEnded } from "../../src/job/status.ts";
import { outcomeOf } from "../../src/job/outcome.ts";
import { messageOf } from "../../src/notices/job-message.ts";
import { queueProducer } from "../../src/queue-producer.ts";
import { callObject } from "../shared/call-object.ts";

/**
 * Sends one notice. It may be sent again: children and parents take it once, and messages carry an id.
 * @throws when it could not be sent
 */
export async function sendNotice(env: Env, job: JobRecord, notice: Notice): Promise<void> {
  switch (notice.kind) {
    case "cancel_child":
      await callObject(env.JOBS, notice.jobId, (child) => child.letGo(job.id));
      return;
    case "tell_parent": {
      const { parent } = job;
      if (parent === null || !isEnded(job.status)) return;
      await callObject(env.JOBS, parent.jobId, (object) => object.childEnded(parent.taskId, outcomeOf(job)));
      return;
    }
    case "webhook":
    case "ask_people": {
      const message = messageOf(job, notice);
      if (message !== null) await queueProducer(env, "notices").send([message]);
    }
  }
}
