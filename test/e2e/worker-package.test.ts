import { execFile } from "node:child_process";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { toolCommand } from "../../scripts/tool-command.mjs";
import { BatutaServer } from "../support/batuta-server.ts";
import { freshFolder, workerPackage } from "../support/fresh-folder.ts";
import { ProcessGroup } from "../support/process-group.ts";
import { documentBlock } from "../support/readme-block.ts";

const run = promisify(execFile);
const WORKER = documentBlock("worker-sdk/README.md", "worker.ts");

const manifest = z.object({
  exports: z.record(z.string(), z.object({ types: z.string(), default: z.string() })),
  dependencies: z.record(z.string(), z.string()),
});

describe("the package @batuta/worker", () => {
  test("has programs with their types, README and licence, nothing else, and is small", async () => {
    const { tarball, files } = await workerPackage();
    const names = [...files.keys()];
    const [programs, others] = [
      names.filter((name) => name.startsWith("dist/")),
      names.filter((name) => !name.startsWith("dist/")),
    ];
    expect(others).toEqual(["LICENSE", "README.md", "package.json"]);
    for (const name of programs) expect(name).toMatch(/\.(js|d\.ts)$/);
    for (const name of programs.filter((each) => each.endsWith(".js"))) {
      expect(names).toContain(name.replace(/\.js$/, ".d.ts"));
    }
    expect(statSync(tarball).size).toBeLessThan(200 * 1024);
  });

  test("exports what is there, and imports only what it says it depends on", async () => {
    const { tarball, files } = await workerPackage();
    const stage = join(dirname(tarball), "package");
    const { exports, dependencies } = manifest.parse(JSON.parse(readFileSync(join(stage, "package.json"), "utf8")));
    for (const { types, default: program } of Object.values(exports)) {
      for (const path of [types, program]) expect(files.has(path.slice(2))).toBe(true);
    }
    for (const name of files.keys()) {
      if (!/\.(js|d\.ts)$/.test(name)) continue;
      const text = readFileSync(join(stage, name), "utf8");
      expect(text).not.toContain("sourceMappingURL");
      for (const [, specifier = ""] of text.matchAll(/(?:from |import\()"([^"]+)"/g)) {
        if (specifier.startsWith(".")) {
          const target = join(dirname(name), specifier);
          expect(files.has(name.endsWith(".d.ts") ? target.replace(/\.js$/, ".d.ts") : target)).toBe(true);
        } else if (specifier.startsWith("node:")) {
          // Only types: the programs run where there is no Node.
          expect(name).toMatch(/\.d\.ts$/);
        } else {
          expect([...Object.keys(dependencies), "@opentelemetry/api"]).toContain(specifier);
        }
      }
    }
  });

  test.each(["nodenext", "bundler"])(
    "has types that a strict program finds, also without Node's: %s",
    async (resolution) => {
      const folder = await freshFolder();
      const program = `${WORKER}
import { taskPayload } from "@batuta/worker/protocol";
taskPayload.parse({}).lease.trim();
// @ts-expect-error a number is no name
new Worker({ workerId: 1 });
`;
      writeFileSync(join(folder, "worker.ts"), program);
      const compilerOptions = {
        strict: true,
        noEmit: true,
        target: "es2024",
        lib: ["es2024", "dom", "dom.asynciterable"],
        types: [],
        module: resolution === "nodenext" ? "nodenext" : "esnext",
        moduleResolution: resolution,
        exactOptionalPropertyTypes: true,
      };
      writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["worker.ts"] }));
      await run(process.execPath, [toolCommand("tsc"), "--project", folder]).catch(({ stdout }: { stdout: string }) => {
        expect.unreachable(stdout);
      });
    },
  );
});

describe("the worker of its README, in a fresh folder", () => {
  let server: BatutaServer;
  beforeAll(async () => {
    server = await BatutaServer.start();
  });

  test.each(["worker.ts", "worker.js"])("does a task as %s", async (file) => {
    const folder = await freshFolder();
    writeFileSync(join(folder, file), WORKER);
    const worker = new ProcessGroup([file], {
      cwd: folder,
      environment: {
        ORCHESTRATOR_URL: server.url,
        WORKER_TOKEN: server.workerToken,
        WORKER_ID: "resizer-1",
        WORKER_SPOOL_DIR: join(folder, "results"),
      },
    });
    await worker.printed(/socket\.welcomed/);
    const id = await server.client().create("one-task", { type: "resize_image" });
    await server.client().expectJob(id, { status: "finished", result: { width: 320 } });
    worker.signal("SIGTERM");
    await worker.ended;
    expect(worker.output).toContain("worker.stopped");
  });
});
