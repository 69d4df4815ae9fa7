import type { Edit } from "./edit.js";

/** Soft deletion, moments, composite keys, mapped fields, tables that exist, views, partial copies, named consumers. */
export const libraryEdits: readonly Edit[] = [
  [
    "no soft deletion",
    [["        soft_delete: gone_at\n", ""]],
    ["destructive soft-deletion-removed: club, library; owner 1"],
  ],
  [
    "soft deletion by another column",
    [
      ["soft_delete: gone_at", "soft_delete: lost_at"],
      [
        "          gone_at: timestamptz?\n",
        "          gone_at: timestamptz?\n          lost_at: timestamptz?\n",
      ],
    ],
    ["destructive soft-deletion-removed: club, library; owner 1", "compatible column-added: ; anybody 1"],
  ],
  [
    "soft deletion by the same column under another name",
    [
      ["soft_delete: gone_at", "soft_delete: lost_at"],
      [
        "          gone_at: timestamptz?\n",
        "          lost_at: { type: timestamptz, null: true, renamed_from: gone_at }\n",
      ],
    ],
    ["breaking-publisher column-renamed: club, library; owner 3"],
  ],
  [
    "a moment of another column",
    [["at: due_at,", "at: gone_at,"]],
    ["breaking-consumer emission-changed: club; publisher 3"],
  ],
  [
    "a moment of the same column under another name",
    [
      [
        "          due_at: timestamptz?\n",
        "          back_at: { type: timestamptz, null: true, renamed_from: due_at }\n",
      ],
      ["at: due_at,", "at: back_at,"],
    ],
    ["breaking-publisher column-renamed: club, library; owner 3"],
  ],
  [
    "a moment that more rows are spared",
    [["unless: { state: back }", "unless: { state: [back, lost] }"]],
    ["breaking-consumer emission-narrowed: club; consumers 2"],
  ],
  [
    "a moment that fewer rows are spared",
    [["unless: { state: back }", "unless: { state: back, writer: { null: true } }"]],
    ["operational emission-widened: club; anybody 1"],
  ],
  [
    "a moment that no row is spared",
    [[", unless: { state: back }", ""]],
    ["operational emission-widened: club; anybody 1"],
  ],
  [
    "the key's columns in another order",
    [["key: [book_no, loan_no]", "key: [loan_no, book_no]"]],
    ["destructive key-changed: library; owner 3"],
  ],
  [
    "a column more in the key",
    [["key: [book_no, loan_no]", "key: [book_no, loan_no, reader]"]],
    ["destructive key-changed: library; owner 3"],
  ],
  [
    "another column behind a field",
    [
      [
        "payload: { book_id: nanoid, label: { from: title }, state: string, by",
        "payload: { book_id: nanoid, label: { from: state }, state: string, by",
      ],
      ["label: { from: title }", "label: { from: state }"],
    ],
    ["breaking-consumer field-shows-other: club; publisher 3"],
  ],
  [
    "a constant within an object",
    [
      [
        "by: { fields: { name: { from: writer }, role: { const: writer } } } }\n  library.book.{id}.updated",
        "by: { fields: { name: { from: writer }, role: { const: author } } } }\n  library.book.{id}.updated",
      ],
    ],
    ["breaking-consumer field-retyped: club; publisher 3"],
  ],
  [
    "a field more within an object",
    [
      [
        "by: { fields: { name: { from: writer }, role: { const: writer } } } }\n  library.book.{id}.updated",
        "by: { fields: { name: { from: writer }, role: { const: writer }, since: { from: due_at } } } }\n  library.book.{id}.updated",
      ],
    ],
    ["compatible field-added: club; anybody 1"],
  ],
  [
    "a field less within an object",
    [
      [
        "by: { fields: { name: { from: writer }, role: { const: writer } } } }\n  library.book.{id}.updated",
        "by: { fields: { role: { const: writer } } } }\n  library.book.{id}.updated",
      ],
    ],
    ["breaking-consumer field-removed: club; consumers 2"],
  ],
  [
    "another field for a copy's column",
    [["title: { type: text, from: label }", "title: { type: text, from: book_id }"]],
    ["breaking-consumer copy-filled-otherwise: club; anybody 1"],
  ],
  [
    "other rows in a copy",
    [["where: { state: [held, lent] }", "where: { state: [held] }"]],
    ["breaking-consumer copy-source-changed: club; anybody 1"],
  ],
  [
    "all rows in a copy",
    [["        where: { state: [held, lent] }\n", ""]],
    ["breaking-consumer copy-source-changed: club; anybody 1"],
  ],
  [
    "a column of a table that exists is no longer declared",
    [
      [
        "columns: { reader_id: { type: bigint, key: true, defaulted: true }, name: text }",
        "columns: { reader_id: { type: bigint, key: true, defaulted: true } }",
      ],
      ["    payload: { name: string }\n", "    payload: {}\n"],
    ],
    ["breaking-consumer column-dropped: library; owner 2", "compatible field-removed: ; anybody 1"],
  ],
  [
    "one more column of a table that exists",
    [["defaulted: true }, name: text }", "defaulted: true }, name: text, street: text? }"]],
    ["compatible column-added: ; anybody 1"],
  ],
  [
    "a table that exists is another one of PostgreSQL",
    [
      [
        "      readers:\n        existing: true\n",
        "      readers:\n        existing: true\n        table: people\n",
      ],
    ],
    ["destructive table-moved: library; owner 3"],
  ],
  [
    "a table that existed counts as made by the mesh",
    [
      ["        existing: true\n", ""],
      ["{ type: bigint, key: true, defaulted: true }", "{ type: bigint, key: true }"],
    ],
    ["destructive table-moved: library; owner 3"],
  ],
  [
    "a table that existed is no longer the mesh's",
    [
      [
        "      readers:\n        existing: true\n        columns: { reader_id: { type: bigint, key: true, defaulted: true }, name: text }\n",
        "",
      ],
      [
        "  library.reader.{id}.joined:\n    event: ReaderJoined\n    emit: { table: readers, on: insert }\n    payload: { name: string }\n",
        "",
      ],
    ],
    ["breaking-consumer table-dropped: library; owner 2", "compatible event-removed: ; anybody 1"],
  ],
  [
    "a view without a column",
    [
      [
        "shelf: { columns: { book_id: { type: nanoid, key: true }, name: text } }",
        "shelf: { columns: { book_id: { type: nanoid, key: true } } }",
      ],
    ],
    ["breaking-consumer view-narrowed: library; consumers 1"],
  ],
  [
    "a view with a column more",
    [["key: true }, name: text } }", "key: true }, name: text, state: text } }"]],
    ["compatible view-widened: ; anybody 1"],
  ],
  [
    "a view with a column of another type",
    [["key: true }, name: text } }", "key: true }, name: integer } }"]],
    ["breaking-consumer view-changed: library; publisher 3"],
  ],
  [
    "a view with a column that may be NULL",
    [["key: true }, name: text } }", "key: true }, name: text? } }"]],
    ["breaking-consumer view-changed: library; publisher 3"],
  ],
  [
    "a view with a column that is never NULL any more",
    [["key: true }, note: text? } }", "key: true }, note: text } }"]],
    ["compatible view-widened: ; anybody 1"],
  ],
  [
    "a view with a column that is private now",
    [["key: true }, name: text } }", "key: true }, name: { type: text, private: true } } }"]],
    ["breaking-consumer view-narrowed: library; consumers 1"],
  ],
  [
    "a view that is another one of PostgreSQL",
    [["      shelf: { columns", "      shelf: { schema: old, columns"]],
    ["breaking-consumer view-changed: library; publisher 3"],
  ],
  [
    "a view with another key",
    [
      [
        "shelf: { columns: { book_id: { type: nanoid, key: true }, name: text } }",
        "shelf: { columns: { book_id: nanoid, name: { type: text, key: true } } }",
      ],
    ],
    ["breaking-consumer view-changed: library; publisher 3"],
  ],
  [
    "a unique column of a table that exists",
    [["defaulted: true }, name: text }", "defaulted: true }, name: { type: text, unique: true } }"]],
    ["compatible unique-added: library; anybody 1"],
  ],
  [
    "an index of a table that exists",
    [["      readers:\n", "      readers:\n        indexes: [[name]]\n"]],
    ["compatible index-added: library; anybody 1"],
  ],
  [
    "another key of a table that exists, whose events it names",
    [
      [
        "{ reader_id: { type: bigint, key: true, defaulted: true }, name: text }",
        "{ reader_id: { type: bigint, defaulted: true }, name: { type: text, key: true } }",
      ],
    ],
    ["destructive key-changed: library; owner 3"],
  ],
  [
    "another key of a table that exists, which nobody else sees",
    [
      [
        "{ desk_id: { type: bigint, key: true, defaulted: true }, name: text }",
        "{ desk_id: { type: bigint, defaulted: true }, name: { type: text, key: true } }",
      ],
    ],
    ["compatible key-changed: library; anybody 1"],
  ],
  [
    "a table that exists has its earlier rows told to hooks",
    [
      [
        "      readers:\n        existing: true\n",
        "      readers:\n        existing: true\n        backfill: hooks\n",
      ],
    ],
    ["operational backfill-added: library; consumers 1"],
  ],
  [
    "a view goes",
    [
      ["      shelf: { columns: { book_id: { type: nanoid, key: true }, name: text } }\n", ""],
      [", /shelf: shelf", ""],
    ],
    [
      "breaking-consumer view-narrowed: library; consumers 1",
      "breaking-consumer resource-removed: library; consumers 1",
    ],
  ],
  [
    "a new view",
    [["    views:\n", "    views:\n      titles: { columns: { book_id: { type: nanoid, key: true } } }\n"]],
    ["compatible view-widened: ; anybody 1"],
  ],
  [
    "a database shares that of another service",
    [["  club_db:\n", "  club_db:\n    shares: library_db\n"]],
    ["destructive mesh-moved: club; owner 1"],
  ],
  [
    "another folder of own SQL",
    [["sql: sql/library", "sql: sql/books"]],
    ["operational sql-folder-changed: library; anybody 1"],
  ],
  [
    "another patience of a named consumer",
    [["delivery: { attempts: 20 }", "delivery: { attempts: 30 }"]],
    ["operational delivery-changed: club; anybody 1"],
  ],
  [
    "a named consumer goes",
    [["      - { to: library.book.due, name: reminder, delivery: { attempts: 20 } }\n", ""]],
    ["operational subscription-removed: club; anybody 1"],
  ],
  [
    "a named consumer under another name",
    [["name: reminder", "name: bell"]],
    ["operational subscription-removed: club; anybody 1", "operational subscription-added: club; operator 1"],
  ],
  [
    "a named consumer of everything",
    [["to: library.book.due, name", "to: library.book.*, name"]],
    ["operational durable-replaced: club; operator 1"],
  ],
  [
    "the wire speaks camelCase",
    [
      ["  library:\n    database", "  library:\n    naming: camelCase\n    database"],
      ["payload: { book_id: nanoid, label", "payload: { bookId: nanoid, label"],
      ["payload: { book_id: nanoid, label", "payload: { bookId: nanoid, label"],
      ["payload: { book_no: integer", "payload: { bookNo: integer"],
    ],
    [
      "breaking-consumer field-removed: club; consumers 2",
      "breaking-consumer field-removed: club; consumers 2",
      "breaking-consumer field-required: club; publisher 2",
      "breaking-consumer field-required: club; publisher 2",
      "breaking-consumer member-renamed: club, library; publisher 3",
      "breaking-consumer member-renamed: club, library; publisher 3",
      "breaking-consumer view-changed: library; publisher 3",
      "compatible view-changed: ; anybody 1",
    ],
  ],
  [
    "a service under another name, with its database",
    [["  club:\n", "  society:\n"]],
    [
      "breaking-publisher database-moved: society; owner 1",
      "operational service-removed: club; anybody 1",
      "compatible service-added: society; operator 1",
      "operational sync-changed: society; operator 1",
    ],
  ],
  [
    "a service that keeps nothing any more",
    [
      ["    database: club_db\n", ""],
      [
        "  club_db:\n    tables:\n      book_cache:\n        cache: library.book\n        sync: { from: library, get: /books }\n        where: { state: [held, lent] }\n        columns:\n          book_id: { type: text, key: true }\n          title: { type: text, from: label }\n          state: text\n",
        "",
      ],
    ],
    ["operational database-removed: club; anybody 1", "operational dead-letters-changed: club; operator 1"],
  ],
];
