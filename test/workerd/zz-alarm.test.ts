import { test, expect } from "vitest";
import { ALICE, call, createJob, unique } from "../support/workerd-api.ts";
import { deliver, jobAlarm } from "../support/workerd-clock.ts";
import { socketWorker } from "../support/workerd-worker.ts";
test("x", async () => {
  const post = (id: string, what: string, json: object) => call("POST", `/api/v1/jobs/${id}/${what}`, { headers: ALICE, json });
  const type = unique(); const worker = await socketWorker([type], {slots: 60});
  const ids: string[] = [];
  for (let i = 0; i < 40; i += 1) { const id = await createJob("one-task", { type }); await worker.task();
    await jobAlarm(id, 2000);
  }
  for (let i = 0; i < 400; i += 1) { await call("GET", "/_public/status"); 
    const junk = Array.from({length: 20000}, (_, i) => ({ i })); if (junk.length === 1) throw new Error();
  }
  expect(1).toBe(1);
}, 60000);
