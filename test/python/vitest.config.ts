import { defineConfig } from "vitest/config";

const resolve = { conditions: ["batuta-source"] };

/** Tests with published Python workers. They need Python and its package registry, and are therefore no part of `npm test`. */
export default defineConfig({
  resolve,
  ssr: { resolve },
  test: {
    name: "python",
    dir: import.meta.dirname,
    include: ["**/*.test.ts"],
    environment: "node",
    fileParallelism: false,
    reporters: ["verbose"],
    testTimeout: 60_000,
    hookTimeout: 180_000,
  },
});
