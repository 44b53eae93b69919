import { readdirSync, readFileSync } from "node:fs";

/** Clock ticks a second, in which Linux counts processor time. */
const TICKS = 100;

/** Memory in bytes and processor time in milliseconds of one process (Linux: from /proc). */
export interface Usage {
  readonly memory: number;
  readonly processorMs: number;
}

export function usageOf(pid: number): Usage {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const [, kilobytes = "0"] = /^VmRSS:\s+(\d+) kB$/m.exec(status) ?? [];
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  const ticks = Number(fields[11]) + Number(fields[12]);
  return { memory: Number(kilobytes) * 1024, processorMs: (ticks * 1000) / TICKS };
}

/** The process of this name that another one has started, directly or through others. */
export function findDescendant(pid: number, name: string): number {
  const parents = new Map<number, { parent: number; name: string }>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const [, comm = "", parent = "0"] = /\((.*)\) \S (\d+)/s.exec(readFileSync(`/proc/${entry}/stat`, "utf8")) ?? [];
      parents.set(Number(entry), { parent: Number(parent), name: comm });
    } catch {
      // It has ended meanwhile.
    }
  }
  const isBelow = (one: number): boolean => one === pid || (parents.has(one) && isBelow(parents.get(one)?.parent ?? 0));
  for (const [one, info] of parents) if (info.name === name && isBelow(info.parent)) return one;
  throw new Error(`Process ${pid} has started no ${name}.`);
}

/** Descriptors that a process has open, and how many it may have. */
export function descriptorsOf(pid: number): { readonly open: number; readonly most: number } {
  const [, most = "0"] = /^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, "utf8")) ?? [];
  return { open: readdirSync(`/proc/${pid}/fd`).length, most: Number(most) };
}
