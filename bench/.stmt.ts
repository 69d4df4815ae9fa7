import pg from "pg";
import { startPostgres } from "../test/support/servers.js";
import { migrateMesh } from "../test/runtime/outbox/owner.js";
const p = await startPostgres(); const url = await p.createDatabase("x");
const pool = new pg.Pool({ connectionString: url, max: 1 }); await migrateMesh(pool);
await pool.query("SET enable_seqscan=off; SET enable_bitmapscan=off; SET jit=off");
const fill = () => pool.query(`INSERT INTO mesh.outbox (event_id, subject, entity, entity_id, version, body)
     SELECT event_id, 'bench.user.' || id || '.updated', 'bench.user', id, 1,
            json_build_object('metadata', json_build_object('event_id', event_id, 'entity_id', id, 'timestamp', 1700000000,
              'source', 'bench-service', 'version', 1), 'user_id', id, 'username', 'user ' || id, 'display_name', 'User Number ' || id)::text
     FROM (SELECT gen_random_uuid() AS event_id, 'u' || place AS id FROM generate_series(1, 20000) AS place) AS made`);
await fill(); await pool.query("VACUUM ANALYZE mesh.outbox");
const { readPage, releaseRows } = await import("../runtime/outbox/statements.js");
const seat: any = { query: async (text: string, values: any[]) => (await pool.query({ text, values, rowMode: "array" })).rows };
const plain = (await pool.query("EXPLAIN (ANALYZE, BUFFERS) " + `SELECT seq, event_id, subject, body, headers FROM mesh.outbox
        WHERE seq > 0 AND seq <= 9007199254740991 AND NOT EXISTS (SELECT FROM unnest('{1,2,3}'::bigint[]) AS known WHERE known = seq)
        ORDER BY seq LIMIT 1000`)).rows.map((r:any)=>r["QUERY PLAN"]).join("\n"); console.log(plain);
let after = 0; const t: number[] = [], d: number[] = []; 
for (let i = 0; i < 20; i++) {
  let s = performance.now(); const known = Array.from({length: 2000}, (_, k) => after - k).filter(x=>x>0);
  const page = await readPage(seat, { after: 0, upTo: Number.MAX_SAFE_INTEGER, known, rows: 1000, bytes: 8e6 }); t.push(performance.now() - s);
  after = page.rows.at(-1)!.seq;
  s = performance.now(); await releaseRows(seat, page.rows.map(r => r.seq), after); d.push(performance.now() - s);
}
console.log("read", t.map(x=>x.toFixed(1)).join(" ")); console.log("release", d.map(x=>x.toFixed(1)).join(" "));
await pool.end(); await p.remove();
