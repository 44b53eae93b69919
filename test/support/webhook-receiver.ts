import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { text } from "node:stream/consumers";
import { Webhook } from "standardwebhooks";
import { afterAll } from "vitest";
import { z } from "zod";

const post = z.looseObject({ event: z.string(), job_id: z.string(), status: z.string() });
type Post = z.infer<typeof post>;

/** A receiver of webhooks as it should be: takes only what is signed, and each `webhook-id` once. Ends after the tests of its file. */
export class WebhookReceiver {
  readonly url: string;
  /** What was taken, by `webhook-id`. */
  readonly taken = new Map<string, Post>();
  /** What is wrong with what came, in words. */
  readonly faults: string[] = [];
  readonly #webhook: Webhook;
  readonly #isRefused: (id: string) => boolean;
  readonly #refused = new Set<string>();

  private constructor(server: Server, secret: string, isRefused: (id: string) => boolean) {
    const address = server.address();
    this.url = `http://127.0.0.1:${typeof address === "object" ? address?.port : address}/hook`;
    this.#webhook = new Webhook(secret);
    this.#isRefused = isRefused;
    server.on("request", async (request, response) => {
      const body = await text(request);
      const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
      response.writeHead(this.#take(headers, body)).end();
    });
  }

  /**
   * @param secret with which the sender signs
   * @param isRefused whether a webhook is answered 503 when it comes for the first time
   */
  static async start(secret: string, isRefused: (id: string) => boolean): Promise<WebhookReceiver> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    afterAll(() => {
      server.closeAllConnections();
      server.close();
    });
    return new WebhookReceiver(server, secret, isRefused);
  }

  /** @returns the HTTP status of the answer */
  #take(headers: Record<string, string>, body: string): number {
    const id = headers["webhook-id"] ?? "";
    let said: Post;
    try {
      said = post.parse(this.#webhook.verify(body, headers));
    } catch (error) {
      this.faults.push(`${id}: ${String(error)}`);
      return 401;
    }
    if (this.#isRefused(id) && !this.#refused.has(id)) {
      this.#refused.add(id);
      return 503;
    }
    const before = this.taken.get(id);
    if (before === undefined) this.taken.set(id, said);
    else if (before.event !== said.event || before.job_id !== said.job_id) this.faults.push(`${id} has two meanings`);
    return 204;
  }
}
