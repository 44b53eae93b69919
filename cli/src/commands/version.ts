import { defineCommand } from "citty";
import { VERSION } from "../version.ts";

export const version = defineCommand({
  meta: { name: "version", description: "Print the version" },
  run: () => {
    process.stdout.write(`batuta ${VERSION}\n`);
  },
});
