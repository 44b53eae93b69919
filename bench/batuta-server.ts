// The embedded server as its own process: prints its address, ends with its parent.
import { fileURLToPath } from "node:url";
import { startServer } from "@batuta/cli/server";

const [data = ""] = process.argv.slice(2);
const blueprints = fileURLToPath(new URL("blueprints.ts", import.meta.url));
const server = await startServer({ host: "127.0.0.1", port: 0, data, blueprints });
process.on("disconnect", () => void server.stop().then(() => process.exit(0)));
process.send?.({ url: server.url });
