import { catalog } from "../../../src/catalog.ts";

/** Stands in for the Worker with the same blueprints, loaded in the same way, and says what they are. */
export default {
  fetch: () =>
    Response.json(
      [...catalog.values()].map(({ name, version, states, migrations }) => ({ name, version, states, migrations })),
    ),
};
