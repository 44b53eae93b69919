import { DurableObject } from "cloudflare:workers";
import { type Quota, type QuotaAnswer, type QuotaUse, spendQuota } from "../../src/access/quota.ts";
import type { Env } from "../../src/env.ts";

const USE = "quota-use";

/** What a client has used, by the client's name. Its one value is in the key-value store: a table of its own would cost two rows more for each new client. */
export class ClientObject extends DurableObject<Env> {
  /**
   * Takes one unit of the client's quota, if one is left. Calls of one client are taken one after the other, so no
   * more than the limit is ever granted.
   * @param now epoch ms.
   */
  spend(quota: Quota, now: number): QuotaAnswer {
    const { kv } = this.ctx.storage;
    const before = kv.get<QuotaUse>(USE);
    const { answer, use } = spendQuota(before, quota, now);
    if (use !== before) kv.put(USE, use);
    return answer;
  }
}
