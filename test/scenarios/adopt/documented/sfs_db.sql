-- SFS as it was built by hand, its copy of users included.
CREATE TABLE user_cache (
    user_id TEXT PRIMARY KEY,
    username TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL DEFAULT '',
    synced_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE namespaces (
    id          SERIAL PRIMARY KEY,
    name        VARCHAR(255) NOT NULL UNIQUE,
    owner_id    TEXT,
    visibility  VARCHAR(20) NOT NULL DEFAULT 'private',
    created_at  TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE files (
    id            SERIAL PRIMARY KEY,
    namespace_id  INTEGER NOT NULL REFERENCES namespaces (id) ON DELETE CASCADE,
    path          TEXT NOT NULL,
    size_bytes    BIGINT NOT NULL DEFAULT 0,
    uploader_id   TEXT,
    UNIQUE (namespace_id, path)
);
INSERT INTO user_cache (user_id, username) VALUES ('gone', 'missed its deletion'), ('u1', 'an old name');
INSERT INTO namespaces (name, owner_id) VALUES ('ns1', 'u1'), ('ns2', 'u2');
