import { z } from "zod";

/** What an operator can switch while the deployment runs. */
export const deploymentSettings = z.strictObject({
  /** Refuses what clients ask for; workers go on and jobs run to their end. */
  maintenance: z.boolean(),
  /** Takes no new jobs; everything else goes on. */
  drain: z.boolean(),
  /** Shown to everyone in the console; null for none. */
  banner: z.string().min(1).max(500).nullable(),
});
export type DeploymentSettings = z.infer<typeof deploymentSettings>;

/** A change: the switches that are to be set, the others stay as they are. */
export const settingsPatch = deploymentSettings.partial();
export type SettingsPatch = z.infer<typeof settingsPatch>;

export const DEFAULT_SETTINGS: DeploymentSettings = { maintenance: false, drain: false, banner: null };
