/**
 * Every number the product promises or defends, with the fact it rests on.
 * Sizes are bytes, durations milliseconds, unless the name says otherwise.
 */

/** Largest HTTP request body. Avtomatika's limit; larger bodies are answered 413. */
export const MAX_BODY_BYTES = 1024 * 1024;

/** How deep lists and objects of a body may be nested. At 5,000 the runtime's stack overflows. */
export const MAX_JSON_DEPTH = 500;

/** Longest time a client may take to send a body. Half-sent bodies would otherwise stay open for ever. */
export const BODY_READ_TIMEOUT_MS = 15_000;

/** Largest value kept inside a job record. A stored value may not pass 2 MB in production, and one record holds several. */
export const MAX_INLINE_BYTES = 256 * 1024;

/** Largest `state_history` of a job. */
export const MAX_STATE_HISTORY_BYTES = 256 * 1024;

/** Branches of one fan-out: each is a row of the job, loaded into memory with it. */
export const MAX_BRANCHES = 10_000;

/** Shards of a deployment: lists of workers ask them all. */
export const MAX_SHARDS = 100;

/** Offers sent to a shard in one call, or attempts it is asked about. */
export const OFFERS_PER_CALL = 100;

/** Offers of one call, as JSON. The platform's limit is 32 MiB, where a text beyond Latin-1 takes two bytes a character. */
export const MAX_CALL_BYTES = 12 * 1024 * 1024;

/** Transitions of a job without a task or a wait between them, before it is stopped as a loop. */
export const MAX_TRANSITIONS = 100;

/** Longest long poll. Existing workers give up after 30 s plus a few seconds. */
export const MAX_POLL_SECONDS = 30;

/** Largest WebSocket frame taken from a worker. */
export const MAX_FRAME_BYTES = 256 * 1024 + 4096;

/** Tasks one socket worker may hold: its leases live in the socket's attachment, which may not pass 16,384 bytes. */
export const MAX_SOCKET_SLOTS = 64;

/** What a worker has loaded, as JSON, beside its leases in that attachment; more is forgotten with the object's memory. */
export const MAX_KEPT_HOT_CHARS = 2_000;

/** History events in one queue message; with texts cut to MAX_EVENT_ERROR_CHARS they fit its size. */
export const EVENTS_PER_MESSAGE = 25;
export const MAX_EVENT_ERROR_CHARS = 1_000;

/** How far a worker's clock may be ahead of ours when it says that a deadline is over. Its SDK reckons with larger differences. */
export const MAX_CLOCK_DIFFERENCE_MS = 3_000;

/** Longest error message kept of a task or handler; the end of a longer one is cut off. */
export const MAX_ERROR_CHARS = 4_000;

/** Times one task may lose its worker before it counts as failed; a task that kills its worker must not run for ever. */
export const MAX_LEASE_LOSSES = 5;

/** Rows of one page of a listing. */
export const MAX_PAGE = 1_000;

/** How long a list waits for one shard: one that hangs must not hold up what the others have. */
export const SHARD_ANSWER_MS = 5_000;

/** Workers in one answer, as characters of JSON: what a worker says of itself may be long. */
export const MAX_WORKERS_CHARS = 4 * 1024 * 1024;

/** Largest queue message: the platform takes 128,000 bytes, of which about 100 are its own. */
export const MAX_QUEUE_MESSAGE_BYTES = 120_000;

/** Deliveries after the first before a message goes to the dead-letter queue, and those of the dead-letter queue itself (the platform's most). As in `wrangler.toml`. */
export const QUEUE_RETRIES = 10;
export const DEAD_RETRIES = 100;

/** Messages in one queue send. */
export const MAX_QUEUE_BATCH = 100;

/** How long a live job may keep new events to itself before they go to the history queue; short jobs send one message instead of two. */
export const HISTORY_LINGER_MS = 1_000;

/** Branches of one fan-out that are offered to the shard directly; a larger one goes through the dispatch queue. */
export const MAX_DIRECT_BRANCHES = 1_000;

/** Longest timer, seconds: ten years. */
export const MAX_DURATION_SECONDS = 315_360_000;

/** People who may be asked for one approval. */
export const MAX_APPROVERS = 20;

/** How deep jobs may be nested: a job that runs itself as its child must not do so for ever. */
export const MAX_CHILD_DEPTH = 10;

/** Events kept for a job that does not wait for them yet, and the size of one event's data. */
export const MAX_BUFFERED_EVENTS = 100;
export const MAX_EVENT_BYTES = 64 * 1024;

