import fc from "fast-check";
import { expect, test } from "vitest";
import {
  nextRelease,
  stillUnreleased,
  unreleasedOf,
  withUnreleased,
  type ReleasedAttempt,
} from "../../../src/job/unreleased.ts";
import { RELEASE_KEPT_MS } from "../../../src/limits.ts";
import { T0, waitingJob } from "../../support/job-builders.ts";

const HOUR = 3_600_000;
const LONGEST = 60_000;

const attempt: fc.Arbitrary<ReleasedAttempt> = fc.record({
  id: fc.nat({ max: 4 }).map((n) => `job-${n}`),
  attempt: fc.integer({ min: 1, max: 2 }),
  shard: fc.constantFrom("weur-0", "enam-0"),
});
const attempts = fc.array(attempt, { maxLength: 6 });
/** Attempts are let go of, or shards answer for some, and then time passes. */
const step = fc.record({ do: fc.constantFrom("let go", "told"), attempts, ms: fc.nat({ max: 10 * HOUR }) });

const key = ({ id, attempt: number, shard }: ReleasedAttempt) => `${id}#${number}@${shard}`;

test("every attempt that was let go of is told of until its shard has answered, or a day has passed", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const model = new Map<string, number>();
      let job = waitingJob({}, { id: "job" });
      let now = T0;
      for (const { do: what, attempts: some, ms } of steps) {
        if (what === "let go") {
          job = withUnreleased(job, some, now);
          for (const each of some) if (!model.has(key(each))) model.set(key(each), now);
        } else {
          job = { ...job, unreleased: stillUnreleased(job, some, now) };
          for (const each of some) model.delete(key(each));
          for (const [name, since] of model) if (since <= now - RELEASE_KEPT_MS) model.delete(name);
        }
        expect(unreleasedOf(job).map(key).toSorted()).toEqual([...model.keys()].toSorted());
        const next = nextRelease(job.unreleased, now, LONGEST);
        if (model.size === 0) expect(next).toBeNull();
        else {
          expect(next).toBeGreaterThanOrEqual(now + 5_000);
          expect(next).toBeLessThanOrEqual(now + LONGEST);
        }
        now += ms;
      }
    }),
  );
});

test("a cancelled fan-out of ten thousand is told of in little space, and in one entry a shard", () => {
  const id = "0f8fad5b-d9cb-469f-a165-70867728950e";
  const all = Array.from({ length: 10_000 }, (_, n) => ({ id: `${id}-${n}`, attempt: 1, shard: "shard-0" }));
  const job = withUnreleased(waitingJob({}, { id }), all, T0);
  expect(job.unreleased).toHaveLength(1);
  expect(JSON.stringify(job.unreleased).length).toBeLessThan(150_000);
  expect(unreleasedOf(job)).toEqual(all);
});
