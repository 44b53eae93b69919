// A worker of the floor: answers every task at once and tells its parent of each acknowledged job.
const [url = ""] = process.argv.slice(2);
const socket = new WebSocket(url.replace(/^http/, "ws"));
socket.addEventListener("open", () => process.send?.({ ready: true }));
socket.addEventListener("message", ({ data }) => {
  const { type, job_id: id }: { type: string; job_id: string } = JSON.parse(String(data));
  if (type === "task") socket.send(JSON.stringify({ type: "result", job_id: id, status: "success", data: {} }));
  else process.send?.({ job: id });
});
process.on("disconnect", () => process.exit(0));
