import type { DashboardHooks } from "../generated/dashboard/service.js";

export const dashboardHooks: DashboardHooks = {
  /** Every event of every owner, those of the foreign platform included. */
  async onEvent({ event, subject, tx }) {
    await tx.query("INSERT INTO journal (subject, event) VALUES ($1, $2)", [subject, JSON.stringify(event)]);
  },
};
