/** A replica in a process of its own, to be killed: migrates the database of its first argument with the folder of its second. */
import pg from "pg";
import { migrate } from "../../../runtime/schema/index.js";
import { silent } from "../loggers.js";

const [url = "", migrations = ""] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString: url, max: 1 });
await migrate(pool, { service: "shop", migrations, logger: silent });
await pool.end();
