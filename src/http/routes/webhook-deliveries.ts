import { identifier } from "@batuta/worker/protocol";
import { Hono } from "hono";
import { z } from "zod";
import { callObject } from "../../../durable-objects/shared/call-object.ts";
import { deliveriesOf, DELIVERY_STATUSES, listDeliveries } from "../../notices/delivery-log.ts";
import { checkBody } from "../body.ts";
import type { HttpEnv } from "../http-env.ts";
import { pageQuery, turnPage } from "../page.ts";
import { jobNotFound } from "../problem.ts";

const listing = z.object({ ...pageQuery, status: z.enum(DELIVERY_STATUSES).optional() });

/** What became of a client's webhooks, and of the questions its jobs put to people: below `/api/{version}`. */
export const webhookDeliveries = new Hono<HttpEnv>()
  .get("/jobs/:job_id/webhooks", async (c) => {
    const jobId = c.req.param("job_id");
    const { name } = c.get("client");
    if (!identifier.safeParse(jobId).success) throw jobNotFound();
    const deliveries = await deliveriesOf(c.env.HISTORY_DB, jobId, name);
    if (deliveries.length > 0) return c.json(deliveries);
    if ((await callObject(c.env.JOBS, jobId, (job) => job.view(name))) === null) throw jobNotFound();
    return c.json([]);
  })
  .get("/webhooks", async (c) => {
    const query = checkBody(listing, c.req.query(), "query");
    const page = await listDeliveries(c.env.HISTORY_DB, { client: c.get("client").name, ...query });
    return c.json(turnPage(c, page).deliveries);
  });
