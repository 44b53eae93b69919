import { jsonBytes } from "../job/state-history.ts";
import { MAX_CALL_BYTES, MAX_QUEUE_MESSAGE_BYTES, OFFERS_PER_CALL } from "../limits.ts";
import type { DispatchMessage, Offer } from "./offer.ts";

/** A queue message but for what surrounds its offers. */
const MAX_OFFERS_BYTES = MAX_QUEUE_MESSAGE_BYTES - 200;

interface Sized {
  readonly offer: Offer;
  /** As JSON in a list. */
  readonly bytes: number;
}

function sized(offers: readonly Offer[]): Sized[] {
  return offers.map((offer) => ({ offer, bytes: jsonBytes(offer) + 1 }));
}

/** Offers in order, in as few lists as their number and their sizes allow. */
function packed(offers: readonly Sized[], maxBytes: number, maxCount: number): Offer[][] {
  const lists: Offer[][] = [];
  let room = 0;
  for (const { offer, bytes } of offers) {
    const last = lists.at(-1);
    if (last !== undefined && bytes <= room && last.length < maxCount) {
      last.push(offer);
      room -= bytes;
    } else {
      lists.push([offer]);
      room = maxBytes - bytes;
    }
  }
  return lists;
}

/** What is sent to a shard in one call each: what a task says, and what is known of its files, may be large. */
export function callsOf(offers: readonly Offer[]): Offer[][] {
  return offers.length === 1 ? [[...offers]] : packed(sized(offers), MAX_CALL_BYTES, OFFERS_PER_CALL);
}

/** As few messages as the queue's size allows: each is paid for. What is too large for any goes without the queue. */
export function messagesOf(
  shard: string,
  offers: readonly Offer[],
): { readonly messages: DispatchMessage[]; readonly large: Offer[] } {
  const { fit = [], large = [] } = Object.groupBy(sized(offers), ({ bytes }) =>
    bytes <= MAX_OFFERS_BYTES ? "fit" : "large",
  );
  const messages = packed(fit, MAX_OFFERS_BYTES, Infinity).map((some) => ({ v: 1 as const, shard, offers: some }));
  return { messages, large: large.map(({ offer }) => offer) };
}