/** Data that comes with one person's decision: a question keeps those of all its deciders. */
export const MAX_DECISION_BYTES = 16 * 1024;

/** Ids of events a job remembers, to take a repeated one once. */
export const MAX_REMEMBERED_EVENT_IDS = 200;

/** Jobs created by one batch request. */
export const MAX_BATCH_JOBS = 100;

/** Metadata of a job: a few labels, not a payload. */
export const MAX_METADATA_BYTES = 8 * 1024;

/**
 * What a job, one result or one task says of files, as JSON: of about a thousand of them, for an address and its marks have
 * 250 bytes. A job's record holds it beside its other values.
 */
export const MAX_FILE_METADATA_BYTES = 256 * 1024;

/** The keys that lead to a file's address, as one text. Each text of a value is looked at whose keys are as long as asked for. */
export const MAX_FILE_KEY_CHARS = 1_000;

/** What a parent knows of files that its input does not name, but a child is told all the same: there may be thousands of children. */
export const MAX_INHERITED_FILES_BYTES = 16 * 1024;

/** Longest life of an approval link; a question's own deadline may end it sooner. */
export const MAX_LINK_LIFE_MS = 7 * 86_400_000;

/** Longest comment of a person who decides. */
export const MAX_COMMENT_CHARS = 2_000;

/** How far ahead a job may be created (`start_at`): a year, which the platform's alarms reach. */
export const MAX_START_AHEAD_MS = 366 * 86_400_000;

/** Longest reason a person gives for what they do to a job. */
export const MAX_REASON_CHARS = 500;

/** Longest time a drained worker may have to finish what it holds: 30 days. */
export const MAX_DRAIN_SECONDS = 30 * 86_400;

/** Params of a command to a worker, as JSON: a word and its details, not a payload. */
export const MAX_COMMAND_BYTES = 64 * 1024;

/** Quarantined jobs that one request may retry or discard. */
export const MAX_QUARANTINE_BATCH = 100;

/** Live jobs that one request brings to the present version of their blueprint: each is a call to its object. */
export const MAX_MIGRATION_BATCH = 100;

/** Schedules of one client: their object computes with all of them. */
export const MAX_SCHEDULES = 1_000;

/** Runs a schedule remembers, the newest: they are one stored value with all else that changes about it. */
export const MAX_REMEMBERED_RUNS = 50;

/** Occurrences run of those that came due while nobody was there, and occurrences that wait for the job before them. */
export const MAX_CAUGHT_UP = 100;
export const MAX_WAITING_OCCURRENCES = 100;

/** Jobs a client's schedules start in one alarm; the next one follows at once. An alarm should take seconds. */
export const STARTS_PER_ALARM = 50;

/** How long a task's progress may stay in memory before it is written. */
export const PROGRESS_LINGER_MS = 10_000;

/** Workers that an explanation names, reasons it counts the others by, and waiting branches of a fan-out it looks into. */
export const MAX_EXPLAINED_WORKERS = 50;
export const MAX_EXPLAINED_REASONS = 20;

/** What an explanation repeats of a worker's words at once. */
export const MAX_EXPLAINED_CHARS = 200;
export const MAX_EXPLAINED_TASKS = 10;

/** Tags, or workers by id, that one task may name: each is looked at for every free worker. */
export const MAX_TASK_NAMES = 50;

/** Lines of a task's log: at once, and of one attempt. */
export const MAX_LOG_LINES = 500;
export const MAX_TASK_LOG_LINES = 10_000;

/** What is kept of one line: of its message, and of its fields as JSON. */
export const MAX_LOG_LINE_CHARS = 4_000;
export const MAX_LOG_FIELDS_CHARS = 4_000;

/** Lines in one queue message; the rest of it is less than 2,000 bytes. */
export const MAX_LOG_MESSAGE_BYTES = MAX_QUEUE_MESSAGE_BYTES - 2_000;

/** What a worker says of itself, as its history keeps it; the rest of the queue message is less than 1,000 bytes. */
export const MAX_WORKER_SNAPSHOT_BYTES = MAX_QUEUE_MESSAGE_BYTES - 1_000;

/** Signed messages that a shard remembers, so as not to take them again: 5,000 workers in two minutes, about 150 bytes each. */
export const MAX_SEEN_MESSAGES = 40_000;

/** How long a job tells a shard that is away what it is to let go of: longer than any worker waits for a shard. */
export const RELEASE_KEPT_MS = 24 * 60 * 60_000;
