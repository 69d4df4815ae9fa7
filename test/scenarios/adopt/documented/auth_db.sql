-- Auth as it was built by hand: keys that the database counts.
CREATE TABLE users (
    id            SERIAL PRIMARY KEY,
    user_id       TEXT NOT NULL UNIQUE,
    username      VARCHAR(255) NOT NULL UNIQUE,
    display_name  TEXT NOT NULL DEFAULT '',
    password_hash TEXT NOT NULL DEFAULT '',
    created_at    TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE sessions (
    id          SERIAL PRIMARY KEY,
    user_id     INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    token       TEXT NOT NULL DEFAULT '',
    expires_at  TIMESTAMP NOT NULL
);
INSERT INTO users (user_id, username) SELECT 'u' || n, 'user ' || n FROM generate_series(1, 50) AS n;
