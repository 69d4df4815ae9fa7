import type { PoolClient } from "pg";

export interface User {
  readonly user_id: string;
  readonly username: string;
  readonly display_name: string;
}

export interface Pace {
  /** Rows per second. */
  readonly rate: number;
  /** Rows that count, and rows before them. */
  readonly count: number;
  readonly warmUp: number;
}

/** In ms. */
export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
}

export interface LatencyOptions extends Pace {
  readonly ownerUrl: string;
  readonly copyUrl: string;
  /** Commits one user over a connection to the owner's database. */
  readonly write: (client: PoolClient, user: User) => Promise<unknown>;
}

export function measureLatency(options: LatencyOptions): Promise<Percentiles>;
