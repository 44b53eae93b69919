import { Hono } from "hono";
import { createRoute } from "./blueprint/validate.ts";
import { catalog } from "./catalog.ts";
import { ConfigurationError, readConfiguration } from "./configuration.ts";
import { log } from "./observability/log.ts";
import type { HttpEnv } from "./http/http-env.ts";
import { methodsAt } from "./http/middleware/method-not-allowed.ts";
import { requireClient } from "./http/middleware/require-client.ts";
import { surroundings } from "./http/middleware/surroundings.ts";
import { answerProblem, Problem } from "./http/problem.ts";
import { approvalApi, publicApprovals } from "./http/routes/approvals.ts";
import { clientApi } from "./http/routes/client-api.ts";
import { createJobRoute } from "./http/routes/create-job.ts";
import { fleetApi } from "./http/routes/fleet.ts";
import { quarantinedIds } from "./http/routes/quarantine.ts";
import { schedulesApi } from "./http/routes/schedules.ts";
import { versionsApi } from "./http/routes/versions.ts";
import { webhookDeliveries } from "./http/routes/webhook-deliveries.ts";
import { workerAuth } from "./http/routes/worker-auth.ts";
import { workerApi } from "./http/routes/worker-api.ts";

/** Every version that some blueprint names, and `v1` in any case. */
function apiPrefixes(): Set<string> {
  const versions = [...catalog.values()].flatMap((bp) => (bp.api === null ? [] : [bp.api.version]));
  return new Set(["/api/v1", ...versions.map((version) => (version === "" ? "/api" : `/api/${version}`))]);
}

export const app = new Hono<HttpEnv>();

app.use(surroundings);
app.get("/_public/status", (c) => c.json({ status: "ok" }));
app.get("/_public/jobs/quarantined", requireClient, quarantinedIds);
app.route("/_public", publicApprovals);
app.use("/api/*", requireClient);
for (const bp of catalog.values()) {
  const route = createRoute(bp);
  if (route !== null) app.post(route, createJobRoute(bp));
}
for (const prefix of apiPrefixes())
  app
    .route(prefix, clientApi)
    .route(prefix, fleetApi)
    .route(prefix, versionsApi)
    .route(prefix, schedulesApi)
    .route(prefix, approvalApi)
    .route(prefix, webhookDeliveries);
app.route("/_worker", workerApi).route("/_worker", workerAuth);

/** What a create route usually looks like; a mistyped one also looks like a job's own path. */
const MAYBE_CREATE = /^\/api(\/[^/]+)?\/jobs\/[^/]+$/;

app.notFound((c) => {
  const methods = methodsAt(app, c.req.path);
  if (methods.length === 0)
    return answerProblem(c, new Problem(404, "not_found", `There is nothing at ${c.req.path}.`));
  if (c.req.method === "POST" && MAYBE_CREATE.test(c.req.path)) {
    return answerProblem(c, new Problem(404, "not_found", `No blueprint has the route POST ${c.req.path}.`));
  }
  const text = `${c.req.method} is not possible here; ${methods.join(", ")} ${methods.length === 1 ? "is" : "are"}.`;
  return answerProblem(c, new Problem(405, "method_not_allowed", text, { headers: { Allow: methods.join(", ") } }));
});

app.onError((error, c) => {
  if (error instanceof Problem) return answerProblem(c, error);
  if (error instanceof ConfigurationError)
    return answerProblem(c, new Problem(500, "configuration_error", error.message));
  log(readConfiguration(c.env), "ERROR", "http.failed", {
    method: c.req.method,
    path: c.req.path,
    error: String(error),
  });
  return answerProblem(c, new Problem(500, "internal", "Internal Server Error"));
});
