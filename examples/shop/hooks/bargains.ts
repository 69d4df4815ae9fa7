import type { BargainsHooks } from "../generated/bargains/service.js";

export const bargainsHooks: BargainsHooks = {
  /** What is cheaper than it was, until it is dearer again. */
  async onProductRepriced({ event: { productId, price, formerPrice }, tx }) {
    await tx.query("DELETE FROM bargains WHERE product_id = $1", [productId]);
    await tx.query(
      "INSERT INTO bargains SELECT $1, $3::numeric - $2::numeric WHERE $2::numeric < $3::numeric",
      [productId, price, formerPrice],
    );
  },
};
