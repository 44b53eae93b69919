import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import { type Answer, call } from "./api-client.ts";

/** Between two tries while the server is away. */
const AGAIN_MS = 100;
/** Between two looks at a job, at first and at last. */
const LOOK_MS = { first: 60, last: 800 };
/** Nobody waits longer than this for a job to come to where it is wanted. */
const PATIENCE_MS = 90_000;

const jobView = z.looseObject({
  id: z.string(),
  status: z.string(),
  current_state: z.string(),
  result: z.unknown(),
  error_message: z.string().nullable(),
  waiting_for: z.object({ kind: z.string() }).nullable(),
  paused: z.unknown(),
  child_job_id: z.string().nullable(),
  current_task_info: z.object({ type: z.string(), attempt: z.number() }).nullable(),
  finished_at: z.string().nullable(),
});
export type SeenJob = z.infer<typeof jobView>;

const ENDED: ReadonlySet<string> = new Set(["finished", "failed", "quarantined", "cancelled"]);
export const hasEnded = ({ status }: Pick<SeenJob, "status">): boolean => ENDED.has(status);

interface Asked {
  readonly json?: unknown;
  readonly headers?: Record<string, string>;
}

/** What came of a request: `repeated` when it is not known whether an earlier try of it was heard. */
interface Heard extends Answer {
  readonly repeated: boolean;
}

async function untilSeen<T>(look: () => Promise<T>, isIt: (seen: T) => boolean): Promise<T> {
  const giveUpAt = Date.now() + PATIENCE_MS;
  for (let waitMs = LOOK_MS.first; ; waitMs = Math.min(waitMs * 1.5, LOOK_MS.last)) {
    const seen = await look();
    if (isIt(seen)) return seen;
    if (Date.now() > giveUpAt) throw new Error(`It never came to that: ${JSON.stringify(seen)}`);
    await pause(waitMs);
  }
}

/** A client whose server goes away and comes back: it asks again until it is answered, as one should. */
export class PatientClient {
  readonly #url: string;
  readonly #token: string;
  /** Answers of 500 and more: a server that is there should not give any. */
  readonly serverErrors: string[] = [];

  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  /**
   * Asks until there is an answer.
   * @param path from the server's root
   */
  async ask(method: string, path: string, { json, headers }: Asked = {}): Promise<Heard> {
    for (let repeated = false; ; repeated = true) {
      try {
        const answer = await call(this.#url + path, method, {
          headers: { "X-Avtomatika-Token": this.#token, ...headers },
          json,
        });
        if (answer.status < 500) return { ...answer, repeated };
        this.serverErrors.push(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
      } catch {
        // The server is away, or went away meanwhile.
      }
      await pause(AGAIN_MS);
    }
  }

  /**
   * @param key Idempotency-Key
   * @returns the job's id
   */
  async create(endpoint: string, json: object, key: string): Promise<string> {
    const answer = await this.ask("POST", `/api/v1/jobs/${endpoint}`, { json, headers: { "Idempotency-Key": key } });
    if (answer.status !== 202) throw new Error(`It was not created: ${JSON.stringify(answer.body)}`);
    return z.object({ job_id: z.string() }).parse(answer.body).job_id;
  }

  async view(id: string): Promise<SeenJob> {
    const { status, body } = await this.ask("GET", `/api/v1/jobs/${id}`);
    if (status !== 200) throw new Error(`Job ${id} is answered ${status}.`);
    return jobView.parse(body);
  }

  /** Waits until the job is as it is wanted. */
  async until(id: string, what: string, isThere: (job: SeenJob) => boolean): Promise<SeenJob> {
    const look = () => this.view(id);
    return await untilSeen(look, (job) => {
      if (hasEnded(job) && !isThere(job)) throw new Error(`Never ${what}: ${JSON.stringify(job)}`);
      return isThere(job);
    });
  }

  /** The job's child, once it is there: the job knows of it earlier. */
  async childOf(id: string): Promise<string> {
    const { child_job_id: child } = await this.until(id, "waiting for its child", (job) => job.child_job_id !== null);
    const path = `/api/v1/jobs/${child}`;
    await untilSeen(
      () => this.ask("GET", path),
      ({ status }) => status === 200,
    );
    return String(child);
  }

  /** A command that a second try finds done: then it is refused with 409. */
  async command(id: string, command: string, json: object): Promise<void> {
    this.#expectTaken(command, await this.ask("POST", `/api/v1/jobs/${id}/${command}`, { json }));
  }

  /** Always with the same key: a second cancel would not wait for the clean-up of the first. */
  async cancel(id: string): Promise<void> {
    const headers = { "Idempotency-Key": `cancel-${id}` };
    this.#expectTaken("cancel", await this.ask("POST", `/api/v1/jobs/${id}/cancel`, { headers }));
  }

  async decide(id: string, decision: string, by: string): Promise<void> {
    const json = { decision, decided_by: by };
    this.#expectTaken("decision", await this.ask("POST", `/_public/webhooks/approval/${id}`, { json }));
  }

  /** @param eventId makes a repeated event count once */
  async send(id: string, event: string, eventId: string, json: object): Promise<void> {
    const headers = { "Idempotency-Key": eventId };
    this.#expectTaken(event, await this.ask("POST", `/api/v1/jobs/${id}/events/${event}`, { json, headers }));
  }

  #expectTaken(what: string, { status, body, repeated }: Heard): void {
    if (status < 300 || (repeated && status === 409)) return;
    throw new Error(`The ${what} was refused: ${status} ${JSON.stringify(body)}`);
  }
}
