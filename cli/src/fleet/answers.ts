import { z } from "zod";

const drain = z.object({ since: z.number(), deadline: z.number().nullable(), reason: z.string().nullable() });
export type Drain = z.infer<typeof drain>;

/** A worker as `GET /api/v1/workers` shows it, as far as it is printed. */
export const worker = z.looseObject({
  worker_id: z.string(),
  version: z.string().optional(),
  supported_tasks: z.array(z.string()).optional(),
  // Workers of the later generation say it in these words.
  available_skills: z.array(z.string()).optional(),
  supported_skills: z.array(z.looseObject({ name: z.string() })).optional(),
  reputation: z.number().default(1),
  reputation_reason: z.string().nullable().default(null),
  drain: drain.nullable().default(null),
  takes_nothing_because: z.string().nullable().default(null),
  connected: z.boolean().default(false),
  held_tasks: z.number().default(0),
});
export type Worker = z.infer<typeof worker>;

export const workers = z.array(worker);

export const shard = z.looseObject({
  name: z.string(),
  workers: z.number(),
  connected: z.number(),
  held_tasks: z.number(),
  waiting_tasks: z.number(),
  drain: drain.nullable(),
});

const awayShard = z.looseObject({ name: z.string(), error: z.string() });

export const shards = z.object({ shards: z.array(z.union([shard, awayShard])) });
export type ListedShard = z.infer<typeof shards>["shards"][number];

const explainedTask = z.looseObject({
  task_id: z.string(),
  type: z.string(),
  attempt: z.number(),
  summary: z.string(),
  queue: z
    .looseObject({
      about_ahead: z.number(),
      place_among_own: z.number(),
      own_waiting: z.number(),
      all_waiting: z.number(),
    })
    .nullish(),
  workers: z
    .array(z.looseObject({ worker_id: z.string(), ruled_out: z.string().nullable(), shard: z.string().optional() }))
    .default([]),
  more_workers: z.number().default(0),
  more_reasons: z.array(z.looseObject({ ruled_out: z.string().nullable(), workers: z.number() })).default([]),
});

export const explanation = z.looseObject({
  job_id: z.string(),
  status: z.string(),
  current_state: z.string(),
  since: z.string(),
  summary: z.string(),
  tasks: z.array(explainedTask),
  tasks_left_out: z.number(),
  next: z.array(z.looseObject({ at: z.string(), what: z.string() })),
});
export type Explanation = z.infer<typeof explanation>;
