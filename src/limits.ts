/**
 * Every number the product promises or defends, with the fact it rests on.
 * Sizes are bytes, durations milliseconds, unless the name says otherwise.
 */

/** Largest HTTP request body. The model system's limit; larger bodies are answered 413. */
export const MAX_BODY_BYTES = 1024 * 1024;

/** Longest time a client may take to send a body. Half-sent bodies would otherwise stay open for ever. */
export const BODY_READ_TIMEOUT_MS = 15_000;

/** Largest value kept inside a job record. A stored value may not pass 2 MB in production, and one record holds several. */
export const MAX_INLINE_BYTES = 256 * 1024;

/** Largest `state_history` of a job. */
export const MAX_STATE_HISTORY_BYTES = 256 * 1024;

/** Branches of one fan-out. */
export const MAX_BRANCHES = 1_000;

/** Offers sent to a shard in one call; bounds the size of one RPC message. */
export const OFFERS_PER_CALL = 100;

/** Transitions of a job without a task or a wait between them, before it is stopped as a loop. */
export const MAX_TRANSITIONS = 100;

/** Longest long poll. Existing workers give up after 30 s plus a few seconds. */
export const MAX_POLL_SECONDS = 30;

/** Largest WebSocket frame taken from a worker. */
export const MAX_FRAME_BYTES = 256 * 1024 + 4096;

/** Tasks one socket worker may hold: its leases live in the socket's attachment, which may not pass 16,384 bytes. */
export const MAX_SOCKET_SLOTS = 64;

/** History events in one queue message; with texts cut to MAX_EVENT_ERROR_CHARS they fit its size. */
export const EVENTS_PER_MESSAGE = 25;
export const MAX_EVENT_ERROR_CHARS = 1_000;

/** Longest error message kept of a task or handler; the end of a longer one is cut off. */
export const MAX_ERROR_CHARS = 4_000;

/** Times one task may lose its worker before it counts as failed; a task that kills its worker must not run for ever. */
export const MAX_LEASE_LOSSES = 5;

/** Rows of one page of a listing. */
export const MAX_PAGE = 1_000;

/** Largest queue message: the platform takes 128,000 bytes, of which about 100 are its own. */
export const MAX_QUEUE_MESSAGE_BYTES = 120_000;

/** Messages in one queue send. */
export const MAX_QUEUE_BATCH = 100;

/** How long a live job may keep new events to itself before they go to the history queue; short jobs send one message instead of two. */
export const HISTORY_LINGER_MS = 1_000;
