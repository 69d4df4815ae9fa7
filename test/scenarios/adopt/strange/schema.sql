-- What old databases are full of: keys and references of CHAR, numbers of single precision, JSON kept as text, domains over
-- these; and, behind them, types that mesh.yaml has no word for.
CREATE DOMAIN iso_country AS CHAR(2) CHECK (VALUE ~ '^[A-Z]{2}$');
CREATE DOMAIN home_country AS iso_country;
CREATE DOMAIN number AS NUMERIC(10,2);
CREATE TYPE nanoid AS (a INTEGER, b INTEGER);
CREATE TABLE currencies (code CHAR(3) PRIMARY KEY, name VARCHAR(40) NOT NULL, rate REAL, symbol BPCHAR);
CREATE TABLE countries (
  code iso_country PRIMARY KEY,
  currency CHAR(3) NOT NULL REFERENCES currencies,
  neighbour home_country,
  area REAL NOT NULL DEFAULT 0.1,
  flags CHAR(2)[] NOT NULL DEFAULT '{}',
  loose VARCHAR(2) REFERENCES countries
);
CREATE TABLE regions (country CHAR(2) NOT NULL, part CHAR(3) NOT NULL, price number, PRIMARY KEY (country, part));
CREATE TABLE sensors (
  id BIGSERIAL PRIMARY KEY,
  kind CHAR(4) NOT NULL DEFAULT 'temp' CHECK (kind IN ('temp', 'hum', 'lux')),
  level REAL NOT NULL,
  history REAL[] NOT NULL DEFAULT '{}',
  config JSON,
  meta JSON NOT NULL DEFAULT '{}'
);
CREATE TABLE employees (badge CHAR(8) PRIMARY KEY, boss CHAR(8) REFERENCES employees ON DELETE SET NULL, score REAL, deleted_at TIMESTAMPTZ);
CREATE TABLE papers (doc_id TEXT PRIMARY KEY, body JSON NOT NULL, extra JSONB, note XML, place POINT);
CREATE TABLE raws (code CHAR(2) PRIMARY KEY, raw JSON, doc XML, place POINT);
CREATE TABLE payments (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  currency CHAR(3) NOT NULL REFERENCES currencies ON DELETE CASCADE,
  old_amount MONEY, paid_at TIME, until TIMETZ, took INTERVAL,
  status CHAR(1) NOT NULL DEFAULT 'o'
);
CREATE TABLE hosts (name TEXT PRIMARY KEY, addr INET NOT NULL, net CIDR, mac MACADDR, mac8 MACADDR8, tags UUID[]);
CREATE TABLE fees (id INTEGER PRIMARY KEY, price MONEY NOT NULL, note TEXT);
CREATE TABLE searches (id INTEGER PRIMARY KEY, words TSVECTOR, flags BIT(4), bits VARBIT(8), span INT4RANGE, during TSTZRANGE);
CREATE TABLE shapes (id INTEGER PRIMARY KEY, p POINT, l LINE, b BOX, c CIRCLE, poly POLYGON, path PATH, seg LSEG);
CREATE TABLE odds (id INTEGER PRIMARY KEY, letter "char", called NAME, o OID, ts TIMESTAMPTZ[], j JSON[], pair nanoid, at PG_LSN, m MONEY[]);
CREATE TABLE addresses (ip INET PRIMARY KEY, note TEXT);
CREATE TABLE levels (level REAL PRIMARY KEY, note TEXT);
