/** Fencing in PostgreSQL: the UPDATE itself looks at the token, under the lock of the row. */
import pg from 'pg';
import type { Guarded } from './guarded.js';

/** Several processes may create it at the same moment, which IF NOT EXISTS alone does not bear. */
const CREATE = `
  DO $$ BEGIN
    CREATE TABLE IF NOT EXISTS reports (name text PRIMARY KEY, token bigint NOT NULL, value text NOT NULL);
  EXCEPTION WHEN unique_violation THEN NULL;
  END $$`;
const BEGIN = `INSERT INTO reports VALUES ($1, 0, '') ON CONFLICT DO NOTHING`;
const WRITE = `UPDATE reports SET token = $2, value = $3 WHERE name = $1 AND token <= $2`;
const READ = `SELECT token, value FROM reports WHERE name = $1 AND token > 0`;

export async function inPostgres(url: string, name = 'report'): Promise<Guarded> {
  const pool = new pg.Pool({ connectionString: url });
  await pool.query(CREATE);
  await pool.query(BEGIN, [name]);
  return {
    write: async (token, value) => (await pool.query(WRITE, [name, token, value])).rowCount === 1,
    read: async () => {
      const { rows } = await pool.query(READ, [name]);
      return rows[0] === undefined ? null : { token: Number(rows[0].token), value: rows[0].value };
    },
    close: () => pool.end(),
  };
}
