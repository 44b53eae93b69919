/**
 * The test kit: what a test of a blueprint imports from `batuta/testing`.
 *
 * @module
 */
export { InputError, testJob, TestJob } from "./test-job.ts";
export { JobUnderTest, RefusedError } from "./job-under-test.ts";
export { TestTask } from "./test-task.ts";
export { byHand, noAnswer, result, workerLost } from "./fake-worker.ts";
export type { FakeAnswer, FakeTask, FakeWorker } from "./fake-worker.ts";
export type { Duration, Moment } from "./duration.ts";
export type { TestJobOptions } from "./options.ts";
