import { readConfiguration } from "../../src/configuration.ts";
import { signedTask } from "../../src/dispatch/signed-task.ts";
import type { Env } from "../../src/env.ts";
import { queueProducer } from "../../src/queue-producer.ts";
import { SeenMessages } from "../../src/access/seen-messages.ts";
import { MAX_SEEN_MESSAGES } from "../../src/limits.ts";
import { FIRST_SHARD, isSingle, shareOf } from "../../src/registry/shard-plan.ts";
import { callObject } from "../shared/call-object.ts";
import { Attempts } from "./attempts.ts";
import { Dispatcher } from "./dispatcher.ts";
import { FrameCheck } from "./frame-check.ts";
import { Fleet } from "./fleet.ts";
import { Leases } from "./leases.ts";
import { expectedBackUntil } from "./outage.ts";
import { Outgoing } from "./outgoing.ts";
import { PolicyWatch } from "./policy-watch.ts";
import { Recalls } from "./recalls.ts";
import { Registrations } from "./registrations.ts";
import { restore } from "./restore.ts";
import { Results } from "./results.ts";
import { Roster } from "./roster.ts";
import { ShardAlarm } from "./shard-alarm.ts";
import { ShardStore } from "./shard-store.ts";
import { SummaryOfShard } from "./shard-summary.ts";
import { firstDeadline, whyBarred } from "./standing.ts";
import { StandingStore } from "./standing-store.ts";
import { Standings } from "./standings.ts";
import { TaskLogs } from "./task-logs.ts";
import { WorkerLines } from "./worker-lines.ts";
import { WorkerMoves } from "./worker-moves.ts";

export type ShardParts = ReturnType<typeof shardParts>;

/** Makes the parts of a shard and joins them, from the rows and sockets that outlived its memory. Its tables must be there. */
export function shardParts(ctx: DurableObjectState, env: Env) {
  const now = Date.now();
  const settings = readConfiguration(env);
  const name = ctx.id.name ?? FIRST_SHARD;
  const store = new ShardStore(ctx.storage.sql);
  const standings = new Standings(new StandingStore(ctx.storage.sql), settings.reputation);
  const roster = new Roster((member) =>
    whyBarred(member, standings.of(member.id), standings.shardDrain, settings.reputation),
  );
  const backBy = expectedBackUntil(settings, now);
  restore(roster, store, ctx.getWebSockets(), now, backBy);
  const alarm = new ShardAlarm(ctx.storage);
  const outgoing = new Outgoing(ctx, env, settings);
  const dispatcher: Dispatcher = new Dispatcher(
    {
      roster,
      store,
      sign: (task, at) => signedTask(task, settings.orchestratorSecretKey, at),
      leaseInRow: (member) => leases.watch(member),
      takenAtLast: (task, workerId) => outgoing.takenAtLast(task, workerId),
      isThere: (member, at) => leases.isThere(member, at),
      wakeAt: (at) => alarm.wakeAt(at),
    },
    now,
  );
  const leases: Leases = new Leases({
    alarm,
    store,
    roster,
    dispatcher,
    settings,
    lastPong: (socket) => ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? null,
    drainOf: (member) => firstDeadline(standings.of(member.id).drain, standings.shardDrain),
    lost: (lease, reason, detail) =>
      callObject(env.JOBS, lease.jobId, (job) => job.leaseLost(lease.taskId, lease.attempt, reason, detail)),
    expired: ({ id, info }) => outgoing.note("expired", id, info),
  });
  const fleet = new Fleet({ roster, dispatcher, leases, standings });
  fleet.recall();
  const logs = new TaskLogs(roster, queueProducer(env, "history"));
  const recalls = new Recalls({ stopped: (lease) => outgoing.stopped(lease) });
  const results = new Results({ env, roster, dispatcher, leases, logs, recalls, fleet });
  const seen = new SeenMessages(MAX_SEEN_MESSAGES);
  const lines = new WorkerLines({
    shard: name,
    ctx,
    env,
    roster,
    dispatcher,
    leases,
    logs,
    frameCheck: new FrameCheck(settings, seen),
    result: (workerId, report) => results.take(workerId, report, Date.now()),
    remind: (member) => fleet.remind(member),
  });
  const summary = new SummaryOfShard({ roster, dispatcher, leases, standings });
  const isAlone = isSingle(settings.shards);
  return {
    roster,
    dispatcher,
    leases,
    standings,
    alarm,
    fleet,
    logs,
    results,
    lines,
    seen,
    summary,
    registrations: new Registrations({ roster, dispatcher, leases, standings, outgoing, recalls }),
    attempts: new Attempts({
      roster,
      dispatcher,
      leases,
      logs,
      recalls,
      lines,
      summary: isAlone ? null : summary,
      backBy,
    }),
    moves: new WorkerMoves({ env, settings, name, store, roster, dispatcher, leases, standings }),
    policy: new PolicyWatch({ ctx, env, settings, dispatcher, share: shareOf(settings.shards, ctx.id.name) }),
  };
}
