import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-pool-workers";
import { defineConfig, defineProject } from "vitest/config";

/** Workspace packages are tested from their sources. */
const resolve = { conditions: ["batuta-source"] };

/** No test measures time with this: it ends tests that hang, also on a machine with other things to do. */
const PATIENCE_MS = 60_000;

/** Tests on the platform's own runtime. @param variables beside those of test/workerd/wrangler.toml */
function workerd(name: string, include: string, variables: Record<string, string> = {}) {
  return defineProject({
    ssr: { resolve },
    resolve: {
      ...resolve,
      alias: { "#blueprints": new URL("test/support/blueprints.ts", import.meta.url).pathname },
    },
    plugins: [
      cloudflareTest(async () => ({
        main: "./src/index.ts",
        wrangler: { configPath: "./test/workerd/wrangler.toml" },
        miniflare: { bindings: { TEST_MIGRATIONS: await readD1Migrations("migrations"), ...variables } },
      })),
    ],
    test: {
      name,
      include: [include],
      setupFiles: ["test/workerd/setup.ts"],
      testTimeout: PATIENCE_MS,
      deps: { optimizer: { ssr: { enabled: true, include: ["itty-durable"] } } },
    },
  });
}

/** Tests of the real server, with real workers, over real sockets. They come after those of the group before. */
function processes(name: string, order: { maxWorkers: number; sequence: { groupOrder: number } }) {
  return defineProject({
    resolve,
    ssr: { resolve },
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      environment: "node",
      testTimeout: PATIENCE_MS,
      hookTimeout: PATIENCE_MS,
      ...order,
    },
  });
}

export default defineConfig({
  test: {
    coverage: { provider: "istanbul", include: ["src/**", "durable-objects/**"] },
    projects: [
      {
        resolve,
        ssr: { resolve },
        test: { name: "unit", include: ["test/unit/**/*.test.ts"], environment: "node", testTimeout: PATIENCE_MS },
      },
      workerd("workerd", "test/workerd/**/*.test.ts"),
      workerd("workerd-signed", "test/workerd-signed/**/*.test.ts", {
        WORKER_SIGNATURES: "required",
        ORCHESTRATOR_SECRET_KEY: "signs the tasks of the tests",
      }),
      workerd("workerd-shards", "test/workerd-shards/**/*.test.ts", { SHARDS: "weur=2, enam=1" }),
      // Real servers and workers mostly wait, so two files run beside each other; chaos has the machine for itself.
      processes("e2e", { maxWorkers: 2, sequence: { groupOrder: 1 } }),
      processes("chaos", { maxWorkers: 1, sequence: { groupOrder: 2 } }),
    ],
  },
});
