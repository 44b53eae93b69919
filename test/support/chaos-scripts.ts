import * as families from "./chaos-family-scripts.ts";
import * as fans from "./chaos-fan-scripts.ts";
import type { Kind, Script } from "./chaos-script.ts";
import * as tasks from "./chaos-task-scripts.ts";
import * as waits from "./chaos-wait-scripts.ts";
import type { SeededRandom } from "./seeded-random.ts";

const KINDS: Readonly<Record<string, Kind>> = {
  tally: tasks.tally,
  tallyWithFailures: tasks.tallyWithFailures,
  tallyByWords: tasks.tallyByWords,
  tallyLater: tasks.tallyLater,
  spentTask: tasks.spentTask,
  finalError: tasks.finalError,
  lateTask: tasks.lateTask,
  mended: tasks.mended,
  discarded: tasks.discarded,
  announced: tasks.announced,
  slow: tasks.slow,
  hurried: tasks.hurried,
  cancelledRunning: tasks.cancelledRunning,
  plainFan: fans.plainFan,
  flakyFan: fans.flakyFan,
  emptyFan: fans.emptyFan,
  failFastFan: fans.failFastFan,
  brokenFan: fans.brokenFan,
  cancelledFan: fans.cancelledFan,
  decided: waits.decided,
  rejected: waits.rejected,
  undecided: waits.undecided,
  earlyMail: waits.earlyMail,
  lateMail: waits.lateMail,
  doubleMail: waits.doubleMail,
  lostMail: waits.lostMail,
  movedOn: waits.movedOn,
  nap: waits.nap,
  paused: waits.paused,
  cancelledWaiting: waits.cancelledWaiting,
  parentOf: families.parentOf,
  parentOfCancelled: families.parentOfCancelled,
  impatientParent: families.impatientParent,
  wholeFamily: families.wholeFamily,
  brokenFamily: families.brokenFamily,
  cancelledFamily: families.cancelledFamily,
};

/** Scripts of all kinds, as many of each, every one drawn from the seed's chance. */
export function drawScripts(jobs: number, random: SeededRandom): Script[] {
  const kinds = Object.entries(KINDS);
  const all = Array.from({ length: Math.ceil(jobs / kinds.length) }, () => kinds).flat();
  return all.slice(0, jobs).map(([kind, draw]) => {
    const { end, ...draft } = draw(random.fork());
    return {
      kind,
      startsAfterMs: null,
      acts: async () => {},
      ...draft,
      end: {
        status: "finished",
        state: "done",
        result: null,
        endings: [],
        joins: 0,
        children: [],
        mayLackChildren: false,
        lastsMs: 0,
        ...end,
      },
    };
  });
}
