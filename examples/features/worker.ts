/**
 * A worker for the blueprints that show one feature each: shop, bank and mail in one process, without any of them.
 * It takes its time and answers plausibly. What it is asked for decides what goes wrong, every time in the same way:
 *
 * - `charge_card`: the card `flaky` fails twice, `down` always; `slow` is not answered; `declined` is declined
 * - `book_carrier`: the address `nowhere` does not exist
 * - `fetch_page`: a URL that ends in `/missing` is not found
 *
 * Run it beside a server: `WORKER_TOKEN=… npx batuta worker examples/features/worker.ts`
 *
 * @module
 */
import { setTimeout as pause } from "node:timers/promises";
import { InvalidInputError, TransientError, Worker } from "@batuta/worker";
import { z } from "zod";

/** How long a piece of work takes here, ms. */
const WORK_MS = 250;
const FLAKY_FAILURES = 2;

/** The end of a reference: short, and the same for the same work, however often it is done. */
const number = (reference: string) => reference.replaceAll("-", "").slice(-6);

const worker = new Worker({ workerType: "features", maxConcurrentTasks: 8 });

await worker
  .task(
    "charge_card",
    { params: z.object({ reference: z.string(), amount: z.number(), card: z.string() }) },
    async ({ params: { reference, card }, attempt, signal }) => {
      await pause(card === "slow" ? 3_600_000 : WORK_MS, undefined, { signal });
      if (card === "declined") return { status: "declined" };
      if (card === "down" || (card === "flaky" && attempt <= FLAKY_FAILURES)) {
        throw new TransientError("The bank answered 503.");
      }
      return { receipt: `receipt-${number(reference)}` };
    },
  )
  .task("refund", { params: z.object({ reference: z.string() }) }, async ({ params: { reference }, signal }) => {
    await pause(WORK_MS, undefined, { signal });
    return { refund: `refund-${number(reference)}` };
  })
  .task("pay_out", { params: z.object({ reference: z.string() }) }, async ({ params: { reference }, signal }) => {
    await pause(WORK_MS, undefined, { signal });
    return { transfer: `transfer-${number(reference)}` };
  })
  .task(
    "book_carrier",
    { params: z.object({ carrier: z.string(), address: z.string().optional() }) },
    async ({ params: { carrier, address }, taskId, signal }) => {
      await pause(WORK_MS, undefined, { signal });
      if (address === "nowhere") throw new InvalidInputError("There is no such address: nowhere.");
      return { carrier, tracking: `${carrier}-${number(taskId)}` };
    },
  )
  .task("reserve_stock", { params: z.object({ sku: z.string() }) }, async ({ params: { sku }, signal }) => {
    await pause(WORK_MS, undefined, { signal });
    return { reservation: `reserved-${sku}` };
  })
  .task("release_stock", { params: z.object({ sku: z.string() }) }, async () => {
    // Not cancelled: who cleans up goes through with it.
    await pause(WORK_MS);
  })
  .task("send_email", { params: z.object({ to: z.email(), subject: z.string() }) }, async ({ signal }) => {
    await pause(WORK_MS, undefined, { signal });
  })
  .task("fetch_page", { params: z.object({ url: z.url() }) }, async ({ params: { url }, signal }) => {
    await pause(WORK_MS, undefined, { signal });
    if (url.endsWith("/missing")) throw new InvalidInputError(`${url} answered 404.`);
    return { url, status: 200 };
  })
  .task(
    "broadcast",
    {
      params: z.object({ channel: z.string(), seconds: z.number() }),
      events: { started: z.object({ url: z.url() }) },
    },
    async ({ params: { channel, seconds }, taskId, sendEvent, signal }) => {
      await pause(WORK_MS, undefined, { signal });
      const url = `https://live.example/${channel}`;
      // Under this name it counts once, also when the task is done again.
      const answer = await sendEvent("started", { url }, { eventId: `${taskId}-started` });
      if (!answer.accepted) throw new TransientError(answer.reason);
      await pause(seconds * 1000, undefined, { signal });
    },
  )
  .run();
