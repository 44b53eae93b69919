import { byHand, type FakeTask, noAnswer, result, testJob, type TestJob } from "batuta/testing";
import { describe, expect, test } from "vitest";
import { crawls } from "../../../blueprints/crawls.ts";
import { expenses } from "../../../blueprints/expenses.ts";
import { orders } from "../../../blueprints/orders.ts";
import { payments } from "../../../blueprints/payments.ts";
import { purchases } from "../../../blueprints/purchases.ts";
import { reservations } from "../../../blueprints/reservations.ts";
import { shipment } from "../../../blueprints/shipment.ts";
import { signups } from "../../../blueprints/signups.ts";
import { streams } from "../../../blueprints/streams.ts";
import { subscriptions } from "../../../blueprints/subscriptions.ts";
import firstSignups from "../../../examples/features/signups-1.ts";
import { fateOf } from "../../../src/job/migrate.ts";

/** What a test compares of a job: plain data, which a failed comparison can print. */
function seen({ status, state, states, result, stateHistory, waitingFor }: TestJob) {
  return { status, state, states, result, stateHistory, waitingFor };
}

function bank(card: string) {
  return ({ reference }: { reference: string }, { attempt }: FakeTask) => {
    if (card === "declined") return result("declined");
    if (card === "silent") return noAnswer();
    if (card === "down" || (card === "flaky" && attempt < 3)) throw new Error("503");
    return { receipt: `receipt of ${reference}` };
  };
}

describe("orders", () => {
  const carrier = ({ carrier, insuredFor }: { carrier: string; insuredFor?: number }) => ({
    carrier,
    tracking: `${carrier} ${insuredFor ?? "uninsured"}`,
  });

  test.each([
    ["a valuable order goes by insured courier, however heavy it is", 1000.01, 80, "courier 1000.01"],
    ["a heavy order goes by freight", 1000, 31.6, "freight uninsured"],
    ["any other order goes as a parcel", 1000, 31.5, "parcel uninsured"],
  ])("%s", async (_path, amount, kilograms, tracking) => {
    const input = { amount, items: [{ sku: "a", kilograms }] };
    const job = await testJob(orders, { input, workers: { book_carrier: carrier } }).run();
    expect(seen(job)).toMatchObject({ status: "finished", result: { tracking } });
  });

  test("what the items weigh counts together", async () => {
    const items = [20, 20].map((kilograms) => ({ sku: "a", kilograms }));
    const job = await testJob(orders, { input: { amount: 10, items }, workers: { book_carrier: carrier } }).run();
    expect(job.result).toMatchObject({ carrier: "freight" });
  });
});

describe("payments", () => {
  function pay(card: string) {
    const workers = { charge_card: bank(card), refund: () => ({ refund: "given back" }) };
    return testJob(payments, { input: { amount: 20, card }, workers });
  }

  test("a bank that fails twice is asked again, and the card is charged", async () => {
    const job = await pay("flaky").run();
    expect(seen(job)).toMatchObject({
      status: "finished",
      states: ["charge", "paid"],
      result: { receipt: "receipt of job" },
    });
    expect(job.history.filter(({ event_type }) => event_type === "task_finished")).toHaveLength(3);
  });

  test("a declined card is not tried again", async () => {
    const job = await pay("declined").run();
    expect(seen(job)).toMatchObject({ status: "failed", state: "declined" });
    expect(job.history.filter(({ event_type }) => event_type === "task_finished")).toHaveLength(1);
  });

  test("a bank that is down is given up after four attempts", async () => {
    const job = await pay("down").run();
    expect(seen(job)).toMatchObject({ status: "failed", states: ["charge", "unavailable"] });
    expect(job.history.filter(({ event_type }) => event_type === "task_finished")).toHaveLength(4);
  });

  test("what a silent bank may have taken is given back", async () => {
    const job = await pay("silent").run();
    expect(seen(job)).toMatchObject({ status: "failed", states: ["charge", "refund", "refunded"] });
    expect(job.stateHistory).toMatchObject({ refund: "given back", task_error: { code: "TIMEOUT_ERROR" } });
  });
});

