import { defineConfig } from "vitest/config";

const resolve = { conditions: ["batuta-source"] };

/** Tests that ask the package registry, and are therefore no part of `npm test`. */
export default defineConfig({
  resolve,
  ssr: { resolve },
  test: {
    name: "registry",
    dir: import.meta.dirname,
    include: ["**/*.test.ts"],
    environment: "node",
    testTimeout: 60_000,
    hookTimeout: 300_000,
  },
});
