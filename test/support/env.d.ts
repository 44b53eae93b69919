/** What the workerd tests find in `env`. */
declare namespace Cloudflare {
  interface Env extends Required<import("../../src/env.ts").Env> {
    TEST_MIGRATIONS: import("cloudflare:test").D1Migration[];
  }
  interface GlobalProps {
    mainModule: typeof import("../../src/index.ts");
  }
}
