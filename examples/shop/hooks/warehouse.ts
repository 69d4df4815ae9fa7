import type { WarehouseHooks } from "../generated/warehouse/service.js";

export const warehouseHooks: WarehouseHooks = {
  /** The message has all that a parcel needs: nothing is asked of the store. */
  async onOrderPaid({ event: { orderId, buyer, item }, tx }) {
    await tx.query("INSERT INTO parcels (order_id, recipient, contents) VALUES ($1, $2, $3)", [
      orderId,
      `${buyer.name} <${buyer.email}>`,
      `${item.count} x ${item.name}`,
    ]);
  },
};
