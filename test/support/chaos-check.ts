import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { faultsOfAttempts, faultsOfHistory, isEnding, type JobEvent, readHistory, takenOf } from "./chaos-history.ts";
import { hasEnded, type PatientClient, type SeenJob } from "./chaos-people.ts";
import type { Script } from "./chaos-script.ts";

const listedJob = z.looseObject({
  id: z.string(),
  blueprint: z.string(),
  status: z.string(),
  current_state: z.string(),
  parent_id: z.string().nullable(),
  finished_at: z.number().nullable(),
});
export type ListedJob = z.infer<typeof listedJob>;

/** All jobs of the client, as history has them. */
export async function listJobs(client: PatientClient): Promise<ListedJob[]> {
  const jobs: ListedJob[] = [];
  for (let page = "", more = true; more;) {
    const { body, headers } = await client.ask("GET", `/api/v1/jobs?limit=1000${page}`);
    jobs.push(...z.array(listedJob).parse(body));
    const cursor = headers.get("X-Next-Cursor");
    more = cursor !== null;
    page = `&cursor=${encodeURIComponent(cursor ?? "")}`;
  }
  return jobs;
}

/** A job whose script was played. */
export interface Played {
  readonly script: Script;
  readonly id: string;
  /** Epoch ms at which its creation was asked for. */
  readonly askedAt: number;
  readonly hasWebhook: boolean;
}

function difference(what: string, is: unknown, should: unknown): string[] {
  return isDeepStrictEqual(is, should) ? [] : [`${what} is ${JSON.stringify(is)}, not ${JSON.stringify(should)}`];
}

/** What is wrong with a job, whichever it is. */
function faultsOfAny(job: SeenJob, listed: ListedJob, events: readonly JobEvent[]): string[] {
  const shown = {
    status: job.status,
    state: job.current_state,
    finishedAt: job.finished_at === null ? null : Date.parse(job.finished_at),
  };
  const row = { status: listed.status, state: listed.current_state, finishedAt: listed.finished_at };
  return [
    ...(hasEnded(job) ? [] : ["it has not ended"]),
    ...(listed.blueprint === "guarded" ? difference("the state it ended in", job.current_state, "cleaned") : []),
    ...difference("its row in the listing", row, shown),
    ...faultsOfHistory(events),
  ];
}

/** What is different from what the job's script foretells. */
function faultsOfEnd(
  { script: { end }, askedAt }: Played,
  job: SeenJob,
  events: readonly JobEvent[],
  children: readonly ListedJob[],
): string[] {
  const { attempts, ...result } = z.looseObject({}).safeParse(job.result).data ?? {};
  const lasted = Date.parse(job.finished_at ?? "") - askedAt;
  const ends = children.map(({ status }) => status);
  const unmade = end.mayLackChildren
    ? end.children.filter((status) => status === "cancelled").slice(0, Math.max(0, end.children.length - ends.length))
    : [];
  const left = events.filter(({ event_type: type }) => type === "state_finished").map((event) => event.previous_state);
  return [
    ...difference("its end", [job.status, job.current_state], [end.status, end.state]),
    ...difference(
      "its result",
      typeof job.result === "object" && job.result !== null ? result : job.result,
      end.result,
    ),
    ...difference("the list of its ends", events.map(({ event_type: type }) => type).filter(isEnding), end.endings),
    ...difference("how often it aggregated", left.filter((state) => state === "join").length, end.joins),
    ...difference("how its children ended", [...ends, ...unmade].toSorted(), end.children.toSorted()),
    ...(end.taken === undefined ? [] : difference("what was taken of its tasks", takenOf(events), end.taken)),
    ...faultsOfAttempts(events, attempts),
    ...(lasted < end.lastsMs ? [`it ended after ${lasted} ms, too early by ${end.lastsMs - lasted}`] : []),
  ];
}

/** Requests under way at once. */
const SIDE_BY_SIDE = 8;

/**
 * Compares every job, the children included, with what its script foretells and with what holds for all jobs.
 * @returns what is wrong, a text for each job, and how many attempts were lost in all
 */
export async function compareJobs(
  client: PatientClient,
  played: readonly Played[],
): Promise<{ faults: string[]; lost: number }> {
  const listed = await listJobs(client);
  const known = new Map(listed.map(({ id }) => [id, id]));
  const scripts = new Map(played.map((one) => [one.id, one]));
  const children = Map.groupBy(listed, (job) => job.parent_id ?? "");
  const faults = played.flatMap(({ id, script }) => (known.has(id) ? [] : [`${script.kind} ${id} is not listed`]));
  let lost = 0;
  const left = [...listed];
  const compare = async (): Promise<void> => {
    for (let row = left.pop(); row !== undefined; row = left.pop()) {
      const { id, parent_id: parentId, blueprint } = row;
      const [job, events] = await Promise.all([client.view(id), readHistory(client, id)]);
      lost += events.filter(({ event_type: type }) => type === "task_lost").length;
      const one = scripts.get(id);
      const found = faultsOfAny(job, row, events);
      if (one !== undefined) found.push(...faultsOfEnd(one, job, events, children.get(id) ?? []));
      else if (parentId === null) found.push("nobody has made it");
      if (found.length === 0) continue;
      const what = one?.script.kind ?? `child (${blueprint}) of ${scripts.get(parentId ?? "")?.script.kind}`;
      const history = events.map((event) => `\n    ${JSON.stringify(event)}`);
      faults.push(`${what} ${id}: ${found.join("; ")}${history.join("")}`);
    }
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, compare));
  return { faults, lost };
}

/** Which ends of jobs were told to the receiver, and should have been, and those that were and should not. */
export function compareWebhooks(
  played: readonly Played[],
  taken: Iterable<{ readonly job_id: string; readonly event: string }>,
): string[] {
  const told = Map.groupBy(taken, (post) => post.job_id);
  return played.flatMap(({ script, id, hasWebhook }) => {
    const events = (told.get(id) ?? []).map(({ event }) => event).filter(isEnding);
    const should = hasWebhook ? script.end.endings : [];
    return difference(`what the receiver was told of ${script.kind} ${id}`, events.toSorted(), should.toSorted());
  });
}
