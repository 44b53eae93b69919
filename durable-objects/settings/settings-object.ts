import { createDurable } from "itty-durable";
import {
  DEFAULT_SETTINGS,
  type DeploymentSettings,
  deploymentSettings,
  type SettingsPatch,
} from "../../src/settings/deployment-settings.ts";

/** The library runs any method whose name is in the path, its own `destroy` too. These are the ones we mean. */
const CALLS = new Set(["/do/call/read", "/do/call/change"]);

/**
 * Keeps the deployment's settings. The only object built on itty-durable; docs/adr/0002-itty-durable-in-one-place.md
 * says why it is the only one and what to heed. Reach it through `src/settings/settings.ts`.
 */
export class SettingsObject extends createDurable({ autoPersist: false }) {
  /** All own fields are stored together, so this is the one there is. */
  settings = DEFAULT_SETTINGS;

  override async fetch(request: Request): Promise<Response> {
    if (!CALLS.has(new URL(request.url).pathname)) return new Response(null, { status: 404 });
    return await super.fetch(request);
  }

  /** Runs once the stored fields are in place. Settings added since they were stored get their defaults. */
  override async onLoad(): Promise<void> {
    this.settings = deploymentSettings.parse({ ...DEFAULT_SETTINGS, ...this.settings });
  }

  read(): DeploymentSettings {
    return this.settings;
  }

  /** A bad patch throws before anything is changed. */
  async change(patch: SettingsPatch): Promise<DeploymentSettings> {
    this.settings = deploymentSettings.parse({ ...this.settings, ...patch });
    await this.persist();
    return this.settings;
  }
}