describe("crawls", () => {
  const urls = ["a", "b", "c", "d", "e"].map((page) => `https://shop.example/${page}`);

  test("no more pages are fetched at once than allowed", async () => {
    const job = await testJob(crawls, { input: { urls, atOnce: 3 }, workers: { fetch_page: byHand } }).run();
    expect(job.tasks).toHaveLength(3);
    await job.tasks[0]?.succeed();
    expect(job.tasks.map(({ params }) => params)).toEqual(urls.slice(1, 4).map((url) => ({ url })));
  });

  test("a site whose pages are all there is sound", async () => {
    const job = await testJob(crawls, { input: { urls }, workers: { fetch_page: () => undefined } }).run();
    expect(seen(job)).toMatchObject({ status: "finished", state: "sound", result: { pages: 5 } });
  });

  test("a missing page ends the crawl, and is the only one that is named", async () => {
    const job = await testJob(crawls, { input: { urls }, workers: { fetch_page: byHand } }).run();
    await job.tasks[1]?.fail({ code: "INVALID_INPUT_ERROR", message: "b answered 404." });
    expect(seen(job)).toMatchObject({ status: "failed", state: "broken", result: { broken: ["b answered 404."] } });
  });
});

describe("purchases", () => {
  function buy(card: string, address: string) {
    return testJob(purchases, {
      input: { amount: 75, card, address, parcels: ["lamp", "bulbs"] },
      blueprints: [payments, shipment],
      workers: {
        charge_card: bank(card),
        book_carrier: ({ parcel, address }: { parcel: string; address: string }) => {
          if (address === "nowhere" && parcel === "bulbs") throw new Error("There is no such address.");
          return { carrier: "parcel", tracking: `tracking of ${parcel}` };
        },
      },
    });
  }

  test("a paid purchase goes out in all its parcels", async () => {
    const job = await buy("gold", "home").run();
    expect(seen(job)).toMatchObject({
      status: "finished",
      result: { tracking: ["tracking of lamp", "tracking of bulbs"] },
    });
    expect(job.children.map(({ blueprint, status }) => [blueprint, status])).toEqual([
      ["payments", "finished"],
      ["shipment", "finished"],
      ["shipment", "finished"],
    ]);
  });

  test("a purchase with a parcel that cannot be delivered is incomplete", async () => {
    const job = await buy("gold", "nowhere").run();
    expect(seen(job)).toMatchObject({
      status: "failed",
      state: "incomplete",
      result: { tracking: ["tracking of lamp"] },
    });
  });

  test("nothing goes out that was not paid", async () => {
    const job = await buy("declined", "home").run();
    expect(seen(job)).toMatchObject({ status: "failed", states: ["pay", "unpaid"] });
    expect(job.children).toHaveLength(1);
  });
});

describe("expenses", () => {
  function ask(amount: number) {
    const input = { purpose: "a trade fair", amount, decideWithin: 60 };
    return testJob(expenses, { input, workers: { pay_out: () => ({ transfer: "sent" }) } }).run();
  }

  test("one manager approves a small expense", async () => {
    const job = await ask(500);
    await job.decide("approved", { by: "ann" });
    expect(seen(job)).toMatchObject({ status: "finished", result: { approvedBy: "ann", transfer: "sent" } });
  });

  test("a large expense needs two managers", async () => {
    const job = await ask(501);
    await job.decide("approved", { by: "ann" });
    await expect(job.decide("approved", { by: "ann" })).rejects.toThrow("has decided this already");
    expect(job.status).toBe("waiting_for_human");
    await job.decide("approved", { by: "ben" });
    expect(seen(job)).toMatchObject({ status: "finished", states: ["review", "pay_out", "paid"] });
  });

  test("nobody else may decide", async () => {
    const job = await ask(80);
    await expect(job.decide("approved", { by: "mallory" })).rejects.toThrow("not among those");
  });

  test("one manager refuses any expense", async () => {
    const job = await ask(5000);
    await job.decide("rejected", { by: "cleo" });
    expect(seen(job)).toMatchObject({ status: "finished", result: { refusedBy: "cleo" } });
  });

  test("what is not decided in time goes to the director, who may take a year", async () => {
    const job = await ask(740);
    await job.decide("approved", { by: "ann" });
    await job.advance({ seconds: 60 });
    expect(seen(job)).toMatchObject({ state: "escalated", waitingFor: { deciders: ["director"], until: null } });
    await job.advance({ days: 365 });
    await job.decide("rejected", { by: "director" });
    expect(seen(job)).toMatchObject({ status: "finished", state: "refused" });
  });
});

