import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { HeldLease } from "../../../durable-objects/registry-shard/lease.ts";
import { candidateOf, Roster, type Member } from "../../../durable-objects/registry-shard/roster.ts";
import { FakeWorkerSocket } from "../../support/fake-worker-socket.ts";
import { T0 } from "../../support/job-builders.ts";

function held(taskId: string): HeldLease {
  return {
    jobId: "job",
    taskId,
    attempt: 1,
    word: "w",
    type: "resize",
    client: "alice",
    since: T0,
    row: null,
    expiresAt: null,
  };
}

const poll = () => new FakeWorkerSocket().asWebSocket();

const TYPES = ["resize", "crop"];
const change = fc.record({
  id: fc.constantFrom("a", "b", "c"),
  info: fc.boolean(),
  slots: fc.option(fc.nat({ max: 2 })),
  socketTasks: fc.subarray(TYPES),
  registeredTasks: fc.subarray(TYPES),
  draining: fc.boolean(),
  polls: fc.nat({ max: 1 }),
  leases: fc.nat({ max: 2 }),
  gone: fc.boolean(),
});

/** Whether a member could take a task of the type, from first principles. */
function couldTake(member: Member, type: string): boolean {
  if (member.info === null || member.draining) return false;
  if (member.slots === null) return member.polls.size > 0 && member.registeredTasks.has(type);
  return member.leases.size < member.slots && member.socketTasks.has(type);
}

describe("the roster", () => {
  test("knows at any time who could take a task of a type, and which types each could take", () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
        const roster = new Roster();
        for (const { id, gone, info, slots, socketTasks, registeredTasks, draining, polls, leases } of changes) {
          const member = roster.member(id, T0);
          Object.assign(member, {
            info: info ? { worker_id: id } : null,
            slots,
            socketTasks: new Set(socketTasks),
            registeredTasks: new Set(registeredTasks),
            draining,
          });
          member.polls.clear();
          for (let n = 0; n < polls; n += 1) member.polls.add(poll());
          for (const taskId of member.leases.keys()) roster.release(member, taskId);
          for (let n = 0; n < leases; n += 1) roster.hold(member, held(`${id}${n}`));
          roster.refresh(member);
          if (gone) roster.remove(member);
          for (const type of TYPES) {
            const expected = [...roster.all()].filter((each) => couldTake(each, type));
            expect(new Set(roster.readyFor(type))).toEqual(new Set(expected));
            const named = expected.filter(({ id: each }) => each !== "b").toSorted((a, b) => (a.id < b.id ? -1 : 1));
            expect([...roster.readyFor(type, ["a", "c", "nobody", "a"])]).toEqual(named);
          }
          for (const each of roster.all()) {
            expect([...roster.typesOf(each)].toSorted()).toEqual(
              TYPES.filter((type) => couldTake(each, type)).toSorted(),
            );
          }
        }
      }),
    );
  });

  test("makes a member on first sight and finds it ever after", () => {
    const roster = new Roster();
    const member = roster.member("w", T0);
    expect(roster.member("w", T0 + 1)).toBe(member);
    expect([roster.get("w"), roster.get("other")]).toEqual([member, null]);
    expect(member).toMatchObject({ info: null, expiresAt: T0, slots: null, draining: false, idleSince: T0 });
  });

  test("knows the holder of a task until it is released", () => {
    const roster = new Roster();
    const [a, b] = [roster.member("a", T0), roster.member("b", T0)];
    roster.hold(a, held("t"));
    expect(roster.holderOf("t")).toBe(a);
    expect(roster.release(b, "t")).toBeNull();
    expect(roster.holderOf("t")).toBe(a);
    expect(roster.release(a, "t")).toEqual(held("t"));
    expect([roster.holderOf("t"), a.leases.size]).toEqual([null, 0]);
  });
});

describe("a member as matching sees it", () => {
  test("is nobody before it has registered", () => {
    expect(candidateOf(new Roster().member("w", T0))).toBeNull();
  });

  test("takes by poll what it registered, one task a poll", () => {
    const member = new Roster().member("w", T0);
    Object.assign(member, {
      info: { worker_id: "w" },
      registeredTasks: new Set(["resize"]),
      socketTasks: new Set(["crop"]),
    });
    member.polls.add(poll());
    expect(candidateOf(member)).toMatchObject({ tasks: new Set(["resize"]), free: 1, held: 0 });
  });

  test("takes by socket what it said hello with, as many as it has slots left", () => {
    const roster = new Roster();
    const member = roster.member("w", T0);
    Object.assign(member, { info: { worker_id: "w" }, slots: 3, socketTasks: new Set(["crop"]) });
    roster.hold(member, held("t"));
    expect(candidateOf(member)).toMatchObject({ tasks: new Set(["crop"]), free: 2, held: 1 });
  });

  test("is full of types of which it has as many as it takes at once", () => {
    const roster = new Roster();
    const member = roster.member("w", T0);
    Object.assign(member, {
      info: { worker_id: "w" },
      slots: 3,
      socketTasks: new Set(["resize", "crop", "sort"]),
      socketLimits: [{ tasks: ["resize", "crop"], max: 1 }],
    });
    roster.refresh(member);
    expect([...roster.typesOf(member)]).toEqual(["resize", "crop", "sort"]);
    roster.hold(member, held("t"));
    roster.refresh(member);
    expect([...roster.typesOf(member)]).toEqual(["sort"]);
    expect(candidateOf(member)).toMatchObject({ full: new Set(["resize", "crop"]), free: 2 });
    roster.release(member, "t");
    roster.refresh(member);
    expect([...roster.typesOf(member)]).toEqual(["resize", "crop", "sort"]);
  });

  test("is idle when it asks for tasks, whatever its last heartbeat said", () => {
    const member = new Roster().member("w", T0);
    Object.assign(member, { info: { worker_id: "w", status: "busy" } });
    expect(candidateOf(member)?.status).toBe("idle");
  });

  test("has nothing free while it drains", () => {
    const roster = new Roster();
    const member = roster.member("w", T0);
    Object.assign(member, { info: { worker_id: "w" }, slots: 3, draining: true });
    roster.refresh(member);
    expect(candidateOf(member)?.free).toBe(0);
  });
});
