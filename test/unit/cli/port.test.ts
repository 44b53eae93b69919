import { once } from "node:events";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { assertPortFree } from "../../../cli/src/server/port.ts";

async function occupy() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return { server, port };
}

test("a free port passes", async () => {
  await expect(assertPortFree("127.0.0.1", 0)).resolves.toBeUndefined();
});

test("a port that stays taken is refused with what to do", async () => {
  const { server, port } = await occupy();
  await expect(assertPortFree("127.0.0.1", port, 0)).rejects.toThrow(
    `Port ${port} is taken. Stop the other program or choose another with --port.`,
  );
  server.close();
});

test("a port that becomes free at once is waited for", async () => {
  const { server, port } = await occupy();
  const passed = assertPortFree("127.0.0.1", port);
  server.close();
  await expect(passed).resolves.toBeUndefined();
});

test("an address of another machine is refused", async () => {
  await expect(assertPortFree("192.0.2.1", 8080)).rejects.toThrow("This machine has no address 192.0.2.1.");
});
