import pg from "pg";
import { benchRelay } from "./relay.js"; import { printRows } from "./report.js";
import { startNats, startPostgres } from "../test/support/servers.js";
import { migrateMesh } from "../test/runtime/outbox/owner.js";
const nats = await startNats(); const p = await startPostgres(); const url = await p.createDatabase("x");
const pool = new pg.Pool({ connectionString: url }); await migrateMesh(pool); await pool.end();
for (let i=0;i<1;i++) printRows(await benchRelay({ postgresUrl: url, natsUrl: nats.url }));
await nats.remove(); await p.remove();
