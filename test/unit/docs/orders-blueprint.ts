import { blueprint } from "batuta";
import { z } from "zod";

export const orders = blueprint({
  name: "orders",
  version: 2,
  api: { version: "v1", endpoint: "/jobs/orders" },
  input: z.object({ pictures: z.array(z.string()).min(1), amount: z.number().positive() }),
  stateHistory: z.object({ payment: z.object({ receipt: z.string() }), printed: z.int() }),
  states: ["check", "pay", "print", "collect", "shipped", "refused"],
  retry: { maxAttempts: 5 },
  timeout: { seconds: 7 * 86_400, to: "refused" },
  migrations: [{ from: 1, states: { wait_for_money: "pay" } }],
})
  .handler("check", { when: "initial_data.amount > 1000" }, ({ initialData, actions }) =>
    actions.awaitHumanApproval({
      message: `Print for ${initialData.amount}?`,
      approvals: 2,
      timeoutSeconds: 86_400,
      transitions: { approved: "pay", rejected: "refused", timeout: "refused" },
    }),
  )
  .start("check", ({ actions }) => actions.transitionTo("pay"))
  .handler("pay", ({ actions }) => actions.waitFor({ event: "payment", transitions: { received: "print" } }))
  .handler("print", ({ initialData, actions }) =>
    actions.dispatchParallel(
      initialData.pictures.map((picture) => ({ type: "print", params: { picture } })),
      { aggregateInto: "collect", maxConcurrent: 4 },
    ),
  )
  .aggregator("collect", ({ aggregationResults, actions }) =>
    actions.transitionTo("shipped", { printed: aggregationResults.succeeded.length }),
  )
  .end("refused", { failure: true })
  .end("shipped", ({ payment, printed }) => ({ receipt: payment.receipt, printed }));
