import type { CompleteBlueprint } from "batuta";
import { crawls } from "./crawls.ts";
import { expenses } from "./expenses.ts";
import { orders } from "./orders.ts";
import { payments } from "./payments.ts";
import { photos } from "./photos.ts";
import { purchases } from "./purchases.ts";
import { reservations } from "./reservations.ts";
import { shipment } from "./shipment.ts";
import { signups } from "./signups.ts";
import { streams } from "./streams.ts";
import { subscriptions } from "./subscriptions.ts";

/** The blueprints that this deployment runs: the demo's, then one for each feature (docs/reference/examples.md). */
export default [
  photos,
  orders,
  payments,
  crawls,
  purchases,
  shipment,
  expenses,
  subscriptions,
  reservations,
  signups,
  streams,
] satisfies CompleteBlueprint[];
