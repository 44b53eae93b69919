import { byHand, result, testJob } from "batuta/testing";
import { describe, expect, test } from "vitest";
import { relay } from "../../support/file-blueprints.ts";

const A = "s3://photos/a.png";

describe("what is known of files", () => {
  test("may be said with the job's input and with results, and is told to workers", async () => {
    const job = await testJob(relay, {
      input: { type: "t", file: A },
      dataMetadata: { file: { size: 3 } },
      workers: {
        "t-make": (_params, { paramsMetadata }) => {
          expect(paramsMetadata).toEqual({ from: { uri: A, size: 3 } });
          return result("success", { file: "s3://photos/b.png" }, { file: { size: 4 } });
        },
        "t-use": byHand,
      },
    }).run();
    const { paramsMetadata } = job.task("t-use");
    expect(paramsMetadata).toEqual({ "deep.0.file": { uri: "s3://photos/b.png", size: 4 } });
    expect(job.view()["data_metadata"]).toEqual({
      [A]: { uri: A, size: 3 },
      "s3://photos/b.png": { uri: "s3://photos/b.png", size: 4 },
    });
  });

  test("may be said by hand, too, and is nothing where nobody says anything", async () => {
    const job = await testJob(relay, { input: { type: "t" } }).start();
    expect(job.task("t-make").paramsMetadata).toBeUndefined();
    await job.task("t-make").succeed({ file: A }, { file: { uri: A, etag: "e" } });
    expect(job.task("t-use").paramsMetadata).toEqual({ "deep.0.file": { uri: A, etag: "e" } });
  });

  test("must be of files", () => {
    const input = { type: "t", file: A };
    expect(() => testJob(relay, { input, dataMetadata: { fiel: { size: 3 } } })).toThrow("without a uri");
  });
});
