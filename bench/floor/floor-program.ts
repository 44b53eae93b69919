import { DurableObject } from "cloudflare:workers";

/**
 * The least that a job with one task over a socket can be: a new object and one durable write, one hop to a hub, one
 * socket message each way, one more write. No tokens, no checks, no deadlines, no history, no recovery.
 */
interface Env {
  JOBS: DurableObjectNamespace<Job>;
  HUB: DurableObjectNamespace<Hub>;
}

export class Job extends DurableObject<Env> {
  create(id: string): void {
    this.ctx.storage.kv.put("job", { id, status: "waiting_for_worker" });
    this.ctx.waitUntil(this.env.HUB.getByName("hub").offer(id));
  }

  finish(id: string): void {
    this.ctx.storage.kv.put("job", { id, status: "finished" });
  }
}

export class Hub extends DurableObject<Env> {
  #turn = 0;

  offer(id: string): void {
    const workers = this.ctx.getWebSockets();
    workers[this.#turn++ % workers.length]?.send(JSON.stringify({ type: "task", job_id: id }));
  }

  override fetch(): Response {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  override async webSocketMessage(socket: WebSocket, message: string): Promise<void> {
    const { job_id: id }: { job_id: string } = JSON.parse(message);
    await this.env.JOBS.getByName(id).finish(id);
    socket.send(JSON.stringify({ type: "result_ack", job_id: id }));
  }
}

export default {
  async fetch(request, env) {
    if (request.headers.get("Upgrade") === "websocket") return env.HUB.getByName("hub").fetch(request);
    await request.text();
    const id = crypto.randomUUID();
    await env.JOBS.getByName(id).create(id);
    return Response.json({ job_id: id }, { status: 202 });
  },
} satisfies ExportedHandler<Env>;
