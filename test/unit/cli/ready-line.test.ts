import { expect, test } from "vitest";
import { readyLine } from "../../../cli/src/server/ready-line.ts";

test("the ready line names address and files, and no secret", () => {
  const server = {
    url: "http://127.0.0.1:8080",
    credentials: {
      clientsFile: "/home/me/.batuta/clients.toml",
      workerTokenFile: "/home/me/.batuta/worker-token",
      workerToken: "secret",
    },
  };
  expect(readyLine("0.1.0", server, "/home/me/.batuta", "/home/me")).toBe(
    "Batuta 0.1.0 ready on http://127.0.0.1:8080 (data .batuta, clients .batuta/clients.toml, worker token .batuta/worker-token)",
  );
});

test("paths outside the working folder stay as they are", () => {
  const server = {
    url: "http://[::1]:1",
    credentials: {
      clientsFile: "/etc/batuta/clients.toml",
      workersFile: "/etc/batuta/workers.toml",
      integrationsFile: "/etc/batuta/integrations.toml",
    },
  };
  expect(readyLine("0.1.0", server, "/srv", "/srv")).toBe(
    "Batuta 0.1.0 ready on http://[::1]:1 (data ., clients /etc/batuta/clients.toml, workers /etc/batuta/workers.toml, integrations /etc/batuta/integrations.toml)",
  );
});
