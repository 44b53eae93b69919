import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-pool-workers";
import { defineConfig, defineProject } from "vitest/config";

/** Workspace packages are tested from their sources. */
const resolve = { conditions: ["batuta-source"] };

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
      deps: { optimizer: { ssr: { enabled: true, include: ["itty-durable"] } } },
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
        // Property tests take seconds, and more where other checks run beside them.
        test: { name: "unit", include: ["test/unit/**/*.test.ts"], environment: "node", testTimeout: 60_000 },
      },
      workerd("workerd", "test/workerd/**/*.test.ts"),
      workerd("workerd-signed", "test/workerd-signed/**/*.test.ts", { WORKER_SIGNATURES: "required" }),
      workerd("workerd-shards", "test/workerd-shards/**/*.test.ts", { SHARDS: "weur=2, enam=1" }),
      {
        resolve,
        ssr: { resolve },
        test: {
          name: "e2e",
          include: ["test/{e2e,chaos}/**/*.test.ts"],
          environment: "node",
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
