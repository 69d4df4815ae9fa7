import type { IrrigationHooks } from "../generated/irrigation/service.js";

export const irrigationHooks: IrrigationHooks = {
  /** In one transaction: the reading, the valve, and what the valve tells. */
  async onProbeMeasured({ event, tx }) {
    const { reading, moisture, metadata } = event;
    await tx.query("INSERT INTO readings (reading_id, probe_id, moisture) VALUES ($1, $2, $3)", [
      reading,
      metadata.entity_id,
      moisture,
    ]);
    // Decimals are compared by PostgreSQL: as numbers of JavaScript they would be floats.
    await tx.query(
      `UPDATE valves SET moisture = $2::numeric, state = CASE WHEN $2::numeric < opens_below THEN 'open' ELSE 'shut' END
        WHERE probe_id = $1`,
      [metadata.entity_id, moisture],
    );
  },
};
