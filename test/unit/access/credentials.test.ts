import { expect, test } from "vitest";
import { readClientToken, readWorkerToken } from "../../../src/access/credentials.ts";

test.each([
  [{ "X-Avtomatika-Token": "a" }, "a"],
  [{ "x-client-token": "b" }, "b"],
  [{ "X-Avtomatika-Token": "a", "X-Client-Token": "b" }, "a"],
  [{ "X-Client-Token": "" }, undefined],
  [{}, undefined],
])("the client token of %j is %j", (headers, token) => {
  expect(readClientToken(new Headers(headers))).toBe(token);
});

const encoded = Buffer.from("tök/en+").toString("base64url");
test.each([
  [{ "X-Worker-Token": "a", Authorization: "Bearer b" }, "a"],
  [{ Authorization: "bearer b" }, "b"],
  [{ Authorization: "Basic b" }, undefined],
  [{ "Sec-WebSocket-Protocol": `batuta.v1, token.${encoded}` }, "tök/en+"],
  [{ "Sec-WebSocket-Protocol": `token.${encoded},batuta.v1` }, "tök/en+"],
  [{ "Sec-WebSocket-Protocol": `token.${encoded}` }, undefined],
  [{ "Sec-WebSocket-Protocol": "batuta.v1, token." }, undefined],
  [{ "Sec-WebSocket-Protocol": "batuta.v1" }, undefined],
  [{}, undefined],
])("the worker token of %j is %j", (headers, token) => {
  expect(readWorkerToken(new Headers(headers))).toBe(token);
});
