/** The deployment's blueprints: `blueprints/index.ts`, or the module an operator names. The bundler decides. */
declare module "#blueprints" {
  import type { CompleteBlueprint } from "batuta";
  const blueprints: readonly CompleteBlueprint[];
  export default blueprints;
}