describe("subscriptions", () => {
  const payment = { receipt: "receipt-1" };

  function subscribe() {
    const input = { email: "ada@example.com", trial: 30, payWithin: 7 };
    return testJob(subscriptions, { input, workers: { send_email: () => undefined } }).start();
  }

  test("who pays during the trial is not asked", async () => {
    const job = await subscribe();
    await job.sendEvent("payment", payment);
    await job.advance({ seconds: 30 });
    expect(seen(job)).toMatchObject({ status: "finished", result: { receipt: "receipt-1", reminders: 0 } });
  });

  test("who does not pay is reminded", async () => {
    const job = await subscribe();
    await job.advance({ seconds: 40 });
    expect(seen(job)).toMatchObject({ state: "await_payment", stateHistory: { reminders: 1 } });
    await job.sendEvent("payment", payment);
    expect(seen(job)).toMatchObject({ status: "finished", result: { receipt: "receipt-1", reminders: 1 } });
  });

  test("after two reminders the subscription is suspended", async () => {
    const job = await subscribe();
    await job.advance({ seconds: 50 });
    expect(job.status).toBe("waiting_for_event");
    await job.advance({ seconds: 1 });
    expect(seen(job)).toMatchObject({ status: "failed", state: "suspended", stateHistory: { reminders: 2 } });
  });
});

describe("reservations", () => {
  function reserve(workers = { reserve_stock: () => ({ reservation: "r-1" }) as unknown }) {
    const released: unknown[] = [];
    const job = testJob(reservations, {
      input: { seat: "7A" },
      workers: { ...workers, release_stock: ({ sku }) => void released.push(sku) },
    });
    return { job, released };
  }

  test("a confirmed seat is kept", async () => {
    const { job, released } = reserve();
    await job.run();
    await job.sendEvent("confirmation");
    expect(seen(job)).toMatchObject({ status: "finished", result: { reservation: "r-1" } });
    expect(released).toEqual([]);
  });

  test("a seat that nobody confirms is released", async () => {
    const { job, released } = reserve();
    await job.run();
    await job.advance({ seconds: 30 });
    expect(seen(job)).toMatchObject({ status: "failed", state: "released" });
    expect(released).toEqual(["7A"]);
  });

  test("a cancelled job releases the seat it holds, and is cancelled then", async () => {
    const { job, released } = reserve();
    await job.run();
    await job.cancel();
    expect(seen(job)).toMatchObject({ status: "cancelled", states: ["reserve", "hold", "release", "released"] });
    expect(released).toEqual(["7A"]);
  });

  test("a job that is cancelled while the seat is being reserved releases it, too", async () => {
    const { job, released } = reserve({ reserve_stock: noAnswer });
    await job.start();
    await job.cancel();
    await job.advance({ seconds: 30 });
    expect(seen(job)).toMatchObject({ status: "cancelled", states: ["reserve", "release", "released"] });
    expect(released).toEqual(["7A"]);
  });
});

describe("signups", () => {
  function signUp() {
    return testJob(signups, { input: { email: "ada@example.com" }, workers: { send_email: () => undefined } }).run();
  }

  test("a confirmed address is welcomed", async () => {
    const job = await signUp();
    await job.sendEvent("confirmed");
    expect(seen(job)).toMatchObject({ status: "finished", states: ["confirm", "welcome", "active"] });
  });

  test("an address that is not confirmed expires", async () => {
    const job = await signUp();
    await job.advance({ minutes: 1 });
    expect(seen(job)).toMatchObject({ status: "failed", state: "expired" });
  });

  test("every state of the first version has become one of the second", () => {
    const [first] = firstSignups;
    expect(first?.states.map((state) => fateOf(signups, 1, state))).toEqual([
      { fate: "mapped", to: "confirm" },
      { fate: "mapped", to: "welcome" },
      { fate: "mapped", to: "active" },
    ]);
  });
});

describe("streams", () => {
  const url = "https://live.example/launch";

  function broadcast() {
    const input = { channel: "launch", audience: "ada@example.com" };
    return testJob(streams, { input, workers: { broadcast: byHand, send_email: byHand } }).run();
  }

  test("viewers get the address as soon as the broadcast has started", async () => {
    const job = await broadcast();
    await job.task("broadcast").event("started", { url });
    const { params } = job.task("send_email");
    expect(params).toEqual({ to: "ada@example.com", subject: `Live now: ${url}` });
    await job.task("send_email").succeed();
    expect(seen(job)).toMatchObject({ status: "finished", result: { url } });
  });

  test("a broadcast that ends without having started invites nobody", async () => {
    const job = await broadcast();
    await job.task("broadcast").succeed();
    expect(seen(job)).toMatchObject({ status: "failed", states: ["broadcast", "off_air"] });
  });
});
